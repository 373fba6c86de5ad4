// SPDX-License-Identifier: Apache-2.0
// See health.h.
#include "operator/decide/health.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/decide/hand_over.h"
#include "operator/decide/lost_pod.h"
#include "operator/decide/next_step.h"
#include "operator/decide/pod_trouble.h"
#include "operator/decide/rollout.h"
#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using control::ErrorClass;
using control::WorkerPhase;
using v1alpha1::ConditionStatus;
using v1alpha1::GenerationStep;
using v1alpha1::Phase;

using Answer = std::optional<Verdict>;

Verdict NotReady(Phase phase, std::string reason, std::string message) {
  return {phase, ConditionStatus::kFalse, std::move(reason), std::move(message), "", true, false};
}
Verdict Stalled(Phase phase, std::string reason, std::string message) {
  return {phase, ConditionStatus::kFalse, std::move(reason), std::move(message), "", false, true};
}

// An extra pod that a rescale waits for is no part of the job yet.
bool Member(const View& view, int ordinal) {
  const int members =
      view.started() ? view.generation()->replicas : std::max(view.wanted_replicas, 1);
  return ordinal < members;
}

// The error of a member's worker, or null.
const control::WorkerError* MemberError(const View& view, const Worker& worker) {
  return worker.report != nullptr && Member(view, worker.ordinal) ? ErrorOf(*worker.report)
                                                                  : nullptr;
}

std::string WorkerWords(int ordinal, const control::WorkerError& error) {
  return Sentence(fmt::format("Worker {}: {}", ordinal, error.message));
}

std::string PodsLeft(const View& view) {
  const size_t pods = view.in.children.pods.size();
  return pods == 1 ? "1 pod is still there." : fmt::format("{} pods are still there.", pods);
}

// The owner asked for the job to go away: everything else is history.
Answer Deleting(const HealthInput& in) {
  if (in.view.goal != Goal::kDelete) {
    return std::nullopt;
  }
  const std::optional<v1alpha1::CleanupStatus>& cleanup = in.view.cleanup.status;
  return NotReady(Phase::kDeleting, "Deleting",
                  fmt::format("The workers commit a last epoch and stop; {}{}{}", PodsLeft(in.view),
                              cleanup ? " " : "", cleanup ? cleanup->message : ""));
}

// A name we need belongs to somebody else: never adopted, never overwritten.
Answer ForeignChild(const HealthInput& in) {
  const std::optional<std::string>& foreign = in.view.in.children.foreign;
  return foreign ? Answer(Stalled(Phase::kFailed, "NameTaken", Sentence(*foreign))) : std::nullopt;
}

// The API server refuses what the job needs: quota, admission, a field it does not know.
Answer ApplyRefused(const HealthInput& in) {
  const std::string& refused = in.view.in.apply_error;
  return refused.empty() ? std::nullopt
                         : Answer(NotReady(Phase::kFailing, "ApplyRefused",
                                           Sentence("The cluster refuses a change: " + refused)));
}

// The spec is bad and nothing runs that could go on.
Answer BadSpec(const HealthInput& in) {
  if (in.view.findings.empty() || in.view.generation() != nullptr) {
    return std::nullopt;
  }
  return Stalled(Phase::kFailed, in.view.findings.front().reason,
                 Sentence(v1alpha1::JoinFindings(in.view.findings)));
}

Answer Completed(const HealthInput& in) {
  if (in.view.goal != Goal::kComplete) {
    return std::nullopt;
  }
  return Verdict{Phase::kCompleted,
                 ConditionStatus::kTrue,
                 "Completed",
                 "All input was read and the last results are committed.",
                 "",
                 false,
                 false};
}

Answer Suspended(const HealthInput& in) {
  const View& view = in.view;
  if (view.goal != Goal::kSuspend) {
    return std::nullopt;
  }
  if (!view.in.children.pods.empty() || view.set_replicas.value_or(0) > 0) {
    return NotReady(Phase::kSuspending, "Suspending",
                    "The workers commit a last epoch and stop; " + PodsLeft(view));
  }
  return Verdict{Phase::kSuspended,
                 ConditionStatus::kFalse,
                 "Suspended",
                 fmt::format("The job is {}; its state is kept in the last checkpoint.",
                             view.in.job.spec.replicas == 0 ? "scaled to zero" : "suspended"),
                 "",
                 false,
                 false};
}

// The new spec failed and there is no way back: nothing changes until the user acts.
Answer RolloutStuck(const HealthInput& in) {
  const std::optional<Block> stuck = StuckRollout(in.view);
  return stuck ? Answer(Stalled(Phase::kFailed, stuck->reason, stuck->message)) : std::nullopt;
}

// A worker refuses what the user wrote; trying again cannot help.
Answer WorkerRefuses(const HealthInput& in) {
  for (const auto& [ordinal, worker] : in.view.workers) {
    const control::WorkerError* error = MemberError(in.view, worker);
    if (error == nullptr || error->error_class != ErrorClass::kUser) {
      continue;
    }
    return Stalled(Phase::kFailed, error->reason, WorkerWords(ordinal, *error));
  }
  return std::nullopt;
}

// A worker cannot reach something, or broke; it tries again.
Answer WorkerFails(const HealthInput& in) {
  for (const auto& [ordinal, worker] : in.view.workers) {
    const control::WorkerError* error = MemberError(in.view, worker);
    if (error != nullptr) {
      return NotReady(Phase::kFailing, error->reason, WorkerWords(ordinal, *error));
    }
  }
  return std::nullopt;
}

// A pod cannot start or stay up and its worker said nothing.
Answer PodInTrouble(const HealthInput& in) {
  for (const auto& [ordinal, worker] : in.view.workers) {
    if (worker.pod == nullptr || !Member(in.view, ordinal)) {
      continue;
    }
    if (std::optional<PodTrouble> trouble = TroubleOf(*worker.pod)) {
      return NotReady(Phase::kFailing, trouble->reason, Sentence(Capital(trouble->message)));
    }
  }
  return std::nullopt;
}

// Units move from worker to worker; the job runs all the while.
Answer HandingOver(const HealthInput& in) {
  const View& view = in.view;
  const v1alpha1::GenerationStatus* generation = view.generation();
  if (generation == nullptr || !generation->hand_over) {
    return std::nullopt;
  }
  Verdict verdict{Phase::kRunning, ConditionStatus::kTrue, "HandingOver", "", "", true, false};
  const HandOverProgress progress = ProgressOf(view);
  if (generation->step == GenerationStep::kPrepare) {
    verdict.message =
        fmt::format("Hand-over to generation {}: new workers fence, and state is fetched ahead.",
                    generation->number);
    return verdict;
  }
  verdict.message = fmt::format("Hand-over to generation {}: {} of {} gave or took their share{}.",
                                generation->number, progress.done, Workers(progress.total),
                                progress.waits_for < 0
                                    ? std::string()
                                    : fmt::format("; waits for worker {}", progress.waits_for));
  return verdict;
}

// The change of the assignment, step by step.
Answer Switching(const HealthInput& in) {
  const View& view = in.view;
  const v1alpha1::GenerationStatus* generation = view.generation();
  if (generation == nullptr || generation->step != GenerationStep::kPrepare) {
    return std::nullopt;
  }
  if (!Drained(view)) {
    return NotReady(
        Phase::kStarting, "Draining",
        fmt::format("Workers commit a last epoch before generation {}.", generation->number));
  }
  if (generation->plan_hash.empty()) {
    return NotReady(Phase::kStarting, "WaitingForWorkers",
                    fmt::format("Workers of generation {} are starting.", generation->number));
  }
  int fenced = 0;
  for (int i = 0; i < generation->replicas; ++i) {
    auto it = view.workers.find(i);
    fenced += it != view.workers.end() && it->second.report != nullptr &&
                      it->second.report->beat.generation == generation->number &&
                      it->second.report->beat.phase == WorkerPhase::kFenced
                  ? 1
                  : 0;
  }
  return NotReady(Phase::kStarting, "Fencing",
                  fmt::format("{} of {} workers have fenced the generation before {}.", fenced,
                              generation->replicas, generation->number));
}

Answer NothingYet(const HealthInput& in) {
  const View& view = in.view;
  if (!view.set_replicas) {
    return NotReady(Phase::kPending, "Creating", "The job's objects are being created.");
  }
  if (view.generation() != nullptr) {
    return std::nullopt;
  }
  return NotReady(
      Phase::kStarting, "WaitingForWorkers",
      fmt::format("{} of {} workers have reported.", view.in.workers.size(), view.wanted_replicas));
}

// Partitions are read whole, so workers beyond their number read nothing: not refused, since they
// still share keyed work, but never passed over in silence. A sentence, or empty.
std::string BeyondPartitions(const v1alpha1::GenerationStatus& generation) {
  const auto widest =
      std::max_element(generation.partitions.begin(), generation.partitions.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (widest == generation.partitions.end() || generation.replicas <= widest->second) {
    return "";
  }
  const int idle = generation.replicas - widest->second;
  return fmt::format(
      " {} of them read{} nothing of topic {}: it has {} partition{}, and no source "
      "topic has more.",
      idle, idle == 1 ? "s" : "", widest->first, widest->second, widest->second == 1 ? "" : "s");
}

Verdict RunningVerdict(const v1alpha1::GenerationStatus& generation) {
  return {Phase::kRunning,
          ConditionStatus::kTrue,
          "Running",
          fmt::format("{} run{} generation {}.{}", Workers(generation.replicas),
                      generation.replicas == 1 ? "s" : "", generation.number,
                      BeyondPartitions(generation)),
          "",
          false,
          false};
}

std::string NodeLostWords(const View& view, int ordinal) {
  const Json& pod = *view.workers.at(ordinal).pod;
  return fmt::format("Node {} of worker {} does not answer; the worker starts on another node{}.",
                     resources::Text(pod, {"spec", "nodeName"}), ordinal,
                     view.pause ? " when the pause is over" : ", the others go on");
}

// Members that do not run, counted; a silent one is named.
Answer WorkersMissing(const HealthInput& in) {
  const View& view = in.view;
  const v1alpha1::GenerationStatus& generation = *view.generation();
  int running = 0;
  int unheard = 0;  // by this operator process, which leads since a moment ago
  int silent = -1;
  for (int i = generation.replicas - 1; i >= 0; --i) {
    auto it = view.workers.find(i);
    const bool known = it != view.workers.end() && it->second.report != nullptr;
    if (known && it->second.fresh) {
      running += RunsGeneration(it->second, generation.number) ? 1 : 0;
    } else if (known || view.in.now - view.in.leading_since > view.in.settings.silent_after) {
      silent = i;
    } else if (it != view.workers.end() && it->second.pod != nullptr &&
               ContainerRuns(*it->second.pod)) {
      ++unheard;
    }
  }
  if (running == generation.replicas) {
    return std::nullopt;
  }
  // A member that does not report while its pod is being replaced is just starting.
  const bool has_pod = silent >= 0 && view.workers.contains(silent) &&
                       view.workers.at(silent).pod != nullptr &&
                       ContainerRuns(*view.workers.at(silent).pod);
  if (has_pod && EvictedFromNode(*view.workers.at(silent).pod)) {
    return NotReady(Phase::kFailing, "NodeLost", NodeLostWords(view, silent));
  }
  if (has_pod) {
    return NotReady(Phase::kFailing, "WorkerSilent",
                    fmt::format("Worker {} has not reported for {} s; the other workers go on.",
                                silent, view.in.settings.silent_after.count() / 1000));
  }
  const bool unknown = unheard > 0 && running + unheard == generation.replicas;
  if (unknown && view.in.job.status.phase == Phase::kRunning) {
    return RunningVerdict(generation);
  }
  return NotReady(Phase::kStarting, "WorkersStarting",
                  fmt::format("{} of {} workers run generation {}.", running, generation.replicas,
                              generation.number));
}

Answer Healthy(const HealthInput& in) {
  const v1alpha1::GenerationStatus& generation = *in.view.generation();
  return RunningVerdict(generation);
}

constexpr HealthCheck kChecks[] = {
    {"deleting", Deleting},
    {"foreign child", ForeignChild},
    {"bad spec", BadSpec},
    {"completed", Completed},  // remembered before the workers are stopped, whatever is refused
    {"apply refused", ApplyRefused},
    {"suspended", Suspended},
    {"rollout stuck", RolloutStuck},
    {"worker refuses", WorkerRefuses},
    {"worker fails", WorkerFails},
    {"pod in trouble", PodInTrouble},
    {"nothing yet", NothingYet},
    {"handing over", HandingOver},
    {"switching", Switching},
    {"workers missing", WorkersMissing},
    {"healthy", Healthy},
};

// What runs is well, and something else is still to come.
void AddWaits(const HealthInput& in, Verdict& verdict) {
  const std::optional<v1alpha1::ChangeStatus>& change = in.view.rollout.change;
  if (!in.plan.waits_for.empty()) {
    verdict.reconciling = true;
    verdict.message +=
        fmt::format(" A rescale to {} waits for {}.", in.view.wanted_replicas, in.plan.waits_for);
  }
  if (change && change->verdict == v1alpha1::ChangeVerdict::kChecking) {
    verdict.reconciling = true;
    verdict.message += " A running worker checks an edit of the spec.";
  }
}

}  // namespace

std::span<const HealthCheck> HealthChecks() {
  return kChecks;
}

Verdict Judge(const HealthInput& in) {
  for (const HealthCheck& check : kChecks) {
    std::optional<Verdict> verdict = check.run(in);
    if (!verdict) {
      continue;
    }
    if (verdict->ready == ConditionStatus::kTrue) {
      AddWaits(in, *verdict);
    } else {
      verdict->next = NextStep(verdict->reason);
    }
    return *std::move(verdict);
  }
  return {};
}

std::string FullMessage(const Verdict& verdict) {
  return verdict.next.empty() ? verdict.message
                              : fmt::format("{} {}", verdict.message, verdict.next);
}

Light LightOf(const v1alpha1::StreamJobStatus& status) {
  if (v1alpha1::FindCondition(status, v1alpha1::kStalled) != nullptr) {
    return Light::kStalled;
  }
  if (v1alpha1::FindCondition(status, v1alpha1::kReconciling) != nullptr) {
    return Light::kProgressing;
  }
  const v1alpha1::Condition* ready = v1alpha1::FindCondition(status, v1alpha1::kReady);
  return ready != nullptr && ready->status == ConditionStatus::kTrue ? Light::kReady
                                                                     : Light::kStopped;
}

std::string_view ToString(Light light) {
  switch (light) {
    case Light::kReady:
      return "ready";
    case Light::kProgressing:
      return "progressing";
    case Light::kStalled:
      return "stalled";
    case Light::kStopped:
      break;
  }
  return "stopped";
}

bool IsSpecReason(std::string_view reason) {
  return reason == "SqlInvalid" || reason == "SpecInvalid" || reason == "ManifestInvalid";
}

const control::WorkerError* UserError(const View& view) {
  for (const auto& [ordinal, worker] : view.workers) {
    const control::WorkerError* error = MemberError(view, worker);
    if (error != nullptr && error->error_class == ErrorClass::kUser) {
      return error;
    }
  }
  return nullptr;
}

}  // namespace sj::op::decide
