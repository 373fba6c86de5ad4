// SPDX-License-Identifier: Apache-2.0
// HttpServer: a small HTTP/1.1 server over Boost.Beast (hidden in http_server.cc) for health,
// metrics, status and the control API. Limits on header, body, connections and time; optional TLS
// with certificate files re-read when they change. Handlers may answer later, from any thread, so a
// long poll costs a connection and no thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/base/http_client.h"
#include "api/base/status.h"

namespace sj::base {

struct ServerRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // after '?', undecoded
  HttpHeaders headers;
  std::string body;
  std::string_view Header(std::string_view name) const;
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  HttpHeaders headers;  // further ones, such as Cache-Control
};

// Answers one request, once; later calls are ignored. Copyable, thread-safe; dropping the last copy
// unanswered answers 500.
class Responder {
 public:
  struct State;
  explicit Responder(
      std::shared_ptr<State> state);  // shared by the copies; the connection has a weak one
  void Answer(ServerResponse response) const;
  // True when the peer has gone away or the server stops: a long poll may be forgotten.
  bool gone() const;

 private:
  std::shared_ptr<State> state_;
};

using HttpHandler = std::function<void(const ServerRequest&, Responder)>;

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;                        // 0: the system chooses; see port()
  std::string tls_cert_file, tls_key_file;  // empty: plain HTTP
  int threads = 1;
  size_t header_bytes_max = 16u << 10;
  size_t body_bytes_max = 1u << 20;
  int connections_max = 10'000;
  std::chrono::milliseconds header_timeout{10'000};   // for the header, then again for the body
  std::chrono::milliseconds answer_timeout{120'000};  // 503 when a handler never answers
  std::chrono::milliseconds idle_timeout{120'000};    // between two requests of a connection
};

// Thread-safe. Stops and joins in the destructor.
class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
  // Takes no new work, answers 503 to what waits, lets running answers out for at most 3 s. Not
  // from a handler.
  virtual void Stop() = 0;
};

// `handler` gets every request, on a server thread; it must not block for long.
Result<std::unique_ptr<HttpServer>> StartHttpServer(HttpServerOptions options, HttpHandler handler);

}  // namespace sj::base
