// SPDX-License-Identifier: Apache-2.0
// Cluster: a whole small world for tests of the controller: the fake API server, a StatefulSet
// controller, a kubelet and workers that follow the control protocol, with Kafka's fencing as one
// number per ordinal. Every step is explicit; nothing runs by itself. It checks the one invariant
// that matters: nobody works in a generation before every id ever used is fenced at it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "operator/kube/testing/fake_kube.h"
#include "operator/reconcile/job_controller.h"

namespace sj::op::reconcile::testing {

// One operator process: what is lost with it.
struct Operator {
  Operator(kube::KubeClient& client, const base::Clock& clock);

  runtime::Store store;
  WorkerRegistry registry;
  runtime::EventRecorder events;
  JobMetrics metrics;
  JobController controller;
};

struct SimWorker {
  std::string pod_uid;
  std::string incarnation;
  std::string spec_hash;
  control::WorkerPhase phase = control::WorkerPhase::kStarting;
  std::optional<control::Assignment> assignment;
  int64_t sequence = 0;
  int64_t known = 0, known_started = 0;
  control::Command known_command = control::Command::kNone;
  int64_t epoch = 0;
};

class Cluster {
 public:
  Cluster();

  kube::testing::FakeKube& kube() { return kube_; }
  base::ManualClock& clock() { return clock_; }
  Operator& op() { return *operator_; }
  const kube::ObjectKey& key() const { return key_; }

  // The user's side.
  void CreateJob(const kube::Json& spec);
  void EditSpec(const kube::Json& merge);
  void DeleteJob();
  std::optional<v1alpha1::StreamJob> Job() const;

  // Brings an operator's store up to date with the server.
  void Sync(Operator& op);
  // One pass of the operator. ok or conflict or whatever the fault injected.
  base::Status Pass(Operator& op);
  // The operator process dies and a new one starts with an empty memory.
  void RestartOperator();
  // StatefulSet controller, kubelet and garbage collection, once.
  void StepCluster();
  // Every worker does its next thing with the given operator as leader.
  void StepWorkers(Operator& leader);
  void KillWorker(int ordinal);
  // Everything once: sync, pass, cluster, workers; half a second goes by. A failed pass is a crash.
  void StepAll();
  // Steps until nothing changes any more; false after `steps_max`.
  bool Settle(int steps_max = 200);

  // The outcome, without numbers that depend on the way.
  std::string Summary() const;
  // Violations of the protocol seen so far.
  const std::vector<std::string>& violations() const { return violations_; }
  // Every worker of the job ends its input at its next step.
  bool end_of_input = false;

 private:
  void StepWorker(Operator& leader, int ordinal, SimWorker& worker);
  void AskForWork(Operator& leader, int ordinal, SimWorker& worker);
  void Beat(Operator& leader, int ordinal, SimWorker& worker);
  void Take(const control::HeartbeatResponse& response, int ordinal, SimWorker& worker);
  void StartIfCurrent(int ordinal, SimWorker& worker);
  void PutPod(const kube::Json& set, int ordinal);
  std::string Fingerprint() const;

  base::ManualClock clock_;
  kube::testing::FakeKube kube_;
  std::unique_ptr<Operator> operator_;
  kube::ObjectKey key_{"shop", "orders"};
  std::string job_uid_;
  std::map<int, SimWorker> workers_;
  std::map<int, int64_t> fenced_at_;  // ordinal -> the generation that fenced its ids last
  std::vector<std::string> violations_;
  int pods_made_ = 0;
};

}  // namespace sj::op::reconcile::testing
