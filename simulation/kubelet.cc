// SPDX-License-Identifier: Apache-2.0
// The Kubernetes part of a simulated cluster: StatefulSet controller, kubelet, leases.
#include <fmt/format.h>

#include <algorithm>

#include "operator/resources/names.h"
#include "operator/resources/object.h"
#include "simulation/cluster.h"

namespace sj::simulation {
namespace {

using base::Json;
namespace resources = sj::op::resources;

constexpr int kGraceSeconds = 10;
constexpr Nanos kGrace = seconds(kGraceSeconds);

Json PodStatus(bool running) {
  const Json state = running ? Json{{"running", Json::object()}}
                             : Json{{"waiting", {{"reason", "ContainerCreating"}}}};
  return {
      {"conditions", Json::array({{{"type", "Ready"}, {"status", running ? "True" : "False"}}})},
      {"containerStatuses",
       Json::array({{{"name", "worker"}, {"restartCount", 0}, {"state", state}}})}};
}

}  // namespace

// Something may have been written: whoever watches learns of it, sooner or later.
void Cluster::AfterWrite() {
  CheckStatus();
  if (!kubelet_soon_) {
    kubelet_soon_ = true;
    world_.After(world_.Between(milliseconds(20), milliseconds(600)), [this] { Kubelet(); });
  }
  for (int i = 0; i < 2; ++i) {
    if (inform_soon_[i]) {
      continue;
    }
    inform_soon_[i] = true;
    world_.After(world_.Between(milliseconds(1), milliseconds(300)), [this, i] {
      inform_soon_[i] = false;
      if (seats_[i].replica != nullptr) {
        seats_[i].replica->Inform();
      }
    });
  }
}

void Cluster::Kubelet() {
  kubelet_soon_ = false;
  std::map<int, Json> found;
  for (Json& pod : api_.All(kube::kPods)) {
    const int ordinal = resources::OrdinalOf(kube::NameOf(pod));
    found[ordinal] = std::move(pod);
  }
  std::vector<int> gone;
  for (const auto& [ordinal, pod] : pods_) {
    auto it = found.find(ordinal);
    if (it == found.end() || kube::UidOf(it->second) != pod.uid) {
      gone.push_back(ordinal);
    }
  }
  for (int ordinal : gone) {
    EndPod(ordinal);
  }
  for (const Json& set : api_.All(kube::kStatefulSets)) {
    SyncSet(set, found);
  }
}

void Cluster::SyncSet(const Json& set, const std::map<int, Json>& pods) {
  const int replicas = static_cast<int>(resources::Number(set, {"spec", "replicas"}, 1));
  bool wrote = false;
  for (const auto& [ordinal, pod] : pods) {
    if (ordinal < replicas || kube::IsDeleting(pod)) {
      continue;
    }
    const auto it = pods_.find(ordinal);
    if (it != pods_.end() && it->second.lost) {
      api_.Evict(kube::KeyOf(pod), kGraceSeconds);
    } else {
      api_.Erase(kube::kPods, kube::KeyOf(pod));
    }
    wrote = true;
  }
  for (int i = 0; i < replicas; ++i) {
    if (!pods.contains(i) && !pods_.contains(i)) {
      MakePod(set, i);
      wrote = true;
    }
  }
  const int64_t generation = kube::GenerationOf(set);
  if (resources::Number(set, {"status", "observedGeneration"}, 0) != generation) {
    api_.PutStatus(kube::kStatefulSets, kube::KeyOf(set), {{"observedGeneration", generation}});
    wrote = true;
  }
  if (wrote) {
    AfterWrite();
  }
}

void Cluster::MakePod(const Json& set, int ordinal) {
  Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}};
  pod["metadata"] = *resources::Find(set, {"spec", "template", "metadata"});
  pod["metadata"]["name"] = fmt::format("{}-{}", kube::NameOf(set), ordinal);
  pod["metadata"]["namespace"] = key_.ns;
  pod["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "apps/v1"},
                                                     {"kind", "StatefulSet"},
                                                     {"name", kube::NameOf(set)},
                                                     {"uid", kube::UidOf(set)},
                                                     {"controller", true}}});
  pod["status"] = PodStatus(false);
  const Json stored = api_.Put(kube::kPods, pod);
  Pod made;
  made.uid = kube::UidOf(stored);
  made.spec_hash = resources::Annotation(stored, resources::kSpecHashAnnotation);
  pods_[ordinal] = made;
  world_.After(world_.Between(milliseconds(100), seconds(3)),
               [this, ordinal, uid = made.uid] { StartWorker(ordinal, uid); });
}

void Cluster::StartWorker(int ordinal, const std::string& pod_uid) {
  auto it = pods_.find(ordinal);
  if (it == pods_.end() || it->second.uid != pod_uid || it->second.worker != nullptr) {
    return;
  }
  if (it->second.deleting) {
    pods_.erase(it);
    AfterWrite();
    return;
  }
  WorkerSetup setup;
  setup.job = {key_.ns, key_.name, uid_};
  setup.ordinal = ordinal;
  setup.number = ++pods_made_;
  setup.spec_hash = it->second.spec_hash;
  setup.threads = 1 + static_cast<int>(world_.Random(2));
  setup.epoch_interval = world_.Between(seconds(1), seconds(4));
  setup.directory = fmt::format("{}/w{}", directory_, setup.number);
  setup.plan = &JobPlan();
  setup.partitions = {{kEvents, kEventPartitions}, {kLog, kLogPartitions}};
  setup.route = [this] { return Route(); };
  setup.on_assignment = [this](const control::Assignment& a) { CheckAssignment(a); };
  const size_t index = workers_.size();
  setup.on_error = [this, index](const base::Status& status) {
    CheckError(workers_[index].get(), status);
  };
  workers_.push_back(std::make_unique<Worker>(&world_, &kafka_, &store_, std::move(setup)));
  Worker* worker = workers_.back().get();
  worker->process()->may_crash = true;
  it->second.worker = worker;
  world_.Log(worker->process()->name + " starts");
  worker->Start([this, ordinal, pod_uid, worker] { WorkerEnded(ordinal, pod_uid, worker); });
  SetRunning(ordinal, true);
}

void Cluster::SetRunning(int ordinal, bool running) {
  api_.PutStatus(kube::kPods, {key_.ns, op::resources::PodName(key_.name, ordinal)},
                 PodStatus(running));
  AfterWrite();
}

void Cluster::WorkerEnded(int ordinal, const std::string& pod_uid, const Worker* worker) {
  auto it = pods_.find(ordinal);
  if (it == pods_.end() || it->second.uid != pod_uid || it->second.worker != worker ||
      it->second.lost) {
    return;  // an orphan, or nobody is there to see it
  }
  if (it->second.deleting) {
    pods_.erase(it);
    AfterWrite();
    return;
  }
  it->second.worker = nullptr;
  SetRunning(ordinal, false);
  world_.After(world_.Between(milliseconds(300), seconds(5)),
               [this, ordinal, pod_uid] { StartWorker(ordinal, pod_uid); });
}

// The pod is deleted: SIGTERM, grace, kill. Its name is free only when the process has ended.
void Cluster::EndPod(int ordinal) {
  Pod& pod = pods_.at(ordinal);
  if (pod.deleting) {
    return;
  }
  if (pod.lost) {
    pods_.erase(ordinal);
    AfterWrite();
    return;
  }
  pod.deleting = true;
  if (pod.worker == nullptr) {
    pods_.erase(ordinal);
    AfterWrite();
    return;
  }
  world_.Log(pod.worker->process()->name + " is terminated");
  pod.worker->Terminate();
  world_.After(kGrace, [this, process = pod.worker->process()] { world_.Kill(process); });
}

// The node is given up while the old process goes on for a while. Sometimes a person deletes the
// pod by force at once; else the control plane does without it, and it is up to the operator.
void Cluster::LoseNode() {
  if (pods_.empty()) {
    return;
  }
  auto it = std::next(pods_.begin(), static_cast<std::ptrdiff_t>(world_.Random(pods_.size())));
  Worker* worker = it->second.worker;
  if (worker == nullptr || worker->process()->dead) {
    return;
  }
  if (it->second.deleting || it->second.lost) {
    return;
  }
  world_.Log(worker->process()->name + " is lost with its node");
  orphans_.push_back(worker);
  world_.After(world_.Between(seconds(2), seconds(90)),
               [this, process = worker->process()] { world_.Kill(process); });
  if (world_.Chance(0.5)) {
    GiveUpPod(it->second, it->first);
    return;
  }
  api_.Erase(kube::kPods, {key_.ns, op::resources::PodName(key_.name, it->first)});
  pods_.erase(it);
  AfterWrite();
}

// Nobody hears of the worker; its pod is deleted, and no kubelet confirms it before the node is
// back, if it ever is.
void Cluster::GiveUpPod(Pod& pod, int ordinal) {
  pod.lost = true;
  pod.worker->process()->cut[static_cast<int>(Service::kControl)] = true;
  world_.After(world_.Between(seconds(1), seconds(20)), [this, ordinal, uid = pod.uid] {
    auto it = pods_.find(ordinal);
    if (it != pods_.end() && it->second.uid == uid) {
      api_.Evict({key_.ns, op::resources::PodName(key_.name, ordinal)}, kGraceSeconds);
      AfterWrite();
    }
  });
  if (world_.Chance(0.3)) {
    world_.After(world_.Between(seconds(10), seconds(120)),
                 [this, ordinal, uid = pod.uid] { NodeReturns(ordinal, uid); });
  }
}

// Its kubelet ends what the control plane has deleted meanwhile.
void Cluster::NodeReturns(int ordinal, const std::string& pod_uid) {
  auto it = pods_.find(ordinal);
  if (it == pods_.end() || it->second.uid != pod_uid) {
    return;
  }
  world_.Log(fmt::format("the node of pod {} is back", ordinal));
  world_.Kill(it->second.worker->process());
  pods_.erase(it);
  api_.Erase(kube::kPods, {key_.ns, op::resources::PodName(key_.name, ordinal)});
  AfterWrite();
}

void Cluster::StartReplica(int seat) {
  const Replica::Options options{++seats_[seat].number * 2 + seat, hand_over_};
  all_replicas_.push_back(
      std::make_unique<Replica>(&world_, &api_, key_, options, [this] { AfterWrite(); }));
  Replica* replica = all_replicas_.back().get();
  seats_[seat].replica = replica;
  const bool old = !snapshots_.empty() && world_.Strikes(Fault::kStaleList);
  replica->Start(old ? snapshots_[world_.Random(snapshots_.size())] : Take(),
                 [this, seat] { ReplicaEnded(seat); });
  // What an old list lacks comes by the watch, later.
  world_.After(world_.Between(milliseconds(10), seconds(old ? 20 : 1)),
               [this, replica] { replica->Inform(); });
}

void Cluster::ReplicaEnded(int seat) {
  seats_[seat].replica = nullptr;
  world_.After(world_.Between(seconds(1), seconds(8)), [this, seat] { StartReplica(seat); });
  world_.After(world_.Between(seconds(2), seconds(17)), [this] { Elect(); });
}

// One leader, whoever it is now; the others stop when they notice.
void Cluster::Elect() {
  std::vector<Replica*> up;
  for (Seat& seat : seats_) {
    if (seat.replica != nullptr && !seat.replica->process()->dead) {
      up.push_back(seat.replica);
    }
  }
  if (up.empty()) {
    world_.After(seconds(3), [this] { Elect(); });
    return;
  }
  const auto leads = std::count_if(up.begin(), up.end(), [](Replica* r) { return r->leads(); });
  if (leads == 1) {
    return;
  }
  const size_t chosen = world_.Random(up.size());
  for (size_t i = 0; i < up.size(); ++i) {
    if (up[i]->leads() != (i == chosen)) {
      up[i]->Lead(i == chosen);
    }
  }
}

ControlEndpoint* Cluster::Route() {
  std::vector<Replica*> up;
  for (Seat& seat : seats_) {
    if (seat.replica == nullptr || seat.replica->process()->dead) {
      continue;
    }
    if (seat.replica->leads() && world_.Chance(0.8)) {
      return seat.replica;
    }
    up.push_back(seat.replica);
  }
  return up.empty() ? nullptr : up[world_.Random(up.size())];
}

Snapshot Cluster::Take() {
  Snapshot snapshot;
  for (const kube::Resource& resource : WatchedResources()) {
    auto listed = api_.List(resource, {});
    if (listed.ok()) {
      snapshot.version = kube::VersionNumber(listed->resource_version);
      snapshot.items[resource] = std::move(listed->items);
    }
  }
  return snapshot;
}

}  // namespace sj::simulation
