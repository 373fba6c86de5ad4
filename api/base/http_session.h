// SPDX-License-Identifier: Apache-2.0
// Inside of the HTTP server: one connection, and the loop it lives on. A connection is touched by
// its loop's thread only, so there are no locks on the path. Beast parses requests; reading, TLS
// and writing are non-blocking calls of http_server_tls.h, driven by Pump: it works until the
// socket would block, then waits for readiness. A connection that waits for its handler (long poll)
// costs no thread; its socket is watched so that a peer that leaves is noticed.
#pragma once

#include <utility>  // before Boost.Asio 1.74 under C++20

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "api/base/http_server.h"
#include "api/base/http_server_tls.h"

namespace sj::base {

class HttpSession;

// What all connections of a server share; constant but for the counter.
struct HttpShared {
  HttpServerOptions options;
  HttpHandler handler;
  std::unique_ptr<TlsContext> tls;  // null: plain
  std::atomic<int> connections{0};
};

// One thread's event loop. Shared by the server, its sessions and so by late Responders: an
// answer that comes after the server is gone finds the loop closed and is dropped.
struct HttpLoop {
  boost::asio::io_context io{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work;
  boost::asio::steady_timer stop_timer{io};
  std::unordered_set<std::shared_ptr<HttpSession>> sessions;  // loop thread only
  bool stopping = false;                                      // loop thread only
  std::mutex mu;
  bool closed = false;  // guarded by mu

  // Runs `task` on the loop thread; false when the loop has ended.
  template <typename Task>
  bool Post(Task task) {
    std::lock_guard lock(mu);
    if (closed) {
      return false;
    }
    boost::asio::post(io, std::move(task));
    return true;
  }
};

// Shared by the copies of a Responder. The connection holds it weakly, so that the last copy's
// end is seen here.
struct Responder::State {
  std::atomic<bool> answered{false};
  std::atomic<bool> gone{false};
  std::weak_ptr<HttpSession> session;

  // Answers 500 when nobody answered.
  ~State();
};

// One connection. Owned by its loop's set and by the operations under way; loop thread only, but
// for its destructor.
class HttpSession final : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<HttpLoop> loop, std::shared_ptr<HttpShared> shared,
              boost::asio::ip::tcp::socket socket, SSL* tls)
      : loop_(std::move(loop)),
        shared_(std::move(shared)),
        socket_(std::move(socket)),
        channel_(socket_.native_handle(), tls),
        timer_(loop_->io) {
    ++shared_->connections;
  }
  ~HttpSession() { --shared_->connections; }

  const std::shared_ptr<HttpLoop>& loop() const { return loop_; }

  void Start();
  // The handler's answer to the request of that Responder.
  void OnAnswer(const Responder::State* from, ServerResponse response);
  void OnStop();

 private:
  enum class State : uint8_t { kHandshake, kReading, kHandling, kWriting, kDiscarding, kClosed };

  // Works until the socket would block or the connection ends.
  void Pump();

  // True: progress was made. Otherwise waits for the socket, or closes.
  bool Step(IoResult result);
  void Wait(boost::asio::ip::tcp::socket::wait_type what, bool& waiting);
  void Arm(std::chrono::milliseconds after);
  void OnTimeout();
  bool ReadSome();

  // Feeds what was read to the parser. True when the state changed.
  bool ParseBuffered();
  void Refuse(boost::system::error_code error);
  void Dispatch();
  void Answer(ServerResponse response, bool keep_alive);
  bool WriteSome();
  void MarkGone();
  void Close();

  const std::shared_ptr<HttpLoop> loop_;      // owners: see HttpLoop
  const std::shared_ptr<HttpShared> shared_;  // owners: the server and its sessions
  boost::asio::ip::tcp::socket socket_;
  Channel channel_;
  boost::asio::steady_timer timer_;
  uint64_t timer_number_ = 0;
  State state_ = State::kHandshake;
  bool read_waiting_ = false;
  bool write_waiting_ = false;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool close_after_write_ = false;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  std::string in_;   // read, not yet parsed: at most a header and one read
  std::string out_;  // the answer under way
  size_t written_ = 0;
  std::string path_;
  std::weak_ptr<Responder::State> responder_;
};

}  // namespace sj::base
