// SPDX-License-Identifier: Apache-2.0
// Scenarios: what users do to a job, each from a settled state, to be run under faults. Data.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "operator/reconcile/testing/cluster.h"

namespace sj::op::reconcile::testing {

struct Scenario {
  const char* name;
  // From an empty cluster to where the scenario begins; it is settled then.
  std::function<void(Cluster&)> prepare;
  // Called before every step, step 0 first: does what the user does then.
  std::function<void(Cluster&, int step)> act;
};

std::span<const Scenario> Scenarios();
// The one of that name, which is there.
const Scenario& ScenarioOf(std::string_view name);

// A copy of the scenario's beginning; the beginning itself is made once.
std::unique_ptr<Cluster> Begin(const Scenario& scenario);
// `steps` steps with the user's acts.
void Play(const Scenario& scenario, Cluster& cluster, int steps, Feed feed = Feed::kAll);
// A new operator process begins with lists of `changes` changes ago and acts on them twice before
// its watches catch up.
void ActOnOldView(Cluster& cluster, size_t changes);
// Until nothing changes any more and the user has done everything. False after too many steps.
bool Finish(const Scenario& scenario, Cluster& cluster);
// How the scenario ends without any fault.
const std::string& CleanEnd(const Scenario& scenario);

// Two workers, one statement.
kube::Json SmallSpec();
// The first violation, or "".
std::string NoViolation(const Cluster& cluster);

// Of the points a test samples every so many-th is taken: under a sanitizer, where a step costs
// several times as much, fewer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kRarer = 8;
#else
inline constexpr int kRarer = 1;
#endif

// After so many steps every scenario's user has done everything.
inline constexpr int kActSteps = 26;

}  // namespace sj::op::reconcile::testing
