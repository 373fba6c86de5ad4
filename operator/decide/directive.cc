// SPDX-License-Identifier: Apache-2.0
// See directive.h.
#include "operator/decide/directive.h"

#include <algorithm>

#include "operator/decide/cleanup.h"
#include "operator/decide/rollout.h"
#include "operator/decide/status.h"

namespace sj::op::decide {
namespace {

using control::Command;
using v1alpha1::GenerationStatus;
using v1alpha1::GenerationStep;

constexpr Millis kRetryAfter{1'000};

control::Assignment MakeAssignment(const View& view, const GenerationStatus& generation) {
  control::Assignment assignment;
  assignment.generation = generation.number;
  assignment.replicas = generation.replicas;
  assignment.shards = generation.shards;
  assignment.max_parallelism = view.effective.max_parallelism;
  assignment.partitions = generation.partitions;
  int members = generation.replicas;
  if (generation.hand_over) {
    assignment.hand_over_from = generation.hand_over->number;
    assignment.hand_over_replicas = generation.hand_over->replicas;
    members = std::max(members, generation.hand_over->replicas);  // not gone yet
  }
  for (int i = members; i < generation.ordinals_used; ++i) {
    assignment.fence_ordinals.push_back(i);
  }
  assignment.state_hash = generation.plan_hash;
  assignment.committed_partitions = generation.committed_partitions;
  const auto& restored = view.in.job.status.restored_from;
  // Until every worker has committed: then no unit is left that could begin with it.
  if (restored && (!generation.committed_partitions || generation.committed_partitions->empty())) {
    assignment.restore_from =
        control::RestoreSource{restored->location, restored->manifest, restored->sha256};
  }
  return assignment;
}

std::string StopReason(Goal goal) {
  switch (goal) {
    case Goal::kSuspend:
      return "Suspended";
    case Goal::kDelete:
      return "Deleting";
    case Goal::kComplete:
      return "Completed";
    case Goal::kRun:
    case Goal::kHold:
      return "";
  }
  return "";
}

// True when this worker takes part in the assignment.
bool TakesPart(const Directive& directive, int ordinal, const std::string& worker_spec_hash) {
  const bool same_spec = worker_spec_hash.empty() || worker_spec_hash == directive.spec_hash;
  return directive.assignment && same_spec && ordinal >= 0 &&
         ordinal <
             std::max(directive.assignment->replicas, directive.assignment->hand_over_replicas);
}

// A fresh process can join a hand-over as one of the new ordinals only, and before START. After it,
// or in the place of one that gives, it might start what another worker has taken.
bool MayJoin(const Directive& directive, int ordinal) {
  const control::Assignment& assignment = *directive.assignment;
  return assignment.hand_over_from == 0 || (ordinal >= assignment.hand_over_replicas &&
                                            directive.started_generation < assignment.generation);
}

// The manifest travels once: the worker says what it knows.
std::optional<control::SpecCheck> CheckFor(const Directive& directive,
                                           const control::HeartbeatRequest& request) {
  if (!directive.check || request.worker.ordinal != directive.check_ordinal) {
    return std::nullopt;
  }
  control::SpecCheck check = *directive.check;
  if (request.known_check == check.spec_hash) {
    check.manifest.clear();
  }
  return check;
}

// A worker that reports nothing of it does not know of it, and would ask again at once for ever.
std::optional<control::CleanupOrder> CleanupFor(const Directive& directive,
                                                const control::HeartbeatRequest& request) {
  const bool cleaner = request.worker.ordinal == kCleaner && request.cleanup;
  return cleaner ? directive.cleanup : std::nullopt;
}

// The same of a worker that reports nothing of snapshots.
std::optional<control::SnapshotOrder> SnapshotFor(const Directive& directive,
                                                  const control::HeartbeatRequest& request) {
  const bool takes = request.worker.ordinal == kCleaner && request.snapshot;
  return takes ? directive.snapshot : std::nullopt;
}

bool OtherSnapshot(const control::HeartbeatRequest& request,
                   const control::HeartbeatResponse& response) {
  return request.snapshot &&
         response.snapshot.value_or(control::SnapshotOrder{}) != request.snapshot->known;
}

bool OtherCleanup(const control::HeartbeatRequest& request,
                  const control::HeartbeatResponse& response) {
  return request.cleanup &&
         response.cleanup.value_or(control::CleanupOrder{}) != request.cleanup->known;
}

}  // namespace

Directive MakeDirective(const View& view) {
  Directive directive;
  directive.check_ordinal = WorkerToAsk(view);
  if (directive.check_ordinal >= 0) {
    directive.check = control::SpecCheck{view.user_hash, CheckManifest(view)};
  }
  directive.cleanup = CleanupOrderOf(view);
  directive.snapshot = view.in.snapshot;
  directive.wait_reason = StopReason(view.goal);
  directive.drain = !directive.wait_reason.empty();
  const GenerationStatus* generation = view.generation();
  if (generation == nullptr) {
    directive.spec_hash = view.wanted_hash;
    if (!directive.drain) {
      directive.wait_reason = view.findings.empty() ? "WaitingForGeneration" : "SpecInvalid";
    }
    return directive;
  }
  directive.spec_hash = generation->spec_hash;
  if (directive.drain) {
    return directive;
  }
  if (!Drained(view)) {
    directive.drain = true;
    directive.wait_reason = "WaitingForDrain";
    return directive;
  }
  if (generation->plan_hash.empty()) {
    directive.wait_reason = "WaitingForPlan";
    return directive;
  }
  directive.generation = generation->number;
  directive.started_generation = view.started() ? generation->number : generation->number - 1;
  directive.assignment = MakeAssignment(view, *generation);
  directive.wait_reason = "NotInGeneration";
  directive.late_after = LateAfter(view);
  return directive;
}

control::RegisterResponse AnswerRegister(const Directive& directive,
                                         const control::RegisterRequest& request) {
  control::RegisterResponse response;
  response.started_generation = directive.started_generation;
  if (TakesPart(directive, request.worker.ordinal, request.spec_hash)) {
    if (MayJoin(directive, request.worker.ordinal)) {
      response.assignment = directive.assignment;
      return response;
    }
    response.wait_reason = "HandOverInProgress";
    response.retry_after = kRetryAfter;
    return response;
  }
  const bool old_spec = !request.spec_hash.empty() && request.spec_hash != directive.spec_hash;
  response.wait_reason = old_spec && !directive.drain ? "SpecOutdated" : directive.wait_reason;
  response.retry_after = kRetryAfter;
  return response;
}

control::HeartbeatResponse AnswerHeartbeat(const Directive& directive,
                                           const control::HeartbeatRequest& request,
                                           const std::string& worker_spec_hash) {
  control::HeartbeatResponse response;
  response.generation = request.known_generation;
  response.started_generation = request.known_started_generation;
  response.check = CheckFor(directive, request);
  response.cleanup = CleanupFor(directive, request);
  response.snapshot = SnapshotFor(directive, request);
  if (TakesPart(directive, request.worker.ordinal, worker_spec_hash)) {
    response.generation = directive.generation;
    response.started_generation = directive.started_generation;
    if (directive.generation != request.known_generation) {
      response.assignment = directive.assignment;
    }
    return response;
  }
  const bool must_stop = directive.drain || directive.assignment;
  const bool still_on = request.phase != control::WorkerPhase::kStopped &&
                        request.phase != control::WorkerPhase::kCompleted &&
                        request.phase != control::WorkerPhase::kFailed;
  const bool works = request.generation > 0 && still_on;
  response.command = must_stop && works ? Command::kDrain : Command::kNone;
  return response;
}

std::optional<int64_t> GenerationFloor(const Directive& directive,
                                       const std::vector<const control::HeartbeatRequest*>& beats) {
  // In a hand-over units are between two workers: neither may speak for them.
  if (!directive.assignment || directive.assignment->hand_over_from > 0 ||
      directive.started_generation != directive.generation) {
    return std::nullopt;
  }
  int64_t floor = directive.generation;
  int known = 0;
  for (const control::HeartbeatRequest* beat : beats) {
    const int ordinal = beat->worker.ordinal;
    if (ordinal < 0 || ordinal >= directive.assignment->replicas) {
      continue;
    }
    const int64_t oldest = beat->oldest_generation.value_or(0);
    if (beat->generation != directive.generation || oldest < 1 || oldest > directive.generation) {
      return std::nullopt;
    }
    floor = std::min(floor, oldest);
    ++known;
  }
  return known == directive.assignment->replicas ? std::optional(floor) : std::nullopt;
}

bool NewsFor(const control::HeartbeatRequest& request, const control::HeartbeatResponse& response) {
  return response.generation != request.known_generation ||
         response.started_generation != request.known_started_generation ||
         response.command != request.known_command ||
         (response.check ? response.check->spec_hash : "") != request.known_check ||
         OtherCleanup(request, response) || OtherSnapshot(request, response);
}

control::GenerationResponse AnswerGeneration(const v1alpha1::StreamJob& job) {
  const v1alpha1::StreamJobStatus& status = job.status;
  control::GenerationResponse response;
  if (job.metadata.deletion_timestamp) {
    response.remove = RemainsToRemove(job.spec.deletion_policy);
  }
  if (status.generation) {
    const GenerationStatus& generation = *status.generation;
    response.generation = generation.number;
    response.started_generation =
        generation.step == GenerationStep::kStarted ? generation.number : generation.number - 1;
    response.spec_hash = generation.spec_hash;
  }
  return response;
}

}  // namespace sj::op::decide
