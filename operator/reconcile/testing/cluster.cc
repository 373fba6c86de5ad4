// SPDX-License-Identifier: Apache-2.0
// See cluster.h.
#include "operator/reconcile/testing/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "operator/decide/cleanup.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile::testing {
namespace {

using kube::Json;
using kube::ObjectKey;
using kube::WatchEvent;

const kube::Resource* const kAll[] = {&kube::kStreamJobs,
                                      &kube::kStatefulSets,
                                      &kube::kPods,
                                      &kube::kServices,
                                      &kube::kConfigMaps,
                                      &kube::kServiceAccounts,
                                      &kube::kPodDisruptionBudgets};

constexpr base::Millis kStep{500};
// When nothing moves, time leaps: together longer than every deadline, so that waiting for one is
// not taken for rest.
constexpr base::Millis kLeap{10'000};
constexpr int kQuietBeforeLeap = 3;
constexpr int kQuietSteps = 16;
constexpr int kPassesAtOnceMax = 20;  // of one job between two steps

decide::Settings TestSettings() {
  decide::Settings settings;
  settings.defaults.checkpoint_location = "s3://checkpoints/test";
  settings.defaults.image = "worker:1";
  settings.defaults.stable_after = base::Millis(3'000);  // well within a Settle
  settings.worker.control_url = "https://operator:8443";
  settings.worker.control_ca = "PEM";
  return settings;
}

void Arrive(Operator& op, const kube::Resource& resource, const WatchEvent& event) {
  if (event.type == WatchEvent::Type::kDeleted) {
    op.store.Remove(resource, event.object);
  } else {
    op.store.Put(resource, event.object);
  }
}

// The events in the order in which they arrive, some of them not at all or twice.
std::vector<WatchEvent> Mangled(std::vector<WatchEvent> events, Feed feed) {
  std::vector<WatchEvent> out;
  switch (feed) {
    case Feed::kNone:
      return {};
    case Feed::kAll:
      return events;
    case Feed::kTwice:
      out = events;
      out.insert(out.end(), events.begin(), events.end());
      return out;
    case Feed::kBackward:
      std::reverse(events.begin(), events.end());
      return events;
    case Feed::kLast:
      std::set<std::string> told;
      for (auto it = events.rbegin(); it != events.rend(); ++it) {
        if (told.insert(kube::UidOf(it->object)).second) {
          out.insert(out.begin(), *it);
        }
      }
      return out;
  }
  return out;
}

}  // namespace

Operator::Operator(kube::KubeClient& client, const base::Clock& clock)
    : queue({}, clock, nullptr),
      registry(
          {}, clock, [this](const ObjectKey& key) { queue.Add(key); }, nullptr),
      events({}, client, clock, nullptr),
      metrics(nullptr),
      controller({client, store, registry, events, metrics, clock}, TestSettings()),
      loop(
          {}, queue, [this](const ObjectKey& key) { return controller.Reconcile(key); }, nullptr) {
  store.OnChange([this](const runtime::Change& change) {
    if (const auto key = JobOf(change, store)) {
      queue.Add(*key);
    }
  });
}

Cluster::Cluster() : kube_(clock_), api_(kube_, violations_) {
  kube_.SetWatchBlocks(false);
  RestartOperator();
}

Cluster::Cluster(const Cluster& from)
    : clock_(from.clock_.Wall()),
      kube_(clock_, from.kube_),
      api_(kube_, violations_),
      key_(from.key_),
      jobs_(from.jobs_),
      deleted_(from.deleted_) {
  kube_.SetWatchBlocks(false);
  api_.Remember(from.api_);
  past_.push_back(TakeSnapshot());
  RestartOperator();
}

void Cluster::CreateJob(const ObjectKey& key, const Json& spec) {
  kube_.Put(kube::kStreamJobs, {{"apiVersion", "streamjob.io/v1alpha1"},
                                {"kind", "StreamJob"},
                                {"metadata", {{"name", key.name}, {"namespace", key.ns}}},
                                {"spec", spec}});
  jobs_.try_emplace(key, key);
}

void Cluster::EditSpec(const ObjectKey& key, const Json& merge) {
  std::optional<Json> job = kube_.Find(kube::kStreamJobs, key);
  if (!job) {
    violations_.push_back("a job that is gone is edited");
    return;
  }
  (*job)["spec"].merge_patch(merge);
  kube_.Put(kube::kStreamJobs, *job);
}

void Cluster::DeleteJob() {
  constexpr int kTriesMax = 10;  // faults meant for the operator may meet the user
  base::Status deleted = kube_.Delete(kube::kStreamJobs, key_, {});
  for (int i = 1; i < kTriesMax && !deleted.ok() && Job(); ++i) {
    deleted = kube_.Delete(kube::kStreamJobs, key_, {});
  }
  if (!deleted.ok() && Job()) {
    violations_.push_back("delete of the job failed: " + deleted.ToString());
  }
  WatchDeletions();
}

std::optional<v1alpha1::StreamJob> Cluster::Job(const ObjectKey& key) const {
  const std::optional<Json> job = kube_.Find(kube::kStreamJobs, key);
  return job ? std::optional(v1alpha1::ReadStreamJob(*job).job) : std::nullopt;
}

void Cluster::CrashLoop(int ordinal) {
  workers().Break(ordinal);
  kube_.PutStatus(
      kube::kPods, {key_.ns, resources::PodName(key_.name, ordinal)},
      {{"containerStatuses",
        Json::array(
            {{{"name", "worker"},
              {"restartCount", 7},
              {"state",
               {{"waiting", {{"reason", "CrashLoopBackOff"}, {"message", "back-off 5m0s"}}}}}}})}});
}

Cluster::Snapshot Cluster::TakeSnapshot() const {
  Snapshot snapshot;
  snapshot.version = kube_.version();
  for (const kube::Resource* resource : kAll) {
    snapshot.lists.push_back(kube_.All(*resource));
  }
  return snapshot;
}

void Cluster::List(Operator& op, const Snapshot& snapshot) {
  for (size_t i = 0; i < std::size(kAll); ++i) {
    kube::ListResult list;
    list.items = snapshot.lists[i];
    list.resource_version = std::to_string(snapshot.version);
    op.store.ReplaceAll(*kAll[i], "", list);
  }
  op.seen = snapshot.version;
}

void Cluster::Sync(Operator& op) {
  List(op, TakeSnapshot());
}

void Cluster::Deliver(Operator& op, Feed feed) {
  for (const kube::Resource* resource : kAll) {
    std::vector<WatchEvent> events;
    kube::WatchOptions options;
    options.resource_version = std::to_string(op.seen);
    const auto end = kube_.Watch(
        *resource, options,
        [&](WatchEvent event) {
          if (event.type != WatchEvent::Type::kBookmark) {
            events.push_back(std::move(event));
          }
          return true;
        },
        nullptr);
    if (!end.ok() || *end != kube::WatchEnd::kClosed) {
      violations_.push_back("a watch of the simulation ended early");
    }
    for (const WatchEvent& event : Mangled(std::move(events), feed)) {
      Arrive(op, *resource, event);
    }
  }
  op.seen = kube_.version();
}

void Cluster::RunQueue(Operator& op) {
  const int passes_max = kPassesAtOnceMax * std::max<int>(1, static_cast<int>(jobs_.size()));
  for (int i = 0; i < passes_max; ++i) {
    ++passes_;
    if (!op.loop.RunOne()) {
      --passes_;
      return;
    }
  }
  violations_.push_back("the queue does not come to rest");
}

base::Status Cluster::Pass(Operator& op) {
  ++passes_;
  auto outcome = op.controller.Reconcile(key_);
  return outcome.ok() ? base::OkStatus() : std::move(outcome).status();
}

void Cluster::RestartOperator() {
  operator_ = std::make_unique<Operator>(api_, clock_);
  Sync(*operator_);
}

void Cluster::RestartWithOldView(size_t changes) {
  operator_ = std::make_unique<Operator>(api_, clock_);
  List(*operator_, past_[past_.size() - std::min(changes + 1, past_.size())]);
}

void Cluster::PutPod(const Json& set, int ordinal) {
  Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}};
  pod["metadata"] = *resources::Find(set, {"spec", "template", "metadata"});
  pod["metadata"]["name"] = fmt::format("{}-{}", kube::NameOf(set), ordinal);
  pod["metadata"]["namespace"] = kube::NamespaceOf(set);
  pod["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "apps/v1"},
                                                     {"kind", "StatefulSet"},
                                                     {"name", kube::NameOf(set)},
                                                     {"uid", kube::UidOf(set)},
                                                     {"controller", true}}});
  pod["status"] = {
      {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})},
      {"containerStatuses",
       Json::array(
           {{{"name", "worker"}, {"restartCount", 0}, {"state", {{"running", Json::object()}}}}})}};
  const std::string spec_hash = resources::Annotation(pod, resources::kSpecHashAnnotation);
  first_spec_ = first_spec_.empty() ? spec_hash : first_spec_;
  if (new_specs_crash && spec_hash != first_spec_) {
    pod["status"]["containerStatuses"][0] = {
        {"name", "worker"},
        {"restartCount", 2},
        {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
        {"lastState", {{"terminated", {{"exitCode", 1}}}}}};
    kube_.Put(kube::kPods, pod);
    return;
  }
  const Json stored = kube_.Put(kube::kPods, pod);
  const kube::OwnerRef owner = *kube::ControllerOf(set);
  const ObjectKey job{kube::NamespaceOf(set), owner.name};
  jobs_.try_emplace(job, job).first->second.Start(ordinal, stored, owner.uid);
}

void Cluster::LoseNode(int ordinal) {
  workers().Silence(ordinal);
  kube_.Evict({key_.ns, resources::PodName(key_.name, ordinal)});
}

void Cluster::StepSet(const Json& set, std::map<int, Json> pods) {
  const int replicas = static_cast<int>(resources::Number(set, {"spec", "replicas"}));
  std::set<int> kept;
  for (const auto& [ordinal, pod] : pods) {
    if (ordinal >= replicas && !kube::IsDeleting(pod)) {
      kube_.Erase(kube::kPods, kube::KeyOf(pod));
    } else {
      kept.insert(ordinal);
    }
  }
  const std::string job = kube::ControllerOf(set)->name;
  auto workers = jobs_.find({kube::NamespaceOf(set), job});
  if (workers != jobs_.end()) {
    workers->second.Retain(kept);
  }
  for (int i = 0; i < replicas; ++i) {
    if (!kept.contains(i)) {
      PutPod(set, i);
    }
  }
  const int64_t generation = kube::GenerationOf(set);
  if (resources::Number(set, {"status", "observedGeneration"}) != generation) {
    kube_.PutStatus(kube::kStatefulSets, kube::KeyOf(set), {{"observedGeneration", generation}});
  }
}

void Cluster::StepCluster() {
  WatchDeletions();
  if (looked_at_ == kube_.version()) {
    return;
  }
  looked_at_ = kube_.version();
  kube_.CollectGarbage();
  std::map<std::string, std::map<int, Json>> pods;  // by the UID of their StatefulSet
  for (const Json& pod : kube_.All(kube::kPods)) {
    pods[resources::ControllerUid(pod)][resources::OrdinalOf(kube::NameOf(pod))] = pod;
  }
  const std::vector<Json> sets = kube_.All(kube::kStatefulSets);
  for (auto& [key, workers] : jobs_) {
    const std::string name = resources::WorkerName(key.name);
    if (std::none_of(sets.begin(), sets.end(),
                     [&](const Json& set) { return kube::NameOf(set) == name; })) {
      workers.Retain({});
    }
  }
  for (const Json& set : sets) {
    StepSet(set, pods[kube::UidOf(set)]);
  }
}

// A deletion with something to remove ends when it is removed, or when its time is over.
void Cluster::WatchDeletions() {
  for (auto& [key, workers] : jobs_) {
    const std::optional<v1alpha1::StreamJob> job = Job(key);
    auto before = deleted_.find(key);
    const bool gone =
        before != deleted_.end() && (!job || job->metadata.uid != before->second.metadata.uid);
    if (gone) {
      const v1alpha1::ObjectMeta& meta = before->second.metadata;
      const bool in_time = clock_.Wall() < *meta.deletion_timestamp + TestSettings().delete_max;
      if (in_time && !workers.cleaned().contains(meta.uid)) {
        violations_.push_back("a deleted job is gone before it is cleaned up");
      }
      deleted_.erase(before);
    }
    if (job && job->metadata.deletion_timestamp && job->status.generation &&
        decide::RemainsToRemove(job->spec.deletion_policy).any()) {
      deleted_[key] = *job;
    }
  }
}

void Cluster::StepWorkers(Operator& leader, unsigned which) {
  for (auto& [key, workers] : jobs_) {
    workers.Step(leader.registry, {clock_, kube_, violations_}, which);
  }
}

void Cluster::StepAll(Feed feed) {
  try {
    Deliver(*operator_, feed);
    RunQueue(*operator_);
  } catch (const Crash&) {
    RestartOperator();
  }
  StepCluster();
  StepWorkers(*operator_);
  operator_->registry.Tick();
  clock_.Advance(kStep);
  if (past_.empty() || past_.back().version != kube_.version()) {
    past_.push_back(TakeSnapshot());
    if (past_.size() > kPastMax) {
      past_.pop_front();
    }
  }
}

std::string Cluster::Fingerprint() const {
  std::string text = std::to_string(kube_.version());
  for (const auto& [key, workers] : jobs_) {
    text += " " + workers.Phases();
  }
  return text;
}

bool Cluster::Settle(int steps_max) {
  int quiet = 0;
  for (int i = 0; i < steps_max; ++i) {
    const std::string before = Fingerprint();
    StepAll();
    quiet = Fingerprint() == before ? quiet + 1 : 0;
    if (quiet >= kQuietSteps) {
      return true;
    }
    if (quiet >= kQuietBeforeLeap) {
      clock_.Advance(kLeap);
    }
  }
  return false;
}

std::string Cluster::Summary() const {
  std::string text;
  for (const kube::Resource* resource : kAll) {
    for (const Json& object : kube_.All(*resource)) {
      text += fmt::format("{} {}\n", resource->kind, kube::NameOf(object));
    }
  }
  for (const Json& set : kube_.All(kube::kStatefulSets)) {
    text += fmt::format("replicas {} spec {}\n", resources::Number(set, {"spec", "replicas"}),
                        resources::Annotation(set, resources::kSpecHashAnnotation));
  }
  for (const auto& [key, workers] : jobs_) {
    const std::optional<v1alpha1::StreamJob> job = Job(key);
    if (!job) {
      continue;
    }
    const v1alpha1::StreamJobStatus& status = job->status;
    const v1alpha1::Condition* ready = v1alpha1::FindCondition(status, v1alpha1::kReady);
    text += fmt::format("phase {} {}\n", status.phase ? v1alpha1::ToString(*status.phase) : "none",
                        ready != nullptr ? ready->reason : "");
    text += status.rollback ? "rolled back\n" : "";
    text += status.change ? fmt::format("edit refused: {}\n", status.change->reason) : "";
    text += status.stable ? fmt::format("stable {}\n", status.stable->spec_hash) : "";
    if (status.generation) {
      text += fmt::format("generation of {} spec {} started {}\n", status.generation->replicas,
                          status.generation->spec_hash,
                          status.generation->step == v1alpha1::GenerationStep::kStarted);
    }
    text += workers.Describe();
  }
  return text;
}

}  // namespace sj::op::reconcile::testing
