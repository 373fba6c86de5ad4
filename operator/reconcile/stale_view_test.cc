// SPDX-License-Identifier: Apache-2.0
// The two old views that have made controllers remove what lives: a job that is being deleted while
// its name is taken again, and a smaller replica count that was taken back. Every moment at which a
// new operator process can begin with such a view is found first, so that none of them is met by
// luck only. The judge is GuardedKube: nothing live is deleted, nothing scaled below its need.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "operator/reconcile/testing/scenarios.h"

namespace sj::op::reconcile {
namespace {

using testing::Begin;
using testing::CleanEnd;
using testing::Cluster;
using testing::kActSteps;
using testing::NoViolation;
using testing::Play;
using testing::Scenario;
using v1alpha1::StreamJob;

// Whether a list that shows the job as `believed` is one of those looked for, given what it is.
using IsOldView = bool (*)(const StreamJob& believed, const StreamJob& truth);

struct OldView {
  int step = 0;    // of the scenario, after the user's act
  size_t age = 0;  // in changes
  StreamJob truth;
};

std::vector<OldView> FindOldViews(const Scenario& scenario, IsOldView is_old) {
  std::vector<OldView> found;
  const std::unique_ptr<Cluster> cluster = Begin(scenario);
  std::vector<std::optional<StreamJob>> past = {
      cluster->Job()};  // after steps that changed a thing
  uint64_t version = cluster->kube().version();
  for (int step = 0; step < kActSteps; ++step) {
    scenario.act(*cluster, step);
    const std::optional<StreamJob> truth = cluster->Job();
    for (size_t age = 0; truth && age < std::min(past.size(), Cluster::kPastMax); ++age) {
      const std::optional<StreamJob>& believed = past[past.size() - 1 - age];
      if (believed && is_old(*believed, *truth)) {
        found.push_back({step, age, *truth});
      }
    }
    cluster->StepAll();
    if (cluster->kube().version() != version) {
      past.push_back(cluster->Job());
      version = cluster->kube().version();
    }
  }
  return found;
}

// What the operator process has in its store.
std::optional<StreamJob> Believed(Cluster& cluster) {
  const auto job = cluster.op().store.Get(kube::kStreamJobs, cluster.key());
  return job ? std::optional(v1alpha1::ReadStreamJob(*job).job) : std::nullopt;
}

// A new process begins with that view; the scenario goes on to its end.
void ExpectHarmless(const Scenario& scenario, IsOldView is_old, const OldView& view) {
  const std::string where = fmt::format("step {}, {} changes old", view.step, view.age);
  const std::unique_ptr<Cluster> cluster = Begin(scenario);
  Play(scenario, *cluster, view.step);
  scenario.act(*cluster, view.step);
  cluster->RestartWithOldView(view.age);
  const std::optional<StreamJob> believed = Believed(*cluster);
  ASSERT_TRUE(believed && is_old(*believed, *cluster->Job())) << "another view at " << where;
  ActOnOldView(*cluster, view.age);
  ASSERT_TRUE(cluster->Job().has_value()) << where;
  EXPECT_EQ(cluster->Job()->metadata.uid, view.truth.metadata.uid) << where;
  for (int step = view.step; step < kActSteps; ++step) {
    cluster->StepAll();
    scenario.act(*cluster, step + 1);
  }
  ASSERT_TRUE(Finish(scenario, *cluster)) << where << "\n" << cluster->Summary();
  EXPECT_EQ(cluster->Summary() + "\n", CleanEnd(scenario)) << where;
  EXPECT_EQ(NoViolation(*cluster), "") << where;
  EXPECT_EQ(cluster->Job()->metadata.uid, view.truth.metadata.uid) << where;
}

// Deleted and made anew under its name: the deletion timestamp of the first one says nothing about
// the second.
TEST(StaleView, TheDeletionOfANamesakeTouchesNothing) {
  const Scenario& scenario = testing::ScenarioOf("recreate");
  const IsOldView is_old = [](const StreamJob& believed, const StreamJob& truth) {
    return believed.metadata.uid != truth.metadata.uid && believed.metadata.deletion_timestamp &&
           !truth.metadata.deletion_timestamp;
  };
  const std::vector<OldView> views = FindOldViews(scenario, is_old);
  ASSERT_GE(views.size(), 5u);
  for (size_t i = 0; i < views.size(); i += testing::kRarer) {
    ExpectHarmless(scenario, is_old, views[i]);
  }
}

// Replicas 2, 1 and 2 again: who still sees the 1 scales nothing down.
TEST(StaleView, ASmallerReplicaCountTakenBackScalesNothingDown) {
  const Scenario& scenario = testing::ScenarioOf("down_and_up");
  const IsOldView is_old = [](const StreamJob& believed, const StreamJob& truth) {
    return believed.spec.replicas == 1 && truth.spec.replicas == 2;
  };
  const std::vector<OldView> views = FindOldViews(scenario, is_old);
  // Those that could stop a worker that is needed.
  const auto both_run = std::count_if(views.begin(), views.end(), [](const OldView& view) {
    return view.truth.status.generation->replicas == 2;
  });
  ASSERT_GE(both_run, 3);
  for (size_t i = 0; i < views.size(); i += testing::kRarer) {
    ExpectHarmless(scenario, is_old, views[i]);
  }
}

}  // namespace
}  // namespace sj::op::reconcile
