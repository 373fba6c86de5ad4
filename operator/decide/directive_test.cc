// SPDX-License-Identifier: Apache-2.0
// What single workers are told, given what their job is told.
#include "operator/decide/directive.h"

#include <gtest/gtest.h>

namespace sj::op::decide {
namespace {

using control::Command;
using control::HeartbeatRequest;
using control::WorkerPhase;

Directive Running() {
  Directive directive;
  directive.generation = 4;
  directive.started_generation = 4;
  directive.spec_hash = "h";
  directive.assignment = control::Assignment{};
  directive.assignment->generation = 4;
  directive.assignment->replicas = 2;
  directive.wait_reason = "NotInGeneration";
  return directive;
}

HeartbeatRequest Beat(int ordinal, WorkerPhase phase, int64_t generation) {
  HeartbeatRequest beat;
  beat.worker.ordinal = ordinal;
  beat.phase = phase;
  beat.generation = generation;
  beat.known_generation = generation;
  beat.known_started_generation = generation;
  return beat;
}

TEST(Directive, MemberWithTheRightSpecGetsTheAssignment) {
  control::RegisterRequest request;
  request.worker.ordinal = 1;
  request.spec_hash = "h";
  const control::RegisterResponse response = AnswerRegister(Running(), request);
  ASSERT_TRUE(response.assignment);
  EXPECT_EQ(response.assignment->generation, 4);
  EXPECT_EQ(response.started_generation, 4);
}

TEST(Directive, OtherSpecOrOrdinalWaits) {
  control::RegisterRequest request;
  request.worker.ordinal = 1;
  request.spec_hash = "old";
  EXPECT_EQ(AnswerRegister(Running(), request).wait_reason, "SpecOutdated");
  request.spec_hash = "h";
  request.worker.ordinal = 2;
  const control::RegisterResponse response = AnswerRegister(Running(), request);
  EXPECT_FALSE(response.assignment);
  EXPECT_EQ(response.wait_reason, "NotInGeneration");
  EXPECT_GT(response.retry_after.count(), 0);
}

TEST(Directive, RunningMemberHearsNothingNew) {
  const HeartbeatRequest beat = Beat(0, WorkerPhase::kRunning, 4);
  EXPECT_FALSE(NewsFor(beat, AnswerHeartbeat(Running(), beat, "h")));
}

TEST(Directive, StartIsNews) {
  HeartbeatRequest beat = Beat(0, WorkerPhase::kFenced, 4);
  beat.known_started_generation = 3;
  const control::HeartbeatResponse response = AnswerHeartbeat(Running(), beat, "h");
  EXPECT_TRUE(NewsFor(beat, response));
  EXPECT_EQ(response.started_generation, 4);
  EXPECT_FALSE(response.assignment);
}

TEST(Directive, NewGenerationComesWithItsAssignment) {
  const HeartbeatRequest beat = Beat(0, WorkerPhase::kStopped, 3);
  const control::HeartbeatResponse response = AnswerHeartbeat(Running(), beat, "h");
  EXPECT_EQ(response.generation, 4);
  EXPECT_TRUE(response.assignment);
}

TEST(Directive, FloorIsTheMinimumOverAllMembers) {
  HeartbeatRequest zero = Beat(0, WorkerPhase::kRunning, 4);
  HeartbeatRequest one = Beat(1, WorkerPhase::kRunning, 4);
  HeartbeatRequest gone = Beat(2, WorkerPhase::kStopped, 3);
  zero.oldest_generation = 4;
  one.oldest_generation = 2;
  gone.oldest_generation = 1;
  EXPECT_EQ(GenerationFloor(Running(), {&zero, &one, &gone}), 2);
  EXPECT_EQ(GenerationFloor(Running(), {&zero, &gone}), std::nullopt) << "one has not reported";
  HeartbeatRequest old = one;
  old.oldest_generation.reset();
  EXPECT_EQ(GenerationFloor(Running(), {&zero, &old}), std::nullopt) << "an older worker";
  old = one;
  old.generation = 3;
  EXPECT_EQ(GenerationFloor(Running(), {&zero, &old}), std::nullopt) << "of the one before";
  old = one;
  old.oldest_generation = 5;
  EXPECT_EQ(GenerationFloor(Running(), {&zero, &old}), std::nullopt) << "impossible";
  Directive unstarted = Running();
  unstarted.started_generation = 3;
  EXPECT_EQ(GenerationFloor(unstarted, {&zero, &one}), std::nullopt);
  Directive handing = Running();
  handing.assignment->hand_over_from = 1;
  handing.assignment->hand_over_replicas = 2;
  EXPECT_EQ(GenerationFloor(handing, {&zero, &one}), std::nullopt) << "units change hands";
  Directive draining = Running();
  draining.assignment.reset();
  EXPECT_EQ(GenerationFloor(draining, {&zero, &one}), std::nullopt);
}

TEST(Directive, DrainIsToldOnceAndKeepsTheKnownGeneration) {
  Directive drain = Running();
  drain.drain = true;
  drain.assignment.reset();
  drain.generation = 0;
  HeartbeatRequest beat = Beat(0, WorkerPhase::kRunning, 4);
  control::HeartbeatResponse response = AnswerHeartbeat(drain, beat, "h");
  EXPECT_EQ(response.command, Command::kDrain);
  EXPECT_EQ(response.generation, 4);
  EXPECT_TRUE(NewsFor(beat, response));
  beat.known_command = Command::kDrain;
  EXPECT_FALSE(NewsFor(beat, AnswerHeartbeat(drain, beat, "h")));
  beat.phase = WorkerPhase::kStopped;
  EXPECT_EQ(AnswerHeartbeat(drain, beat, "h").command, Command::kNone);
}

TEST(Directive, WorkerThatIsNoMemberAnyMoreDrains) {
  const HeartbeatRequest beat = Beat(2, WorkerPhase::kRunning, 3);
  EXPECT_EQ(AnswerHeartbeat(Running(), beat, "h").command, Command::kDrain);
}

TEST(Directive, ASpecToCheckIsToldOnceToOneWorker) {
  Directive directive = Running();
  directive.check = control::SpecCheck{"edit", "{}"};
  directive.check_ordinal = 1;
  HeartbeatRequest beat = Beat(1, WorkerPhase::kRunning, 4);
  control::HeartbeatResponse response = AnswerHeartbeat(directive, beat, "h");
  ASSERT_TRUE(response.check);
  EXPECT_EQ(response.check->manifest, "{}");
  EXPECT_TRUE(NewsFor(beat, response));
  EXPECT_EQ(response.command, Command::kNone);
  beat.known_check = "edit";
  response = AnswerHeartbeat(directive, beat, "h");
  EXPECT_EQ(response.check, (control::SpecCheck{"edit", ""}));
  EXPECT_FALSE(NewsFor(beat, response));
  directive.check->spec_hash = "another";
  EXPECT_TRUE(NewsFor(beat, AnswerHeartbeat(directive, beat, "h")));
  EXPECT_FALSE(AnswerHeartbeat(directive, Beat(0, WorkerPhase::kRunning, 4), "h").check);
}

TEST(Directive, TheEndOfACheckIsNews) {
  HeartbeatRequest beat = Beat(1, WorkerPhase::kRunning, 4);
  beat.known_check = "edit";
  const control::HeartbeatResponse response = AnswerHeartbeat(Running(), beat, "h");
  EXPECT_FALSE(response.check);
  EXPECT_TRUE(NewsFor(beat, response));
}

TEST(Directive, GenerationCheckSaysWhetherStartWasGiven) {
  v1alpha1::StreamJob job;
  v1alpha1::StreamJobStatus& status = job.status;
  EXPECT_EQ(AnswerGeneration(job).generation, 0);
  status.generation = v1alpha1::GenerationStatus{};
  status.generation->number = 5;
  EXPECT_EQ(AnswerGeneration(job).generation, 5);
  EXPECT_EQ(AnswerGeneration(job).started_generation, 4);
  status.generation->step = v1alpha1::GenerationStep::kStarted;
  EXPECT_EQ(AnswerGeneration(job).started_generation, 5);
}

Directive Cleaning(control::CleanupStep step) {
  Directive directive;
  directive.drain = true;
  directive.wait_reason = "Deleting";
  directive.cleanup = control::CleanupOrder{step, {true, true, true}, 3};
  return directive;
}

TEST(Directive, OnlyTheLastWorkerIsToldToCleanUp) {
  HeartbeatRequest beat = Beat(0, WorkerPhase::kStopped, 4);
  beat.cleanup = control::CleanupReport{};
  const Directive directive = Cleaning(control::CleanupStep::kBegin);
  const control::HeartbeatResponse response = AnswerHeartbeat(directive, beat, "h");
  EXPECT_EQ(response.cleanup, directive.cleanup);
  EXPECT_TRUE(NewsFor(beat, response));
  beat.worker.ordinal = 1;
  const control::HeartbeatResponse other = AnswerHeartbeat(directive, beat, "h");
  EXPECT_FALSE(other.cleanup);
  EXPECT_FALSE(NewsFor(beat, other));
}

TEST(Directive, WhoStillWorksIsToldToDrainToo) {
  HeartbeatRequest beat = Beat(0, WorkerPhase::kRunning, 4);
  beat.cleanup = control::CleanupReport{};
  const control::HeartbeatResponse response =
      AnswerHeartbeat(Cleaning(control::CleanupStep::kStay), beat, "h");
  EXPECT_EQ(response.command, Command::kDrain);
  EXPECT_EQ(response.cleanup->step, control::CleanupStep::kStay);
}

// It would never say that it knows, so that every answer were news.
TEST(Directive, AnOlderWorkerIsNotToldOfCleanups) {
  const HeartbeatRequest beat = Beat(0, WorkerPhase::kStopped, 4);
  const control::HeartbeatResponse response =
      AnswerHeartbeat(Cleaning(control::CleanupStep::kBegin), beat, "h");
  EXPECT_FALSE(response.cleanup);
  EXPECT_FALSE(NewsFor(beat, response));
}

TEST(Directive, AKnownCleanupIsNoNewsAndItsEndIs) {
  HeartbeatRequest beat = Beat(0, WorkerPhase::kStopped, 4);
  beat.cleanup = control::CleanupReport{};
  beat.cleanup->known = *Cleaning(control::CleanupStep::kBegin).cleanup;
  EXPECT_FALSE(NewsFor(beat, AnswerHeartbeat(Cleaning(control::CleanupStep::kBegin), beat, "h")));
  Directive over = Cleaning(control::CleanupStep::kBegin);
  over.cleanup.reset();
  EXPECT_TRUE(NewsFor(beat, AnswerHeartbeat(over, beat, "h")));
}

TEST(Directive, OnlyADeletedJobMayBeRemoved) {
  v1alpha1::StreamJob job;
  job.spec.deletion_policy.checkpoints = v1alpha1::OnDelete::kDelete;
  EXPECT_FALSE(AnswerGeneration(job).remove);
  job.metadata.deletion_timestamp = WallTime{};
  EXPECT_EQ(AnswerGeneration(job).remove, (control::Remains{true, false, false}));
  job.spec.deletion_policy.checkpoints = v1alpha1::OnDelete::kRetain;
  EXPECT_EQ(AnswerGeneration(job).remove, control::Remains{});
}

}  // namespace
}  // namespace sj::op::decide
