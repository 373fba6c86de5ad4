// SPDX-License-Identifier: Apache-2.0
// See scaling.h.
#include "operator/decide/scaling.h"

#include <algorithm>

#include "operator/autoscale/autoscaler.h"
#include "operator/autoscale/wording.h"

namespace sj::op::decide {
namespace {

using control::WorkerPhase;
using v1alpha1::AutoscalingStatus;

const AutoscalingStatus* Stored(const View& view) {
  const std::optional<AutoscalingStatus>& stored = view.in.job.status.autoscaling;
  return stored ? &*stored : nullptr;
}

autoscale::Decision Ask(const View& view, const std::string& waits_for) {
  static const autoscale::Track kNoTrack{};
  const v1alpha1::GenerationStatus* generation = view.generation();
  autoscale::Input input{view.effective.autoscaling, Stored(view),
                         view.in.track != nullptr ? *view.in.track : kNoTrack, view.in.now};
  input.pinned = view.in.job.spec.replicas;
  input.otherwise = view.wanted_replicas;
  if (generation != nullptr) {
    input.current = generation->replicas;
    input.partitions = generation->partitions;
    input.shards = generation->shards;
  }
  input.running = view.settled() && input.track.settled();
  input.waits_for = waits_for;
  input.replicas_max = view.effective.max_parallelism;
  return autoscale::Evaluate(input);
}

}  // namespace

int WantedReplicas(const v1alpha1::StreamJob& job, const v1alpha1::EffectiveSpec& effective) {
  if (job.spec.replicas == 0 && job.status.generation) {
    return job.status.generation->replicas;  // suspended: the next number comes with the resume
  }
  if (!effective.autoscaling.enabled || job.spec.replicas) {
    return effective.replicas;
  }
  int wanted = effective.replicas;
  if (job.status.autoscaling && job.status.autoscaling->decision > 0) {
    wanted = job.status.autoscaling->decision;
  } else if (job.status.generation) {
    wanted = job.status.generation->replicas;
  }
  return std::clamp(wanted, 1, std::max(effective.max_parallelism, 1));
}

autoscale::Observation ObserveLoad(const v1alpha1::StreamJob& job,
                                   std::span<const WorkerReport> workers, WallTime now) {
  autoscale::Observation seen;
  seen.now = now;
  if (job.status.generation) {
    const v1alpha1::GenerationStatus& generation = *job.status.generation;
    seen.generation = generation.number;
    seen.started = generation.step == v1alpha1::GenerationStep::kStarted && !generation.hand_over;
    seen.replicas = generation.replicas;
    seen.spec_hash = generation.spec_hash;
    seen.step_at = generation.started_at;
  }
  for (const WorkerReport& report : workers) {
    const control::HeartbeatRequest& beat = report.beat;
    seen.workers.push_back({report.ordinal, beat.generation, beat.worker.incarnation,
                            beat.phase == WorkerPhase::kRunning, report.seen_at, beat.records_in,
                            beat.lag_records, beat.busy_ratio, beat.input});
  }
  return seen;
}

std::optional<ScalingNote> PutScaling(const View& view, const std::string& waits_for,
                                      v1alpha1::StreamJobStatus& status,
                                      std::vector<Event>& events) {
  if (!view.effective.autoscaling.enabled) {
    status.autoscaling.reset();
    return std::nullopt;
  }
  if (view.goal != Goal::kRun) {
    return std::nullopt;
  }
  autoscale::Decision decision = Ask(view, waits_for);
  const AutoscalingStatus* before = Stored(view);
  ScalingNote note{decision.raw, decision.bucket, decision.look_again};
  const bool changed = before != nullptr && before->decision != decision.status.decision;
  if (changed && !view.in.job.spec.replicas && !decision.status.history.empty()) {
    events.push_back(
        {false, decision.status.history.back().reason, Sentence(Capital(decision.status.message))});
    note.look_again = Millis(0);
  }
  if (autoscale::WorthWriting(before, decision.status, view.in.now,
                              view.in.settings.status_refresh)) {
    decision.status.observed_time = view.in.now;
    status.autoscaling = std::move(decision.status);
  }
  return note;
}

}  // namespace sj::op::decide
