// SPDX-License-Identifier: Apache-2.0
// The controller in a whole small world: the way to each end state, and the same end state when the
// operator dies at any call, looks at old data, or is two.
#include "operator/reconcile/job_controller.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "operator/reconcile/testing/cluster.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile {
namespace {

using kube::Json;
using testing::Cluster;
using v1alpha1::Phase;

const Json kSpec = {{"sql", "INSERT INTO a SELECT * FROM b"}, {"replicas", 2}};

struct Scenario {
  const char* name;
  Phase start;  // how far the job is before `act`
  std::function<void(Cluster&)> act;
};

const Scenario kScenarios[] = {
    {"create", Phase::kPending, [](Cluster&) {}},
    {"scale_up", Phase::kRunning,
     [](Cluster& c) {
       c.EditSpec({{"replicas", 3}});
     }},
    {"scale_down", Phase::kRunning,
     [](Cluster& c) {
       c.EditSpec({{"replicas", 1}});
     }},
    {"spec_change", Phase::kRunning,
     [](Cluster& c) {
       c.EditSpec({{"restartNonce", 1}});
     }},
    {"spec_and_scale", Phase::kRunning,
     [](Cluster& c) {
       c.EditSpec({{"restartNonce", 1}, {"replicas", 4}});
     }},
    {"suspend", Phase::kRunning,
     [](Cluster& c) {
       c.EditSpec({{"state", "Suspended"}});
     }},
    {"delete", Phase::kRunning, [](Cluster& c) { c.DeleteJob(); }},
    {"complete", Phase::kRunning, [](Cluster& c) { c.end_of_input = true; }},
};

// The job as far as the scenario wants it, before it acts.
std::unique_ptr<Cluster> Prepared(const Scenario& scenario) {
  auto cluster = std::make_unique<Cluster>();
  cluster->CreateJob(kSpec);
  if (scenario.start == Phase::kRunning) {
    EXPECT_TRUE(cluster->Settle());
    EXPECT_EQ(cluster->Job()->status.phase, Phase::kRunning);
  }
  return cluster;
}

std::string NoViolation(const Cluster& cluster) {
  return cluster.violations().empty() ? "" : cluster.violations().front();
}

// Everything with SJ_TEST_LONG=1; a sample of it otherwise.
bool Long() {
  return std::getenv("SJ_TEST_LONG") != nullptr;
}
unsigned Seeds() {
  return Long() ? 40 : 2;
}

class JobControllerTest : public ::testing::TestWithParam<Scenario> {};

TEST_P(JobControllerTest, SettlesAndThenWritesNothing) {
  auto cluster = Prepared(GetParam());
  GetParam().act(*cluster);
  ASSERT_TRUE(cluster->Settle());
  EXPECT_EQ(NoViolation(*cluster), "");
  const int writes = cluster->kube().writes();
  for (int i = 0; i < 20; ++i) {
    cluster->StepAll();
  }
  EXPECT_LE(cluster->kube().writes(), writes + 1);  // at most one refresh of numbers
}

// The operator dies at its n-th call, before it is done or before it hears the answer.
TEST_P(JobControllerTest, EndsTheSameWhenItDiesAtAnyCall) {
  auto clean = Prepared(GetParam());
  const int before = clean->kube().calls();
  GetParam().act(*clean);
  ASSERT_TRUE(clean->Settle());
  const int calls = clean->kube().calls() - before;
  const std::string want = clean->Summary();
  ASSERT_GT(calls, 0);
  const int stride = Long() ? 1 : std::max(1, calls / 5);
  for (kube::testing::FailWhen when :
       {kube::testing::FailWhen::kBefore, kube::testing::FailWhen::kAfter}) {
    const int first = when == kube::testing::FailWhen::kBefore ? 1 : 1 + stride / 2;
    for (int n = first; n <= calls; n += stride) {
      auto cluster = Prepared(GetParam());
      GetParam().act(*cluster);
      cluster->kube().FailCall(n, when, base::Unavailable("the process dies"));
      ASSERT_TRUE(cluster->Settle(400)) << "call " << n;
      EXPECT_EQ(cluster->Summary(), want) << "call " << n;
      EXPECT_EQ(NoViolation(*cluster), "") << "call " << n;
    }
  }
}

// Sieve's patterns: the store is old for a while, the operator restarts, workers die; then calm.
TEST_P(JobControllerTest, EndsTheSameAfterOldViewsAndCrashes) {
  auto clean = Prepared(GetParam());
  GetParam().act(*clean);
  ASSERT_TRUE(clean->Settle());
  const std::string want = clean->Summary();
  for (unsigned seed = 1; seed <= Seeds(); ++seed) {
    std::mt19937 random(seed);
    auto cluster = Prepared(GetParam());
    GetParam().act(*cluster);
    for (int step = 0; step < 30; ++step) {
      if (random() % 3 != 0) {
        cluster->Sync(cluster->op());
      }
      const base::Status passed = cluster->Pass(cluster->op());
      if (random() % 8 == 0) {
        cluster->RestartOperator();
      }
      if (random() % 8 == 0) {
        cluster->KillWorker(static_cast<int>(random() % 3));
      }
      cluster->StepCluster();
      cluster->StepWorkers(cluster->op());
      cluster->clock().Advance(base::Millis(random() % 5'000));
    }
    ASSERT_TRUE(cluster->Settle(600)) << "seed " << seed;
    EXPECT_EQ(cluster->Summary(), want) << "seed " << seed;
    EXPECT_EQ(NoViolation(*cluster), "") << "seed " << seed;
  }
}

// Two processes both believe they lead; the second one sees the cluster late and hears workers too.
TEST_P(JobControllerTest, TwoLeadersAreHarmless) {
  auto clean = Prepared(GetParam());
  GetParam().act(*clean);
  ASSERT_TRUE(clean->Settle());
  const std::string want = clean->Summary();
  for (unsigned seed = 1; seed <= Seeds(); ++seed) {
    std::mt19937 random(seed);
    auto cluster = Prepared(GetParam());
    testing::Operator second(cluster->kube(), cluster->clock());
    cluster->Sync(second);
    GetParam().act(*cluster);
    for (int step = 0; step < 40; ++step) {
      const bool first = random() % 2 == 0;
      testing::Operator& op = first ? cluster->op() : second;
      if (random() % 2 == 0) {
        cluster->Sync(op);
      }
      const base::Status passed = cluster->Pass(op);
      cluster->StepCluster();
      cluster->StepWorkers(random() % 2 == 0 ? cluster->op() : second);
      cluster->clock().Advance(base::Millis(500));
    }
    ASSERT_TRUE(cluster->Settle(600)) << "seed " << seed;
    EXPECT_EQ(cluster->Summary(), want) << "seed " << seed;
    EXPECT_EQ(NoViolation(*cluster), "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, JobControllerTest, ::testing::ValuesIn(kScenarios),
                         [](const auto& info) { return std::string(info.param.name); });

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

}  // namespace
}  // namespace sj::op::reconcile
