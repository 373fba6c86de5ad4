// SPDX-License-Identifier: Apache-2.0
// See scenarios.h.
#include "operator/reconcile/testing/scenarios.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "api/base/check.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile::testing {
namespace {

using kube::Json;
using v1alpha1::Phase;

void Run(Cluster& cluster) {
  cluster.CreateJob(SmallSpec());
  EXPECT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kRunning);
}

void Suspend(Cluster& cluster) {
  Run(cluster);
  cluster.EditSpec({{"state", "Suspended"}});
  EXPECT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kSuspended);
}

// One edit at the beginning.
std::function<void(Cluster&, int)> Edit(Json merge) {
  return [merge = std::move(merge)](Cluster& cluster, int step) {
    if (step == 0) {
      cluster.EditSpec(merge);
    }
  };
}

// An edit that running workers say does not fit.
std::function<void(Cluster&, int)> Refused(Json merge) {
  return [merge = std::move(merge)](Cluster& cluster, int step) {
    if (step == 0) {
      cluster.workers().refuse_edits = true;
      cluster.EditSpec(merge);
    }
  };
}

// Down to one worker and, once that is done, up again.
void DownAndUp(Cluster& cluster, int step) {
  if (step == 0) {
    cluster.EditSpec({{"replicas", 1}});
    return;
  }
  const auto job = cluster.Job();
  const std::vector<Json> sets = cluster.kube().All(kube::kStatefulSets);
  if (job->spec.replicas == 1 && job->status.generation->replicas == 1 && !sets.empty() &&
      resources::Number(sets[0], {"spec", "replicas"}) == 1) {
    cluster.EditSpec({{"replicas", 2}});
  }
}

// As Run, and when it is deleted everything outside goes too.
void RunToBeCleaned(Cluster& cluster) {
  Json spec = SmallSpec();
  spec["deletionPolicy"] = {
      {"checkpoints", "Delete"}, {"exchangeTopics", "Delete"}, {"consumerGroup", "Delete"}};
  cluster.CreateJob(spec);
  EXPECT_TRUE(cluster.Settle());
  EXPECT_EQ(cluster.Job()->status.phase, Phase::kRunning);
}

void RemoveAll(Cluster& cluster, int step) {
  if (step == 0) {
    cluster.DeleteJob();
  }
}

// Gone, and back under its name at once.
void Recreate(Cluster& cluster, int step) {
  if (step == 0) {
    cluster.DeleteJob();
  } else if (!cluster.Job()) {
    cluster.CreateJob(SmallSpec());
  }
}

const Scenario kScenarios[] = {
    {"create", [](Cluster&) {},
     [](Cluster& c, int step) {
       if (step == 0) {
         c.CreateJob(SmallSpec());
       }
     }},
    {"scale_up", Run, Edit({{"replicas", 3}})},
    {"scale_down", Run, Edit({{"replicas", 1}})},
    {"down_and_up", Run, DownAndUp},
    {"down_and_up_fast", Run,
     [](Cluster& c, int step) {
       if (step == 0 || step == 2) {
         c.EditSpec({{"replicas", step == 0 ? 1 : 2}});
       }
     }},
    {"sql_change", Run, Edit({{"sql", "INSERT INTO a SELECT * FROM c"}})},
    {"restart_and_scale", Run, Edit({{"restartNonce", 1}, {"replicas", 4}})},
    {"suspend", Run, Edit({{"state", "Suspended"}})},
    {"resume", Suspend, Edit({{"state", "Running"}})},
    {"remove", Run,
     [](Cluster& c, int step) {
       if (step == 0) {
         c.DeleteJob();
       }
     }},
    {"remove_all", RunToBeCleaned, RemoveAll},
    {"recreate", Run, Recreate},
    {"complete", Run, [](Cluster& c, int) { c.workers().end_of_input = true; }},
    {"refused_edit", Run, Refused({{"restartNonce", 1}})},
    {"refused_edit_and_scale", Run, Refused({{"restartNonce", 1}, {"replicas", 3}})},
    {"rollback", Run,
     [](Cluster& c, int step) {
       if (step == 0) {
         c.new_specs_crash = true;
         c.EditSpec({{"restartNonce", 1}});
       }
     }},
    {"node_lost", Run,
     [](Cluster& c, int step) {
       if (step == 0) {
         c.LoseNode(1);
       }
     }},
    {"node_lost_and_restart", Run,
     [](Cluster& c, int step) {
       if (step == 0) {
         c.LoseNode(1);
       } else if (step == 2) {
         c.EditSpec({{"restartNonce", 1}});
       }
     }},
    {"node_lost_and_suspend", Run,
     [](Cluster& c, int step) {
       if (step == 0) {
         c.LoseNode(1);
       } else if (step == 2) {
         c.EditSpec({{"state", "Suspended"}});
       }
     }},
    {"crash_loop", Run,
     [](Cluster& c, int step) {
       if (step == 0) {
         c.CrashLoop(1);
       }
     }},
};

}  // namespace

std::span<const Scenario> Scenarios() {
  return kScenarios;
}

const Scenario& ScenarioOf(std::string_view name) {
  const auto found = std::find_if(std::begin(kScenarios), std::end(kScenarios),
                                  [&](const Scenario& s) { return s.name == name; });
  SJ_CHECK(found != std::end(kScenarios));
  return *found;
}

std::unique_ptr<Cluster> Begin(const Scenario& scenario) {
  static std::map<std::string, std::unique_ptr<Cluster>> beginnings;
  std::unique_ptr<Cluster>& beginning = beginnings[scenario.name];
  if (beginning == nullptr) {
    beginning = std::make_unique<Cluster>();
    scenario.prepare(*beginning);
    EXPECT_EQ(NoViolation(*beginning), "") << scenario.name;
  }
  return std::make_unique<Cluster>(*beginning);
}

void Play(const Scenario& scenario, Cluster& cluster, int steps, Feed feed) {
  for (int step = 0; step < steps; ++step) {
    scenario.act(cluster, step);
    cluster.StepAll(feed);
  }
}

void ActOnOldView(Cluster& cluster, size_t changes) {
  constexpr int kRounds = 2;
  cluster.RestartWithOldView(changes);
  for (int round = 0; round < kRounds; ++round) {
    cluster.RunQueue(cluster.op());
    cluster.StepCluster();
    cluster.StepWorkers(cluster.op());
    cluster.clock().Advance(base::Millis(500));
  }
}

bool Finish(const Scenario& scenario, Cluster& cluster) {
  constexpr int kActsMax = 4;
  for (int i = 0; i < kActsMax; ++i) {
    if (!cluster.Settle(400)) {
      return false;
    }
    const uint64_t version = cluster.kube().version();
    scenario.act(cluster, kActSteps);
    if (cluster.kube().version() == version) {
      return true;
    }
  }
  return false;
}

const std::string& CleanEnd(const Scenario& scenario) {
  static std::map<std::string, std::string> ends;
  std::string& end = ends[scenario.name];
  if (end.empty()) {
    const std::unique_ptr<Cluster> cluster = Begin(scenario);
    Play(scenario, *cluster, kActSteps);
    EXPECT_TRUE(Finish(scenario, *cluster)) << scenario.name;
    EXPECT_EQ(NoViolation(*cluster), "") << scenario.name;
    end = cluster->Summary() + "\n";
  }
  return end;
}

Json SmallSpec() {
  return {{"sql", "INSERT INTO a SELECT * FROM b"}, {"replicas", 2}};
}

std::string NoViolation(const Cluster& cluster) {
  return cluster.violations().empty() ? "" : cluster.violations().front();
}

}  // namespace sj::op::reconcile::testing
