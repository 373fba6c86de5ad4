// SPDX-License-Identifier: Apache-2.0
// See view.h.
#include "operator/decide/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "operator/decide/cleanup.h"
#include "operator/decide/rollout.h"
#include "operator/decide/scaling.h"
#include "operator/decide/spec_checks.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using control::WorkerPhase;
using v1alpha1::GenerationStatus;
using v1alpha1::GenerationStep;

void AddPods(View& view) {
  for (const Json& pod : view.in.children.pods) {
    const int ordinal = resources::OrdinalOf(resources::Text(pod, {"metadata", "name"}));
    if (ordinal >= 0) {
      Worker& worker = view.workers[ordinal];
      worker.ordinal = ordinal;
      worker.pod = &pod;
      worker.spec_hash = resources::Annotation(pod, resources::kSpecHashAnnotation);
    }
  }
}

void AddReports(View& view) {
  for (const WorkerReport& report : view.in.workers) {
    Worker& worker = view.workers[report.ordinal];
    worker.ordinal = report.ordinal;
    worker.report = &report;
    if (!report.spec_hash.empty()) {
      worker.spec_hash = report.spec_hash;
    }
    worker.fresh = view.in.now - report.seen_at < view.in.settings.silent_after;
  }
}

bool AllCompleted(const View& view) {
  const GenerationStatus* generation = view.generation();
  if (!view.started() || generation->spec_hash != view.wanted_hash) {
    return false;
  }
  if (view.in.job.status.phase == v1alpha1::Phase::kCompleted) {
    return true;  // remembered: the pods that said so are gone by now
  }
  for (int i = 0; i < generation->replicas; ++i) {
    auto it = view.workers.find(i);
    if (it == view.workers.end() || it->second.report == nullptr ||
        it->second.report->beat.phase != WorkerPhase::kCompleted ||
        it->second.report->beat.generation != generation->number) {
      return false;
    }
  }
  return true;
}

Goal GoalOf(const View& view) {
  if (view.in.job.metadata.deletion_timestamp) {
    return Goal::kDelete;
  }
  if (!view.findings.empty() || view.in.children.foreign) {
    return Goal::kHold;
  }
  if (AllCompleted(view)) {
    return Goal::kComplete;
  }
  if (view.pause && view.generation() != nullptr) {
    // Stands still or runs, as it was when the pause began.
    const std::optional<v1alpha1::Phase>& phase = view.in.job.status.phase;
    return phase == v1alpha1::Phase::kSuspended || phase == v1alpha1::Phase::kSuspending
               ? Goal::kSuspend
               : Goal::kRun;
  }
  return view.effective.state == v1alpha1::DesiredState::kSuspended ? Goal::kSuspend : Goal::kRun;
}

// The worker may still commit for a generation before `number`.
bool MayCommitBefore(const Worker& worker, const GenerationStatus& generation) {
  if (generation.number <= 1) {
    return false;  // there is none
  }
  if (worker.pod == nullptr || !ContainerRuns(*worker.pod)) {
    return false;
  }
  if (worker.report == nullptr) {
    // Unknown to this operator process; a pod of the new spec cannot be an old owner.
    return worker.spec_hash != generation.spec_hash || !generation.plan_hash.empty();
  }
  return worker.report->beat.generation < generation.number && Active(worker.report->beat.phase);
}

bool ForStop(const View& view) {
  return view.goal == Goal::kSuspend || view.goal == Goal::kDelete || view.goal == Goal::kComplete;
}

bool StopDrained(const View& view) {
  return std::none_of(view.workers.begin(), view.workers.end(), [](const auto& entry) {
    const Worker& worker = entry.second;
    if (worker.pod == nullptr || !ContainerRuns(*worker.pod)) {
      return false;
    }
    return worker.report == nullptr || Active(worker.report->beat.phase);
  });
}

std::optional<Pause> PauseOf(const v1alpha1::ObjectMeta& metadata, WallTime now) {
  const auto annotation = metadata.annotations.find(std::string(v1alpha1::kPauseAnnotation));
  if (annotation == metadata.annotations.end()) {
    return std::nullopt;
  }
  Pause pause{annotation->second, std::nullopt, ""};
  const auto until = metadata.annotations.find(std::string(v1alpha1::kPauseUntilAnnotation));
  if (until == metadata.annotations.end()) {
    return pause;
  }
  const base::Result<WallTime> time = base::ParseTime(until->second);
  if (!time.ok()) {
    pause.problem = fmt::format("{} is no RFC 3339 time", v1alpha1::kPauseUntilAnnotation);
    return pause;
  }
  pause.until = *time;
  return now < *time ? std::optional(pause) : std::nullopt;
}

// Puts the kept manifest in force. What the operator alone reads stays the user's.
void Hold(View& view) {
  if (view.rollout.held_hash.empty() || view.rollout.held_hash == view.user_hash) {
    return;
  }
  view.wanted_hash = view.rollout.held_hash;
  std::optional<v1alpha1::StreamJobSpec> manifest =
      StoredManifest(view.in.children, view.rollout.held_hash);
  if (!manifest) {
    view.held_lost = true;
    return;
  }
  const v1alpha1::EffectiveSpec& user = view.user_effective;
  view.effective = v1alpha1::Effective(*manifest, view.in.settings.defaults);
  view.effective.replicas = view.wanted_replicas;
  view.effective.state = user.state;
  view.effective.autoscaling = user.autoscaling;
  view.effective.rollout = user.rollout;
  view.effective.checkpoints_on_delete = user.checkpoints_on_delete;
  view.effective.exchange_topics_on_delete = user.exchange_topics_on_delete;
  view.effective.consumer_group_on_delete = user.consumer_group_on_delete;
  view.held = std::move(manifest);
}

// One edit is one change: its replicas wait for the verdict on the rest.
bool Checking(const View& view) {
  const std::optional<v1alpha1::ChangeStatus>& change = view.rollout.change;
  return change && change->verdict == v1alpha1::ChangeVerdict::kChecking;
}

}  // namespace

View MakeView(const Input& in) {
  const v1alpha1::EffectiveSpec effective = v1alpha1::Effective(in.job.spec, in.settings.defaults);
  View view{in, effective, effective, {}, Goal::kRun, "", "", 0, {}, "", {}, {}, {}, {}};
  view.findings = SpecFindings(in, view.effective);
  view.wanted_replicas = WantedReplicas(in.job, view.effective);
  view.effective.replicas = view.wanted_replicas;
  view.user_hash = resources::ManifestHash(view.blueprint());
  view.wanted_hash = view.user_hash;
  if (in.children.stateful_set) {
    const Json& set = *in.children.stateful_set;
    view.set_replicas = static_cast<int>(resources::Number(set, {"spec", "replicas"}, 1));
    view.set_hash = resources::Annotation(set, resources::kSpecHashAnnotation);
  }
  AddPods(view);
  AddReports(view);
  view.pause = PauseOf(in.job.metadata, in.now);
  view.rollout = PlanRollout(view);
  Hold(view);
  if ((view.pause || Checking(view)) && view.generation() != nullptr) {
    view.wanted_replicas = view.generation()->replicas;
  }
  view.goal = GoalOf(view);
  view.cleanup = PlanCleanup(view);
  return view;
}

std::optional<WallTime> DrainDeadline(const View& view) {
  const v1alpha1::StreamJobStatus& status = view.in.job.status;
  if (view.goal == Goal::kDelete) {
    return *view.in.job.metadata.deletion_timestamp + view.in.settings.stop_drain_max;
  }
  if (view.goal == Goal::kSuspend) {
    const v1alpha1::Condition* reconciling =
        v1alpha1::FindCondition(status, v1alpha1::kReconciling);
    const WallTime since = reconciling != nullptr ? reconciling->last_transition_time : view.in.now;
    return since + view.in.settings.stop_drain_max;
  }
  const GenerationStatus* generation = view.generation();
  if (generation != nullptr && generation->step == GenerationStep::kPrepare &&
      !generation->hand_over && generation->started_at) {
    return *generation->started_at + view.in.settings.drain_max;
  }
  return std::nullopt;
}

bool Drained(const View& view) {
  const std::optional<WallTime> deadline = DrainDeadline(view);
  if (deadline && view.in.now >= *deadline) {
    return true;
  }
  if (ForStop(view)) {
    return StopDrained(view);
  }
  const GenerationStatus* generation = view.generation();
  if (generation == nullptr || generation->step == GenerationStep::kStarted ||
      generation->hand_over) {
    return true;
  }
  bool waiting = false;
  for (const auto& [ordinal, worker] : view.workers) {
    if (worker.report != nullptr && worker.report->beat.generation >= generation->number) {
      return true;  // its assignment was given, so it was drained before
    }
    waiting = waiting || MayCommitBefore(worker, *generation);
  }
  return !waiting;
}

bool Active(WorkerPhase phase) {
  return phase == WorkerPhase::kFenced || phase == WorkerPhase::kRestoring ||
         phase == WorkerPhase::kRunning || phase == WorkerPhase::kDraining;
}

bool ContainerRuns(const Json& pod) {
  for (const Json& status : resources::List(pod, {"status", "containerStatuses"})) {
    if (resources::Find(status, {"state", "running"}) != nullptr) {
      return true;
    }
  }
  return false;
}

bool RunsGeneration(const Worker& worker, int64_t generation) {
  if (worker.report == nullptr || worker.report->beat.generation != generation) {
    return false;
  }
  const WorkerPhase phase = worker.report->beat.phase;
  return phase == WorkerPhase::kRunning || phase == WorkerPhase::kCompleted;
}

const control::WorkerError* ErrorOf(const WorkerReport& report) {
  const std::optional<control::WorkerError>& error =
      report.beat.error ? report.beat.error : report.previous_error;
  const bool shown = error && error->error_class != control::ErrorClass::kFenced;
  return shown ? &*error : nullptr;
}

std::string Sentence(std::string text) {
  if (!text.empty() && text.back() != '.' && text.back() != '?') {
    text += '.';
  }
  return text;
}

std::string Capital(std::string text) {
  if (!text.empty()) {
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  }
  return text;
}

std::string Workers(int count) {
  return fmt::format("{} worker{}", count, count == 1 ? "" : "s");
}

}  // namespace sj::op::decide
