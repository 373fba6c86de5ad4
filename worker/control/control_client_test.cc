// SPDX-License-Identifier: Apache-2.0
// ControlClient against an HTTP server that plays the replicas of an operator.
#include "worker/control/control_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "api/base/http_server.h"
#include "api/control/headers.h"

namespace sj::worker::control {
namespace {

namespace wire = sj::control;

class ControlClientTest : public ::testing::Test {
 protected:
  // Answers the first `others` calls as a replica that does not lead, then as the leader.
  void Serve(int others) {
    base::HttpServerOptions options;
    options.address = "127.0.0.1";
    auto started = base::StartHttpServer(
        options, [this, others](const base::ServerRequest&, const base::Responder& responder) {
          responder.Answer(calls_++ < others ? NotLeader() : Assigned());
        });
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = *std::move(started);
    Connect();
  }

  // Registers are told to wait for long until a heartbeat was told of generation 7.
  void ServeNews() {
    base::HttpServerOptions options;
    options.threads = 2;
    auto started = base::StartHttpServer(
        options, [this](const base::ServerRequest& request, const base::Responder& responder) {
          if (request.path == wire::kRegisterPath) {
            responder.Answer(calls_++ == 0 ? Wait() : Assigned());
          } else if (calls_ > 0 && !told_.exchange(true)) {
            responder.Answer(News());
          } else {
            std::lock_guard<std::mutex> lock(mu_);
            held_.push_back(responder);  // a poll without news
          }
        });
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = *std::move(started);
    Connect();
  }

  // Every heartbeat that does not know `order` yet is told it; the others are held.
  void ServeOrder(const wire::CleanupOrder& order) {
    base::HttpServerOptions options;
    options.threads = 2;
    auto started = base::StartHttpServer(options, [this, order](const base::ServerRequest& request,
                                                                const base::Responder& responder) {
      if (request.path == wire::kGenerationPath) {
        wire::GenerationResponse now;
        now.remove = wire::Remains{true, false, false};
        responder.Answer(Body(wire::Encode(now)));
        return;
      }
      const auto beat = wire::DecodeHeartbeatRequest(request.body);
      std::lock_guard<std::mutex> lock(mu_);
      beats_.push_back(*beat);
      if (beat->cleanup->known == order && beat->hold > base::Millis(0)) {
        held_.push_back(responder);
        return;
      }
      wire::HeartbeatResponse answer;
      answer.cleanup = order;
      responder.Answer(Body(wire::Encode(answer)));
    });
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = *std::move(started);
    Connect();
  }

  // The same of an order about a snapshot.
  void ServeSnapshot(const wire::SnapshotOrder& order) {
    base::HttpServerOptions options;
    options.threads = 2;
    auto started = base::StartHttpServer(options, [this, order](const base::ServerRequest& request,
                                                                const base::Responder& responder) {
      const auto beat = wire::DecodeHeartbeatRequest(request.body);
      std::lock_guard<std::mutex> lock(mu_);
      beats_.push_back(*beat);
      if (beat->snapshot->known == order && beat->hold > base::Millis(0)) {
        held_.push_back(responder);
        return;
      }
      wire::HeartbeatResponse answer;
      answer.snapshot = order;
      responder.Answer(Body(wire::Encode(answer)));
    });
    ASSERT_TRUE(started.ok()) << started.status().ToString();
    server_ = *std::move(started);
    Connect();
  }

  void Connect() {
    ControlOptions client;
    client.url = "http://127.0.0.1:" + std::to_string(server_->port());
    client.job = {"ns", "job", "uid"};
    auto made = ControlClient::Make(client, &board_, &base::RealClock());
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    client_ = *std::move(made);
  }

  // Two threads serve: one that was given up may be noted behind its successor.
  const wire::HeartbeatRequest& NewestLocked() const {
    return *std::max_element(beats_.begin(), beats_.end(),
                             [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
  }

  static base::ServerResponse Body(std::string text) {
    base::ServerResponse response;
    response.body = std::move(text);
    return response;
  }

  static base::ServerResponse Wait() {
    wire::RegisterResponse message;
    message.wait_reason = "WaitingForDrain";
    message.retry_after = base::Millis(3'000);
    return Body(wire::Encode(message));
  }

  static base::ServerResponse News() {
    wire::HeartbeatResponse message;
    message.generation = 7;
    return Body(wire::Encode(message));
  }

  static base::ServerResponse NotLeader() {
    base::ServerResponse response;
    response.status = 503;
    response.headers = {{std::string(wire::kLeaderHeader), "no"}, {"Connection", "close"}};
    return response;
  }

  static base::ServerResponse Assigned() {
    wire::RegisterResponse message;
    message.assignment = wire::Assignment{};
    message.assignment->generation = 7;
    message.assignment->replicas = 1;
    message.assignment->shards = 16;
    message.assignment->max_parallelism = 128;
    return Body(wire::Encode(message));
  }

  std::atomic<int> calls_{0};
  std::atomic<bool> told_{false};
  std::mutex mu_;
  std::vector<base::Responder> held_;          // guarded by mu_
  std::vector<wire::HeartbeatRequest> beats_;  // guarded by mu_
  std::atomic<bool> stop_{false};
  runtime::StatusBoard board_;
  std::unique_ptr<base::HttpServer> server_;
  std::unique_ptr<ControlClient> client_;
};

// By the back-off alone these five answers would take three seconds.
TEST_F(ControlClientTest, GoesOnToAnotherReplicaAtOnce) {
  Serve(5);
  const base::MonoTime begun = base::RealClock().Mono();
  auto assignment = client_->Register("plan", {}, stop_);
  ASSERT_TRUE(assignment.ok()) << assignment.status().ToString();
  EXPECT_EQ(assignment->generation, 7);
  EXPECT_EQ(calls_, 6);
  EXPECT_LT(base::RealClock().Mono() - begun, base::Millis(1'500));
}

TEST_F(ControlClientTest, BacksOffWhenNobodyLeads) {
  Serve(8);
  const base::MonoTime begun = base::RealClock().Mono();
  auto assignment = client_->Register("plan", {}, stop_);
  ASSERT_TRUE(assignment.ok()) << assignment.status().ToString();
  EXPECT_EQ(calls_, 9);
  EXPECT_GE(base::RealClock().Mono() - begun, base::Millis(200));
}

TEST_F(ControlClientTest, NewsOfAHeartbeatEndsTheWaitForAnAssignment) {
  ServeNews();
  const base::MonoTime begun = base::RealClock().Mono();
  auto assignment = base::Result<wire::Assignment>(base::Cancelled("not asked"));
  std::thread registers([&] { assignment = client_->Register("plan", {}, stop_); });
  while (calls_ == 0) {
    std::this_thread::yield();
  }
  client_->Start([](wire::Command) {});
  registers.join();
  client_->Stop();
  ASSERT_TRUE(assignment.ok()) << assignment.status().ToString();
  EXPECT_EQ(assignment->generation, 7);
  EXPECT_LT(base::RealClock().Mono() - begun, base::Millis(2'000));
}

TEST_F(ControlClientTest, TellsOfACleanupOnceAndReportsIt) {
  const wire::CleanupOrder order{wire::CleanupStep::kBegin, {true, true, false}, 3};
  ServeOrder(order);
  std::atomic<int> told{0};
  client_->OnCleanup([&](const wire::CleanupOrder& o) { told += o == order ? 1 : 100; });
  client_->Start([](wire::Command) {});
  client_->AwaitOtherOrder({}, base::Millis(5'000));
  EXPECT_EQ(client_->cleanup_order(), order);
  wire::CleanupReport report;
  report.removed.checkpoints = true;
  report.objects = 12;
  client_->SetCleanup(report);
  EXPECT_TRUE(client_->WaitCleanupReported(base::Millis(5'000)));
  client_->Stop();
  EXPECT_EQ(told, 1);
  std::lock_guard<std::mutex> lock(mu_);
  EXPECT_EQ(beats_.front().cleanup, wire::CleanupReport{});  // says that it could
  report.known = order;
  EXPECT_EQ(NewestLocked().cleanup, report);
}

TEST_F(ControlClientTest, TellsOfASnapshotOnceAndReportsIt) {
  const wire::SnapshotOrder order{wire::SnapshotStep::kTake, "nightly", "s-1", 7, 3};
  ServeSnapshot(order);
  std::atomic<int> told{0};
  client_->OnSnapshot([&](const wire::SnapshotOrder& o) {
    told += o == order ? 1 : 100;
    wire::SnapshotReport report;
    report.known = {wire::SnapshotStep::kTake, "another", "s-0", 7, 3};
    client_->SetSnapshot(report);  // nobody asks for that one
    report.known = order;
    report.done = true;
    client_->SetSnapshot(report);
  });
  client_->Start([](wire::Command) {});
  const auto reported = [this] {
    std::lock_guard<std::mutex> lock(mu_);
    return !beats_.empty() && NewestLocked().snapshot->done;
  };
  const base::MonoTime end = base::RealClock().Mono() + base::Millis(5'000);
  while (!reported() && base::RealClock().Mono() < end) {
    std::this_thread::yield();
  }
  client_->Stop();
  EXPECT_EQ(told, 1);
  std::lock_guard<std::mutex> lock(mu_);
  EXPECT_EQ(beats_.front().snapshot, wire::SnapshotReport{});  // says that it could
  EXPECT_EQ(NewestLocked().snapshot->known, order);
  EXPECT_TRUE(NewestLocked().snapshot->done);
}

TEST_F(ControlClientTest, AsksWhatMayBeRemoved) {
  ServeOrder({});
  const auto allowed = client_->ConfirmRemoval();
  ASSERT_TRUE(allowed.ok()) << allowed.status().ToString();
  EXPECT_EQ(*allowed, (wire::Remains{true, false, false}));
}

}  // namespace
}  // namespace sj::worker::control
