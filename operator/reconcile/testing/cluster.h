// SPDX-License-Identifier: Apache-2.0
// Cluster: a whole small world for tests of the controller: the fake API server, a StatefulSet
// controller, a kubelet, workers, and an operator process that hears of changes by watch events and
// reconciles what its queue holds. Every step is explicit; nothing runs by itself. A cluster can be
// copied, with a fresh operator process in the copy. Owned by one test thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "operator/kube/testing/fake_kube.h"
#include "operator/reconcile/job_controller.h"
#include "operator/reconcile/testing/guarded_kube.h"
#include "operator/reconcile/testing/sim_workers.h"

namespace sj::op::reconcile::testing {

// One operator process: what is lost with it.
struct Operator {
  Operator(kube::KubeClient& client, const base::Clock& clock);

  runtime::WorkQueue queue;
  runtime::Store store;
  WorkerRegistry registry;
  runtime::EventRecorder events;
  JobMetrics metrics;
  JobController controller;
  runtime::ControlLoop loop;
  uint64_t seen = 0;  // the version its watches have reached
};

// What becomes of the watch events between two steps.
enum class Feed : uint8_t {
  kAll,
  kNone,      // lost
  kLast,      // of several of one object only the last arrives
  kTwice,     // each arrives again after all others
  kBackward,  // the newest arrives first
};

class Cluster {
 public:
  // Views that RestartWithOldView has to offer.
  static constexpr size_t kPastMax = 16;

  Cluster();
  // What `from` holds, with a new operator process that knows nothing yet.
  Cluster(const Cluster& from);

  kube::testing::FakeKube& kube() { return kube_; }
  GuardedKube& api() { return api_; }
  base::ManualClock& clock() { return clock_; }
  Operator& op() { return *operator_; }
  const kube::ObjectKey& key() const { return key_; }
  SimWorkers& workers(const kube::ObjectKey& key) { return jobs_.at(key); }
  SimWorkers& workers() { return jobs_.at(key_); }

  // The user's side. Without a key: the job "orders".
  void CreateJob(const kube::Json& spec) { CreateJob(key_, spec); }
  void CreateJob(const kube::ObjectKey& key, const kube::Json& spec);
  void EditSpec(const kube::Json& merge) { EditSpec(key_, merge); }
  void EditSpec(const kube::ObjectKey& key, const kube::Json& merge);
  void DeleteJob();
  std::optional<v1alpha1::StreamJob> Job() const { return Job(key_); }
  std::optional<v1alpha1::StreamJob> Job(const kube::ObjectKey& key) const;
  // The pod of that ordinal ends whenever it starts.
  void CrashLoop(int ordinal);

  // The node of that worker does not answer any more, and Kubernetes has given its pod up.
  void LoseNode(int ordinal);

  // A complete list of everything, as after a relist.
  void Sync(Operator& op);
  // What was written since the operator's watches were served last.
  void Deliver(Operator& op, Feed feed);
  // Reconciles all keys that are due; throws Crash when the process was told to end.
  void RunQueue(Operator& op);
  // One pass over "orders". ok or conflict or whatever the fault injected.
  base::Status Pass(Operator& op);
  // The operator process dies; a new one lists everything.
  void RestartOperator();
  // The same, but its lists are from `changes` steps ago, not counting those without a change.
  void RestartWithOldView(size_t changes);
  // StatefulSet controller, kubelet and garbage collection, once.
  void StepCluster();
  // Workers do their next thing with the given operator as leader: all, or those whose bit is set.
  void StepWorkers(Operator& leader, unsigned which = ~0u);
  void KillWorker(int ordinal) { workers().Kill(ordinal); }
  // Everything once: events, reconciles, cluster, workers; half a second goes by.
  void StepAll(Feed feed = Feed::kAll);
  // Steps until nothing changes any more; false after `steps_max`.
  bool Settle(int steps_max = 200);

  // The outcome, without numbers that depend on the way.
  std::string Summary() const;
  // Violations seen so far.
  const std::vector<std::string>& violations() const { return violations_; }
  // Reconciles of all operator processes so far.
  int passes() const { return passes_; }
  // Pods of any spec but the first exit before they say a word.
  bool new_specs_crash = false;

 private:
  struct Snapshot {
    uint64_t version = 0;
    std::vector<std::vector<kube::Json>> lists;
  };
  Snapshot TakeSnapshot() const;
  void List(Operator& op, const Snapshot& snapshot);
  void StepSet(const kube::Json& set, std::map<int, kube::Json> pods);
  void PutPod(const kube::Json& set, int ordinal);
  void WatchDeletions();
  std::string Fingerprint() const;

  base::ManualClock clock_;
  kube::testing::FakeKube kube_;
  std::vector<std::string> violations_;
  GuardedKube api_;
  std::unique_ptr<Operator> operator_;
  kube::ObjectKey key_{"shop", "orders"};
  std::map<kube::ObjectKey, SimWorkers> jobs_;
  std::deque<Snapshot> past_;  // after each step that changed something, newest last; bounded
  uint64_t looked_at_ = 0;     // the version StepCluster found last
  int passes_ = 0;
  std::string first_spec_;
  std::map<kube::ObjectKey, v1alpha1::StreamJob>
      deleted_;  // with something to remove, not gone yet
};

}  // namespace sj::op::reconcile::testing
