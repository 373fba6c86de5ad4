// SPDX-License-Identifier: Apache-2.0
// See cluster.h.
#include "operator/reconcile/testing/cluster.h"

#include <fmt/format.h>

#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile::testing {
namespace {

using control::Command;
using control::WorkerPhase;
using kube::Json;

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
constexpr int kQuietSteps = 10;

decide::Settings TestSettings() {
  decide::Settings settings;
  settings.defaults.checkpoint_location = "s3://checkpoints/test";
  settings.defaults.image = "worker:1";
  settings.worker.control_url = "https://operator:8443";
  settings.worker.control_ca = "PEM";
  return settings;
}

bool Works(WorkerPhase phase) {
  return phase == WorkerPhase::kRunning;
}

}  // namespace

Operator::Operator(kube::KubeClient& client, const base::Clock& clock)
    : registry(
          {}, clock, [](const kube::ObjectKey&) {}, nullptr),
      events({}, client, clock, nullptr),
      metrics(nullptr),
      controller({client, store, registry, events, metrics, clock}, TestSettings()) {
}

Cluster::Cluster() : kube_(clock_) {
  kube_.SetWatchBlocks(false);
  RestartOperator();
}

void Cluster::CreateJob(const Json& spec) {
  const Json job =
      kube_.Put(kube::kStreamJobs, {{"apiVersion", "streamjob.io/v1alpha1"},
                                    {"kind", "StreamJob"},
                                    {"metadata", {{"name", key_.name}, {"namespace", key_.ns}}},
                                    {"spec", spec}});
  job_uid_ = kube::UidOf(job);
}

void Cluster::EditSpec(const Json& merge) {
  auto edited = kube_.MergePatch(kube::kStreamJobs, key_, {{"spec", merge}});
  if (!edited.ok()) {
    violations_.push_back("edit of the job failed: " + edited.status().ToString());
  }
}

void Cluster::DeleteJob() {
  const base::Status deleted = kube_.Delete(kube::kStreamJobs, key_, {});
  if (!deleted.ok()) {
    violations_.push_back("delete of the job failed: " + deleted.ToString());
  }
}

std::optional<v1alpha1::StreamJob> Cluster::Job() const {
  for (const Json& job : kube_.All(kube::kStreamJobs)) {
    return v1alpha1::ReadStreamJob(job).job;
  }
  return std::nullopt;
}

void Cluster::Sync(Operator& op) {
  for (const kube::Resource* resource : kAll) {
    kube::ListResult list;
    list.items = kube_.All(*resource);
    list.resource_version = "1000000000";
    op.store.ReplaceAll(*resource, "", list);
  }
}

base::Status Cluster::Pass(Operator& op) {
  auto outcome = op.controller.Reconcile(key_);
  return outcome.ok() ? base::OkStatus() : std::move(outcome).status();
}

void Cluster::RestartOperator() {
  operator_ = std::make_unique<Operator>(kube_, clock_);
}

void Cluster::PutPod(const Json& set, int ordinal) {
  const std::string name = fmt::format("{}-{}", kube::NameOf(set), ordinal);
  Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}};
  pod["metadata"] = *resources::Find(set, {"spec", "template", "metadata"});
  pod["metadata"]["name"] = name;
  pod["metadata"]["namespace"] = key_.ns;
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
  const Json stored = kube_.Put(kube::kPods, pod);
  SimWorker worker;
  worker.pod_uid = kube::UidOf(stored);
  worker.incarnation = fmt::format("run-{}", ++pods_made_);
  worker.spec_hash = resources::Annotation(stored, resources::kSpecHashAnnotation);
  workers_[ordinal] = worker;
}

void Cluster::StepCluster() {
  kube_.CollectGarbage();
  std::map<int, Json> pods;
  for (const Json& pod : kube_.All(kube::kPods)) {
    pods[resources::OrdinalOf(kube::NameOf(pod))] = pod;
  }
  std::erase_if(workers_, [&](const auto& entry) { return !pods.contains(entry.first); });
  for (const Json& set : kube_.All(kube::kStatefulSets)) {
    const int replicas = static_cast<int>(resources::Number(set, {"spec", "replicas"}));
    for (const auto& [ordinal, pod] : pods) {
      if (ordinal >= replicas) {
        kube_.Erase(kube::kPods, kube::KeyOf(pod));
        workers_.erase(ordinal);
      }
    }
    for (int i = 0; i < replicas; ++i) {
      if (!pods.contains(i)) {
        PutPod(set, i);
      }
    }
    const int64_t generation = kube::GenerationOf(set);
    if (resources::Number(set, {"status", "observedGeneration"}) != generation) {
      kube_.PutStatus(kube::kStatefulSets, kube::KeyOf(set), {{"observedGeneration", generation}});
    }
  }
}

void Cluster::KillWorker(int ordinal) {
  auto it = workers_.find(ordinal);
  if (it == workers_.end()) {
    return;
  }
  SimWorker again;
  again.pod_uid = it->second.pod_uid;
  again.incarnation = fmt::format("run-{}", ++pods_made_);
  again.spec_hash = it->second.spec_hash;
  it->second = again;
}

void Cluster::StepWorkers(Operator& leader) {
  for (auto& [ordinal, worker] : workers_) {
    StepWorker(leader, ordinal, worker);
  }
}

void Cluster::StepWorker(Operator& leader, int ordinal, SimWorker& worker) {
  if (Works(worker.phase)) {
    if (fenced_at_[ordinal] > worker.assignment->generation) {
      KillWorker(ordinal);  // fenced: the process ends and comes back
      return;
    }
    ++worker.epoch;
    worker.phase = end_of_input ? WorkerPhase::kCompleted : worker.phase;
  }
  Beat(leader, ordinal, worker);
  if (worker.phase == WorkerPhase::kStarting || worker.phase == WorkerPhase::kStopped) {
    AskForWork(leader, ordinal, worker);
  }
}

void Cluster::AskForWork(Operator& leader, int ordinal, SimWorker& worker) {
  control::RegisterRequest request;
  request.worker = {{key_.ns, key_.name, job_uid_}, ordinal, worker.incarnation};
  request.spec_hash = worker.spec_hash;
  request.plan_hash = "plan-" + worker.spec_hash;
  request.partitions = {{"events", 8}};
  const auto response = leader.registry.Register(request);
  const int64_t had = worker.assignment ? worker.assignment->generation : 0;
  if (!response.ok() || !response->assignment ||
      (response->assignment->generation <= had && worker.phase != WorkerPhase::kStopped)) {
    return;
  }
  worker.assignment = response->assignment;
  worker.known = std::max(worker.known, response->assignment->generation);
  worker.known_started = std::max(worker.known_started, response->started_generation);
  fenced_at_[ordinal] = std::max(fenced_at_[ordinal], worker.assignment->generation);
  for (int gone : worker.assignment->fence_ordinals) {
    fenced_at_[gone] = std::max(fenced_at_[gone], worker.assignment->generation);
  }
  worker.phase = WorkerPhase::kFenced;
}

void Cluster::Beat(Operator& leader, int ordinal, SimWorker& worker) {
  control::HeartbeatRequest beat;
  beat.worker = {{key_.ns, key_.name, job_uid_}, ordinal, worker.incarnation};
  beat.sequence = ++worker.sequence;
  beat.phase = worker.phase;
  beat.generation = worker.assignment ? worker.assignment->generation : 0;
  beat.epoch = worker.epoch;
  if (worker.epoch > 0) {
    beat.last_epoch_time = clock_.Wall();
  }
  beat.lag_records = 0;
  beat.known_generation = worker.known;
  beat.known_started_generation = worker.known_started;
  beat.known_command = worker.known_command;
  std::optional<control::HeartbeatResponse> response;
  PendingPoll poll{[&](const control::HeartbeatResponse& r) { response = r; },
                   [] { return false; }};
  if (leader.registry.Heartbeat(beat, poll).ok() && response) {
    Take(*response, ordinal, worker);
  }
}

void Cluster::Take(const control::HeartbeatResponse& response, int ordinal, SimWorker& worker) {
  worker.known = std::max(worker.known, response.generation);
  worker.known_started = std::max(worker.known_started, response.started_generation);
  worker.known_command = response.command;
  const bool active = worker.phase == WorkerPhase::kRunning || worker.phase == WorkerPhase::kFenced;
  const bool replaced = worker.assignment && worker.known > worker.assignment->generation;
  if (active && (response.command == Command::kDrain || replaced)) {
    worker.phase = WorkerPhase::kStopped;
  } else if (worker.phase == WorkerPhase::kFenced &&
             worker.known_started >= worker.assignment->generation) {
    StartIfCurrent(ordinal, worker);
  }
}

// The generation check from a quorum read, then the invariant.
void Cluster::StartIfCurrent(int ordinal, SimWorker& worker) {
  const std::optional<v1alpha1::StreamJob> job = Job();
  if (!job) {
    return;
  }
  const control::GenerationResponse now = decide::AnswerGeneration(job->status);
  const int64_t mine = worker.assignment->generation;
  if (now.generation != mine || now.started_generation < mine) {
    worker.phase = WorkerPhase::kStopped;
    return;
  }
  if (fenced_at_[ordinal] > mine) {
    KillWorker(ordinal);
    return;
  }
  worker.phase = WorkerPhase::kRunning;
  for (const auto& [other, at] : fenced_at_) {
    if (at < mine) {
      violations_.push_back(
          fmt::format("worker {} runs generation {} while the ids of ordinal {} are at {}", ordinal,
                      mine, other, at));
    }
  }
}

void Cluster::StepAll() {
  Sync(*operator_);
  const base::Status passed = Pass(*operator_);
  if (!passed.ok() && passed.kind() != base::ErrorKind::kConflict) {
    RestartOperator();
  }
  StepCluster();
  StepWorkers(*operator_);
  clock_.Advance(kStep);
}

std::string Cluster::Fingerprint() const {
  std::string text;
  for (const kube::Resource* resource : kAll) {
    for (const Json& object : kube_.All(*resource)) {
      if (*resource == kube::kStreamJobs) {
        continue;  // numbers in its status move for ever
      }
      text += kube::NameOf(object) + "@" + kube::ResourceVersionOf(object) + " ";
    }
  }
  if (const std::optional<v1alpha1::StreamJob> job = Job()) {
    text += v1alpha1::ToString(job->status.phase.value_or(v1alpha1::Phase::kPending));
    for (const v1alpha1::Condition& condition : job->status.conditions) {
      text += condition.type + condition.reason + condition.message;
    }
    if (job->status.generation) {
      text +=
          fmt::format(" {} {} ", job->status.generation->number, job->status.generation->plan_hash);
    }
  }
  for (const auto& [ordinal, worker] : workers_) {
    text += fmt::format("{}:{} ", ordinal, control::ToString(worker.phase));
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
  if (const std::optional<v1alpha1::StreamJob> job = Job()) {
    const v1alpha1::StreamJobStatus& status = job->status;
    text += fmt::format("phase {}\n", status.phase ? v1alpha1::ToString(*status.phase) : "none");
    if (status.generation) {
      text += fmt::format("generation of {} spec {} started {}\n", status.generation->replicas,
                          status.generation->spec_hash,
                          status.generation->step == v1alpha1::GenerationStep::kStarted);
    }
  }
  for (const auto& [ordinal, worker] : workers_) {
    text += fmt::format("worker {} {} {}\n", ordinal, control::ToString(worker.phase),
                        worker.spec_hash);
  }
  return text;
}

}  // namespace sj::op::reconcile::testing
