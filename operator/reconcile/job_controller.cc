// SPDX-License-Identifier: Apache-2.0
// See job_controller.h.
#include "operator/reconcile/job_controller.h"

#include <fmt/format.h>

#include "api/base/check.h"
#include "api/base/log.h"
#include "operator/autoscale/autoscaler.h"
#include "operator/decide/scaling.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile {
namespace {

using base::Json;
using base::Result;
using base::Status;
using runtime::Outcome;

constexpr base::Millis kRefusedRetry{60'000};
constexpr base::Millis kSnapshotsRetry{1'000};

// Every kind an action can name.
const kube::Resource* ResourceOf(const Json& object) {
  const std::string& kind = resources::Text(object, {"kind"});
  for (const kube::Resource* resource :
       {&kube::kStatefulSets, &kube::kServices, &kube::kConfigMaps, &kube::kPods,
        &kube::kServiceAccounts, &kube::kPodDisruptionBudgets}) {
    if (resource->kind == kind) {
      return resource;
    }
  }
  return nullptr;
}

// Long waits of many jobs must not end together, as they began when the operator started: up to a
// fifth earlier, by the job's name.
base::Millis Spread(const kube::ObjectKey& key, base::Millis wait) {
  constexpr base::Millis kLong{300'000};
  const auto part = static_cast<int64_t>(std::hash<kube::ObjectKey>()(key) % 1'000);
  return wait < kLong ? wait : wait - wait * part / 5'000;
}

bool IsGone(const Status& status) {
  return !status.ok() && status.kind() == base::ErrorKind::kNotFound;
}

}  // namespace

// What one pass holds: the job as last read or written.
struct JobController::Pass {
  kube::ObjectKey key;
  Json object;
  bool confirmed = false;  // a quorum read agreed with `object`
};

// One job's memory of its load. Touched only by the pass over that job.
struct JobController::Scaling {
  std::string uid;
  autoscale::Track track;
};

std::shared_ptr<JobController::Scaling> JobController::ScalingOf(const kube::ObjectKey& key,
                                                                 const v1alpha1::StreamJob& job,
                                                                 bool enabled) {
  std::lock_guard lock(mu_);
  if (!enabled) {
    scaling_.erase(key);
    return nullptr;
  }
  std::shared_ptr<Scaling>& scaling = scaling_[key];
  if (scaling == nullptr || scaling->uid != job.metadata.uid) {
    scaling = std::make_shared<Scaling>();
    scaling->uid = job.metadata.uid;
  }
  return scaling;
}

JobController::JobController(ControllerParts parts, decide::Settings settings)
    : parts_(parts), settings_(std::move(settings)), leading_since_(parts.clock.Wall()) {
}

void JobController::StartLeading() {
  std::lock_guard lock(mu_);
  leading_since_ = parts_.clock.Wall();
}

void JobController::StopLeading() {
  parts_.registry.Clear();
  parts_.metrics.Clear();
  std::lock_guard lock(mu_);
  scaling_.clear();
}

void JobController::SetSettings(decide::Settings settings) {
  std::lock_guard lock(mu_);
  settings_ = std::move(settings);
}

decide::Settings JobController::settings() const {
  std::lock_guard lock(mu_);
  return settings_;
}

Result<Outcome> JobController::Reconcile(const kube::ObjectKey& key) {
  std::optional<Json> object = parts_.store.Get(kube::kStreamJobs, key);
  if (!object) {
    parts_.registry.Forget(key);
    parts_.metrics.Forget(key);
    Remember(key, "");
    ScalingOf(key, {}, false);
    const SnapshotPass left = ReconcileSnapshots(key, nullptr, {});
    return left.requeue_after ? Outcome::After(*left.requeue_after) : Outcome::Done();
  }
  Pass pass{key, *std::move(object), false};
  const v1alpha1::ReadStreamJobResult read = v1alpha1::ReadStreamJob(pass.object);
  const decide::Settings now_in_force = settings();
  SJ_ASSIGN_OR_RETURN(Observation seen,
                      Observe(read.job, now_in_force, parts_.client, parts_.store));
  const std::vector<decide::WorkerReport> workers = parts_.registry.Reports(read.job.metadata.uid);
  const SnapshotPass snapshots = ReconcileSnapshots(key, &read.job, workers);
  std::optional<v1alpha1::StreamJobSnapshot> restore_from;
  if (parts_.snapshots != nullptr) {
    restore_from = parts_.snapshots->RestoreFrom(read.job);
  }
  base::WallTime since;
  std::string refused;
  {
    std::lock_guard lock(mu_);
    since = leading_since_;
    auto it = refusals_.find(key);
    refused = it != refusals_.end() ? it->second : "";
  }
  const base::WallTime now = parts_.clock.Wall();
  const v1alpha1::EffectiveAutoscaling load_settings =
      v1alpha1::Effective(read.job.spec, now_in_force.defaults).autoscaling;
  const std::shared_ptr<Scaling> scaling = ScalingOf(key, read.job, load_settings.enabled);
  if (scaling != nullptr) {
    scaling->track.Note(decide::ObserveLoad(read.job, workers, now),
                        autoscale::SpacingOf(load_settings));
  }
  decide::Output output =
      decide::Decide({read.job, read.findings, seen.sql, seen.children, workers, now, since,
                      now_in_force, refused, scaling != nullptr ? &scaling->track : nullptr,
                      snapshots.order, restore_from ? &*restore_from : nullptr});
  if (snapshots.requeue_after) {
    output.requeue_after = output.requeue_after
                               ? std::min(*output.requeue_after, *snapshots.requeue_after)
                               : *snapshots.requeue_after;
  }
  if (scaling != nullptr && output.scaling) {
    scaling->track.Remember(now, output.scaling->replicas, output.scaling->bucket);
  }
  if (output.defect) {
    base::LogError("illegal phase move", {{"job", key.ToString()}, {"defect", *output.defect}});
  }
  return Act(pass, output);
}

// The job comes first: what fails here is tried again soon, and holds nothing up.
SnapshotPass JobController::ReconcileSnapshots(const kube::ObjectKey& key,
                                               const v1alpha1::StreamJob* job,
                                               std::span<const decide::WorkerReport> workers) {
  if (parts_.snapshots == nullptr) {
    return {};
  }
  SnapshotPass pass = parts_.snapshots->Reconcile(key, job, workers, settings());
  if (!pass.error.ok()) {
    pass.requeue_after = kSnapshotsRetry;
    if (pass.error.kind() != base::ErrorKind::kConflict) {
      base::LogWarn("snapshots not reconciled",
                    {{"job", key.ToString()}, {"error", pass.error.ToString()}});
    }
  }
  return pass;
}

Result<Outcome> JobController::Act(Pass& pass, const decide::Output& output) {
  if (output.status_changed) {
    const Status written = WriteStatus(pass, output);
    if (IsGone(written)) {
      return Outcome::Done();
    }
    SJ_RETURN_IF_ERROR(written);
  }
  parts_.metrics.Set(pass.key, output.status);
  TellCleanup(pass, output);
  for (const decide::Event& event : output.events) {
    parts_.events.Record(pass.object,
                         event.warning ? runtime::EventType::kWarning : runtime::EventType::kNormal,
                         event.reason, event.message);
  }
  if (output.generation_changed) {
    parts_.metrics.CountGeneration();
    return Outcome::After(base::Millis(0));  // decide again from what is stored
  }
  parts_.registry.Publish(pass.key, kube::UidOf(pass.object), output.directive);
  for (const decide::Action& action : output.actions) {
    Status done = Carry(pass, action);
    if (!done.ok()) {
      return Refused(pass, action, std::move(done));
    }
    parts_.metrics.CountAction(action.kind);
  }
  if (Remember(pass.key, "")) {
    return Outcome::After(base::Millis(0));  // the condition goes
  }
  return output.requeue_after ? Outcome::After(Spread(pass.key, *output.requeue_after))
                              : Outcome::Done();
}

// In the log too: a namespace that is being deleted takes no event.
void JobController::TellCleanup(const Pass& pass, const decide::Output& output) {
  if (!output.cleanup_ended) {
    return;
  }
  const bool removed = *output.cleanup_ended == v1alpha1::CleanupState::kRemoved;
  parts_.metrics.CountCleanup(removed);
  const std::string job = pass.key.ToString();
  const std::string& message = output.status.cleanup->message;
  if (removed) {
    base::LogInfo("deleted job cleaned up", {{"job", job}, {"message", message}});
  } else {
    base::LogWarn("something of a deleted job stays", {{"job", job}, {"message", message}});
  }
}

bool JobController::Remember(const kube::ObjectKey& key, const std::string& refusal) {
  std::lock_guard lock(mu_);
  auto it = refusals_.find(key);
  const std::string before = it != refusals_.end() ? it->second : "";
  if (refusal.empty()) {
    refusals_.erase(key);
  } else {
    refusals_[key] = refusal;
  }
  return before != refusal;
}

// A conflict is normal. Anything else the server says goes into the job's condition with the next
// pass; what repeating cannot help is tried again slowly.
Result<Outcome> JobController::Refused(const Pass& pass, const decide::Action& action,
                                       Status status) {
  if (status.kind() == base::ErrorKind::kConflict) {
    return status;
  }
  status = std::move(status).WithContext(decide::ToString(action));
  const bool news = Remember(pass.key, status.message());
  if (status.retry() == base::Retry::kNever) {
    base::LogWarn("the cluster refuses a change",
                  {{"job", pass.key.ToString()}, {"error", status.ToString()}});
    return Outcome::After(news ? base::Millis(0) : kRefusedRetry);
  }
  return status;
}

Status JobController::WriteStatus(Pass& pass, const decide::Output& output) {
  kube::ReplaceStatusOptions options;
  options.resource_version = kube::ResourceVersionOf(pass.object);
  Result<Json> stored = parts_.client.ReplaceStatus(kube::kStreamJobs, pass.key,
                                                    v1alpha1::StatusToJson(output.status), options);
  if (!stored.ok()) {
    return std::move(stored).status().WithContext(
        fmt::format("write status of {}", pass.key.ToString()));
  }
  pass.object = *std::move(stored);
  parts_.store.Put(kube::kStreamJobs, pass.object);
  parts_.metrics.CountStatusWrite();
  return base::OkStatus();
}

// The job is still the one decided about: same UID, nothing written since.
Status JobController::Confirm(Pass& pass) {
  if (pass.confirmed) {
    return base::OkStatus();
  }
  Result<Json> read = parts_.client.Get(kube::kStreamJobs, pass.key, kube::Read::kQuorum);
  if (!read.ok()) {
    return IsGone(read.status()) ? base::Conflict("the job is gone") : std::move(read).status();
  }
  const Json& now = *read;
  if (kube::UidOf(now) != kube::UidOf(pass.object) ||
      kube::ResourceVersionOf(now) != kube::ResourceVersionOf(pass.object)) {
    if (kube::UidOf(now) == kube::UidOf(pass.object)) {
      parts_.store.Put(kube::kStreamJobs, now);
    }
    return base::Conflict("the job has changed since it was read");
  }
  pass.confirmed = true;
  return base::OkStatus();
}

Status JobController::Carry(Pass& pass, const decide::Action& action) {
  using decide::ActionKind;
  if (action.destructive) {
    SJ_RETURN_IF_ERROR(Confirm(pass));
  }
  if (action.kind == ActionKind::kAddFinalizer || action.kind == ActionKind::kRemoveFinalizer) {
    Result<Json> stored =
        kube::SetFinalizer(parts_.client, kube::kStreamJobs, pass.object, resources::kFinalizer,
                           action.kind == ActionKind::kAddFinalizer);
    if (!stored.ok()) {
      return IsGone(stored.status()) ? base::OkStatus() : std::move(stored).status();
    }
    pass.object = *std::move(stored);
    // Once the finalizer is off, the object may be gone already: the watch says so.
    if (action.kind == ActionKind::kAddFinalizer) {
      parts_.store.Put(kube::kStreamJobs, pass.object);
    }
    return base::OkStatus();
  }
  const kube::Resource* resource = ResourceOf(action.object);
  SJ_CHECK(resource != nullptr);
  const kube::ObjectKey key = kube::KeyOf(action.object);
  if (action.kind == ActionKind::kDelete || action.kind == ActionKind::kForceDelete) {
    kube::DeleteOptions options;
    if (action.kind == ActionKind::kForceDelete) {
      options.grace_seconds = 0;
    }
    options.uid = kube::UidOf(action.object);
    options.resource_version = kube::ResourceVersionOf(action.object);
    const Status deleted = parts_.client.Delete(*resource, key, options);
    return IsGone(deleted) ? base::OkStatus() : deleted;
  }
  Result<Json> stored = base::Internal("no such action");
  if (action.kind == ActionKind::kScale) {
    const Json patch = {{"metadata", {{"resourceVersion", kube::ResourceVersionOf(action.object)}}},
                        {"spec", {{"replicas", action.replicas}}}};
    stored = parts_.client.MergePatch(*resource, key, patch);
  } else {
    stored = parts_.client.Apply(*resource, action.object);
  }
  if (!stored.ok()) {
    return std::move(stored).status();
  }
  parts_.store.Put(*resource, *stored);
  return base::OkStatus();
}

std::optional<kube::ObjectKey> JobOf(const runtime::Change& change, const runtime::Store& store) {
  if (change.resource == kube::kStreamJobs) {
    return change.key;
  }
  if (!change.controller) {
    return std::nullopt;
  }
  if (change.controller->kind == v1alpha1::kKind) {
    return kube::ObjectKey{change.key.ns, change.controller->name};
  }
  if (change.controller->kind != kube::kStatefulSets.kind) {
    return std::nullopt;
  }
  const std::optional<Json> set =
      store.Get(kube::kStatefulSets, {change.key.ns, change.controller->name});
  const std::optional<kube::OwnerRef> owner =
      set ? kube::ControllerOf(*set) : std::optional<kube::OwnerRef>();
  if (!owner || owner->kind != v1alpha1::kKind) {
    return std::nullopt;
  }
  return kube::ObjectKey{change.key.ns, owner->name};
}

}  // namespace sj::op::reconcile
