// SPDX-License-Identifier: Apache-2.0
// See rollback.h.
#include "operator/decide/rollback.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/decide/pod_trouble.h"
#include "operator/decide/rollout.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using v1alpha1::Condition;
using v1alpha1::GenerationStatus;
using v1alpha1::RollbackStatus;
using v1alpha1::StreamJobStatus;
using v1alpha1::TrialStatus;

// Lag may move by so much and is not growing.
constexpr int64_t kLagSlack = 1'000;
constexpr int64_t kLagGrowthPercent = 10;

struct Failure {
  std::string reason;
  std::string message;
  bool hopeless = false;  // waiting does not help
};

// The user's spec is rolled out, is not proven, and a proven one is known.
bool Unproven(const View& view) {
  const GenerationStatus* generation = view.generation();
  const StreamJobStatus& status = view.in.job.status;
  return generation != nullptr && generation->spec_hash == view.user_hash && status.stable &&
         status.stable->spec_hash != view.user_hash && !view.stops() && !view.pause &&
         view.findings.empty();
}

// Since when the rolled out spec is not ready; nothing while it is.
std::optional<WallTime> NotReadySince(const View& view) {
  const Condition* ready = v1alpha1::FindCondition(view.in.job.status, v1alpha1::kReady);
  const GenerationStatus& generation = *view.generation();
  if (ready == nullptr || ready->status == v1alpha1::ConditionStatus::kTrue ||
      !generation.started_at) {
    return std::nullopt;
  }
  return std::max(ready->last_transition_time, *generation.started_at);
}

bool OfUserSpec(const View& view, const Json& pod) {
  return resources::Annotation(pod, resources::kSpecHashAnnotation) == view.user_hash;
}

// Its process was started again and again; being ready in between does not help.
std::optional<Failure> KeepsExiting(const View& view) {
  for (const auto& [ordinal, worker] : view.workers) {
    if (worker.pod == nullptr || !OfUserSpec(view, *worker.pod)) {
      continue;
    }
    const int64_t restarts = RestartsOf(*worker.pod);
    if (restarts >= view.in.settings.crash_restarts_max) {
      const std::optional<PodTrouble> trouble = TroubleOf(*worker.pod);
      return Failure{trouble ? trouble->reason : "CrashLoopBackOff",
                     trouble
                         ? trouble->message
                         : fmt::format("worker {} was started again {} times", ordinal, restarts),
                     true};
    }
  }
  return std::nullopt;
}

// What a worker or a pod of the user's spec says is wrong.
std::optional<Failure> FirstTrouble(const View& view) {
  for (const auto& [ordinal, worker] : view.workers) {
    if (ordinal >= view.generation()->replicas) {
      continue;
    }
    // The last report may be of the pod before this one, which ran another spec.
    const bool pod_is = worker.pod != nullptr && OfUserSpec(view, *worker.pod);
    const bool report_is =
        worker.report != nullptr && (worker.report->spec_hash == view.user_hash ||
                                     (worker.report->spec_hash.empty() && pod_is));
    const control::WorkerError* error = report_is ? ErrorOf(*worker.report) : nullptr;
    if (error != nullptr) {
      return Failure{error->reason, fmt::format("worker {}: {}", ordinal, error->message),
                     error->error_class == control::ErrorClass::kUser};
    }
    const std::optional<PodTrouble> trouble = pod_is ? TroubleOf(*worker.pod) : std::nullopt;
    if (trouble) {
      return Failure{trouble->reason, trouble->message, trouble->reason != "Unschedulable"};
    }
  }
  return std::nullopt;
}

std::optional<Failure> FailureOf(const View& view) {
  if (std::optional<Failure> exits = KeepsExiting(view)) {
    return exits;
  }
  const std::optional<WallTime> since = NotReadySince(view);
  if (!since) {
    return std::nullopt;
  }
  const Settings& settings = view.in.settings;
  const std::optional<Failure> trouble = FirstTrouble(view);
  if (trouble && trouble->hopeless && view.in.now - *since >= settings.trouble_max) {
    return trouble;
  }
  if (view.in.now - *since < settings.ready_max) {
    return std::nullopt;
  }
  return trouble.value_or(Failure{
      "NotReady",
      fmt::format("its workers did not run within {}", base::FormatDuration(settings.ready_max)),
      false});
}

int64_t RestartsOfAll(const View& view, std::span<const WorkerReport* const> members) {
  int64_t restarts = 0;
  for (const Json& pod : view.in.children.pods) {
    restarts += RestartsOf(pod);
  }
  for (const WorkerReport* member : members) {
    restarts += member->beat.restarts;
  }
  return restarts;
}

TrialStatus StandingNow(const View& view, std::span<const WorkerReport* const> members) {
  TrialStatus now;
  now.generation = view.generation()->number;
  now.since = view.in.now;
  now.restarts = RestartsOfAll(view, members);
  bool lag_known = true;
  int64_t lag = 0;
  now.epoch = members.front()->beat.epoch;
  for (const WorkerReport* member : members) {
    now.epoch = std::min(now.epoch, member->beat.epoch);
    lag_known = lag_known && member->beat.lag_records.has_value();
    lag += member->beat.lag_records.value_or(0);
  }
  if (lag_known) {
    now.lag_records = lag;
  }
  return now;
}

// Epochs enough since the trial began. A worker with nothing to commit numbers no epochs, but says
// that what is committed is the state of now: an idle job proves itself too.
bool HasCommitted(const View& view, const TrialStatus& trial, const TrialStatus& now,
                  std::span<const WorkerReport* const> members) {
  const int epochs = view.in.settings.stable_epochs;
  if (now.epoch - trial.epoch >= epochs) {
    return true;
  }
  const WallTime enough = *trial.since + view.effective.checkpoint.interval * epochs;
  return std::all_of(members.begin(), members.end(), [enough](const WorkerReport* member) {
    return member->beat.last_epoch_time && *member->beat.last_epoch_time >= enough;
  });
}

bool LagHasGrown(const TrialStatus& trial, const TrialStatus& now) {
  if (!trial.lag_records || !now.lag_records) {
    return false;
  }
  const int64_t allowed =
      *trial.lag_records + *trial.lag_records / (100 / kLagGrowthPercent) + kLagSlack;
  return *now.lag_records > allowed;
}

}  // namespace

std::optional<RollbackStatus> PlanRollback(const View& view) {
  const StreamJobStatus& status = view.in.job.status;
  if (status.rollback) {
    const bool same_spec = status.rollback->spec_hash == view.user_hash;
    return same_spec ? status.rollback : std::nullopt;
  }
  if (!Unproven(view) || view.user_effective.rollout.rollback != v1alpha1::RollbackMode::kAuto ||
      !StoredManifest(view.in.children, status.stable->spec_hash)) {
    return std::nullopt;
  }
  const std::optional<Failure> failure = FailureOf(view);
  if (!failure) {
    return std::nullopt;
  }
  RollbackStatus rollback;
  rollback.spec_hash = view.user_hash;
  rollback.stable_hash = status.stable->spec_hash;
  rollback.generation = view.generation()->number;
  rollback.reason = failure->reason;
  rollback.message = fmt::format(
      "Generation {} with the new spec failed: {} The last stable spec, that of generation {}, "
      "runs instead; spec is as you wrote it. Fix the spec, or change spec.restartNonce to try it "
      "again.",
      rollback.generation, Sentence(failure->message), status.stable->generation);
  rollback.since = view.in.now;
  return rollback;
}

std::optional<Block> StuckRollout(const View& view) {
  if (view.rollout.rollback || !Unproven(view)) {
    return std::nullopt;
  }
  const std::optional<Failure> failure = FailureOf(view);
  if (!failure || !NotReadySince(view)) {
    return std::nullopt;
  }
  const bool off = view.user_effective.rollout.rollback == v1alpha1::RollbackMode::kOff;
  return Block{failure->reason,
               fmt::format("The new spec failed: {} {}", Sentence(failure->message),
                           off ? "spec.rollout.rollback is Off, so it stays."
                               : "The manifest of the last stable spec is gone, so it stays.")};
}

std::optional<WallTime> NextRollbackLook(const View& view) {
  const std::optional<TrialStatus>& trial = view.in.job.status.trial;
  std::optional<WallTime> next;
  const auto consider = [&](WallTime time) {
    if (time > view.in.now) {
      next = next ? std::min(*next, time) : time;
    }
  };
  if (trial && trial->since) {
    consider(*trial->since + view.effective.rollout.stable_after);
  }
  if (const std::optional<WallTime> since =
          Unproven(view) ? NotReadySince(view) : std::optional<WallTime>()) {
    consider(*since + view.in.settings.trouble_max);
    consider(*since + view.in.settings.ready_max);
  }
  return next;
}

void PutTrial(const View& view, const Standing& standing, StreamJobStatus& status) {
  if (!standing.ready || !view.settled()) {
    status.trial.reset();
    return;
  }
  const GenerationStatus& generation = *view.generation();
  if (status.stable && status.stable->spec_hash == generation.spec_hash) {
    status.trial.reset();
    return;
  }
  if (standing.members.empty()) {
    return;  // a new leader has not heard of everybody yet
  }
  const TrialStatus now = StandingNow(view, standing.members);
  const bool anew = !status.trial || !status.trial->since ||
                    status.trial->generation != now.generation ||
                    status.trial->restarts != now.restarts || LagHasGrown(*status.trial, now);
  if (anew) {
    status.trial = now;
    return;
  }
  const bool long_enough =
      view.in.now - *status.trial->since >= view.effective.rollout.stable_after;
  if (long_enough && standing.checkpoints_healthy &&
      HasCommitted(view, *status.trial, now, standing.members)) {
    status.stable = v1alpha1::StableStatus{generation.spec_hash, generation.number, view.in.now};
    status.trial.reset();
  }
}

}  // namespace sj::op::decide
