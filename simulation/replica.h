// SPDX-License-Identifier: Apache-2.0
// Replica: one process of the operator in a simulated run: the real JobController, WorkerRegistry
// and Store over a KubeClient whose calls travel to the simulated API server, so that it can die or
// stand still between any two of them. Leadership and the informer's lag are the cluster's doing.
// Owned by the cluster.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/kube/testing/fake_kube.h"
#include "operator/reconcile/job_controller.h"
#include "simulation/control_plane.h"
#include "simulation/world.h"

namespace sj::simulation {

namespace kube = sj::op::kube;

// Everything of every resource at one version: what a list from an API server's cache gives.
struct Snapshot {
  uint64_t version = 0;
  std::map<kube::Resource, std::vector<base::Json>> items;
};

class Replica final : public ControlEndpoint {
 public:
  // `after_write` is called as an event after each call that may have changed something.
  struct Options {
    int number = 0;
    bool hand_over = false;  // as in the operator's configuration
  };
  Replica(World* world, kube::testing::FakeKube* api, kube::ObjectKey job, const Options& options,
          std::function<void()> after_write);
  ~Replica() override;
  // Fills the store from `list` and starts its fiber.
  void Start(const Snapshot& list, std::function<void()> ended);

  Process* process() { return process_; }
  void Lead(bool leads);
  bool leads() const { return leads_; }
  // The informer takes in what has happened since it last looked.
  void Inform();
  void StopInformer(Nanos time);

  void Register(const control::RegisterRequest& request,
                std::function<void(base::Result<control::RegisterResponse>)> reply) override;
  void Heartbeat(const control::HeartbeatRequest& request, std::shared_ptr<bool> gone,
                 std::function<void(base::Result<control::HeartbeatResponse>)> reply) override;
  void Generation(const control::JobRef& job,
                  std::function<void(base::Result<control::GenerationResponse>)> reply) override;

 private:
  class Client;
  void Main();
  void MakeDirty();

  World* world_;
  kube::testing::FakeKube* api_;
  const kube::ObjectKey job_;
  Process* process_;
  bool leads_ = false;
  bool dirty_ = true;
  Nanos requeue_at_{0};
  Nanos informer_stopped_until_{0};
  std::map<kube::Resource, uint64_t> seen_;

  std::unique_ptr<Client> client_;
  op::runtime::Store store_;
  op::reconcile::WorkerRegistry registry_;
  op::runtime::EventRecorder events_;
  op::reconcile::JobMetrics metrics_;
  op::reconcile::JobController controller_;
};

// What the informers of an operator watch.
const std::vector<kube::Resource>& WatchedResources();

}  // namespace sj::simulation
