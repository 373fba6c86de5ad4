// SPDX-License-Identifier: Apache-2.0
// See decide.h.
#include "operator/decide/decide.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/decide/cleanup.h"
#include "operator/decide/generation.h"
#include "operator/decide/hand_over.h"
#include "operator/decide/health.h"
#include "operator/decide/lost_pod.h"
#include "operator/decide/next_step.h"
#include "operator/decide/phases.h"
#include "operator/decide/rollout.h"
#include "operator/decide/scaling.h"
#include "operator/decide/status.h"

namespace sj::op::decide {
namespace {

using v1alpha1::Condition;
using v1alpha1::ConditionStatus;
using v1alpha1::StreamJobStatus;

constexpr Millis kSqlFromPoll{60'000};
constexpr Millis kForeignPoll{30'000};
constexpr Millis kRestorePoll{5'000};
constexpr Millis kDeadlineSlack{50};
constexpr Millis kNextReports{5'000};  // of a worker without news, about

// An event when a condition says something new, not each time it is computed.
void AddConditionEvent(const StreamJobStatus& before, const StreamJobStatus& after,
                       std::string_view type, std::vector<Event>& events) {
  const Condition* was = v1alpha1::FindCondition(before, type);
  const Condition* is = v1alpha1::FindCondition(after, type);
  if (is == nullptr || (was != nullptr && was->status == is->status && was->reason == is->reason)) {
    return;
  }
  const bool stalled = v1alpha1::FindCondition(after, v1alpha1::kStalled) != nullptr;
  const bool failing = after.phase == v1alpha1::Phase::kFailing;
  const bool bad =
      is->status == ConditionStatus::kFalse && (type != v1alpha1::kReady || stalled || failing);
  events.push_back({bad, is->reason, is->message});
}

// What was found out about the user's edit, once.
void AddChangeEvent(const StreamJobStatus& before, const StreamJobStatus& after,
                    std::vector<Event>& events) {
  using v1alpha1::ChangeVerdict;
  const std::optional<v1alpha1::ChangeStatus>& was = before.change;
  const std::optional<v1alpha1::ChangeStatus>& is = after.change;
  if (!is || is->verdict == ChangeVerdict::kChecking ||
      (was && was->spec_hash == is->spec_hash && was->verdict == is->verdict)) {
    return;
  }
  if (is->verdict == ChangeVerdict::kRefused) {
    events.push_back({true, "ChangeRefused",
                      fmt::format("{}: {}; what ran before goes on. {}", is->reason, is->message,
                                  NextStep(is->reason))});
    return;
  }
  const bool accepted = is->verdict == ChangeVerdict::kAccepted;
  events.push_back({false, accepted ? "ChangeAccepted" : "ChangeUnchecked",
                    fmt::format("{}: {}.", is->change_class, is->message)});
}

// What was removed outside Kubernetes, or stays there, once.
std::optional<v1alpha1::CleanupState> AddCleanupEvent(const StreamJobStatus& before,
                                                      const StreamJobStatus& after,
                                                      std::vector<Event>& events) {
  using v1alpha1::CleanupState;
  if (!after.cleanup || (before.cleanup && before.cleanup->state == after.cleanup->state)) {
    return std::nullopt;
  }
  const CleanupState state = after.cleanup->state;
  if (state != CleanupState::kRemoved && state != CleanupState::kGaveUp) {
    return std::nullopt;
  }
  const bool stays = state == CleanupState::kGaveUp;
  events.push_back({stays, stays ? "CleanupGaveUp" : "CleanedUp", after.cleanup->message});
  return state;
}

// For conditions that are there only while true.
void AddPresenceEvent(const StreamJobStatus& before, const StreamJobStatus& after,
                      std::string_view type, std::vector<Event>& events) {
  const Condition* was = v1alpha1::FindCondition(before, type);
  const Condition* is = v1alpha1::FindCondition(after, type);
  if (is != nullptr && was == nullptr) {
    events.push_back({type == v1alpha1::kRolledBack, std::string(type), is->message});
  }
}

std::vector<Event> MakeEvents(const StreamJobStatus& before, const StreamJobStatus& after,
                              const GenerationPlan& plan) {
  std::vector<Event> events;
  AddPresenceEvent(before, after, v1alpha1::kPaused, events);
  AddPresenceEvent(before, after, v1alpha1::kRolledBack, events);
  AddChangeEvent(before, after, events);
  if (!plan.event.empty()) {
    events.push_back({false, plan.event, plan.message});
  }
  AddConditionEvent(before, after, v1alpha1::kReady, events);
  const Condition* spec = v1alpha1::FindCondition(after, v1alpha1::kSpecValid);
  const Condition* ready = v1alpha1::FindCondition(after, v1alpha1::kReady);
  const bool refused = after.change && after.change->verdict == v1alpha1::ChangeVerdict::kRefused;
  const bool said =
      refused || (ready != nullptr && spec != nullptr && ready->reason == spec->reason);
  if (spec != nullptr && spec->status == ConditionStatus::kFalse && !said) {
    AddConditionEvent(before, after, v1alpha1::kSpecValid, events);
  }
  const Condition* checkpoint = v1alpha1::FindCondition(after, v1alpha1::kCheckpointHealthy);
  if (checkpoint != nullptr && checkpoint->status == ConditionStatus::kFalse) {
    AddConditionEvent(before, after, v1alpha1::kCheckpointHealthy, events);
  }
  return events;
}

std::optional<Millis> Earlier(std::optional<Millis> a, std::optional<Millis> b) {
  if (!a || !b) {
    return a ? a : b;
  }
  return std::min(*a, *b);
}

bool Is(const StreamJobStatus& status, std::string_view type, ConditionStatus value) {
  const Condition* condition = v1alpha1::FindCondition(status, type);
  return condition != nullptr && condition->status == value;
}

// Everything is well and has been for a while, and nothing is on its way. What time alone could
// change after that - a worker falls silent, an epoch is late, numbers have moved - the worker
// registry tells.
bool Quiet(const View& view, const StreamJobStatus& status) {
  const v1alpha1::GenerationStatus* generation = view.generation();
  if (!view.settled() || !Is(status, v1alpha1::kReady, ConditionStatus::kTrue) ||
      !Is(status, v1alpha1::kCheckpointHealthy, ConditionStatus::kTrue) ||
      v1alpha1::FindCondition(status, v1alpha1::kReconciling) != nullptr ||
      v1alpha1::FindCondition(status, v1alpha1::kStalled) != nullptr ||
      view.effective.autoscaling.enabled || !generation->started_at || view.pause || status.trial ||
      status.change || status.rollback ||
      view.in.now - *generation->started_at < view.in.settings.quiet_after) {
    return false;
  }
  for (int i = 0; i < generation->replicas; ++i) {
    auto it = view.workers.find(i);
    if (it == view.workers.end() || !it->second.fresh) {
      return false;
    }
  }
  return true;
}

// When to look again although nothing tells us to.
std::optional<Millis> RequeueAfter(const View& view, const StreamJobStatus& status) {
  std::optional<Millis> after;
  if (const std::optional<WallTime> deadline = DrainDeadline(view);
      deadline && *deadline > view.in.now && !Drained(view)) {
    after = *deadline - view.in.now + kDeadlineSlack;
  }
  if (const std::optional<WallTime> look = NextRolloutLook(view); look && *look > view.in.now) {
    after = Earlier(after, *look - view.in.now + kDeadlineSlack);
  }
  if (const std::optional<WallTime> look = NextLostPodLook(view)) {
    after = Earlier(after, *look - view.in.now + kDeadlineSlack);
  }
  if (const std::optional<WallTime> deadline = PrefetchDeadline(view);
      deadline && *deadline > view.in.now) {
    after = Earlier(after, *deadline - view.in.now + kDeadlineSlack);
  }
  if (const std::optional<WallTime> deadline = HandOverDeadline(view);
      deadline && *deadline > view.in.now) {
    after = Earlier(after, *deadline - view.in.now + kDeadlineSlack);
  }
  if (view.goal == Goal::kDelete) {
    const WallTime give_up = *view.in.job.metadata.deletion_timestamp + view.in.settings.delete_max;
    after = Earlier(after, std::max(give_up - view.in.now, Millis(1'000)));
  }
  if (const std::optional<WallTime> look = NextCleanupLook(view)) {
    after = Earlier(after, *look - view.in.now + kDeadlineSlack);
  }
  if (view.in.job.spec.sql_from) {
    after = Earlier(after, kSqlFromPoll);  // the user's ConfigMap is not watched
  }
  if (const v1alpha1::StreamJob& job = view.in.job;
      job.spec.restore_from && !job.status.restored_from && !job.status.generation) {
    after = Earlier(after, kRestorePoll);  // snapshots of other names do not wake this job
  }
  if (view.in.children.foreign) {
    after = Earlier(after, kForeignPoll);  // a stranger's object is not watched
  }
  if (const std::optional<WallTime> look = NextNumbersLook(view, status)) {
    const Millis wait = *look - view.in.now + kNextReports;
    after = Earlier(after, wait > Millis(0) ? wait : view.in.settings.status_refresh);
  }
  if (!view.in.children.pods.empty()) {
    const Settings& settings = view.in.settings;
    after = Earlier(after, Quiet(view, status) ? settings.quiet_resync : settings.resync);
  }
  return after;
}

}  // namespace

Output Decide(const Input& in) {
  const View view = MakeView(in);
  const GenerationPlan plan = PlanGeneration(view);
  const Verdict verdict = Judge({view, plan});
  Output out;
  out.status = MakeStatus(view, plan, verdict);
  out.events = MakeEvents(in.job.status, out.status, plan);
  out.cleanup_ended = AddCleanupEvent(in.job.status, out.status, out.events);
  out.scaling = PutScaling(view, plan.waits_for, out.status, out.events);
  out.status_changed = v1alpha1::StatusToJson(out.status) != v1alpha1::StatusToJson(in.job.status);
  out.generation_changed = plan.next.has_value();
  if (!out.generation_changed) {
    out.actions = PlanActions(view);
  }
  out.requeue_after = RequeueAfter(view, out.status);
  if (out.scaling && (in.track != nullptr || out.scaling->look_again == Millis(0))) {
    out.requeue_after = Earlier(out.requeue_after, out.scaling->look_again);
  }
  out.directive = MakeDirective(view);
  if (!IsLegalMove(in.job.status.phase, verdict.phase)) {
    out.defect =
        fmt::format("phase moves from {} to {}, which no rule allows",
                    in.job.status.phase ? v1alpha1::ToString(*in.job.status.phase) : "none",
                    v1alpha1::ToString(verdict.phase));
  }
  return out;
}

}  // namespace sj::op::decide
