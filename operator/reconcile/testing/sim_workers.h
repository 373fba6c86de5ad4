// SPDX-License-Identifier: Apache-2.0
// SimWorkers: the worker processes of one job, which follow the control protocol, with Kafka's
// fencing as one number per ordinal. It checks the one invariant that matters: nobody works in a
// generation before every id ever used is fenced at it. Values; thread-compatible.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "operator/kube/testing/fake_kube.h"
#include "operator/reconcile/worker_registry.h"

namespace sj::op::reconcile::testing {

struct SimWorker {
  std::string job_uid;
  std::string incarnation;
  std::string spec_hash;
  control::WorkerPhase phase = control::WorkerPhase::kStarting;
  std::optional<control::Assignment> assignment;
  int64_t sequence = 0;
  int64_t known = 0, known_started = 0;
  control::Command known_command = control::Command::kNone;
  int64_t epoch = 0;
  std::string known_check;
  std::optional<control::SpecVerdict> verdict;
  control::CleanupReport cleanup;
};

// What workers meet. References outlive the call they are given to.
struct SimSurroundings {
  const base::Clock& clock;
  const kube::testing::FakeKube& kube;
  std::vector<std::string>& violations;
};

class SimWorkers {
 public:
  explicit SimWorkers(kube::ObjectKey key) : key_(std::move(key)) {}

  // The container of `pod` starts, for the job of that UID.
  void Start(int ordinal, const kube::Json& pod, const std::string& job_uid);
  // All other pods are gone.
  void Retain(const std::set<int>& ordinals);
  bool Has(int ordinal) const { return workers_.contains(ordinal); }
  // The container restarts.
  void Kill(int ordinal);
  // The process of this ordinal ends now and whenever it starts.
  void Break(int ordinal);
  // The process of this ordinal is not heard of any more, until another pod of its starts.
  void Silence(int ordinal) { silent_.insert(ordinal); }
  // Those whose bit is set do their next thing, with the given registry as the leader's.
  void Step(WorkerRegistry& leader, const SimSurroundings& around, unsigned which);

  // "0:Running 1:Running ".
  std::string Phases() const;
  std::string Describe() const;
  int started() const { return started_; }

  // Records keep coming: every step commits a further epoch. Otherwise one does while a spec is on
  // trial, and then epochs only confirm: the cluster comes to rest.
  bool input = false;
  // The input of every worker ends at its next step.
  bool end_of_input = false;
  // UIDs of the jobs whose remains a worker has removed.
  const std::set<std::string>& cleaned() const { return cleaned_; }

  // Running workers refuse every edit they are asked about.
  bool refuse_edits = false;
  // What a worker adds to its heartbeat; half a second lies between two of them.
  std::function<void(int ordinal, const SimWorker&, control::HeartbeatRequest&)> add_to_beat;

 private:
  struct Talk;  // one worker's step
  void StepOne(Talk talk);
  bool OnTrial(const SimSurroundings& around);
  void AskForWork(Talk talk);
  void Beat(Talk talk);
  void Take(const control::HeartbeatResponse& response, Talk talk);
  void Judge(const control::HeartbeatResponse& response, SimWorker& worker) const;
  void StartIfCurrent(Talk talk);
  void CleanUp(Talk talk);
  control::WorkerRef RefOf(const Talk& talk) const;

  kube::ObjectKey key_;
  std::string uid_;
  std::map<int, SimWorker> workers_;
  std::map<int, int64_t> fenced_at_;  // ordinal -> the generation that fenced its ids last
  std::set<int> broken_;
  std::set<int> silent_;
  std::set<std::string> cleaned_;
  int64_t epoch_ = 0;
  int started_ = 0;
  bool on_trial_ = false;
  uint64_t looked_at_ = 0;  // the version on_trial_ is of
};

}  // namespace sj::op::reconcile::testing
