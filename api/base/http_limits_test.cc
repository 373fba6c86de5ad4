// SPDX-License-Identifier: Apache-2.0
// What a hostile or broken peer meets: limits and time-outs of the server, spoken to in bytes.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "api/base/testing/http_fixture.h"

namespace sj::base {
namespace {

using std::chrono::milliseconds;
using testing::ClientOf;
using testing::RawSocket;
using testing::Serve;

void Ok(const ServerRequest& request, const Responder& responder) {
  responder.Answer({200, "text/plain", "ok " + request.body, {}});
}

HttpServerOptions Quick() {
  HttpServerOptions options;
  options.header_timeout = milliseconds(300);
  options.idle_timeout = milliseconds(300);
  options.answer_timeout = milliseconds(300);
  options.body_bytes_max = 1000;
  options.header_bytes_max = 2000;
  return options;
}

TEST(HttpLimits, OversizedBodyIs413) {
  auto server = Serve(Ok, Quick());
  const RawSocket socket(server->port());
  socket.Send("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_TRUE(socket.ReadAll().starts_with("HTTP/1.1 413 "));
  const RawSocket chunked(server->port());
  chunked.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
               std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_TRUE(chunked.ReadAll().starts_with("HTTP/1.1 413 "));
}

TEST(HttpLimits, BodyAtTheLimitIsTaken) {
  auto server = Serve(Ok, Quick());
  HttpRequest request;
  request.method = "POST";
  request.body = std::string(1000, 'x');
  EXPECT_EQ(ClientOf(server->port())->Send(request)->body.size(), 1003u);
  request.body = std::string(1001, 'x');
  const auto refused = ClientOf(server->port())->Send(request);
  ASSERT_TRUE(refused.ok()) << refused.status().ToString();
  EXPECT_EQ(refused->status, 413);
}

TEST(HttpLimits, OversizedHeaderIs431AndNonsenseIs400) {
  auto server = Serve(Ok, Quick());
  const RawSocket big(server->port());
  big.Send("GET / HTTP/1.1\r\nX: " + std::string(3000, 'x'));
  EXPECT_TRUE(big.ReadAll().starts_with("HTTP/1.1 431 "));
  const RawSocket nonsense(server->port());
  nonsense.Send("\x16\x03\x01 hello\r\n\r\n");
  EXPECT_TRUE(nonsense.ReadAll().starts_with("HTTP/1.1 400 "));
}

TEST(HttpLimits, HalfOpenConnectionsAreReaped) {
  auto server = Serve(Ok, Quick());
  std::vector<RawSocket> half;
  for (int i = 0; i < 200; ++i) {
    half.emplace_back(server->port());
    ASSERT_TRUE(half.back().connected());
    half.back().Send(i % 2 == 0 ? "GET / HT" : "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc");
  }
  const auto begin = std::chrono::steady_clock::now();
  for (const RawSocket& socket : half) {
    EXPECT_TRUE(socket.ClosedWithin(milliseconds(5'000)));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(5'000));
  EXPECT_EQ(ClientOf(server->port())->Send({})->status, 200);
}

TEST(HttpLimits, IdleKeepAliveIsReaped) {
  auto server = Serve(Ok, Quick());
  const RawSocket socket(server->port());
  socket.Send("GET / HTTP/1.1\r\n\r\n");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(socket.ReadAll().ends_with("ok "));  // ends when the server closes
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(250));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(4'000));
}

TEST(HttpLimits, HandlerThatNeverAnswersIs503) {
  std::vector<Responder> kept;
  auto server =
      Serve([&](const ServerRequest&, Responder r) { kept.push_back(std::move(r)); }, Quick());
  const auto answer = ClientOf(server->port())->Send({});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 503);
}

TEST(HttpLimits, TooManyConnectionsAreClosed) {
  HttpServerOptions options = Quick();
  options.connections_max = 2;
  options.header_timeout = milliseconds(10'000);
  auto server = Serve(Ok, options);
  const RawSocket a(server->port());
  const RawSocket b(server->port());
  a.Send("GET");
  b.Send("GET");
  const RawSocket c(server->port());
  EXPECT_TRUE(c.ClosedWithin(milliseconds(3'000)));
  EXPECT_FALSE(a.ClosedWithin(milliseconds(50)));
}

TEST(HttpLimits, PipelinedRequestsAreAnsweredInOrder) {
  auto server = Serve(Ok, Quick());
  const RawSocket socket(server->port());
  socket.Send(
      "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n1POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n2"
      "HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string all = socket.ReadAll();
  const size_t first = all.find("ok 1");
  const size_t second = all.find("ok 2");
  ASSERT_NE(first, std::string::npos) << all;
  ASSERT_NE(second, std::string::npos) << all;
  EXPECT_LT(first, second);
  EXPECT_TRUE(all.ends_with("\r\n\r\n")) << all;
}

TEST(HttpLimits, PeerThatLeavesIsNoticed) {
  std::promise<Responder> arrived;
  HttpServerOptions options = Quick();
  options.answer_timeout = milliseconds(60'000);
  auto server =
      Serve([&](const ServerRequest&, Responder r) { arrived.set_value(std::move(r)); }, options);
  RawSocket socket(server->port());
  socket.Send("GET / HTTP/1.1\r\n\r\n");
  const Responder responder = arrived.get_future().get();
  EXPECT_FALSE(responder.gone());
  socket.Close();
  const auto limit = std::chrono::steady_clock::now() + milliseconds(5'000);
  while (!responder.gone() && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(responder.gone());
}

TEST(HttpLimits, PortInUseIsAnError) {
  auto server = Serve(Ok);
  HttpServerOptions options;
  options.port = server->port();
  EXPECT_EQ(StartHttpServer(options, Ok).status().kind(), ErrorKind::kUnavailable);
  options.address = "nowhere";
  EXPECT_EQ(StartHttpServer(options, Ok).status().kind(), ErrorKind::kInvalidArgument);
}

TEST(HttpClient, ConnectTimeoutIsItsOwn) {
  // A listener with a full backlog: the kernel drops further SYNs.
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(::listen(fd, 0), 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  const uint16_t port = ntohs(at.sin_port);
  const RawSocket filler(port);
  HttpClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(port);
  options.connect_timeout = milliseconds(300);
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = ClientOf(0, options)->Send({});
  const auto took = std::chrono::steady_clock::now() - begin;
  ::close(fd);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().kind(), ErrorKind::kUnavailable);
  EXPECT_LT(took, milliseconds(3'000));
}

TEST(HttpClient, WaitingForAnAnswerIsNoConnectTimeout) {
  auto server = Serve([](const ServerRequest&, Responder r) {
    std::thread([r = std::move(r)] {
      std::this_thread::sleep_for(milliseconds(600));  // NOLINT(pause): a slow answer
      r.Answer({200, "text/plain", "late", {}});
    }).detach();
  });
  HttpClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(server->port());
  options.connect_timeout = milliseconds(200);
  for (const char* method : {"GET", "POST"}) {
    HttpRequest request;
    request.method = method;
    request.body = request.method == "POST" ? "x" : "";
    const auto answer = ClientOf(0, options)->Send(request);
    ASSERT_TRUE(answer.ok()) << method << " " << answer.status().ToString();
    EXPECT_EQ(answer->body, "late");
  }
}

}  // namespace
}  // namespace sj::base
