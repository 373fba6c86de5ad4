// SPDX-License-Identifier: Apache-2.0
// See status.h.
#include "operator/decide/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "operator/decide/next_step.h"
#include "operator/decide/pod_trouble.h"
#include "operator/decide/rollback.h"
#include "operator/decide/rollout.h"
#include "operator/decide/snapshots.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using v1alpha1::CheckpointStatus;
using v1alpha1::Condition;
using v1alpha1::ConditionStatus;
using v1alpha1::LagStatus;
using v1alpha1::StreamJobStatus;

// One status in the making: its conditions share generation and time.
struct Writer {
  StreamJobStatus& status;
  int64_t generation;
  WallTime now;

  void Set(std::string_view type, ConditionStatus value, std::string reason, std::string message) {
    v1alpha1::SetCondition(
        status,
        Condition{std::string(type), value, std::move(reason), std::move(message), generation, now},
        now);
  }
  void SetOrRemove(std::string_view type, bool present, const Verdict& verdict) {
    if (present) {
      Set(type, ConditionStatus::kTrue, verdict.reason, FullMessage(verdict));
    } else {
      v1alpha1::RemoveCondition(status, type);
    }
  }
};

// Reports of members, one per ordinal of the generation; empty when one is missing.
std::vector<const WorkerReport*> MemberReports(const View& view) {
  std::vector<const WorkerReport*> reports;
  if (!view.started()) {
    return reports;
  }
  for (int i = 0; i < view.generation()->replicas; ++i) {
    auto it = view.workers.find(i);
    if (it == view.workers.end() || it->second.report == nullptr || !it->second.fresh) {
      return {};
    }
    reports.push_back(it->second.report);
  }
  return reports;
}

// The job is as far as its slowest worker.
std::optional<CheckpointStatus> Checkpoint(const View& view,
                                           const std::vector<const WorkerReport*>& reports) {
  CheckpointStatus checkpoint;
  checkpoint.location = view.effective.checkpoint.location;
  bool first = true;
  for (const WorkerReport* report : reports) {
    const control::HeartbeatRequest& beat = report->beat;
    if (!beat.last_epoch_time) {
      return std::nullopt;
    }
    checkpoint.last_completed_epoch =
        first ? beat.epoch : std::min(checkpoint.last_completed_epoch, beat.epoch);
    checkpoint.last_completed_time =
        first ? *beat.last_epoch_time
              : std::min(*checkpoint.last_completed_time, *beat.last_epoch_time);
    checkpoint.duration_ms =
        std::max<int64_t>(checkpoint.duration_ms, beat.last_epoch_duration.count());
    checkpoint.size_bytes += beat.last_epoch_bytes;
    checkpoint.consecutive_failures =
        std::max(checkpoint.consecutive_failures, beat.consecutive_epoch_failures);
    first = false;
  }
  return first ? std::nullopt : std::optional(checkpoint);
}

// Known only when every worker knows its own: unknown is never zero.
std::optional<LagStatus> Lag(const View& view, const std::vector<const WorkerReport*>& reports) {
  LagStatus lag{0, view.in.now};
  for (const WorkerReport* report : reports) {
    if (!report->beat.lag_records) {
      return std::nullopt;
    }
    lag.records += *report->beat.lag_records;
  }
  return reports.empty() ? std::nullopt : std::optional(lag);
}

// Something was committed since. The time alone says nothing: a worker without input confirms the
// same epoch again and again.
bool Advanced(const CheckpointStatus& before, const CheckpointStatus& now) {
  return before.last_completed_epoch != now.last_completed_epoch ||
         before.size_bytes != now.size_bytes || before.duration_ms != now.duration_ms;
}

// A leader of a moment ago has not heard every worker yet. What the one before has written is no
// less true for that, and its time tells how old it is.
bool StillToBeHeard(const View& view, const std::vector<const WorkerReport*>& reports) {
  return view.started() && reports.empty() &&
         view.in.now - view.in.leading_since <= view.in.settings.silent_after;
}

// By a tenth at least.
bool Moved(const LagStatus& before, const LagStatus& now) {
  return std::abs(now.records - before.records) * 10 > before.records;
}

// Old numbers stay until they are old enough; facts (none -> some, failures) show at once.
void PutNumbers(const View& view, const std::vector<const WorkerReport*>& reports,
                StreamJobStatus& status) {
  const Millis refresh = view.in.settings.status_refresh;
  const std::optional<CheckpointStatus> checkpoint = Checkpoint(view, reports);
  if (checkpoint) {
    const std::optional<CheckpointStatus>& old = status.checkpoint;
    if (!old || !old->last_completed_time || old->location != checkpoint->location ||
        old->consecutive_failures != checkpoint->consecutive_failures ||
        (Advanced(*old, *checkpoint) &&
         *checkpoint->last_completed_time - *old->last_completed_time >= refresh)) {
      status.checkpoint = checkpoint;
    }
  }
  const std::optional<LagStatus> lag = Lag(view, reports);
  if (!lag) {
    if (!StillToBeHeard(view, reports)) {
      status.lag.reset();
    }
    return;
  }
  const std::optional<LagStatus>& old = status.lag;
  if (!old || !old->sampled_at ||
      (Moved(*old, *lag) && view.in.now - *old->sampled_at >= refresh)) {
    status.lag = lag;
  }
}

void PutCheckpointHealth(const View& view, const Verdict& verdict,
                         const std::vector<const WorkerReport*>& reports, Writer& writer) {
  const std::string_view type = v1alpha1::kCheckpointHealthy;
  if (verdict.phase != v1alpha1::Phase::kRunning && verdict.phase != v1alpha1::Phase::kFailing) {
    writer.Set(type, ConditionStatus::kUnknown, "NotRunning", "The job does not run.");
    return;
  }
  const std::optional<CheckpointStatus> checkpoint = Checkpoint(view, reports);
  if (!checkpoint) {
    const Condition* before = v1alpha1::FindCondition(writer.status, type);
    const bool one_is_new = view.started() && view.generation()->hand_over;
    if (before == nullptr || before->status != ConditionStatus::kTrue ||
        !(reports.empty() || one_is_new)) {
      writer.Set(type, ConditionStatus::kUnknown, "NoCheckpointYet",
                 "Not every worker has completed an epoch.");
    }
    return;
  }
  if (checkpoint->consecutive_failures >= view.in.settings.checkpoint_failures_max) {
    writer.Set(type, ConditionStatus::kFalse, "CheckpointsFail",
               "Several epochs in a row could not be committed.");
    return;
  }
  const Millis late = LateAfter(view);
  if (view.in.now - *checkpoint->last_completed_time > late) {
    writer.Set(type, ConditionStatus::kFalse, "CheckpointLate",
               fmt::format("No epoch of the slowest worker was committed for more than {}.",
                           base::FormatDuration(late)));
    return;
  }
  writer.Set(type, ConditionStatus::kTrue, "Committing", "Epochs are committed in time.");
}

void PutSpecValid(const View& view, Writer& writer) {
  const std::string_view type = v1alpha1::kSpecValid;
  if (!view.findings.empty()) {
    writer.Set(type, ConditionStatus::kFalse, view.findings.front().reason,
               v1alpha1::JoinFindings(view.findings));
    return;
  }
  const std::optional<v1alpha1::ChangeStatus>& change = view.rollout.change;
  if (change && change->verdict == v1alpha1::ChangeVerdict::kRefused) {
    writer.Set(type, ConditionStatus::kFalse, change->reason,
               fmt::format("{}; what ran before goes on.", change->message));
    return;
  }
  const control::WorkerError* error = UserError(view);
  if (error != nullptr && IsSpecReason(error->reason)) {
    writer.Set(type, ConditionStatus::kFalse, error->reason, error->message);
    return;
  }
  writer.Set(type, ConditionStatus::kTrue, "Valid", "The spec is valid.");
}

void PutRollback(const View& view, Writer& writer) {
  const std::optional<v1alpha1::RollbackStatus>& rollback = view.rollout.rollback;
  if (rollback) {
    writer.Set(v1alpha1::kRolledBack, ConditionStatus::kTrue, rollback->reason, rollback->message);
  } else {
    v1alpha1::RemoveCondition(writer.status, v1alpha1::kRolledBack);
  }
}

void PutPause(const View& view, Writer& writer) {
  if (!view.pause || view.goal == Goal::kDelete) {
    v1alpha1::RemoveCondition(writer.status, v1alpha1::kPaused);
    return;
  }
  const Pause& pause = *view.pause;
  std::string message = fmt::format("The operator begins nothing new for this job{}.",
                                    pause.reason.empty() ? "" : fmt::format(": {}", pause.reason));
  message += pause.until ? fmt::format(" It ends at {}.", base::FormatTime(*pause.until))
             : pause.problem.empty()
                 ? fmt::format(" It ends when {} is removed.", v1alpha1::kPauseAnnotation)
                 : fmt::format(" It has no end: {}.", pause.problem);
  writer.Set(v1alpha1::kPaused, ConditionStatus::kTrue, "PausedByAnnotation", std::move(message));
}

void PutConditions(const View& view, const Verdict& verdict,
                   const std::vector<const WorkerReport*>& reports, Writer& writer) {
  writer.Set(v1alpha1::kReady, verdict.ready, verdict.reason, FullMessage(verdict));
  writer.SetOrRemove(v1alpha1::kReconciling, verdict.reconciling, verdict);
  Verdict stalled = verdict;
  const std::optional<Block> block = BlockedEdit(view);
  const bool stands_still = view.goal == Goal::kDelete || view.goal == Goal::kSuspend;
  if (block && !verdict.stalled && !verdict.reconciling && !stands_still) {
    stalled.stalled = true;  // what runs goes on, the edit does not
    stalled.reason = block->reason;
    stalled.message = Sentence(block->message);
    stalled.next = NextStep(block->reason);
  }
  writer.SetOrRemove(v1alpha1::kStalled, stalled.stalled, stalled);
  PutRollback(view, writer);
  PutPause(view, writer);
  PutCheckpointHealth(view, verdict, reports, writer);
  PutSpecValid(view, writer);
}

void PutLastError(const View& view, StreamJobStatus& status) {
  for (const auto& [ordinal, worker] : view.workers) {
    const control::WorkerError* error =
        worker.report != nullptr ? ErrorOf(*worker.report) : nullptr;
    if (error == nullptr) {
      continue;
    }
    const std::string name = resources::PodName(view.in.job.metadata.name, ordinal);
    if (!status.last_error || status.last_error->worker != name ||
        status.last_error->message != error->message) {
      status.last_error = v1alpha1::LastError{view.in.now, name, error->message};
    }
    return;
  }
}

void PutReplicas(const View& view, StreamJobStatus& status) {
  const std::vector<Json>& pods = view.in.children.pods;
  status.replicas = static_cast<int>(pods.size());
  status.ready_replicas = static_cast<int>(std::count_if(pods.begin(), pods.end(), PodReady));
  int64_t restarts = 0;
  for (const Json& pod : pods) {
    restarts += RestartsOf(pod);
  }
  status.restarts = restarts;
  status.selector = resources::SelectorText(view.in.job.metadata.name);
}

}  // namespace

Millis LateAfter(const View& view) {
  return std::max(view.in.settings.checkpoint_late_min, view.effective.checkpoint.interval * 10);
}

std::optional<WallTime> NextNumbersLook(const View& view, const StreamJobStatus& status) {
  const std::vector<const WorkerReport*> reports = MemberReports(view);
  const std::optional<CheckpointStatus> checkpoint = Checkpoint(view, reports);
  const std::optional<LagStatus> lag = Lag(view, reports);
  std::optional<WallTime> old_enough;
  if (checkpoint && status.checkpoint && status.checkpoint->last_completed_time &&
      Advanced(*status.checkpoint, *checkpoint)) {
    old_enough = *status.checkpoint->last_completed_time;
  }
  if (lag && status.lag && status.lag->sampled_at && Moved(*status.lag, *lag)) {
    old_enough = std::min(old_enough.value_or(*status.lag->sampled_at), *status.lag->sampled_at);
  }
  return old_enough ? std::optional(*old_enough + view.in.settings.status_refresh) : std::nullopt;
}

StreamJobStatus MakeStatus(const View& view, const GenerationPlan& plan, const Verdict& verdict) {
  StreamJobStatus status = view.in.job.status;
  Writer writer{status, view.in.job.metadata.generation, view.in.now};
  const std::vector<const WorkerReport*> reports = MemberReports(view);
  status.observed_generation = view.in.job.metadata.generation;
  status.phase = verdict.phase;
  if (plan.next) {
    status.generation = plan.next;
  }
  if (view.findings.empty()) {
    status.effective = view.effective;
    // Before anything is made: whatever becomes of the snapshot's name later, this is it.
    if (const RestoreChoice restore = ChooseRestore(view.in.job, view.in.restore_from, view.in.now);
        restore.source) {
      status.restored_from = restore.source;
    }
  }
  PutReplicas(view, status);
  PutNumbers(view, reports, status);
  PutLastError(view, status);
  PutConditions(view, verdict, reports, writer);
  status.change = view.rollout.change;
  status.rollback = view.rollout.rollback;
  status.cleanup = view.cleanup.status;
  const Condition* checkpoints = v1alpha1::FindCondition(status, v1alpha1::kCheckpointHealthy);
  PutTrial(view,
           {verdict.ready == ConditionStatus::kTrue && verdict.phase == v1alpha1::Phase::kRunning,
            checkpoints != nullptr && checkpoints->status == ConditionStatus::kTrue, reports},
           status);
  return status;
}

}  // namespace sj::op::decide
