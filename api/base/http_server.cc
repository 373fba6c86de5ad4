// SPDX-License-Identifier: Apache-2.0
// HttpServer: listens, spreads connections over its loops (one io_context and one thread each), and
// stops them within a bound.
#include "api/base/http_server.h"

#include <fmt/format.h>
#include <signal.h>

#include <thread>
#include <vector>

#include "api/base/http_session.h"

namespace sj::base {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kStopTime{3'000};
constexpr std::chrono::milliseconds kAcceptPause{100};

class BeastServer final : public HttpServer {
 public:
  BeastServer(HttpServerOptions options, HttpHandler handler)
      : shared_(std::make_shared<HttpShared>()) {
    shared_->options = std::move(options);
    shared_->handler = std::move(handler);
  }
  ~BeastServer() override { Stop(); }

  Status Start() {
    const HttpServerOptions& options = shared_->options;
    if (!options.tls_cert_file.empty()) {
      SJ_ASSIGN_OR_RETURN(shared_->tls,
                          TlsContext::Load(options.tls_cert_file, options.tls_key_file));
      // OpenSSL writes to the socket without MSG_NOSIGNAL.
      ::signal(SIGPIPE, SIG_IGN);
    }
    for (int i = 0; i < std::max(options.threads, 1); ++i) {
      loops_.push_back(std::make_shared<HttpLoop>());
      loops_.back()->work.emplace(loops_.back()->io.get_executor());
    }
    SJ_RETURN_IF_ERROR(Listen());
    for (const auto& loop : loops_) {
      threads_.emplace_back([loop] { loop->io.run(); });
    }
    loops_[0]->Post([this] { Accept(); });
    return OkStatus();
  }

  uint16_t port() const override { return port_; }

  void Stop() override {
    std::lock_guard lock(stop_mu_);
    if (threads_.empty()) {
      return;
    }
    loops_[0]->Post([this] {
      error_code ignored;
      acceptor_->close(ignored);
      pause_->cancel();
    });
    for (const auto& loop : loops_) {
      loop->Post([loop] { StopLoop(*loop); });
    }
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
    for (const auto& loop : loops_) {
      CloseLoop(*loop);
    }
  }

 private:
  static void StopLoop(HttpLoop& loop) {
    loop.stopping = true;
    loop.work.reset();
    loop.stop_timer.expires_after(kStopTime);
    loop.stop_timer.async_wait([&loop](error_code error) {
      if (!error) {
        loop.io.stop();
      }
    });
    const auto sessions = loop.sessions;
    for (const auto& session : sessions) {
      session->OnStop();
    }
    if (loop.sessions.empty()) {
      loop.stop_timer.cancel();
    }
  }

  // After its thread has ended: refuses further tasks and runs what is left, so that nothing owned
  // by a queued task keeps the loop alive.
  static void CloseLoop(HttpLoop& loop) {
    {
      std::lock_guard lock(loop.mu);
      loop.closed = true;
    }
    const auto sessions = std::exchange(loop.sessions, {});
    for (const auto& session : sessions) {
      session->OnStop();
    }
    loop.io.restart();
    loop.io.poll();
    loop.sessions.clear();
  }

  Status Listen() {
    const HttpServerOptions& options = shared_->options;
    const std::string where = fmt::format("listen on {}:{}", options.address, options.port);
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) {
      return InvalidArgument(fmt::format("{}: not an IP address", where));
    }
    acceptor_.emplace(loops_[0]->io);
    pause_.emplace(loops_[0]->io);
    const tcp::endpoint endpoint(address, options.port);
    acceptor_->open(endpoint.protocol(), error);
    if (!error) {
      acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error) {
      acceptor_->bind(endpoint, error);
    }
    if (!error) {
      acceptor_->listen(1024, error);
    }
    if (error) {
      return Unavailable(fmt::format("{}: {}", where, error.message()));
    }
    port_ = acceptor_->local_endpoint().port();
    return OkStatus();
  }

  void Accept() {
    const auto& loop = loops_[next_++ % loops_.size()];
    acceptor_->async_accept(loop->io, [this, loop](error_code error, tcp::socket socket) {
      if (!acceptor_->is_open()) {
        return;
      }
      if (error) {
        // Out of descriptors, most likely: pause instead of spinning.
        pause_->expires_after(kAcceptPause);
        pause_->async_wait([this](error_code ended) {
          if (!ended && acceptor_->is_open()) {
            Accept();
          }
        });
        return;
      }
      Adopt(loop, std::move(socket));
      Accept();
    });
  }

  void Adopt(const std::shared_ptr<HttpLoop>& loop, tcp::socket socket) {
    error_code error;
    socket.non_blocking(true, error);
    socket.set_option(tcp::no_delay(true), error);
    if (shared_->connections >= shared_->options.connections_max) {
      return;  // closes it
    }
    SSL* tls = nullptr;
    if (shared_->tls != nullptr) {
      tls = shared_->tls->NewConnection();
      if (tls == nullptr) {
        return;
      }
    }
    auto session = std::make_shared<HttpSession>(loop, shared_, std::move(socket), tls);
    loop->Post([session] { session->Start(); });
  }

  const std::shared_ptr<HttpShared> shared_;  // owners: the server and its sessions
  std::vector<std::shared_ptr<HttpLoop>> loops_;
  std::optional<tcp::acceptor> acceptor_;    // loop 0
  std::optional<asio::steady_timer> pause_;  // loop 0
  size_t next_ = 0;                          // loop 0
  uint16_t port_ = 0;
  std::mutex stop_mu_;
  std::vector<std::thread> threads_;  // guarded by stop_mu_
};

}  // namespace

Result<std::unique_ptr<HttpServer>> StartHttpServer(HttpServerOptions options,
                                                    HttpHandler handler) {
  if (options.tls_cert_file.empty() != options.tls_key_file.empty()) {
    return InvalidArgument("start HTTP server: TLS needs both the certificate and the key file");
  }
  auto server = std::make_unique<BeastServer>(std::move(options), std::move(handler));
  SJ_RETURN_IF_ERROR(server->Start());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace sj::base
