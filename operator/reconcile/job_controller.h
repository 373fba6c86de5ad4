// SPDX-License-Identifier: Apache-2.0
// JobController: one pass over one StreamJob. Observe, decide, write status, act. Level-triggered
// and safe to stop after any single write: the next pass, of this process or another, goes on from
// what it finds.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "api/base/clock.h"
#include "operator/decide/decide.h"
#include "operator/kube/client.h"
#include "operator/reconcile/job_metrics.h"
#include "operator/reconcile/observe.h"
#include "operator/reconcile/snapshot_controller.h"
#include "operator/reconcile/worker_registry.h"
#include "operator/runtime/events.h"
#include "operator/runtime/loop.h"
#include "operator/runtime/store.h"

namespace sj::op::reconcile {

// All outlive the controller. The store must be filled with StreamJobs, and with StatefulSets,
// Pods, Services, ConfigMaps, ServiceAccounts and PodDisruptionBudgets labelled kManagedBy.
struct ControllerParts {
  kube::KubeClient& client;
  runtime::Store& store;
  WorkerRegistry& registry;
  runtime::EventRecorder& events;
  JobMetrics& metrics;
  const base::Clock& clock;
  SnapshotController* snapshots = nullptr;  // null: nobody looks after snapshots
};

// Thread-safe; one key is reconciled by one thread at a time (runtime::ControlLoop sees to it).
class JobController {
 public:
  JobController(ControllerParts parts, decide::Settings settings);

  // Call when leadership begins: reports from before are not known here.
  void StartLeading();
  // Call when it ends: polls are let go, numbers forgotten.
  void StopLeading();
  // New settings from now on, e.g. another CA of the control endpoint.
  void SetSettings(decide::Settings settings);

  base::Result<runtime::Outcome> Reconcile(const kube::ObjectKey& key);

 private:
  struct Pass;
  SnapshotPass ReconcileSnapshots(const kube::ObjectKey& key, const v1alpha1::StreamJob* job,
                                  std::span<const decide::WorkerReport> workers);
  base::Result<runtime::Outcome> Act(Pass& pass, const decide::Output& output);
  void TellCleanup(const Pass& pass, const decide::Output& output);
  base::Status WriteStatus(Pass& pass, const decide::Output& output);
  base::Status Carry(Pass& pass, const decide::Action& action);
  base::Status Confirm(Pass& pass);
  base::Result<runtime::Outcome> Refused(const Pass& pass, const decide::Action& action,
                                         base::Status status);
  // Keeps what the server refused for the next pass's condition; true: that is news.
  bool Remember(const kube::ObjectKey& key, const std::string& refusal);
  decide::Settings settings() const;
  // The autoscaler's memory of this job; null when it is not scaled.
  struct Scaling;
  std::shared_ptr<Scaling> ScalingOf(const kube::ObjectKey& key, const v1alpha1::StreamJob& job,
                                     bool enabled);

  ControllerParts parts_;
  mutable std::mutex mu_;
  decide::Settings settings_;                        // guarded by mu_
  base::WallTime leading_since_{};                   // guarded by mu_
  std::map<kube::ObjectKey, std::string> refusals_;  // guarded by mu_
  // Guarded by mu_; owned by the map and by the pass over that job, which may outlive the entry.
  std::map<kube::ObjectKey, std::shared_ptr<Scaling>> scaling_;
};

// The StreamJob a changed object belongs to: itself, its controller owner, or for a pod the owner
// of its StatefulSet. Nothing for objects of others.
std::optional<kube::ObjectKey> JobOf(const runtime::Change& change, const runtime::Store& store);

}  // namespace sj::op::reconcile
