// SPDX-License-Identifier: Apache-2.0
// What is decided about the snapshots of one job, as lines of text.
#include "operator/decide/snapshots.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "operator/decide/testing/snapshot_job.h"

namespace sj::op::decide {
namespace {

using control::SnapshotStep;
using v1alpha1::SnapshotPhase;

const WallTime kNow = *base::ParseTime("2026-01-01T06:30:00Z");

class SnapshotsTest : public ::testing::Test {
 protected:
  v1alpha1::StreamJobSnapshot& Add(const std::string& name, std::optional<SnapshotPhase> phase,
                                   Millis age = Millis(60'000)) {
    SnapshotObject object;
    v1alpha1::StreamJobSnapshot& snapshot = object.snapshot;
    snapshot.metadata.name = name;
    snapshot.metadata.namespace_name = "shop";
    snapshot.metadata.uid = "s-" + name;
    snapshot.metadata.creation_timestamp = kNow - age;
    snapshot.spec.job_ref.name = "orders";
    snapshot.status.phase = phase;
    if (phase == SnapshotPhase::kInProgress) {
      snapshot.status.started_at = kNow - age;
    }
    if (phase == SnapshotPhase::kInProgress || phase == SnapshotPhase::kCompleted) {
      snapshot.status.job_uid = "uid-1";
      snapshot.status.location = "s3://b/p/snapshots/uid-1/" + name + "/s-" + name;
      snapshot.status.reason = "Copying";
      snapshot.status.message = "worker 0 takes it while the job runs";
    }
    if (phase == SnapshotPhase::kCompleted) {
      snapshot.status.taken_at = kNow - age;
      snapshot.status.sha256 = "ab";
    }
    objects_.push_back(std::move(object));
    return objects_.back().snapshot;
  }
  v1alpha1::StreamJobSnapshot& AddPeriodic(const std::string& name, SnapshotPhase phase,
                                           Millis age) {
    v1alpha1::StreamJobSnapshot& snapshot = Add(name, phase, age);
    snapshot.spec.on_delete = v1alpha1::OnDelete::kDelete;
    snapshot.metadata.finalizers = {"streamjob.io/cleanup"};
    snapshot.metadata.labels = {{"streamjob.io/snapshot", "periodic"}};
    return snapshot;
  }
  void Reports(SnapshotStep step, const std::string& name, bool done) {
    control::SnapshotReport& report = *worker_.beat.snapshot;
    report.known = {step, name, "s-" + name, step == SnapshotStep::kTake ? 4 : 0,
                    step == SnapshotStep::kTake ? 3 : 0};
    report.done = done;
  }

  // "a: InProgress Copying", "create b", "order take a g4 of 3", "event a SnapshotTaken".
  std::vector<std::string> Lines() {
    const SnapshotsOutput out =
        DecideSnapshots({"shop", "orders", no_job_ ? nullptr : &job_, objects_,
                         no_worker_ ? nullptr : &worker_, kNow, settings_});
    std::vector<std::string> lines;
    for (const SnapshotStatusWrite& write : out.statuses) {
      lines.push_back(fmt::format("{}: {} {}", write.name, v1alpha1::ToString(*write.status.phase),
                                  write.status.reason));
    }
    for (const SnapshotEvent& event : out.events) {
      lines.push_back(fmt::format("event {} {}{}", event.name, event.event.warning ? "!" : "",
                                  event.event.reason));
    }
    for (const SnapshotAction& action : out.actions) {
      lines.push_back(ToString(action));
    }
    if (out.order) {
      const bool take = out.order->step == SnapshotStep::kTake;
      lines.push_back(take ? fmt::format("order take {} g{} of {}", out.order->name,
                                         out.order->generation, out.order->replicas)
                           : "order remove " + out.order->name);
    }
    requeue_after_ = out.requeue_after;
    return lines;
  }
  using L = std::vector<std::string>;

  v1alpha1::StreamJob job_ = decide::testing::SnapshotJob();
  WorkerReport worker_ = decide::testing::SnapshotWorker(kNow);
  std::vector<SnapshotObject> objects_;
  Settings settings_;
  bool no_job_ = false;
  bool no_worker_ = false;
  std::optional<Millis> requeue_after_;
};

TEST_F(SnapshotsTest, OneAfterTheOther) {
  Add("b", std::nullopt, Millis(1'000));
  Add("a", std::nullopt, Millis(2'000));
  EXPECT_EQ(Lines(), (L{"a: InProgress Copying", "b: Pending Queued"}));
  objects_.clear();
  Add("a", SnapshotPhase::kInProgress);
  Add("b", SnapshotPhase::kPending).status.reason = "Queued";
  objects_.back().snapshot.status.message = "another snapshot of the job comes first";
  EXPECT_EQ(Lines(), (L{"order take a g4 of 3"}));
}

TEST_F(SnapshotsTest, TheOrderFollowsWhatIsStored) {
  Add("a", std::nullopt);
  EXPECT_EQ(Lines(), (L{"a: InProgress Copying"}));  // and nothing is ordered yet
  EXPECT_LE(*requeue_after_, Millis(50));
}

TEST_F(SnapshotsTest, WaitsForAJobThatRuns) {
  Add("a", std::nullopt);
  worker_.beat.snapshot.reset();
  EXPECT_EQ(Lines(), (L{"a: Pending WorkerTooOld"}));
  worker_.beat.phase = control::WorkerPhase::kRestoring;
  EXPECT_EQ(Lines(), (L{"a: Pending JobNotRunning"}));
  job_.status.generation->hand_over.emplace();
  EXPECT_EQ(Lines(), (L{"a: Pending JobRescales"}));
  job_.metadata.deletion_timestamp = kNow;
  EXPECT_EQ(Lines(), (L{"a: Pending JobDeleted"}));
  no_job_ = true;
  EXPECT_EQ(Lines(), (L{"a: Pending JobMissing"}));
}

TEST_F(SnapshotsTest, ASwitchTakesTheOrderBackAndThenGivesANewOne) {
  Add("a", SnapshotPhase::kInProgress);
  job_.status.generation->step = v1alpha1::GenerationStep::kPrepare;
  EXPECT_EQ(Lines(), (L{"a: InProgress JobNotRunning"}));
  job_.status.generation->step = v1alpha1::GenerationStep::kStarted;
  job_.status.generation->number = worker_.beat.generation = 5;
  job_.status.generation->replicas = 2;
  EXPECT_EQ(Lines(), (L{"order take a g5 of 2"}));
}

TEST_F(SnapshotsTest, ResultsAndErrorsEndIt) {
  Add("a", SnapshotPhase::kInProgress);
  Reports(SnapshotStep::kTake, "other", true);
  worker_.beat.snapshot->result.emplace();
  EXPECT_EQ(Lines(), (L{"order take a g4 of 3"}));  // a report on another one
  Reports(SnapshotStep::kTake, "a", false);
  EXPECT_EQ(Lines(), (L{"order take a g4 of 3"}));
  Reports(SnapshotStep::kTake, "a", true);
  EXPECT_EQ(Lines(), (L{"a: Completed Taken", "event a SnapshotTaken"}));
  worker_.beat.snapshot->result.reset();
  worker_.beat.snapshot->error = control::WorkerError{{}, "CheckpointStoreRefused", "no"};
  EXPECT_EQ(Lines(), (L{"a: Failed CheckpointStoreRefused", "event a !CheckpointStoreRefused"}));
}

TEST_F(SnapshotsTest, EndsWithItsTimeOrItsJob) {
  Add("a", SnapshotPhase::kInProgress, settings_.snapshot_max);
  EXPECT_EQ(Lines(), (L{"a: Failed TimedOut", "event a !TimedOut"}));
  objects_.clear();
  Add("a", SnapshotPhase::kInProgress);
  job_.metadata.uid = "uid-2";
  EXPECT_EQ(Lines(), (L{"a: Failed JobGone", "event a !JobGone"}));
}

TEST_F(SnapshotsTest, TheFinalizerComesBeforeTheFirstObject) {
  Add("a", std::nullopt).spec.on_delete = v1alpha1::OnDelete::kDelete;
  EXPECT_EQ(Lines(), (L{"add finalizer to StreamJobSnapshot a: spec.onDelete asks for it"}));
  objects_[0].snapshot.metadata.finalizers = {"streamjob.io/cleanup"};
  EXPECT_EQ(Lines(), (L{"a: InProgress Copying"}));
}

TEST_F(SnapshotsTest, RemovesTheObjectsFirst) {
  v1alpha1::StreamJobSnapshot& a = AddPeriodic("a", SnapshotPhase::kCompleted, Millis(60'000));
  a.metadata.deletion_timestamp = kNow - Millis(1'000);
  Add("b", SnapshotPhase::kInProgress);
  EXPECT_EQ(Lines(), (L{"order remove a"}));  // b is told again afterwards
  Reports(SnapshotStep::kRemove, "a", true);
  const L gone = Lines();
  EXPECT_EQ(gone.front(), "event a SnapshotRemoved");
  EXPECT_EQ(gone[1], "remove finalizer from StreamJobSnapshot a: its objects are deleted");
  EXPECT_EQ(gone.back(), "order take b g4 of 3");
}

TEST_F(SnapshotsTest, ADeletionNeverHangs) {
  v1alpha1::StreamJobSnapshot& a = AddPeriodic("a", SnapshotPhase::kCompleted, Millis(60'000));
  a.metadata.deletion_timestamp = kNow - settings_.delete_max;
  const L stays{"event a !SnapshotObjectsStay",
                "remove finalizer from StreamJobSnapshot a: nobody can delete its objects"};
  EXPECT_EQ(Lines(), stays);
  objects_[0].snapshot.metadata.deletion_timestamp = kNow;
  no_worker_ = true;
  EXPECT_EQ(Lines(), L{});  // it may come back
  job_.spec.state = v1alpha1::DesiredState::kSuspended;
  EXPECT_EQ(Lines(), stays);
  job_.spec.state.reset();
  job_.status.effective->checkpoint.location = "s3://b/elsewhere";
  EXPECT_EQ(Lines(), stays);
  no_job_ = true;
  EXPECT_EQ(Lines(), stays);
  objects_[0].snapshot.spec.on_delete = v1alpha1::OnDelete::kRetain;
  EXPECT_EQ(Lines(), (L{"remove finalizer from StreamJobSnapshot a: nothing is to be removed"}));
}

TEST_F(SnapshotsTest, MakesPeriodicOnesOnceASlot) {
  job_.spec.snapshots.every = std::chrono::hours(6);
  EXPECT_EQ(Lines(), (L{"create StreamJobSnapshot orders-20260101060000: spec.snapshots.every"}));
  EXPECT_EQ(*requeue_after_, Millis(5 * 3'600'000 + 1'800'000));
  AddPeriodic("orders-20260101060000", SnapshotPhase::kCompleted, Millis(60'000));
  EXPECT_EQ(Lines(), L{});
  objects_.clear();
  AddPeriodic("orders-20260101000000", SnapshotPhase::kCompleted, std::chrono::hours(6));
  EXPECT_EQ(Lines().size(), 1u);
  objects_[0].snapshot.status.phase = SnapshotPhase::kInProgress;
  objects_[0].snapshot.status.started_at = kNow;
  EXPECT_EQ(Lines(), (L{"order take orders-20260101000000 g4 of 3"}));  // not two at a time
  objects_.clear();
  worker_.beat.phase = control::WorkerPhase::kStopped;
  EXPECT_EQ(Lines(), L{});
}

TEST_F(SnapshotsTest, KeepsWhatRetainSays) {
  job_.spec.snapshots = {std::chrono::hours(6), {2, std::nullopt}};
  AddPeriodic("orders-20260101060000", SnapshotPhase::kCompleted, Millis(1'000));
  AddPeriodic("p2", SnapshotPhase::kFailed, std::chrono::hours(7));
  AddPeriodic("p3", SnapshotPhase::kCompleted, std::chrono::hours(12));
  AddPeriodic("p4", SnapshotPhase::kCompleted, std::chrono::hours(18));
  Add("manual", SnapshotPhase::kCompleted, std::chrono::hours(1'000));
  EXPECT_EQ(Lines(), (L{"delete StreamJobSnapshot p2: it has failed, and newer ones are there",
                        "delete StreamJobSnapshot p4: 2 newer ones are kept"}));
  job_.spec.snapshots.retain = {std::nullopt, Millis(3'600'000)};
  EXPECT_EQ(Lines().size(), 3u);  // p2, p3, p4
  objects_.erase(objects_.begin(), objects_.begin() + 2);
  job_.spec.snapshots.every = std::chrono::hours(100'000);
  EXPECT_EQ(Lines(),
            (L{"delete StreamJobSnapshot p4: it is older than 1h"}));  // the last one stays
}

TEST_F(SnapshotsTest, ANewJobBeginsWithACompletedOne) {
  v1alpha1::StreamJob fork;
  fork.metadata.namespace_name = "shop";
  EXPECT_FALSE(ChooseRestore(fork, nullptr, kNow).problem);
  fork.spec.restore_from = v1alpha1::RestoreFrom{{"a", ""}};
  EXPECT_EQ(ChooseRestore(fork, nullptr, kNow).problem->reason, "SnapshotMissing");
  v1alpha1::StreamJobSnapshot& a = Add("a", SnapshotPhase::kInProgress);
  EXPECT_EQ(ChooseRestore(fork, &a, kNow).problem->reason, "SnapshotNotTaken");
  a.status.phase = SnapshotPhase::kFailed;
  EXPECT_EQ(ChooseRestore(fork, &a, kNow).problem->reason, "SnapshotFailed");
  a.status.phase = SnapshotPhase::kCompleted;
  a.status.sha256 = "ab";
  const RestoreChoice choice = ChooseRestore(fork, &a, kNow);
  ASSERT_TRUE(choice.source);
  EXPECT_EQ(choice.source->location, a.status.location);
  EXPECT_EQ(choice.source->uid, "s-a");
  fork.status.restored_from = choice.source;  // never again
  EXPECT_FALSE(ChooseRestore(fork, nullptr, kNow).problem);
  EXPECT_FALSE(ChooseRestore(fork, &a, kNow).source);
}

TEST_F(SnapshotsTest, AnotherNamespaceNeedsAGrant) {
  v1alpha1::StreamJob fork;
  fork.metadata.namespace_name = "lab";
  fork.spec.restore_from = v1alpha1::RestoreFrom{{"a", "shop"}};
  v1alpha1::StreamJobSnapshot& a = Add("a", SnapshotPhase::kCompleted);
  const RestoreChoice refused = ChooseRestore(fork, &a, kNow);
  ASSERT_TRUE(refused.problem);
  EXPECT_EQ(refused.problem->reason, "SnapshotNotGranted");
  EXPECT_EQ(ChooseRestore(fork, nullptr, kNow).problem->message, refused.problem->message);
  a.spec.grants = {{"lab"}};
  EXPECT_TRUE(ChooseRestore(fork, &a, kNow).source);
}

}  // namespace
}  // namespace sj::op::decide
