// SPDX-License-Identifier: Apache-2.0
// The controller in a whole small world: the way to each end state, and the same end state when any
// call fails, when workers die, when two processes believe they lead. See sieve_test.cc for crashes
// and old views, storm_test.cc for load.
#include "operator/reconcile/job_controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include "operator/reconcile/testing/scenarios.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile {
namespace {

using kube::Json;
using kube::testing::FailWhen;
using testing::Begin;
using testing::CleanEnd;
using testing::Cluster;
using testing::kActSteps;
using testing::NoViolation;
using testing::Play;
using testing::Scenario;
using v1alpha1::GenerationStep;
using v1alpha1::Phase;

const Json kSpec = testing::SmallSpec();

// Everything with SJ_TEST_LONG=1; a sample of it otherwise.
bool Long() {
  return std::getenv("SJ_TEST_LONG") != nullptr;
}
unsigned Seeds() {
  return Long() ? 40 : testing::kRarer > 1 ? 1 : 3;
}

class JobControllerTest : public ::testing::TestWithParam<Scenario> {};

TEST_P(JobControllerTest, SettlesAndThenWritesNothing) {
  const auto cluster = Begin(GetParam());
  Play(GetParam(), *cluster, kActSteps);
  ASSERT_TRUE(cluster->Settle());
  EXPECT_EQ(cluster->Summary() + "\n", CleanEnd(GetParam()));
  EXPECT_EQ(NoViolation(*cluster), "");
  const uint64_t version = cluster->kube().version();
  for (int i = 0; i < 40; ++i) {
    cluster->StepAll();
    cluster->clock().Advance(base::Millis(10'000));
  }
  EXPECT_EQ(cluster->kube().version(), version);
}

// The n-th call fails, and every call after it for a while: a server that is overloaded, restarts
// or loses its answers. Tries are spaced out, and in the end nothing is different.
TEST_P(JobControllerTest, EndsTheSameWhenCallsFail) {
  const auto clean = Begin(GetParam());
  const int before = clean->kube().calls();
  Play(GetParam(), *clean, kActSteps);
  ASSERT_TRUE(clean->Settle());
  const int calls = clean->kube().calls() - before;
  ASSERT_GT(calls, 0);
  const int stride = Long() ? 1 : std::max(1, calls * testing::kRarer / 8);
  for (const FailWhen when : {FailWhen::kBefore, FailWhen::kAfter}) {
    for (int n = 1 + (when == FailWhen::kAfter ? stride / 2 : 0); n <= calls; n += stride) {
      const auto cluster = Begin(GetParam());
      for (int i = n; i < n + (n % 2 == 0 ? 1 : 6); ++i) {
        cluster->kube().FailCall(i, when, base::Unavailable("503: try again"));
      }
      Play(GetParam(), *cluster, kActSteps);
      ASSERT_TRUE(Finish(GetParam(), *cluster)) << "call " << n;
      EXPECT_EQ(cluster->Summary() + "\n", CleanEnd(GetParam())) << "call " << n;
      EXPECT_EQ(NoViolation(*cluster), "") << "call " << n;
      EXPECT_LE(cluster->passes(), clean->passes() + 60) << "call " << n;
    }
  }
}

// Each step is a gamble: which workers move, who dies, what is seen.
TEST_P(JobControllerTest, EndsTheSameAfterAnythingInAnyOrder) {
  for (unsigned seed = 1; seed <= Seeds(); ++seed) {
    std::mt19937 random(seed);
    const auto cluster = Begin(GetParam());
    for (int step = 0; step < 2 * kActSteps; ++step) {
      GetParam().act(*cluster, step);
      if (random() % 3 != 0) {
        cluster->Deliver(cluster->op(), testing::Feed::kAll);
      }
      cluster->RunQueue(cluster->op());
      if (random() % 8 == 0) {
        cluster->RestartOperator();
      }
      if (random() % 8 == 0) {
        cluster->KillWorker(static_cast<int>(random() % 3));
      }
      cluster->StepCluster();
      cluster->StepWorkers(cluster->op(), static_cast<unsigned>(random()));
      cluster->clock().Advance(base::Millis(random() % 5'000));
    }
    ASSERT_TRUE(Finish(GetParam(), *cluster)) << "seed " << seed;
    EXPECT_EQ(cluster->Summary() + "\n", CleanEnd(GetParam())) << "seed " << seed;
    EXPECT_EQ(NoViolation(*cluster), "") << "seed " << seed;
  }
}

// Two processes both believe they lead; workers talk to the one or the other.
TEST_P(JobControllerTest, TwoLeadersAreHarmless) {
  for (unsigned seed = 1; seed <= Seeds(); ++seed) {
    std::mt19937 random(seed);
    const auto cluster = Begin(GetParam());
    testing::Operator second(cluster->api(), cluster->clock());
    cluster->Sync(second);
    for (int step = 0; step < 2 * kActSteps; ++step) {
      GetParam().act(*cluster, step);
      testing::Operator& op = step % 2 == 0 ? cluster->op() : second;
      if (random() % 3 != 0) {
        cluster->Deliver(op, testing::Feed::kAll);
      }
      cluster->RunQueue(op);
      cluster->StepCluster();
      cluster->StepWorkers(random() % 2 == 0 ? cluster->op() : second,
                           static_cast<unsigned>(random()));
      cluster->clock().Advance(base::Millis(500));
    }
    ASSERT_TRUE(Finish(GetParam(), *cluster)) << "seed " << seed;
    EXPECT_EQ(cluster->Summary() + "\n", CleanEnd(GetParam())) << "seed " << seed;
    EXPECT_EQ(NoViolation(*cluster), "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, JobControllerTest,
                         ::testing::ValuesIn(testing::Scenarios().begin(),
                                             testing::Scenarios().end()),
                         [](const auto& info) { return std::string(info.param.name); });

// START waits for the slowest: a worker that does not fence keeps the others from running.
TEST(JobController, NobodyRunsBeforeAllHaveFenced) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  cluster.EditSpec({{"replicas", 3}});
  for (int i = 0; i < 40 && cluster.Job()->status.generation->number < 2; ++i) {
    cluster.StepAll();
  }
  ASSERT_EQ(cluster.Job()->status.generation->number, 2);
  for (int i = 0; i < 40; ++i) {
    cluster.Deliver(cluster.op(), testing::Feed::kAll);
    cluster.RunQueue(cluster.op());
    cluster.StepCluster();
    cluster.StepWorkers(cluster.op(), 0b011);
    cluster.clock().Advance(base::Millis(250));
    EXPECT_EQ(cluster.Job()->status.generation->step, GenerationStep::kPrepare) << i;
  }
  EXPECT_EQ(cluster.workers().Phases(), "0:Fenced 1:Fenced 2:Starting ");
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.workers().Phases(), "0:Running 1:Running 2:Running ");
  EXPECT_EQ(NoViolation(cluster), "");
}

// The store still shows a suspended job; it was resumed meanwhile. Nothing is stopped on old news,
// also when the server's cache is as old as ours.
TEST(JobController, NothingIsStoppedForAnOldViewOfTheJob) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  cluster.EditSpec({{"state", "Suspended"}});
  for (int i = 0; i < 3; ++i) {  // told to drain, stopped, heard; not scaled yet
    cluster.Sync(cluster.op());
    if (i < 2) {
      ASSERT_TRUE(cluster.Pass(cluster.op()).ok());
    }
    cluster.StepWorkers(cluster.op());
  }
  cluster.kube().Freeze();
  cluster.EditSpec({{"state", "Running"}});
  const base::Status passed = cluster.Pass(cluster.op());
  ASSERT_FALSE(passed.ok());
  EXPECT_EQ(passed.kind(), base::ErrorKind::kConflict) << passed.ToString();
  const Json set = cluster.kube().All(kube::kStatefulSets)[0];
  EXPECT_EQ(resources::Number(set, {"spec", "replicas"}), 2);
}

TEST(JobController, SuspendedJobResumesInItsGeneration) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  const int64_t generation = cluster.Job()->status.generation->number;
  cluster.EditSpec({{"state", "Suspended"}});
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kSuspended);
  EXPECT_TRUE(cluster.kube().All(kube::kPods).empty());
  cluster.EditSpec({{"state", "Running"}});
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kRunning);
  EXPECT_EQ(cluster.Job()->status.generation->number, generation);
}

// The pods of the job, by UID.
std::set<std::string> PodUids(Cluster& cluster) {
  std::set<std::string> uids;
  for (const Json& pod : cluster.kube().All(kube::kPods)) {
    uids.insert(kube::UidOf(pod));
  }
  return uids;
}

TEST(JobController, ARefusedEditTouchesNobody) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  const int64_t generation = cluster.Job()->status.generation->number;
  const std::set<std::string> pods = PodUids(cluster);
  cluster.workers().refuse_edits = true;
  cluster.EditSpec({{"restartNonce", 1}});
  ASSERT_TRUE(cluster.Settle());
  const v1alpha1::StreamJobStatus refused = cluster.Job()->status;
  EXPECT_EQ(PodUids(cluster), pods);
  EXPECT_EQ(refused.generation->number, generation);
  EXPECT_EQ(refused.phase, Phase::kRunning);
  EXPECT_EQ(v1alpha1::FindCondition(refused, v1alpha1::kSpecValid)->reason, "SqlInvalid");
  cluster.workers().refuse_edits = false;
  cluster.EditSpec({{"restartNonce", 2}});
  ASSERT_TRUE(cluster.Settle());
  EXPECT_NE(PodUids(cluster), pods);
  EXPECT_FALSE(cluster.Job()->status.change);
}

TEST(JobController, AFixedSpecLeavesTheRollback) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  const std::string first = cluster.Job()->status.generation->spec_hash;
  cluster.new_specs_crash = true;
  cluster.EditSpec({{"restartNonce", 1}});
  ASSERT_TRUE(cluster.Settle());
  const v1alpha1::StreamJob rolled_back = *cluster.Job();
  EXPECT_EQ(rolled_back.status.generation->spec_hash, first);
  EXPECT_EQ(rolled_back.status.phase, Phase::kRunning);
  EXPECT_NE(v1alpha1::FindCondition(rolled_back.status, v1alpha1::kRolledBack), nullptr);
  EXPECT_EQ(rolled_back.spec.restart_nonce, 1);  // the user's spec is untouched
  cluster.new_specs_crash = false;
  cluster.EditSpec({{"restartNonce", 2}});
  ASSERT_TRUE(cluster.Settle());
  const v1alpha1::StreamJobStatus fixed = cluster.Job()->status;
  EXPECT_NE(fixed.generation->spec_hash, first);
  EXPECT_EQ(fixed.stable->spec_hash, fixed.generation->spec_hash);
  EXPECT_EQ(v1alpha1::FindCondition(fixed, v1alpha1::kRolledBack), nullptr);
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, LostWorkerComesBackAndNobodyElseMoves) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  const int64_t generation = cluster.Job()->status.generation->number;
  cluster.KillWorker(1);
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kRunning);
  EXPECT_EQ(cluster.Job()->status.generation->number, generation);
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, AWorkerOnALostNodeStartsElsewhere) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  const int64_t generation = cluster.Job()->status.generation->number;
  const int started = cluster.workers().started();
  cluster.LoseNode(1);
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kRunning);
  EXPECT_EQ(cluster.Job()->status.generation->number, generation);
  EXPECT_EQ(cluster.workers().started(), started + 1);
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, AWorkerWhoseNodeIsGivenUpIsLeftAloneWhileItReports) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  const int started = cluster.workers().started();
  cluster.kube().Evict({"shop", "orders-worker-1"});
  for (int i = 0; i < 200; ++i) {
    cluster.StepAll();
  }
  EXPECT_EQ(cluster.workers().started(), started);
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, StrangersChildIsNotTouched) {
  Cluster cluster;
  cluster.kube().Put(kube::kServices,
                     {{"apiVersion", "v1"},
                      {"kind", "Service"},
                      {"metadata", {{"name", "orders-worker"}, {"namespace", "shop"}}},
                      {"spec", {{"mine", true}}}});
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kFailed);
  const Json service = cluster.kube().All(kube::kServices)[0];
  EXPECT_TRUE(resources::Flag(service, {"spec", "mine"}));
  EXPECT_EQ(resources::ControllerUid(service), "");
  EXPECT_TRUE(cluster.kube().All(kube::kStatefulSets).empty());
}

TEST(JobController, DeletedChildrenComeBack) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  ASSERT_TRUE(cluster.Settle());
  const std::string want = cluster.Summary();
  cluster.kube().Erase(kube::kServices, {"shop", "orders-worker"});
  cluster.kube().Erase(kube::kStatefulSets, {"shop", "orders-worker"});
  ASSERT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Summary(), want);
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, ConflictOnStatusDoesNothingElse) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  cluster.Sync(cluster.op());
  cluster.EditSpec({{"replicas", 3}});  // unseen by the operator
  const int writes = cluster.kube().writes();
  const base::Status passed = cluster.Pass(cluster.op());
  ASSERT_FALSE(passed.ok());
  EXPECT_EQ(passed.kind(), base::ErrorKind::kConflict);
  EXPECT_EQ(cluster.kube().writes(), writes);
}

TEST(JobController, RefusedObjectShowsInTheCondition) {
  Cluster cluster;
  cluster.CreateJob(kSpec);
  cluster.Sync(cluster.op());
  ASSERT_TRUE(cluster.Pass(cluster.op()).ok());
  cluster.kube().Erase(kube::kStatefulSets, {"shop", "orders-worker"});
  cluster.Sync(cluster.op());
  // Reads of the missing child and the status write come before the apply.
  cluster.kube().FailCall(2, kube::testing::FailWhen::kBefore,
                          base::InvalidArgument("exceeded quota"));
  const base::Status first = cluster.Pass(cluster.op());
  const base::Status second = cluster.Pass(cluster.op());
  const v1alpha1::StreamJobStatus status = cluster.Job()->status;
  const v1alpha1::Condition* ready = v1alpha1::FindCondition(status, v1alpha1::kReady);
  ASSERT_NE(ready, nullptr);
  EXPECT_EQ(ready->reason, "ApplyRefused") << first.ok() << second.ok();
}

// A settled job that is to be removed with everything.
void RunToBeCleaned(Cluster& cluster) {
  Json spec = kSpec;
  spec["deletionPolicy"] = {{"checkpoints", "Delete"}, {"consumerGroup", "Delete"}};
  cluster.CreateJob(spec);
  ASSERT_TRUE(cluster.Settle());
}

// Seconds from the deletion to the end of the job.
int64_t SecondsToGo(Cluster& cluster) {
  const base::WallTime begun = cluster.clock().Wall();
  cluster.DeleteJob();
  for (int i = 0; i < 400 && cluster.Job(); ++i) {
    cluster.StepAll();
  }
  EXPECT_FALSE(cluster.Job());
  return (cluster.clock().Wall() - begun).count() / 1000;
}

TEST(JobController, ADeletedJobIsCleanedUpByItsLastWorker) {
  Cluster cluster;
  RunToBeCleaned(cluster);
  EXPECT_LE(SecondsToGo(cluster), 20);
  EXPECT_EQ(cluster.workers().cleaned().size(), 1u);
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, ACleanupIsBegunAgainByTheNextProcess) {
  Cluster cluster;
  RunToBeCleaned(cluster);
  cluster.DeleteJob();
  for (int i = 0; i < 40 && cluster.Job(); ++i) {
    cluster.KillWorker(0);
    cluster.StepAll();
    cluster.StepAll();
  }
  EXPECT_LE(SecondsToGo(cluster), 20);
  EXPECT_EQ(cluster.workers().cleaned().size(), 1u);
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, ACleanupThatCannotBeDoneEndsInTime) {
  Cluster cluster;
  RunToBeCleaned(cluster);
  cluster.CrashLoop(0);
  const int64_t seconds = SecondsToGo(cluster);
  EXPECT_GE(seconds, 119);
  EXPECT_LE(seconds, 125);
  EXPECT_TRUE(cluster.workers().cleaned().empty());
  EXPECT_EQ(NoViolation(cluster), "");
}

TEST(JobController, NoPodIsStartedToCleanUpASuspendedJob) {
  Cluster cluster;
  RunToBeCleaned(cluster);
  cluster.EditSpec({{"state", "Suspended"}});
  ASSERT_TRUE(cluster.Settle());
  ASSERT_TRUE(cluster.kube().All(kube::kPods).empty());
  const int started = cluster.workers().started();
  EXPECT_LE(SecondsToGo(cluster), 5);
  EXPECT_EQ(cluster.workers().started(), started);
}

// Its pods are seen no more once the set is gone; the worker is heard.
TEST(JobController, ANamespaceThatGoesIsCleanedUpByWhoStillReports) {
  Cluster cluster;
  RunToBeCleaned(cluster);
  cluster.DeleteJob();
  for (int i = 0; i < 40 && cluster.Job(); ++i) {
    cluster.Deliver(cluster.op(), testing::Feed::kAll);
    cluster.RunQueue(cluster.op());
    cluster.kube().Erase(kube::kStatefulSets, {"shop", "orders-worker"});
    cluster.StepWorkers(cluster.op(), 0b01);  // worker 1 has ended at once
    cluster.op().registry.Tick();
    cluster.clock().Advance(base::Millis(1'000));
  }
  EXPECT_FALSE(cluster.Job());
  EXPECT_EQ(cluster.workers().cleaned().size(), 1u);
}

}  // namespace
}  // namespace sj::op::reconcile
