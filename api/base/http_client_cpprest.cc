// SPDX-License-Identifier: Apache-2.0
// HttpClient over cpprestsdk. The caller's thread waits on a condition variable with its own
// deadline; cpprest's threads only store results and wake it, so no pool thread ever blocks. What a
// call leaves behind when it gives up is owned by the continuation, and its exception is observed
// there (an unobserved one ends the process). Changed files make a new underlying client; calls in
// flight finish on the old one.
#include <utility>  // before Boost.Asio 1.74 under C++20

#define _TURN_OFF_PLATFORM_STRING  // cpprest's macro U breaks fmt
#include <cpprest/http_client.h>
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <pplx/threadpool.h>
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <optional>
#include <sstream>

#include "api/base/http_cancel_state.h"
#include "api/base/http_client.h"

namespace sj::base {
namespace {

namespace http = web::http;
using Deadline = std::chrono::steady_clock::time_point;

constexpr int kPoolThreads = 4;
constexpr size_t kReadBytes = 16u << 10;
constexpr size_t kTokenBytesMax = 64u << 10;

// Shared by the waiting caller and the library's continuations: whoever is last frees it.
struct Exchange {
  std::mutex mu;
  std::condition_variable wake;
  pplx::cancellation_token_source source;
  bool cancelled = false;  // by the caller's HttpCancel
  bool connected = false;  // the request is on its way
  bool too_large = false;  // the answer outgrew its bound
  uint64_t consumed = 0;   // bytes of a stream handed to the caller
  size_t unread_bytes_max = 0;
};
using ExchangePtr = std::shared_ptr<Exchange>;

// The outcome of one task, owned like Exchange.
template <typename T>
struct Slot {
  bool done = false;
  std::optional<T> value;
  std::string error;
};

// What differs between a time-out, a cancel and a failure.
enum class Ended : uint8_t { kDone, kCancelled, kTooLarge, kTimeout, kConnectTimeout };

struct WaitLimits {
  Deadline deadline;
  std::optional<Deadline> connect_deadline;
};

// Waits until the task is done or a limit is met. Never holds the lock while calling the library.
template <typename T>
Ended Await(const ExchangePtr& exchange, const pplx::task<T>& task, const WaitLimits& limits,
            const std::shared_ptr<Slot<T>>& slot) {
  task.then([exchange, slot](pplx::task<T> finished) {
    std::optional<T> value;
    std::string error;
    try {
      value.emplace(finished.get());
    } catch (const std::exception& e) {
      error = e.what();
    } catch (...) {
      error = "unknown failure";
    }
    std::lock_guard lock(exchange->mu);
    slot->value = std::move(value);
    slot->error = std::move(error);
    slot->done = true;
    exchange->wake.notify_all();
  });
  std::unique_lock lock(exchange->mu);
  const auto stop = [&] { return slot->done || exchange->cancelled || exchange->too_large; };
  if (limits.connect_deadline && *limits.connect_deadline < limits.deadline) {
    const bool moved = exchange->wake.wait_until(lock, *limits.connect_deadline,
                                                 [&] { return stop() || exchange->connected; });
    if (!moved) {
      return Ended::kConnectTimeout;
    }
  }
  exchange->wake.wait_until(lock, limits.deadline, stop);
  if (exchange->cancelled) {
    return Ended::kCancelled;
  }
  if (exchange->too_large) {
    return Ended::kTooLarge;
  }
  return slot->done ? Ended::kDone : Ended::kTimeout;
}

// Identity and age of a file: a swapped symbolic link shows as another inode.
struct FileStamp {
  ino_t inode = 0;
  timespec changed{};
  off_t size = -1;
  bool operator==(const FileStamp& o) const {
    return inode == o.inode && size == o.size && changed.tv_sec == o.changed.tv_sec &&
           changed.tv_nsec == o.changed.tv_nsec;
  }
};

FileStamp StampOf(const std::string& path) {
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) {
    return {};
  }
  return {info.st_ino, info.st_mtim, info.st_size};
}

Result<std::string> ReadToken(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kTokenBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  if (text.empty()) {
    return Unavailable(fmt::format("read token file \"{}\": no token in it", path));
  }
  return text;
}

bool CleanHeader(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

void ConfigureTls(boost::asio::ssl::context& context, const HttpClientOptions& options) {
  SSL_CTX* raw = context.native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  if (!options.ca_file.empty()) {
    // Only the given authorities, none of the system's.
    SSL_CTX_set_cert_store(raw, X509_STORE_new());
    context.load_verify_file(options.ca_file);
  }
  if (!options.client_cert_file.empty()) {
    context.use_certificate_chain_file(options.client_cert_file);
    context.use_private_key_file(options.client_key_file, boost::asio::ssl::context::pem);
  }
}

// The underlying client and what it was made from.
struct Backend {
  std::shared_ptr<http::client::http_client> client;  // owners: the HttpClient and running calls
  FileStamp ca, cert, key, token_stamp;
  std::string token;
};

class CppRestClient final : public HttpClient {
 public:
  explicit CppRestClient(HttpClientOptions options) : options_(std::move(options)) {}

  Status Init() {
    SJ_ASSIGN_OR_RETURN(auto ignored, Current());
    return ignored.client ? OkStatus() : Internal("make HTTP client");
  }

  Result<HttpResponse> Send(const HttpRequest& request, HttpCancel* cancel) override {
    return Guarded(request, [&] { return SendUnguarded(request, cancel); });
  }

  Result<HttpResponse> Stream(const HttpRequest& request,
                              const std::function<bool(std::string_view)>& on_line,
                              HttpCancel* cancel) override {
    return Guarded(request, [&] { return StreamUnguarded(request, on_line, cancel); });
  }

 private:
  // Adds what was attempted to an error; the query stays out, it may hold a signature.
  template <typename Call>
  Result<HttpResponse> Guarded(const HttpRequest& request, Call call) {
    const std::string what =
        fmt::format("{} {}{}", request.method, options_.base_url,
                    std::string_view(request.target)
                        .substr(0, std::min<size_t>(request.target.find('?'), 256)));
    try {
      Result<HttpResponse> result = call();
      if (result.ok()) {
        return result;
      }
      return std::move(result).status().WithContext(what);
    } catch (const std::exception& e) {
      return Unavailable(fmt::format("{}: {}", what, e.what()));
    }
  }

  // The client for the next call, made anew when one of its files has changed.
  Result<Backend> Current() {
    std::lock_guard lock(mu_);
    const FileStamp ca = StampOf(options_.ca_file);
    const FileStamp cert = StampOf(options_.client_cert_file);
    const FileStamp key = StampOf(options_.client_key_file);
    if (!backend_.client || !(ca == backend_.ca && cert == backend_.cert && key == backend_.key)) {
      SJ_ASSIGN_OR_RETURN(backend_.client, MakeBackend());
      backend_.ca = ca;
      backend_.cert = cert;
      backend_.key = key;
    }
    if (!options_.token_file.empty()) {
      const FileStamp stamp = StampOf(options_.token_file);
      if (backend_.token.empty() || !(stamp == backend_.token_stamp)) {
        SJ_ASSIGN_OR_RETURN(backend_.token, ReadToken(options_.token_file));
        backend_.token_stamp = stamp;
      }
    } else {
      backend_.token = options_.token;
    }
    return backend_;
  }

  Result<std::shared_ptr<http::client::http_client>> MakeBackend() const {
    try {
      http::client::http_client_config config;
      config.set_timeout(std::chrono::hours(24));  // our own deadlines are shorter
      config.set_max_redirects(0);
      config.set_validate_certificates(options_.tls_verify);
      config.set_ssl_context_callback([options = options_](boost::asio::ssl::context& context) {
        ConfigureTls(context, options);
      });
      return std::make_shared<http::client::http_client>(web::uri(options_.base_url), config);
    } catch (const std::exception& e) {
      return InvalidArgument(
          fmt::format("make HTTP client for \"{}\": {}", options_.base_url, e.what()));
    }
  }

  Result<http::http_request> Build(const HttpRequest& request, const std::string& token,
                                   const ExchangePtr& exchange) const {
    http::http_request built(request.method);
    built.set_request_uri(web::uri(request.target));
    if (!request.body.empty()) {
      built.set_body(std::vector<uint8_t>(request.body.begin(), request.body.end()));
    } else if (request.method == "PUT" || request.method == "POST" || request.method == "PATCH") {
      built.headers()["Content-Length"] = "0";
    }
    if (!token.empty()) {
      built.headers()["Authorization"] = "Bearer " + token;
    }
    for (const auto& [name, value] : request.headers) {
      if (!CleanHeader(name) || !CleanHeader(value)) {
        return InvalidArgument(fmt::format("header \"{}\" holds a control character", name));
      }
      built.headers()[name] = value;
    }
    built.set_progress_handler(
        [exchange](http::message_direction::direction direction, utility::size64_t bytes) {
          std::lock_guard lock(exchange->mu);
          exchange->connected = true;
          if (direction == http::message_direction::download &&
              bytes > exchange->consumed + exchange->unread_bytes_max) {
            exchange->too_large = true;
          }
          exchange->wake.notify_all();
        });
    return built;
  }

  // Begins the exchange and waits for the answer's header.
  Result<http::http_response> Begin(const HttpRequest& request, const ExchangePtr& exchange,
                                    Deadline deadline) {
    SJ_ASSIGN_OR_RETURN(const Backend backend, Current());
    SJ_ASSIGN_OR_RETURN(http::http_request built, Build(request, backend.token, exchange));
    const Deadline connect = std::chrono::steady_clock::now() + options_.connect_timeout;
    auto slot = std::make_shared<Slot<http::http_response>>();
    return Finish(exchange, request,
                  Await(exchange, backend.client->request(built, exchange->source.get_token()),
                        {deadline, connect}, slot),
                  slot);
  }

  // Turns the end of a wait into a value or an error; everything but success ends the exchange.
  template <typename T>
  Result<T> Finish(const ExchangePtr& exchange, const HttpRequest& request, Ended ended,
                   const std::shared_ptr<Slot<T>>& slot) const {
    if (ended == Ended::kDone && slot->value) {
      return std::move(*slot->value);
    }
    exchange->source.cancel();
    switch (ended) {
      case Ended::kCancelled:
        return Cancelled("cancelled by the caller");
      case Ended::kTooLarge:
        return Exhausted(fmt::format("the answer is larger than the limit of {} bytes",
                                     request.response_bytes_max));
      case Ended::kTimeout:
        return Unavailable(fmt::format("no answer within {} ms", request.deadline.count()));
      case Ended::kConnectTimeout:
        return Unavailable(
            fmt::format("no connection within {} ms", options_.connect_timeout.count()));
      case Ended::kDone:
        break;
    }
    return Unavailable(slot->error.empty() ? "the exchange failed" : slot->error);
  }

  static ExchangePtr MakeExchange(const HttpRequest& request) {
    auto exchange = std::make_shared<Exchange>();
    exchange->unread_bytes_max = request.response_bytes_max;
    return exchange;
  }

  static std::function<void()> Waker(const ExchangePtr& exchange) {
    return [exchange] {
      std::lock_guard lock(exchange->mu);
      exchange->cancelled = true;
      exchange->wake.notify_all();
    };
  }

  static HttpResponse HeadOf(const http::http_response& from) {
    HttpResponse response;
    response.status = from.status_code();
    for (const auto& [name, value] : from.headers()) {
      response.headers.emplace_back(name, value);
    }
    return response;
  }

  Result<HttpResponse> ReadBody(const HttpRequest& request, const ExchangePtr& exchange,
                                const http::http_response& answer, Deadline deadline) const {
    if (answer.headers().content_length() > request.response_bytes_max &&
        request.method != "HEAD") {
      return Finish(exchange, request, Ended::kTooLarge, std::make_shared<Slot<HttpResponse>>());
    }
    auto slot = std::make_shared<Slot<std::vector<uint8_t>>>();
    SJ_ASSIGN_OR_RETURN(
        const std::vector<uint8_t> body,
        Finish(exchange, request,
               Await(exchange, answer.extract_vector(), {deadline, std::nullopt}, slot), slot));
    HttpResponse response = HeadOf(answer);
    response.body.assign(body.begin(), body.end());
    return response;
  }

  Result<HttpResponse> SendUnguarded(const HttpRequest& request, HttpCancel* cancel) {
    const Deadline deadline = std::chrono::steady_clock::now() + request.deadline;
    const ExchangePtr exchange = MakeExchange(request);
    const CancelRegistration registration(cancel, Waker(exchange));
    SJ_ASSIGN_OR_RETURN(const http::http_response answer, Begin(request, exchange, deadline));
    return ReadBody(request, exchange, answer, deadline);
  }

  Result<HttpResponse> StreamUnguarded(const HttpRequest& request,
                                       const std::function<bool(std::string_view)>& on_line,
                                       HttpCancel* cancel) {
    const Deadline deadline = std::chrono::steady_clock::now() + request.deadline;
    const ExchangePtr exchange = MakeExchange(request);
    const CancelRegistration registration(cancel, Waker(exchange));
    SJ_ASSIGN_OR_RETURN(const http::http_response answer, Begin(request, exchange, deadline));
    if (answer.status_code() < 200 || answer.status_code() > 299) {
      return ReadBody(request, exchange, answer, deadline);
    }
    SJ_RETURN_IF_ERROR(ReadLines(request, exchange, answer, on_line));
    return HeadOf(answer);
  }

  Status ReadLines(const HttpRequest& request, const ExchangePtr& exchange,
                   const http::http_response& answer,
                   const std::function<bool(std::string_view)>& on_line) const {
    auto stream = answer.body().streambuf();
    std::string pending;  // at most one incomplete line, at most response_bytes_max
    while (true) {
      // Owned by the read as well: it may end after we have given up.
      auto chunk = std::make_shared<std::vector<uint8_t>>(kReadBytes);
      const auto read = ReadAvailable(stream, chunk);
      auto slot = std::make_shared<Slot<size_t>>();
      const Deadline idle = std::chrono::steady_clock::now() + request.deadline;
      SJ_ASSIGN_OR_RETURN(
          const size_t bytes,
          Finish(exchange, request, Await(exchange, read, {idle, std::nullopt}, slot), slot));
      if (bytes == 0) {
        return OkStatus();
      }
      {
        std::lock_guard lock(exchange->mu);
        exchange->consumed += bytes;
      }
      pending.append(reinterpret_cast<const char*>(chunk->data()), bytes);
      if (!EmitLines(pending, on_line)) {
        exchange->source.cancel();
        return OkStatus();
      }
      if (pending.size() > request.response_bytes_max) {
        return Finish(exchange, request, Ended::kTooLarge, slot).status();
      }
    }
  }

  // Waits for one byte, then takes what is there: a longer read would wait until all of it is.
  static pplx::task<size_t> ReadAvailable(concurrency::streams::streambuf<uint8_t> stream,
                                          const std::shared_ptr<std::vector<uint8_t>>& chunk) {
    return stream.getn(chunk->data(), 1).then([stream, chunk](size_t n) mutable {
      const size_t more = n == 0 ? 0 : std::min(stream.in_avail(), chunk->size() - 1);
      if (more == 0) {
        return pplx::task_from_result(n);
      }
      return stream.getn(chunk->data() + 1, more).then([chunk](size_t m) { return m + 1; });
    });
  }

  // Hands out the complete lines at the front of `pending`. False: the caller wants no more.
  static bool EmitLines(std::string& pending,
                        const std::function<bool(std::string_view)>& on_line) {
    size_t begin = 0;
    for (size_t end = pending.find('\n'); end != std::string::npos;
         end = pending.find('\n', begin)) {
      std::string_view line = std::string_view(pending).substr(begin, end - begin);
      if (line.ends_with('\r')) {
        line.remove_suffix(1);
      }
      begin = end + 1;
      if (!on_line(line)) {
        return false;
      }
    }
    pending.erase(0, begin);
    return true;
  }

  const HttpClientOptions options_;
  std::mutex mu_;
  Backend backend_;  // guarded by mu_
};

// cpprest would start forty threads. Once for the process, before its first use.
void StartPool() {
  static const bool once = [] {
    try {
      crossplat::threadpool::initialize_with_threads(kPoolThreads);
    } catch (const std::exception&) {
      // Somebody used the pool before us; it works with more threads too.
      return false;
    }
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

Result<std::unique_ptr<HttpClient>> MakeHttpClient(HttpClientOptions options) {
  if (options.client_cert_file.empty() != options.client_key_file.empty()) {
    return InvalidArgument("make HTTP client: a client certificate needs both files");
  }
  StartPool();
  auto client = std::make_unique<CppRestClient>(std::move(options));
  SJ_RETURN_IF_ERROR(client->Init());
  return std::unique_ptr<HttpClient>(std::move(client));
}

}  // namespace sj::base
