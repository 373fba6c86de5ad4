// SPDX-License-Identifier: Apache-2.0
// HttpClient and HttpServer together, in plain HTTP: exchanges, streams, cancelling, long polls.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "api/base/testing/http_fixture.h"

namespace sj::base {
namespace {

using std::chrono::milliseconds;
using testing::ClientOf;
using testing::RawServer;
using testing::RawSocket;
using testing::Serve;

void Echo(const ServerRequest& request, const Responder& responder) {
  ServerResponse response;
  response.headers = {{"X-Method", request.method},
                      {"X-Token", std::string(request.Header("authorization"))}};
  response.body = request.path + "|" + request.query + "|" + request.body;
  responder.Answer(std::move(response));
}

TEST(Http, ExchangesRequestAndAnswer) {
  auto server = Serve(Echo);
  auto client = ClientOf(server->port());
  HttpRequest request;
  request.method = "PATCH";
  request.target = "/a%20b//c/?x=1&uploads&p=a%2Fb";
  request.headers = {{"Content-Type", "application/merge-patch+json"}};
  request.body = std::string("{\"k\":\0}", 7);
  const auto answer = client->Send(request);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->Header("x-method"), "PATCH");
  EXPECT_EQ(answer->body, "/a%20b//c/|x=1&uploads&p=a%2Fb|" + request.body);
}

TEST(Http, ErrorStatusIsNotAnError) {
  auto server = Serve([](const ServerRequest&, Responder r) {
    r.Answer({404, "text/plain", "no", {}});
  });
  const auto answer = ClientOf(server->port())->Send({});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "no");
}

TEST(Http, RedirectsAreNotFollowed) {
  std::atomic<int> calls{0};
  auto server = Serve([&](const ServerRequest&, Responder r) {
    ++calls;
    r.Answer({302, "text/plain", "", {{"Location", "/other"}}});
  });
  const auto answer = ClientOf(server->port())->Send({});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(calls, 1);
}

TEST(Http, TokenFileIsReadAgain) {
  const testing::TempDir dir;
  dir.Write("token", "first\n");
  auto server = Serve(Echo);
  HttpClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(server->port());
  options.token_file = dir.File("token");
  auto client = ClientOf(0, options);
  EXPECT_EQ(client->Send({})->Header("X-Token"), "Bearer first");
  dir.Write("token.new", "second token");
  std::filesystem::rename(dir.File("token.new"), dir.File("token"));
  EXPECT_EQ(client->Send({})->Header("X-Token"), "Bearer second token");
}

TEST(Http, HeadersCannotBeInjected) {
  auto client = ClientOf(1);
  HttpRequest request;
  request.headers = {{"X-A", "a\r\nX-B: b"}};
  EXPECT_EQ(client->Send(request).status().kind(), ErrorKind::kInvalidArgument);
}

TEST(Http, RefusedConnectionNamesTheTargetButNotTheQuery) {
  const uint16_t port = [] {
    RawServer gone([](int, int) {});
    return gone.port();
  }();
  HttpRequest request;
  request.target = "/path?signature=secret";
  const auto answer = ClientOf(port)->Send(request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().kind(), ErrorKind::kUnavailable);
  EXPECT_NE(answer.status().message().find("/path"), std::string::npos);
  EXPECT_EQ(answer.status().message().find("secret"), std::string::npos);
}

TEST(Http, DeadlineCoversTheWholeExchange) {
  // Trickles a byte every 20 ms: never idle, never done.
  std::atomic<bool> stop{false};
  RawServer server([&](int fd, int) {
    RawServer::ReadHeader(fd);
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (!stop && ::send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
      std::this_thread::sleep_for(milliseconds(20));  // NOLINT(pause): a slow body
    }
  });
  HttpRequest request;
  request.deadline = milliseconds(300);
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = ClientOf(server.port())->Send(request);
  stop = true;
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().kind(), ErrorKind::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(3'000));
}

TEST(Http, AnswerIsBounded) {
  auto server = Serve([](const ServerRequest&, Responder r) {
    r.Answer({200, "text/plain", std::string(100'000, 'x'), {}});
  });
  auto client = ClientOf(server->port());
  HttpRequest request;
  request.response_bytes_max = 99'999;
  EXPECT_EQ(client->Send(request).status().kind(), ErrorKind::kExhausted);
  request.response_bytes_max = 100'000;
  EXPECT_EQ(client->Send(request)->body.size(), 100'000u);
}

TEST(Http, ChunkedAnswerIsBounded) {
  RawServer server([](int fd, int) {
    RawServer::ReadHeader(fd);
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    while (::send(fd, chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  HttpRequest request;
  request.response_bytes_max = 1u << 20;
  EXPECT_EQ(ClientOf(server.port())->Send(request).status().kind(), ErrorKind::kExhausted);
}

TEST(Http, CancelEndsAWaitingCall) {
  std::promise<void> arrived;
  auto server =
      Serve([&, kept = std::vector<Responder>()](const ServerRequest&, Responder r) mutable {
        kept.push_back(std::move(r));
        arrived.set_value();
      });
  auto client = ClientOf(server->port());
  HttpCancel cancel;
  auto result = std::async(std::launch::async, [&] { return client->Send({}, &cancel); });
  arrived.get_future().wait();
  cancel.Cancel();
  ASSERT_EQ(result.wait_for(milliseconds(3'000)), std::future_status::ready);
  EXPECT_EQ(result.get().status().kind(), ErrorKind::kCancelled);
  EXPECT_EQ(client->Send({}, &cancel).status().kind(), ErrorKind::kCancelled);
}

TEST(Http, StaleKeepAliveConnectionIsReplaced) {
  // Each connection answers one request and closes without saying so.
  RawServer server([](int fd, int) {
    RawServer::ReadHeader(fd);
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  auto client = ClientOf(server.port());
  for (int i = 0; i < 20; ++i) {
    const auto answer = client->Send({});
    ASSERT_TRUE(answer.ok()) << i << " " << answer.status().ToString();
    EXPECT_EQ(answer->body, "ok");
  }
}

TEST(HttpStream, LinesArriveAsTheyAreSent) {
  std::promise<void> first_seen;
  RawServer server([&](int fd, int) {
    RawServer::ReadHeader(fd);
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\none\nt\r\n");
    first_seen.get_future().wait();
    RawServer::SendAll(fd, "4\r\nwo\r\n\r\n5\r\ntail!\r\n0\r\n\r\n");
  });
  std::vector<std::string> lines;
  const auto answer = ClientOf(server.port())->Stream({}, [&](std::string_view line) {
    if (lines.empty()) {
      first_seen.set_value();
    }
    lines.emplace_back(line);
    return true;
  });
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
}

TEST(HttpStream, SilenceEndsIt) {
  std::promise<void> done;
  RawServer server([&](int fd, int) {
    RawServer::ReadHeader(fd);
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
    done.get_future().wait();
  });
  int lines = 0;
  HttpRequest request;
  request.deadline = milliseconds(200);
  const auto answer = ClientOf(server.port())->Stream(request, [&](std::string_view) {
    ++lines;
    return true;
  });
  done.set_value();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(lines, 1);
}

TEST(HttpStream, SlowButNotSilentGoesOn) {
  RawServer server([&](int fd, int) {
    RawServer::ReadHeader(fd);
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 8; ++i) {
      std::this_thread::sleep_for(milliseconds(100));  // NOLINT(pause): a slow body
      RawServer::SendAll(fd, "2\r\na\n\r\n");
    }
    RawServer::SendAll(fd, "0\r\n\r\n");
  });
  int lines = 0;
  HttpRequest request;
  request.deadline = milliseconds(500);
  EXPECT_TRUE(ClientOf(server.port())
                  ->Stream(request,
                           [&](std::string_view) {
                             ++lines;
                             return true;
                           })
                  .ok());
  EXPECT_EQ(lines, 8);
}

TEST(HttpStream, CutAndCancelAndStopAndErrorStatus) {
  RawServer server([](int fd, int connection) {
    RawServer::ReadHeader(fd);
    if (connection == 2) {
      RawServer::SendAll(fd, "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone");
      return;
    }
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
    if (connection == 1) {
      RawServer::ReadHeader(fd);  // until the client closes
    }
  });
  auto client = ClientOf(server.port());
  int lines = 0;
  const auto count = [&](std::string_view) {
    ++lines;
    return true;
  };
  EXPECT_EQ(client->Stream({}, count).status().kind(), ErrorKind::kUnavailable);  // cut
  EXPECT_EQ(lines, 1);
  EXPECT_TRUE(client->Stream({}, [](std::string_view) { return false; }).ok());
  const auto gone = client->Stream({}, count);
  ASSERT_TRUE(gone.ok()) << gone.status().ToString();
  EXPECT_EQ(gone->status, 410);
  EXPECT_EQ(gone->body, "gone");
}

TEST(HttpStream, EndlessLineIsBounded) {
  RawServer server([](int fd, int) {
    RawServer::ReadHeader(fd);
    RawServer::SendAll(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    while (::send(fd, chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  HttpRequest request;
  request.response_bytes_max = 256u << 10;
  const auto answer =
      ClientOf(server.port())->Stream(request, [](std::string_view) { return true; });
  EXPECT_EQ(answer.status().kind(), ErrorKind::kExhausted);
}

TEST(HttpServer, LongPollAnswersLaterFromAnotherThread) {
  std::mutex mu;
  std::vector<Responder> waiting;
  std::condition_variable arrived;
  auto server = Serve([&](const ServerRequest&, Responder r) {
    std::lock_guard lock(mu);
    waiting.push_back(std::move(r));
    arrived.notify_all();
  });
  auto client = ClientOf(server->port());
  std::vector<std::future<Result<HttpResponse>>> calls;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(std::async(std::launch::async, [&] { return client->Send({}); }));
  }
  std::unique_lock lock(mu);
  ASSERT_TRUE(arrived.wait_for(lock, milliseconds(5'000), [&] { return waiting.size() == 20; }));
  for (const Responder& responder : waiting) {
    EXPECT_FALSE(responder.gone());
    responder.Answer({200, "text/plain", "late", {}});
    responder.Answer({200, "text/plain", "twice", {}});
  }
  for (auto& call : calls) {
    EXPECT_EQ(call.get()->body, "late");
  }
}

TEST(HttpServer, DroppedRequestAnswers500) {
  auto server = Serve([](const ServerRequest&, const Responder&) {});
  EXPECT_EQ(ClientOf(server->port())->Send({})->status, 500);
}

TEST(HttpServer, StopEndsLongPollsAndLateAnswersAreHarmless) {
  std::promise<Responder> arrived;
  auto server = Serve([&](const ServerRequest&, Responder r) { arrived.set_value(std::move(r)); });
  auto client = ClientOf(server->port());
  auto call = std::async(std::launch::async, [&] { return client->Send({}); });
  const Responder responder = arrived.get_future().get();
  const auto begin = std::chrono::steady_clock::now();
  server->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(3'500));
  const auto answer = call.get();
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->status, 503);
  EXPECT_TRUE(responder.gone());
  server.reset();
  responder.Answer({});
}

}  // namespace
}  // namespace sj::base
