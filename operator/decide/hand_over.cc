// SPDX-License-Identifier: Apache-2.0
// See hand_over.h. What each worker must look like follows from whether it is new, stays or leaves.
#include "operator/decide/hand_over.h"

#include <fmt/format.h>

#include <algorithm>

namespace sj::op::decide {
namespace {

using control::WorkerPhase;
using v1alpha1::GenerationStatus;
using v1alpha1::GenerationStep;

enum class Standing : uint8_t { kPending, kDone, kTrouble };

// Made for this generation: registers, fences, waits for releases, restores, runs.
Standing OfNew(const control::HeartbeatRequest& beat, const GenerationStatus& generation) {
  if (beat.generation != generation.number) {
    const bool before_start = generation.step == GenerationStep::kPrepare;
    return before_start && beat.phase != WorkerPhase::kFailed ? Standing::kPending
                                                              : Standing::kTrouble;
  }
  switch (beat.phase) {
    case WorkerPhase::kRunning:
      return Standing::kDone;
    case WorkerPhase::kStarting:
    case WorkerPhase::kFenced:
    case WorkerPhase::kRestoring:
      return Standing::kPending;
    default:
      return Standing::kTrouble;
  }
}

Standing OfStaying(const control::HeartbeatRequest& beat, const GenerationStatus& generation) {
  if (beat.phase != WorkerPhase::kRunning) {
    return Standing::kTrouble;
  }
  if (beat.generation == generation.number) {
    return Standing::kDone;
  }
  return beat.generation == generation.hand_over->number ? Standing::kPending : Standing::kTrouble;
}

// It stops of itself once it has given everything, and then asks for work, in vain.
Standing OfLeaving(const control::HeartbeatRequest& beat, const GenerationStatus& generation) {
  if (beat.generation == generation.number) {
    const bool stopped =
        beat.phase == WorkerPhase::kStopped || beat.phase == WorkerPhase::kStarting;
    return stopped ? Standing::kDone : Standing::kPending;
  }
  return OfStaying(beat, generation);
}

Standing StandingOf(const WorkerReport& report, const GenerationStatus& generation) {
  if (report.ordinal >= generation.hand_over->replicas) {
    return OfNew(report.beat, generation);
  }
  return report.ordinal < generation.replicas ? OfStaying(report.beat, generation)
                                              : OfLeaving(report.beat, generation);
}

// A worker that runs on is ready for START, or has had its time. One that leaves takes nothing.
bool Prefetched(const View& view, const WorkerReport* report, const GenerationStatus& generation) {
  const std::optional<WallTime> deadline = PrefetchDeadline(view);
  if (!deadline || view.in.now >= *deadline) {
    return true;
  }
  if (report == nullptr) {
    return false;
  }
  const std::optional<control::HandOverReport>& told = report->beat.hand_over;
  return report->ordinal >= generation.replicas ||
         (told && told->generation == generation.number && told->prefetched);
}

}  // namespace

bool CanHandOver(const View& view, const GenerationStatus& next) {
  const GenerationStatus& now = *view.generation();
  if (!view.in.settings.hand_over || now.step != GenerationStep::kStarted || now.hand_over ||
      now.plan_hash.empty() || next.spec_hash != now.spec_hash || next.shards != now.shards ||
      next.partitions != now.partitions || next.replicas == now.replicas) {
    return false;
  }
  for (int i = 0; i < std::max(now.replicas, next.replicas); ++i) {
    auto it = view.workers.find(i);
    if (it == view.workers.end() || it->second.report == nullptr || !it->second.fresh ||
        it->second.spec_hash != now.spec_hash) {
      return false;
    }
    const control::HeartbeatRequest& beat = it->second.report->beat;
    const bool runs = beat.generation == now.number && beat.phase == WorkerPhase::kRunning;
    // A new one may not have said so yet; its spec, and so its image, is that of the others.
    if (i < now.replicas && !(runs && beat.hands_over)) {
      return false;
    }
  }
  return true;
}

std::optional<WallTime> HandOverDeadline(const View& view) {
  const GenerationStatus* generation = view.generation();
  if (generation == nullptr || !generation->hand_over || !generation->started_at) {
    return std::nullopt;
  }
  // A new leader hears the workers first.
  return std::max(*generation->started_at, view.in.leading_since) + view.in.settings.hand_over_max;
}

std::optional<WallTime> PrefetchDeadline(const View& view) {
  const GenerationStatus* generation = view.generation();
  if (generation == nullptr || !generation->hand_over || !generation->started_at ||
      generation->step != GenerationStep::kPrepare) {
    return std::nullopt;
  }
  return *generation->started_at + view.in.settings.prefetch_max;
}

HandOverProgress ProgressOf(const View& view) {
  const GenerationStatus& generation = *view.generation();
  HandOverProgress progress;
  progress.prepared = true;
  progress.total = std::max(generation.replicas, generation.hand_over->replicas);
  for (int i = 0; i < progress.total; ++i) {
    auto it = view.workers.find(i);
    const WorkerReport* report = it != view.workers.end() ? it->second.report : nullptr;
    const Standing standing =
        report != nullptr ? StandingOf(*report, generation) : Standing::kPending;
    if (standing == Standing::kTrouble) {
      progress.trouble = fmt::format("worker {} does not run any more", i);
      return progress;
    }
    const bool is_new = i >= generation.hand_over->replicas;
    const bool fenced = report != nullptr && report->beat.generation == generation.number &&
                        report->beat.phase == WorkerPhase::kFenced;
    progress.prepared =
        progress.prepared && (is_new ? fenced : Prefetched(view, report, generation));
    progress.done += standing == Standing::kDone ? 1 : 0;
    if (standing != Standing::kDone && progress.waits_for < 0) {
      progress.waits_for = i;
    }
  }
  const std::optional<WallTime> deadline = HandOverDeadline(view);
  const bool over = progress.done == progress.total && view.started();
  if (deadline && view.in.now >= *deadline && !over) {
    progress.trouble = fmt::format("worker {} was not through in time", progress.waits_for);
  }
  return progress;
}

}  // namespace sj::op::decide
