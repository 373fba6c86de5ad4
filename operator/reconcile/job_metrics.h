// SPDX-License-Identifier: Apache-2.0
// JobMetrics: how many jobs are in which phase and health, and what the control loop did. Labels
// are phases and action kinds only, never names of jobs.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "api/base/metrics.h"
#include "operator/decide/action.h"
#include "operator/decide/health.h"
#include "operator/kube/resource.h"

namespace sj::op::reconcile {

// Thread-safe.
class JobMetrics {
 public:
  // `registry` may be null: nothing is recorded.
  explicit JobMetrics(base::MetricRegistry* registry);

  // The job as stored now.
  void Set(const kube::ObjectKey& key, const v1alpha1::StreamJobStatus& status);
  void Forget(const kube::ObjectKey& key);
  void Clear();
  void CountAction(decide::ActionKind kind);
  void CountStatusWrite();
  void CountGeneration();
  // The clean-up of a deletion ended: all was removed, or something stays.
  void CountCleanup(bool removed);

 private:
  void Publish();  // REQUIRES: mu_ is held

  base::MetricRegistry* registry_;
  std::mutex mu_;
  struct Seen {
    v1alpha1::Phase phase;
    decide::Light light;
  };
  std::map<kube::ObjectKey, Seen> jobs_;  // guarded by mu_
  std::vector<base::Gauge> gauges_;       // constant after construction, by phase
  std::vector<base::Gauge> lights_;       // constant after construction, by light
  std::vector<base::Counter> actions_;    // constant after construction, by kind
  std::optional<base::Counter> status_writes_, generations_, removed_, gave_up_;
};

}  // namespace sj::op::reconcile
