// SPDX-License-Identifier: Apache-2.0
// SnapshotController: the part of a pass over one StreamJob that is about its StreamJobSnapshots:
// which there are, what is decided (operator/decide/snapshots.h), statuses, then objects. It gives
// back what worker 0 is to be told. An API server without that resource has no snapshots, and jobs
// run as ever.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "operator/decide/snapshots.h"
#include "operator/kube/client.h"
#include "operator/runtime/events.h"
#include "operator/runtime/store.h"

namespace sj::op::reconcile {

// All outlive the controller.
struct SnapshotParts {
  kube::KubeClient& client;
  runtime::Store& store;
  runtime::EventRecorder& events;
  const base::Clock& clock;
  // The store holds all StreamJobSnapshots there are. Empty: always.
  std::function<bool()> synced = {};
  // Other operators have other jobs: a snapshot of a job that is not known here is not ours.
  bool known_jobs_only = false;
};

struct SnapshotPass {
  std::optional<control::SnapshotOrder> order;  // by what is stored, also when a write failed
  std::optional<base::Millis> requeue_after;
  base::Status error;  // of the first write that failed; the rest was left
};

// Thread-safe; one job's key is reconciled by one thread at a time.
class SnapshotController {
 public:
  explicit SnapshotController(SnapshotParts parts) : parts_(std::move(parts)) {}

  // A StreamJobSnapshot in the store has changed. Gives the job to be looked at.
  std::optional<kube::ObjectKey> Note(const runtime::Change& change);

  // `job` is null when there is none of that name.
  SnapshotPass Reconcile(const kube::ObjectKey& job_key, const v1alpha1::StreamJob* job,
                         std::span<const decide::WorkerReport> workers,
                         const decide::Settings& settings);

  // What spec.restoreFrom names, if it is there.
  std::optional<v1alpha1::StreamJobSnapshot> RestoreFrom(const v1alpha1::StreamJob& job) const;

 private:
  using Objects = std::map<std::string, kube::Json>;  // by name
  Objects ObjectsOf(const kube::ObjectKey& job_key) const;
  base::Status Write(const kube::ObjectKey& job_key, const decide::SnapshotsOutput& output,
                     Objects& objects);
  base::Status WriteStatus(const decide::SnapshotStatusWrite& write, Objects& objects);
  base::Status Carry(const decide::SnapshotAction& action, Objects& objects);
  bool Synced() const { return !parts_.synced || parts_.synced(); }

  const SnapshotParts parts_;
  mutable std::mutex mu_;
  std::map<kube::ObjectKey, std::set<std::string>> names_;  // guarded by mu_: by job
  std::map<kube::ObjectKey, std::string> job_of_;           // guarded by mu_: by snapshot
};

}  // namespace sj::op::reconcile
