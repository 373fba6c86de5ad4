// SPDX-License-Identifier: Apache-2.0
#include "operator/reconcile/worker_registry.h"

#include <gtest/gtest.h>

namespace sj::op::reconcile {
namespace {

using control::Command;
using control::HeartbeatRequest;
using control::HeartbeatResponse;
using control::WorkerPhase;

const kube::ObjectKey kKey{"shop", "orders"};

class WorkerRegistryTest : public ::testing::Test {
 protected:
  WorkerRegistryTest() { Publish(1, 1); }

  void Publish(int64_t generation, int64_t started) {
    decide::Directive directive;
    directive.generation = generation;
    directive.started_generation = started;
    directive.spec_hash = "h";
    directive.assignment = control::Assignment{};
    directive.assignment->generation = generation;
    directive.assignment->replicas = 2;
    registry_.Publish(kKey, "uid-1", directive);
  }
  control::RegisterRequest Hello(int ordinal, const std::string& incarnation) {
    control::RegisterRequest request;
    request.worker = {{"shop", "orders", "uid-1"}, ordinal, incarnation};
    request.spec_hash = "h";
    request.plan_hash = "p";
    return request;
  }
  HeartbeatRequest Beat(int ordinal, const std::string& incarnation, int64_t sequence) {
    HeartbeatRequest beat;
    beat.worker = {{"shop", "orders", "uid-1"}, ordinal, incarnation};
    beat.sequence = sequence;
    beat.phase = WorkerPhase::kRunning;
    beat.generation = 1;
    beat.known_generation = 1;
    beat.known_started_generation = 1;
    return beat;
  }
  base::Status Send(const HeartbeatRequest& beat) {
    return registry_.Heartbeat(beat, {[this](const HeartbeatResponse& r) { answers_.push_back(r); },
                                      [this] { return gone_; }});
  }

  base::ManualClock clock_;
  std::vector<kube::ObjectKey> wakes_;
  std::vector<HeartbeatResponse> answers_;
  bool gone_ = false;
  WorkerRegistry registry_{RegistryOptions{3, 16, base::Millis(45'000)}, clock_,
                           [this](const kube::ObjectKey& key) { wakes_.push_back(key); }, nullptr};
};

TEST_F(WorkerRegistryTest, RegisterGivesTheAssignmentAndWakes) {
  const auto response = registry_.Register(Hello(0, "a"));
  ASSERT_TRUE(response.ok());
  EXPECT_TRUE(response->assignment);
  EXPECT_EQ(wakes_.size(), 1u);
  ASSERT_EQ(registry_.Reports("uid-1").size(), 1u);
  EXPECT_EQ(registry_.Reports("uid-1")[0].plan_hash, "p");
}

TEST_F(WorkerRegistryTest, AVerdictWakesTheJob) {
  HeartbeatRequest beat = Beat(0, "a", 1);
  ASSERT_TRUE(Send(beat).ok());
  wakes_.clear();
  ++beat.sequence;
  ASSERT_TRUE(Send(beat).ok());
  EXPECT_TRUE(wakes_.empty());
  ++beat.sequence;
  beat.verdict = control::SpecVerdict{"edit", true, "", ""};
  ASSERT_TRUE(Send(beat).ok());
  EXPECT_EQ(wakes_.size(), 1u);
}

TEST_F(WorkerRegistryTest, HoldsAPollUntilTheDirectiveChanges) {
  HeartbeatRequest beat = Beat(0, "a", 1);
  beat.hold = base::Millis(20'000);
  ASSERT_TRUE(Send(beat).ok());
  Publish(1, 1);
  EXPECT_TRUE(answers_.empty());
  Publish(2, 1);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].generation, 2);
  EXPECT_TRUE(answers_[0].assignment);
}

// Only ordinal 0 hears it, once both members know; it wakes nobody from a poll.
TEST_F(WorkerRegistryTest, GivesTheGenerationFloorWithTheNextAnswer) {
  Publish(3, 3);
  HeartbeatRequest zero = Beat(0, "a", 1);
  zero.generation = zero.known_generation = zero.known_started_generation = 3;
  zero.oldest_generation = 3;
  zero.hold = base::Millis(5'000);
  ASSERT_TRUE(Send(zero).ok());
  HeartbeatRequest one = zero;
  one.worker = {{"shop", "orders", "uid-1"}, 1, "b"};
  one.oldest_generation = 2;
  one.hold = {};
  ASSERT_TRUE(Send(one).ok());
  ASSERT_EQ(answers_.size(), 1u) << "the floor is no news";
  EXPECT_FALSE(answers_[0].generation_floor);
  clock_.Advance(base::Millis(5'000));
  registry_.Tick();
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_[1].generation_floor, 2);
  // Worker 1 comes back as another process that has committed nothing yet.
  one.worker.incarnation = "c";
  one.oldest_generation.reset();
  zero.sequence = 2;
  zero.hold = {};
  ASSERT_TRUE(Send(one).ok());
  ASSERT_TRUE(Send(zero).ok());
  EXPECT_FALSE(answers_.back().generation_floor);
}

TEST_F(WorkerRegistryTest, AnswersWhenTheHoldIsOverAndNeverHoldsTooLong) {
  HeartbeatRequest beat = Beat(0, "a", 1);
  beat.hold = base::Millis(3'600'000);
  ASSERT_TRUE(Send(beat).ok());
  clock_.Advance(control::kHoldMax - base::Millis(1));
  registry_.Tick();
  EXPECT_TRUE(answers_.empty());
  clock_.Advance(base::Millis(1));
  registry_.Tick();
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(WorkerRegistryTest, ForgetsPollsOfPeersThatLeft) {
  HeartbeatRequest beat = Beat(0, "a", 1);
  beat.hold = base::Millis(20'000);
  ASSERT_TRUE(Send(beat).ok());
  gone_ = true;
  registry_.Tick();
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(WorkerRegistryTest, AnswersAtOnceWithoutHold) {
  ASSERT_TRUE(Send(Beat(0, "a", 1)).ok());
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(WorkerRegistryTest, ReplacedProcessIsRefusedUntilTheOtherIsSilent) {
  ASSERT_TRUE(Send(Beat(0, "old", 7)).ok());
  ASSERT_TRUE(registry_.Register(Hello(0, "new")).ok());
  EXPECT_EQ(Send(Beat(0, "old", 8)).kind(), base::ErrorKind::kConflict);
  EXPECT_TRUE(Send(Beat(0, "new", 0)).ok());
  clock_.Advance(base::Millis(45'000));
  EXPECT_TRUE(Send(Beat(0, "old", 9)).ok());
}

TEST_F(WorkerRegistryTest, SilenceWakesTheJobOnce) {
  ASSERT_TRUE(Send(Beat(0, "a", 1)).ok());
  wakes_.clear();
  clock_.Advance(base::Millis(44'999));
  registry_.Tick();
  EXPECT_TRUE(wakes_.empty());
  clock_.Advance(base::Millis(1));
  registry_.Tick();
  registry_.Tick();
  EXPECT_EQ(wakes_, std::vector<kube::ObjectKey>{kKey});
  ASSERT_TRUE(Send(Beat(0, "a", 2)).ok());
  wakes_.clear();
  clock_.Advance(base::Millis(45'000));
  registry_.Tick();
  EXPECT_EQ(wakes_.size(), 1u);
}

TEST_F(WorkerRegistryTest, LateEpochsWakeTheJobOnceAndOnceMoreWhenTheyCome) {
  decide::Directive directive;
  directive.late_after = base::Millis(30'000);
  registry_.Publish(kKey, "uid-1", directive);
  HeartbeatRequest beat = Beat(0, "a", 1);
  beat.last_epoch_time = clock_.Wall();
  ASSERT_TRUE(Send(beat).ok());
  wakes_.clear();
  clock_.Advance(base::Millis(30'000));
  registry_.Tick();
  EXPECT_TRUE(wakes_.empty());
  clock_.Advance(base::Millis(1));
  registry_.Tick();
  registry_.Tick();
  EXPECT_EQ(wakes_.size(), 1u);
  beat.sequence = 2;
  beat.last_epoch_time = clock_.Wall();
  ASSERT_TRUE(Send(beat).ok());
  registry_.Tick();
  registry_.Tick();
  EXPECT_EQ(wakes_.size(), 2u);
}

// Numbers alone wake nobody at once, and a worker that repeats itself never does.
TEST_F(WorkerRegistryTest, NumbersWakeTheJobAfterAWhile) {
  ASSERT_TRUE(Send(Beat(0, "a", 1)).ok());
  wakes_.clear();
  for (int sequence = 2; sequence < 100; ++sequence) {
    HeartbeatRequest beat = Beat(0, "a", sequence);
    beat.epoch = sequence < 5 ? sequence : 5;
    ASSERT_TRUE(Send(beat).ok());
    clock_.Advance(base::Millis(5'000));
    registry_.Tick();
    EXPECT_EQ(wakes_.size(), sequence < 13 ? 0u : 1u) << sequence;
  }
}

TEST_F(WorkerRegistryTest, NewProcessThatNeverRegistersIsHeard) {
  ASSERT_TRUE(Send(Beat(0, "a", 9)).ok());
  HeartbeatRequest failed = Beat(0, "b", 1);
  failed.phase = WorkerPhase::kFailed;
  failed.error = control::WorkerError{control::ErrorClass::kUser, "SqlInvalid", "line 1"};
  ASSERT_TRUE(Send(failed).ok());
  EXPECT_EQ(registry_.Reports("uid-1")[0].beat.error->reason, "SqlInvalid");
}

TEST_F(WorkerRegistryTest, OldReportIsRefused) {
  ASSERT_TRUE(Send(Beat(0, "a", 5)).ok());
  EXPECT_EQ(Send(Beat(0, "a", 5)).kind(), base::ErrorKind::kConflict);
  EXPECT_EQ(Send(Beat(0, "a", 4)).kind(), base::ErrorKind::kConflict);
}

TEST_F(WorkerRegistryTest, WrongUidOrOrdinalOrTooManyAreRefused) {
  control::RegisterRequest wrong = Hello(0, "a");
  wrong.worker.job.uid = "uid-2";
  EXPECT_EQ(registry_.Register(wrong).status().kind(), base::ErrorKind::kNotFound);
  wrong.worker.job.name = "other";
  EXPECT_EQ(registry_.Register(wrong).status().kind(), base::ErrorKind::kUnavailable);
  EXPECT_EQ(registry_.Register(Hello(16, "a")).status().kind(), base::ErrorKind::kInvalidArgument);
  EXPECT_EQ(registry_.Register(Hello(-1, "a")).status().kind(), base::ErrorKind::kInvalidArgument);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(registry_.Register(Hello(i, "a")).ok());
  }
  EXPECT_EQ(registry_.Register(Hello(3, "a")).status().kind(), base::ErrorKind::kExhausted);
}

TEST_F(WorkerRegistryTest, OnlyNewsWakes) {
  ASSERT_TRUE(Send(Beat(0, "a", 1)).ok());
  EXPECT_EQ(wakes_.size(), 1u);
  ASSERT_TRUE(Send(Beat(0, "a", 2)).ok());
  EXPECT_EQ(wakes_.size(), 1u);
  HeartbeatRequest beat = Beat(0, "a", 3);
  beat.phase = WorkerPhase::kStopped;
  ASSERT_TRUE(Send(beat).ok());
  EXPECT_EQ(wakes_.size(), 2u);
}

TEST_F(WorkerRegistryTest, ErrorStaysUntilTheNextProcessRuns) {
  HeartbeatRequest failed = Beat(0, "a", 1);
  failed.phase = WorkerPhase::kFailed;
  failed.error = control::WorkerError{control::ErrorClass::kExternal, "StoreUnreachable", "m"};
  ASSERT_TRUE(Send(failed).ok());
  ASSERT_TRUE(registry_.Register(Hello(0, "b")).ok());
  EXPECT_TRUE(registry_.Reports("uid-1")[0].previous_error);
  ASSERT_TRUE(Send(Beat(0, "b", 1)).ok());
  EXPECT_FALSE(registry_.Reports("uid-1")[0].previous_error);
}

TEST_F(WorkerRegistryTest, JobMadeAnewDropsTheOldOne) {
  HeartbeatRequest beat = Beat(0, "a", 1);
  beat.hold = base::Millis(20'000);
  ASSERT_TRUE(Send(beat).ok());
  registry_.Publish(kKey, "uid-2", {});
  EXPECT_EQ(answers_.size(), 1u);
  EXPECT_EQ(registry_.workers(), 0u);
  EXPECT_EQ(Send(Beat(0, "a", 2)).kind(), base::ErrorKind::kNotFound);
}

TEST_F(WorkerRegistryTest, ClearLetsEverybodyGo) {
  HeartbeatRequest beat = Beat(0, "a", 1);
  beat.hold = base::Millis(20'000);
  ASSERT_TRUE(Send(beat).ok());
  registry_.Clear();
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].command, Command::kNone);
  EXPECT_EQ(registry_.workers(), 0u);
}

}  // namespace
}  // namespace sj::op::reconcile
