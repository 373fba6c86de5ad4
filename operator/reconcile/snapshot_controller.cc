// SPDX-License-Identifier: Apache-2.0
// See snapshot_controller.h.
#include "operator/reconcile/snapshot_controller.h"

#include "api/base/log.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile {
namespace {

using base::Json;
using base::Result;
using base::Status;
using kube::ObjectKey;

bool Is(const Status& status, base::ErrorKind kind) {
  return !status.ok() && status.kind() == kind;
}

}  // namespace

std::optional<ObjectKey> SnapshotController::Note(const runtime::Change& change) {
  std::string job;
  if (change.type != runtime::Change::Type::kDeleted) {
    const std::optional<Json> object = parts_.store.Get(kube::kStreamJobSnapshots, change.key);
    job = object ? resources::Text(*object, {"spec", "jobRef", "name"}) : "";
  }
  std::lock_guard lock(mu_);
  auto known = job_of_.find(change.key);
  if (job.empty() && known != job_of_.end()) {
    job = known->second;
  }
  if (job.empty()) {
    return std::nullopt;
  }
  const ObjectKey key{change.key.ns, job};
  if (change.type == runtime::Change::Type::kDeleted) {
    job_of_.erase(change.key);
    std::set<std::string>& names = names_[key];
    names.erase(change.key.name);
    if (names.empty()) {
      names_.erase(key);
    }
  } else {
    job_of_[change.key] = job;
    names_[key].insert(change.key.name);
  }
  return key;
}

SnapshotController::Objects SnapshotController::ObjectsOf(const ObjectKey& job_key) const {
  std::set<std::string> names;
  {
    std::lock_guard lock(mu_);
    auto it = names_.find(job_key);
    names = it != names_.end() ? it->second : names;
  }
  Objects objects;
  for (const std::string& name : names) {
    if (auto object = parts_.store.Get(kube::kStreamJobSnapshots, {job_key.ns, name})) {
      objects[name] = *std::move(object);
    }
  }
  return objects;
}

SnapshotPass SnapshotController::Reconcile(const ObjectKey& job_key, const v1alpha1::StreamJob* job,
                                           std::span<const decide::WorkerReport> workers,
                                           const decide::Settings& settings) {
  SnapshotPass pass;
  if (!Synced() || (job == nullptr && parts_.known_jobs_only)) {
    return pass;
  }
  Objects objects = ObjectsOf(job_key);
  std::vector<decide::SnapshotObject> snapshots;
  for (const auto& [name, object] : objects) {
    v1alpha1::ReadSnapshotResult read = v1alpha1::ReadSnapshot(object);
    snapshots.push_back({std::move(read.snapshot), std::move(read.findings)});
  }
  const decide::WorkerReport* first = nullptr;
  for (const decide::WorkerReport& worker : workers) {
    first = worker.ordinal == 0 ? &worker : first;
  }
  const decide::SnapshotsOutput output = decide::DecideSnapshots(
      {job_key.ns, job_key.name, job, snapshots, first, parts_.clock.Wall(), settings});
  pass.order = output.order;
  pass.requeue_after = output.requeue_after;
  pass.error = Write(job_key, output, objects);
  return pass;
}

Status SnapshotController::Write(const ObjectKey& job_key, const decide::SnapshotsOutput& output,
                                 Objects& objects) {
  for (const decide::SnapshotStatusWrite& write : output.statuses) {
    SJ_RETURN_IF_ERROR(WriteStatus(write, objects));
  }
  for (const decide::SnapshotEvent& event : output.events) {
    parts_.events.Record(
        objects.at(event.name),
        event.event.warning ? runtime::EventType::kWarning : runtime::EventType::kNormal,
        event.event.reason, event.event.message);
  }
  for (const decide::SnapshotAction& action : output.actions) {
    base::LogInfo("snapshot", {{"job", job_key.ToString()}, {"action", decide::ToString(action)}});
    SJ_RETURN_IF_ERROR(Carry(action, objects).WithContext(decide::ToString(action)));
  }
  return base::OkStatus();
}

Status SnapshotController::WriteStatus(const decide::SnapshotStatusWrite& write, Objects& objects) {
  Json& object = objects.at(write.name);
  kube::ReplaceStatusOptions options;
  options.resource_version = kube::ResourceVersionOf(object);
  Result<Json> stored =
      parts_.client.ReplaceStatus(kube::kStreamJobSnapshots, kube::KeyOf(object),
                                  v1alpha1::SnapshotStatusToJson(write.status), options);
  if (!stored.ok()) {
    return Is(stored.status(), base::ErrorKind::kNotFound)
               ? base::OkStatus()
               : std::move(stored).status().WithContext("write status of StreamJobSnapshot " +
                                                        kube::KeyOf(object).ToString());
  }
  object = *std::move(stored);
  parts_.store.Put(kube::kStreamJobSnapshots, object);
  return base::OkStatus();
}

Status SnapshotController::Carry(const decide::SnapshotAction& action, Objects& objects) {
  using Kind = decide::SnapshotActionKind;
  if (action.kind == Kind::kCreate) {
    Result<Json> stored = parts_.client.Create(kube::kStreamJobSnapshots, action.object);
    if (!stored.ok()) {
      return Is(stored.status(), base::ErrorKind::kConflict) ? base::OkStatus()
                                                             : std::move(stored).status();
    }
    parts_.store.Put(kube::kStreamJobSnapshots, *stored);
    return base::OkStatus();
  }
  Json& object = objects.at(action.name);
  if (action.kind == Kind::kDelete) {
    kube::DeleteOptions options;
    options.uid = kube::UidOf(object);
    options.resource_version = kube::ResourceVersionOf(object);
    Status deleted = parts_.client.Delete(kube::kStreamJobSnapshots, kube::KeyOf(object), options);
    return Is(deleted, base::ErrorKind::kNotFound) ? base::OkStatus() : deleted;
  }
  const bool add = action.kind == Kind::kAddFinalizer;
  Result<Json> stored = kube::SetFinalizer(parts_.client, kube::kStreamJobSnapshots, object,
                                           resources::kFinalizer, add);
  if (!stored.ok()) {
    return Is(stored.status(), base::ErrorKind::kNotFound) ? base::OkStatus()
                                                           : std::move(stored).status();
  }
  object = *std::move(stored);
  if (add) {  // without it the object may be gone already: the watch says so
    parts_.store.Put(kube::kStreamJobSnapshots, object);
  }
  return base::OkStatus();
}

std::optional<v1alpha1::StreamJobSnapshot> SnapshotController::RestoreFrom(
    const v1alpha1::StreamJob& job) const {
  if (!job.spec.restore_from || !Synced()) {
    return std::nullopt;
  }
  const v1alpha1::SnapshotName& wanted = job.spec.restore_from->snapshot;
  const std::string& ns =
      wanted.namespace_name.empty() ? job.metadata.namespace_name : wanted.namespace_name;
  const std::optional<Json> object = parts_.store.Get(kube::kStreamJobSnapshots, {ns, wanted.name});
  return object ? std::optional(v1alpha1::ReadSnapshot(*object).snapshot) : std::nullopt;
}

}  // namespace sj::op::reconcile
