// SPDX-License-Identifier: Apache-2.0
// Load and neighbours: other writers, edits faster than a rollout, one job that always fails, and
// fifty that have nothing to do.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "operator/reconcile/testing/scenarios.h"

namespace sj::op::reconcile {
namespace {

using kube::Json;
using testing::Begin;
using testing::CleanEnd;
using testing::Cluster;
using testing::kActSteps;
using testing::NoViolation;
using testing::Play;
using testing::Scenario;
using v1alpha1::Phase;

constexpr base::Millis kMinute{60'000};

class OtherWritersTest : public ::testing::TestWithParam<Scenario> {};

// Every n-th write meets an object somebody else has just changed: 409, a fresh read, again. What
// others wrote stays.
TEST_P(OtherWritersTest, ConflictsAreRepeatedAndForeignFieldsKept) {
  for (const int n : {2, 3, 5}) {
    const auto cluster = Begin(GetParam());
    cluster->api().DisturbEvery(n);
    Play(GetParam(), *cluster, 2 * kActSteps);
    EXPECT_EQ(cluster->api().LostLabels(), "") << n;
    cluster->api().DisturbEvery(0);
    ASSERT_TRUE(Finish(GetParam(), *cluster)) << n;
    EXPECT_EQ(cluster->Summary() + "\n", CleanEnd(GetParam())) << n;
    EXPECT_EQ(cluster->api().LostLabels(), "") << n;
    EXPECT_EQ(NoViolation(*cluster), "") << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, OtherWritersTest,
                         ::testing::ValuesIn(testing::Scenarios().begin(),
                                             testing::Scenarios().end()),
                         [](const auto& info) { return std::string(info.param.name); });

std::string SpecHashInForce(const Cluster& cluster) {
  const auto job = cluster.Job();
  return job && job->status.generation ? job->status.generation->spec_hash : "";
}

// How it ends with the last of `edits` edits alone.
std::string EndOfEdit(int last) {
  Cluster cluster;
  cluster.CreateJob(testing::SmallSpec());
  EXPECT_TRUE(cluster.Settle());
  cluster.EditSpec({{"restartNonce", last}, {"replicas", 1 + last % 3}});
  EXPECT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kRunning);
  return cluster.Summary();
}

TEST(EditStorm, EditsDuringARolloutConvergeToTheLast) {
  constexpr int kEdits = 20;
  const std::string want = EndOfEdit(kEdits);
  for (const int steps_between : {0, 1, 2, 3}) {
    Cluster cluster;
    cluster.CreateJob(testing::SmallSpec());
    ASSERT_TRUE(cluster.Settle());
    for (int edit = 1; edit <= kEdits; ++edit) {
      cluster.EditSpec({{"restartNonce", edit}, {"replicas", 1 + edit % 3}});
      for (int step = 0; step < steps_between; ++step) {
        cluster.StepAll();
      }
    }
    ASSERT_TRUE(cluster.Settle(400)) << steps_between;
    EXPECT_EQ(cluster.Summary(), want) << steps_between;
    EXPECT_EQ(NoViolation(cluster), "") << steps_between;
    EXPECT_FALSE(SpecHashInForce(cluster).empty());
  }
}

// Twenty edits at once cost one wave of restarts, not twenty.
TEST(EditStorm, EditsAtOnceRestartWorkersOnce) {
  Cluster cluster;
  cluster.CreateJob(testing::SmallSpec());
  ASSERT_TRUE(cluster.Settle());
  const int started = cluster.workers().started();
  for (int edit = 1; edit <= 20; ++edit) {
    cluster.EditSpec({{"restartNonce", edit}});
  }
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.workers().started() - started, 2);
}

kube::ObjectKey JobKey(int i) {
  return {"shop", fmt::format("job-{:02d}", i)};
}

// Our code breaks on one job, in every pass: the others do not notice, and it is tried ever less
// often.
TEST(PoisonJob, OthersAreNotAffectedAndItIsTriedLessAndLess) {
  Cluster cluster;
  cluster.api().Poison("job-02");
  for (int i = 0; i < 5; ++i) {
    cluster.CreateJob(JobKey(i), testing::SmallSpec());
  }
  for (int i = 0; i < 60; ++i) {
    cluster.StepAll();
  }
  for (int i = 0; i < 5; ++i) {
    const auto phase = cluster.Job(JobKey(i))->status.phase;
    EXPECT_EQ(phase == Phase::kRunning, i != 2) << i;
  }
  cluster.EditSpec(JobKey(3), {{"replicas", 3}});
  const int passes = cluster.passes();
  for (int i = 0; i < 240; ++i) {
    cluster.StepAll();
    cluster.clock().Advance(base::Millis(2'000));
  }
  EXPECT_EQ(cluster.workers(JobKey(3)).Phases(), "0:Running 1:Running 2:Running ");
  // Ten minutes: the others' looks and the change of one of them included.
  EXPECT_LE(cluster.passes() - passes, 200);
  // And when the cause is gone it recovers by itself.
  cluster.api().Poison("");
  for (int i = 0; i < 200; ++i) {
    cluster.StepAll();
    cluster.clock().Advance(base::Millis(2'000));
  }
  EXPECT_EQ(cluster.Job(JobKey(2))->status.phase, Phase::kRunning);
  EXPECT_EQ(NoViolation(cluster), "");
}

void Idle(Cluster& cluster, base::Millis time) {
  constexpr base::Millis kBeat{5'000};
  for (base::Millis gone{}; gone < time; gone += kBeat) {
    cluster.StepAll();
    cluster.clock().Advance(kBeat - base::Millis(500));
  }
}

// Workers report every five seconds and confirm their epochs; nothing else happens.
TEST(IdleJobs, CostNoCallAndHardlyALook) {
  constexpr int kJobs = 50;
  Cluster cluster;
  for (int i = 0; i < kJobs; ++i) {
    cluster.CreateJob(JobKey(i), testing::SmallSpec());
  }
  Idle(cluster, 7 * kMinute);
  for (int i = 0; i < kJobs; ++i) {
    ASSERT_EQ(cluster.Job(JobKey(i))->status.phase, Phase::kRunning) << i;
  }
  const uint64_t version = cluster.kube().version();
  const int calls = cluster.kube().calls();
  const int passes = cluster.passes();
  Idle(cluster, 10 * kMinute);
  EXPECT_EQ(cluster.kube().version(), version) << "something was written";
  EXPECT_EQ(cluster.kube().calls(), calls) << "something was asked";
  EXPECT_LE(cluster.passes() - passes, 2 * kJobs);
  EXPECT_EQ(NoViolation(cluster), "");
}

// A new leader has heard of no worker yet. Neither that nor hearing of them again is news.
TEST(IdleJobs, AnotherLeaderWritesNothing) {
  constexpr int kJobs = 5;
  Cluster cluster;
  for (int i = 0; i < kJobs; ++i) {
    cluster.CreateJob(JobKey(i), testing::SmallSpec());
  }
  Idle(cluster, 7 * kMinute);
  const uint64_t version = cluster.kube().version();
  cluster.RestartOperator();
  cluster.RunQueue(cluster.op());
  EXPECT_EQ(cluster.kube().version(), version) << "written before any worker was heard";
  Idle(cluster, 2 * kMinute);
  EXPECT_EQ(cluster.kube().version(), version) << "written behind the first reports";
  EXPECT_EQ(cluster.Job(JobKey(0))->status.phase, Phase::kRunning);
}

// A job with input shows it: its numbers move in the status once a minute, not more.
TEST(IdleJobs, ABusyJobIsToldOnceAMinute) {
  Cluster cluster;
  cluster.CreateJob(testing::SmallSpec());
  Idle(cluster, 7 * kMinute);
  cluster.workers().input = true;
  const int writes = cluster.kube().writes();
  Idle(cluster, 10 * kMinute);
  EXPECT_GE(cluster.kube().writes() - writes, 8);
  EXPECT_LE(cluster.kube().writes() - writes, 11);
  // The last numbers arrive after the input has ended.
  cluster.workers().input = false;
  Idle(cluster, 2 * kMinute);
  const uint64_t version = cluster.kube().version();
  const v1alpha1::StreamJobStatus status = cluster.Job()->status;
  ASSERT_TRUE(status.checkpoint.has_value());
  EXPECT_GT(status.checkpoint->last_completed_epoch, 200);
  Idle(cluster, 5 * kMinute);
  EXPECT_EQ(cluster.kube().version(), version);
}

// The number of a burst does not stand when the burst is over, whoever made the operator look in
// between.
TEST(IdleJobs, ABurstThatIsOverIsToldOnceTheNumberIsAMinuteOld) {
  Cluster cluster;
  cluster.CreateJob(testing::SmallSpec());
  int64_t lag = 0;
  cluster.workers().add_to_beat = [&lag](int, const testing::SimWorker&,
                                         control::HeartbeatRequest& beat) {
    beat.lag_records = lag;
  };
  Idle(cluster, 7 * kMinute);
  lag = 1'000;
  Idle(cluster, kMinute / 2);
  kube::Json job = *cluster.kube().Find(kube::kStreamJobs, cluster.key());
  job["metadata"]["labels"]["team"] = "payments";
  cluster.kube().Put(kube::kStreamJobs, job);
  Idle(cluster, base::Millis(5'000));
  ASSERT_TRUE(cluster.Job()->status.lag.has_value());
  EXPECT_EQ(cluster.Job()->status.lag->records, 2'000);  // of two workers
  lag = 0;
  Idle(cluster, kMinute + base::Millis(10'000));
  EXPECT_EQ(cluster.Job()->status.lag->records, 0);
}

}  // namespace
}  // namespace sj::op::reconcile
