// SPDX-License-Identifier: Apache-2.0
// ControlClient in a hand-over: what it takes the operator's news for, and what it says of itself.
#include <gtest/gtest.h>

#include <condition_variable>
#include <optional>
#include <thread>
#include <vector>

#include "api/base/http_server.h"
#include "worker/control/control_client.h"

namespace sj::worker::control {
namespace {

namespace wire = sj::control;

// Holds each heartbeat until it has news for it. Thread-safe.
class FakeOperator {
 public:
  FakeOperator() {
    base::HttpServerOptions options;
    options.address = "127.0.0.1";
    auto started = base::StartHttpServer(
        options, [this](const base::ServerRequest& request, const base::Responder& responder) {
          auto beat = wire::DecodeHeartbeatRequest(request.body);
          ASSERT_TRUE(beat.ok()) << beat.status().ToString();
          std::lock_guard<std::mutex> lock(mu_);
          last_ = *beat;
          held_ = responder;
          changed_.notify_all();
          AnswerLocked();
        });
    EXPECT_TRUE(started.ok()) << started.status().ToString();
    server_ = *std::move(started);
  }
  int port() const { return server_->port(); }

  void Say(const wire::Assignment& assignment, int64_t started) {
    std::lock_guard<std::mutex> lock(mu_);
    assignment_ = assignment;
    started_ = started;
    AnswerLocked();
  }

  // The first heartbeat from now on that is as wanted.
  template <typename Pred>
  wire::HeartbeatRequest Await(Pred wanted) {
    std::unique_lock<std::mutex> lock(mu_);
    EXPECT_TRUE(
        changed_.wait_for(lock, std::chrono::seconds(10), [&] { return last_ && wanted(*last_); }));
    return *last_;
  }

 private:
  void AnswerLocked() {
    if (!held_ || !assignment_ ||
        (last_->known_generation == assignment_->generation &&
         last_->known_started_generation == started_)) {
      return;
    }
    wire::HeartbeatResponse message;
    message.generation = assignment_->generation;
    message.started_generation = started_;
    if (last_->known_generation != assignment_->generation) {
      message.assignment = assignment_;
    }
    base::ServerResponse response;
    response.body = wire::Encode(message);
    std::exchange(held_, std::nullopt)->Answer(response);
  }

  std::mutex mu_;
  std::condition_variable changed_;
  std::optional<wire::HeartbeatRequest> last_;  // guarded by mu_
  std::optional<base::Responder> held_;         // guarded by mu_
  std::optional<wire::Assignment> assignment_;  // guarded by mu_
  int64_t started_ = 0;                         // guarded by mu_
  std::unique_ptr<base::HttpServer> server_;
};

wire::Assignment Generation(int64_t number, int replicas) {
  wire::Assignment assignment;
  assignment.generation = number;
  assignment.replicas = replicas;
  assignment.shards = 16;
  assignment.max_parallelism = 128;
  return assignment;
}

// The same, handed over by `replicas_before` workers of the generation before.
wire::Assignment HandedOver(int64_t number, int replicas, int replicas_before) {
  wire::Assignment assignment = Generation(number, replicas);
  assignment.hand_over_from = number - 1;
  assignment.hand_over_replicas = replicas_before;
  return assignment;
}

class HandOverClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ControlOptions options;
    options.url = "http://127.0.0.1:" + std::to_string(operator_.port());
    options.job = {"ns", "job", "uid"};
    auto made = ControlClient::Make(options, &board_, &base::RealClock());
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    client_ = *std::move(made);
    client_->SetGeneration(1);
    board_.Update([](runtime::JobStatus& s) {
      s.phase = runtime::JobPhase::kRunning;
      s.generation = 1;
    });
    client_->Start([this](wire::Command) { commands_ += 1; });
  }
  void TearDown() override { client_->Stop(); }

  FakeOperator operator_;
  runtime::StatusBoard board_;
  std::unique_ptr<ControlClient> client_;
  std::atomic<int> commands_{0};
};

TEST_F(HandOverClientTest, GoesOnWhileItsGenerationIsHandedOver) {
  wire::Assignment next = HandedOver(2, 3, 2);
  operator_.Say(next, 1);
  operator_.Await([](const auto& beat) { return beat.known_generation == 2; });
  EXPECT_EQ(client_->HandOver(), (runtime::HandOverOrder{2, 3, false})) << "before START";
  operator_.Say(next, 2);
  auto beat = operator_.Await([](const auto& b) { return b.known_started_generation == 2; });
  EXPECT_EQ(beat.generation, 1);
  EXPECT_TRUE(beat.hands_over);
  EXPECT_FALSE(beat.hand_over);
  EXPECT_EQ(client_->HandOver(), (runtime::HandOverOrder{2, 3, true}));

  board_.Update([](runtime::JobStatus& s) { s.hand_over = {2, 4, 4, 1, 0, true, false}; });
  client_->Nudge();
  beat = operator_.Await([](const auto& b) { return b.hand_over.has_value(); });
  EXPECT_EQ(beat.hand_over, (wire::HandOverReport{2, 4, 4, 1, 0, true}));
  EXPECT_EQ(beat.generation, 1) << "it has not taken its share yet";

  board_.Update([](runtime::JobStatus& s) {
    s.hand_over = {2, 4, 4, 1, 1, true, true};
    s.generation = 2;
    s.oldest_generation = 1;
  });
  client_->Nudge();
  beat = operator_.Await([](const auto& b) { return b.generation == 2; });
  EXPECT_EQ(beat.oldest_generation, 1);
  EXPECT_FALSE(client_->HandOver()) << "done";
  EXPECT_EQ(commands_, 0);
}

TEST_F(HandOverClientTest, GoesOnThroughOneHandOverAfterAnother) {
  board_.Update([](runtime::JobStatus& s) {
    s.hand_over = {2, 4, 4, 1, 1, true, true};
    s.generation = 2;
  });
  wire::Assignment next = HandedOver(3, 2, 3);
  operator_.Say(next, 3);
  operator_.Await([](const auto& b) { return b.known_started_generation == 3; });
  ASSERT_TRUE(client_->HandOver());
  board_.Update([](runtime::JobStatus& s) { s.hand_over = {3, 1, 0, 0, 0, false, false}; });
  client_->Nudge();
  const auto beat =
      operator_.Await([](const auto& b) { return b.hand_over && b.hand_over->generation == 3; });
  EXPECT_EQ(beat.generation, 2);
  EXPECT_TRUE(client_->HandOver());
  operator_.Say(next, 4);  // any news: it must not be taken for a drain
  operator_.Await([](const auto& b) { return b.known_started_generation == 4; });
  EXPECT_EQ(commands_, 0);
}

TEST_F(HandOverClientTest, AGenerationWithoutHandOverIsADrain) {
  operator_.Say(Generation(2, 3), 1);
  operator_.Await([](const auto& beat) { return beat.known_generation == 2; });
  EXPECT_EQ(commands_, 1);
  EXPECT_FALSE(client_->HandOver());
}

TEST_F(HandOverClientTest, TheSwitchAfterAHandOverIsADrain) {
  wire::Assignment next = HandedOver(2, 3, 2);
  operator_.Say(next, 2);
  operator_.Await([](const auto& beat) { return beat.known_started_generation == 2; });
  EXPECT_EQ(commands_, 0);
  operator_.Say(Generation(3, 2), 2);
  operator_.Await([](const auto& beat) { return beat.known_generation == 3; });
  EXPECT_EQ(commands_, 1);
  EXPECT_FALSE(client_->HandOver());
}

TEST_F(HandOverClientTest, AHandOverOfAnotherGenerationIsADrain) {
  wire::Assignment next = HandedOver(3, 3, 2);
  operator_.Say(next, 3);
  operator_.Await([](const auto& beat) { return beat.known_generation == 3; });
  EXPECT_EQ(commands_, 1);
  EXPECT_FALSE(client_->HandOver());
}

// Another edit while workers wait for START: the operator waits for the last epoch of whoever says
// that it is fenced, and nobody has one.
TEST_F(HandOverClientTest, AWaitForStartThatEndsIsNoLongerReported) {
  std::atomic<bool> stop{false};
  base::Status ended = base::OkStatus();
  std::thread waits([&] { ended = client_->AwaitStart(2, stop); });
  operator_.Await([](const auto& beat) { return beat.phase == wire::WorkerPhase::kFenced; });
  board_.Update([](runtime::JobStatus& s) { s.phase = runtime::JobPhase::kStopped; });
  stop = true;
  waits.join();
  EXPECT_EQ(ended.kind(), base::ErrorKind::kCancelled);
  client_->Nudge();
  const auto beat =
      operator_.Await([](const auto& b) { return b.phase != wire::WorkerPhase::kFenced; });
  EXPECT_EQ(beat.phase, wire::WorkerPhase::kStopped);
  EXPECT_EQ(beat.generation, 2);
}

}  // namespace
}  // namespace sj::worker::control
