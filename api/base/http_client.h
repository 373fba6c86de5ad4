// SPDX-License-Identifier: Apache-2.0
// HttpClient: HTTP/1.1 client over cpprestsdk (hidden in http_client.cc). Used for the Kubernetes
// API, S3, the control API and webhooks. Bounded sizes, a deadline for every call, streams by line.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/base/status.h"

namespace sj::base {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target;  // path and query, already percent-encoded; joined to the client's base URL
  HttpHeaders headers;
  std::string body;
  std::chrono::milliseconds deadline{10'000};  // for the whole exchange
  size_t response_bytes_max = 64u << 20;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;
  // The first header of that name, case-insensitive, or "".
  std::string_view Header(std::string_view name) const;
};

struct HttpClientOptions {
  std::string base_url;                           // "https://10.96.0.1:443"
  std::string ca_file;                            // PEM; empty: the system's
  std::string client_cert_file, client_key_file;  // PEM; empty: none
  std::string token_file;  // bearer token, re-read when the file changes; empty: none
  std::string token;       // a fixed bearer token; empty: none
  bool tls_verify = true;
  std::chrono::milliseconds connect_timeout{5'000};
};

// Cancels a running Send or Stream from another thread. Thread-safe.
class HttpCancel {
 public:
  HttpCancel();
  ~HttpCancel();
  void Cancel();
  bool cancelled() const;

  struct State;
  State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Thread-safe. Certificate, key and token files are re-read when they change on disk.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Errors: kUnavailable (connect, TLS, time-out, cut), kExhausted (answer too large), kCancelled.
  // An HTTP error status is not an error here.
  virtual Result<HttpResponse> Send(const HttpRequest& request, HttpCancel* cancel = nullptr) = 0;
  // Calls on_line for every complete line of a 2xx body as it arrives; on_line returns false to
  // stop. The request's deadline is an idle limit here: the longest silence tolerated. Returns the
  // status and, when it is not 2xx, the body. Ends ok when the server closes the stream.
  virtual Result<HttpResponse> Stream(const HttpRequest& request,
                                      const std::function<bool(std::string_view)>& on_line,
                                      HttpCancel* cancel = nullptr) = 0;
};

Result<std::unique_ptr<HttpClient>> MakeHttpClient(HttpClientOptions options);

// Percent-encodes everything but RFC 3986 unreserved characters ('/' kept when keep_slash).
std::string UrlEncode(std::string_view text, bool keep_slash = false);

}  // namespace sj::base
