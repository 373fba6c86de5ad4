// SPDX-License-Identifier: Apache-2.0
// Cluster: one simulated run as a whole: API server with the StatefulSet controller and the
// kubelet, two replicas of the operator, workers in pods, a user who edits, and the chaos among
// them. It holds the promises about generations, and says when the run has come to rest. Owned by
// RunSeed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulation/replica.h"
#include "simulation/worker.h"
#include "simulation/workload.h"

namespace sj::simulation {

struct ClusterOptions {
  uint64_t seed = 1;
  bool log = false;
  bool hand_over = false;  // a change of replicas is handed over between running workers
  std::string directory;   // scratch
};

class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);
  ~Cluster();

  // The faulty time, then healing until everything is as it should be.
  void Run();
  World& world() { return world_; }
  uint64_t commits() const { return kafka_.commits(); }
  int64_t generations() const { return highest_; }
  int64_t hand_overs() const { return hand_overs_; }    // begun
  int64_t handed_over() const { return handed_over_; }  // of them, without a switch
  uint64_t deleted() const { return store_.deleted(); }

 private:
  struct Pod {
    std::string uid;
    std::string spec_hash;
    Worker* worker = nullptr;  // null: its container does not run
    bool deleting = false;
    bool lost = false;  // no kubelet answers for it
  };
  struct Seat {  // of a replica
    Replica* replica = nullptr;
    int number = 0;
  };

  void DrawFaults();
  void CreateJob();
  void FeedInput();
  void Chaos();
  void HitWorker();
  void CutSomebody(Fault fault, Service service);
  void Cut(Process* process, Fault fault, Service service);
  void Edit();
  void MissEdit();
  void Heal();
  bool AtRest();
  bool Pinned();

  // API server, StatefulSet controller, kubelet
  void AfterWrite();
  void Kubelet();
  void SyncSet(const base::Json& set, const std::map<int, base::Json>& pods);
  void MakePod(const base::Json& set, int ordinal);
  void StartWorker(int ordinal, const std::string& pod_uid);
  void WorkerEnded(int ordinal, const std::string& pod_uid, const Worker* worker);
  void EndPod(int ordinal);
  void SetRunning(int ordinal, bool running);
  void LoseNode();
  void GiveUpPod(Pod& pod, int ordinal);
  void NodeReturns(int ordinal, const std::string& pod_uid);

  // replicas
  void StartReplica(int seat);
  void ReplicaEnded(int seat);
  void Elect();
  ControlEndpoint* Route();
  Snapshot Take();

  // promises
  void CheckStatus();
  void CheckAssignment(control::Assignment assignment);
  void CheckError(const Worker* worker, const base::Status& status);
  std::optional<v1alpha1::StreamJob> Job();
  std::vector<Worker*> Living();

  World world_;
  Kafka kafka_;
  SimStore store_;
  kube::testing::FakeKube api_;
  Workload workload_;
  const std::string directory_;
  const bool hand_over_;
  const kube::ObjectKey key_{"shop", "orders"};
  std::string uid_;

  std::vector<std::unique_ptr<Worker>> workers_;  // all of the run
  std::vector<std::unique_ptr<Replica>> all_replicas_;
  std::map<int, Pod> pods_;
  Seat seats_[2];
  std::vector<Worker*> orphans_;
  std::vector<Snapshot> snapshots_;
  bool kubelet_soon_ = false;
  bool inform_soon_[2] = {false, false};
  int pods_made_ = 0;

  int wanted_replicas_ = 1;
  bool wanted_running_ = true;
  int restarts_asked_ = 0;
  size_t fed_ = 0;
  Nanos faults_until_{0};
  std::string failed_why_;  // why it is not at rest

  std::string last_version_;
  int64_t highest_ = 0;
  int64_t hand_overs_ = 0;
  int64_t handed_over_ = 0;
  std::map<int64_t, v1alpha1::GenerationStatus> generations_;
  std::map<int64_t, control::Assignment> assignments_;
};

}  // namespace sj::simulation
