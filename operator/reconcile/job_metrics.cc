// SPDX-License-Identifier: Apache-2.0
// See job_metrics.h.
#include "operator/reconcile/job_metrics.h"

#include <iterator>

namespace sj::op::reconcile {
namespace {

constexpr int kPhases = static_cast<int>(v1alpha1::Phase::kDeleting) + 1;
constexpr int kLights = static_cast<int>(decide::Light::kStopped) + 1;
// In the order of ActionKind.
constexpr const char* kActionNames[] = {"add_finalizer", "apply",        "scale",
                                        "delete",        "force_delete", "remove_finalizer"};
static_assert(std::size(kActionNames) ==
              static_cast<size_t>(decide::ActionKind::kRemoveFinalizer) + 1);

}  // namespace

JobMetrics::JobMetrics(base::MetricRegistry* registry) : registry_(registry) {
  if (registry_ == nullptr) {
    return;
  }
  for (int i = 0; i < kPhases; ++i) {
    gauges_.push_back(registry_->AddGauge(
        "streamjob_jobs", "StreamJobs by phase.",
        {{"phase", std::string(v1alpha1::ToString(static_cast<v1alpha1::Phase>(i)))}}));
  }
  for (int i = 0; i < kLights; ++i) {
    lights_.push_back(registry_->AddGauge(
        "streamjob_jobs_health", "StreamJobs by health; stalled ones wait for a person.",
        {{"health", std::string(decide::ToString(static_cast<decide::Light>(i)))}}));
  }
  for (const char* name : kActionNames) {
    actions_.push_back(registry_->AddCounter("streamjob_operator_actions_total",
                                             "Effects on the cluster by kind.", {{"kind", name}}));
  }
  status_writes_ =
      registry_->AddCounter("streamjob_operator_status_writes_total", "Writes of a job's status.");
  generations_ = registry_->AddCounter("streamjob_operator_generation_steps_total",
                                       "Steps of generations: prepared, planned, started.");
  constexpr const char* kCleanups = "streamjob_operator_cleanups_total";
  constexpr const char* kHelp = "Deletions that asked for what lies outside to go, by the end.";
  removed_ = registry_->AddCounter(kCleanups, kHelp, {{"result", "removed"}});
  gave_up_ = registry_->AddCounter(kCleanups, kHelp, {{"result", "gave_up"}});
}

void JobMetrics::Set(const kube::ObjectKey& key, const v1alpha1::StreamJobStatus& status) {
  if (!status.phase) {
    return;
  }
  std::lock_guard lock(mu_);
  jobs_[key] = {*status.phase, decide::LightOf(status)};
  Publish();
}

void JobMetrics::Forget(const kube::ObjectKey& key) {
  std::lock_guard lock(mu_);
  jobs_.erase(key);
  Publish();
}

void JobMetrics::Clear() {
  std::lock_guard lock(mu_);
  jobs_.clear();
  Publish();
}

void JobMetrics::CountAction(decide::ActionKind kind) {
  if (registry_ != nullptr) {
    actions_[static_cast<size_t>(kind)].Add();
  }
}

void JobMetrics::CountStatusWrite() {
  if (status_writes_) {
    status_writes_->Add();
  }
}

void JobMetrics::CountGeneration() {
  if (generations_) {
    generations_->Add();
  }
}

void JobMetrics::CountCleanup(bool removed) {
  std::optional<base::Counter>& counter = removed ? removed_ : gave_up_;
  if (counter) {
    counter->Add();
  }
}

void JobMetrics::Publish() {
  if (registry_ == nullptr) {
    return;
  }
  std::array<int, kPhases> phases{};
  std::array<int, kLights> lights{};
  for (const auto& [key, seen] : jobs_) {
    ++phases[static_cast<size_t>(seen.phase)];
    ++lights[static_cast<size_t>(seen.light)];
  }
  for (int i = 0; i < kPhases; ++i) {
    gauges_[static_cast<size_t>(i)].Set(phases[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < kLights; ++i) {
    lights_[static_cast<size_t>(i)].Set(lights[static_cast<size_t>(i)]);
  }
}

}  // namespace sj::op::reconcile
