// SPDX-License-Identifier: Apache-2.0
// See cleanup.h. The answer is found in the order: remembered, done, out of time, nobody can, wait.
#include "operator/decide/cleanup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sj::op::decide {
namespace {

using control::CleanupReport;
using control::CleanupStep;
using control::Remains;
using v1alpha1::CleanupState;
using v1alpha1::CleanupStatus;
using v1alpha1::OnDelete;

constexpr size_t kErrorMax = 1024;  // of a worker's words; a condition holds 4096

const Worker* Cleaner(const View& view) {
  auto it = view.workers.find(kCleaner);
  return it != view.workers.end() ? &it->second : nullptr;
}

// Absent also when a process has registered but not reported yet, or is too old to.
const CleanupReport* ReportOf(const View& view) {
  const Worker* cleaner = Cleaner(view);
  return cleaner != nullptr && cleaner->report != nullptr && cleaner->report->beat.cleanup
             ? &*cleaner->report->beat.cleanup
             : nullptr;
}

WallTime Deleted(const View& view) {
  return *view.in.job.metadata.deletion_timestamp;
}
WallTime GiveUpAt(const View& view) {
  return Deleted(view) + view.in.settings.delete_max;
}
WallTime BeginAnywayAt(const View& view) {
  return Deleted(view) + view.in.settings.cleanup_alone_max;
}

std::string Words(const View& view, const Remains& remains) {
  const std::string& uid = view.in.job.metadata.uid;
  std::vector<std::string> parts;
  if (remains.checkpoints) {
    parts.push_back(
        fmt::format("the checkpoints below {}/{}/", view.user_effective.checkpoint.location, uid));
  }
  if (remains.exchange_topics) {
    parts.push_back(fmt::format("the exchange topics {}.{}.*", control::kIdPrefix, uid));
  }
  if (remains.consumer_group) {
    parts.push_back(fmt::format("the consumer group {}.{}", control::kIdPrefix, uid));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string ErrorWords(const CleanupReport& report) {
  std::string error = report.error->message.substr(0, kErrorMax);
  std::replace(error.begin(), error.end(), '\n', ' ');
  return Sentence(fmt::format("Worker {} could not do it: {}", kCleaner, error));
}

CleanupStatus Status(CleanupState state, std::string message) {
  return {state, std::move(message), std::nullopt};
}

CleanupStatus Removed(const View& view, const CleanupReport& report, const Remains& wanted) {
  std::string message = fmt::format("Worker {} has removed {}", kCleaner, Words(view, wanted));
  if (wanted.checkpoints) {
    message += fmt::format("; objects: {}", report.objects);
  }
  if (wanted.exchange_topics) {
    message += fmt::format("; topics: {}", report.topics);
  }
  return Status(CleanupState::kRemoved, message + ".");
}

CleanupStatus GiveUp(const View& view, const Remains& wanted, const std::string& why) {
  const CleanupReport* report = ReportOf(view);
  const Remains left = report != nullptr ? control::Without(wanted, report->removed) : wanted;
  // The names first: an event may be cut.
  return Status(CleanupState::kGaveUp, fmt::format("Not removed, and yours to remove: {}. {}",
                                                   Words(view, left), Sentence(why)));
}

WallTime HeardBy(const View& view) {
  return std::max(view.in.leading_since, Deleted(view)) + view.in.settings.silent_after;
}
// Whoever lives has reported to this operator process by now.
bool HadTime(const View& view) {
  return view.in.now >= HeardBy(view);
}

// Worker 0 cannot come (back): why, or nothing. What a StatefulSet that is gone has left of pods is
// not seen, only heard.
std::optional<std::string> NobodyCan(const View& view) {
  const Worker* cleaner = Cleaner(view);
  const bool pod = cleaner != nullptr && cleaner->pod != nullptr;
  const bool heard = cleaner != nullptr && cleaner->report != nullptr && cleaner->fresh;
  const bool may_come = view.set_replicas ? *view.set_replicas > 0 || pod : heard || !HadTime(view);
  if (!may_come) {
    return "No worker runs that could clean up";
  }
  if (heard && cleaner->report->beat.sequence >= 0 && !cleaner->report->beat.cleanup) {
    return fmt::format("Worker {} is of an older version, which cannot clean up", kCleaner);
  }
  return std::nullopt;
}

std::string WhyNotInTime(const View& view) {
  const CleanupReport* report = ReportOf(view);
  if (report != nullptr && report->error) {
    return "The time for a deletion is over. " + ErrorWords(*report);
  }
  return fmt::format("The time for a deletion is over and worker {} has not done it", kCleaner);
}

int OrdinalsKnown(const View& view) {
  return view.workers.empty() ? 0 : view.workers.rbegin()->first + 1;
}

// By what was heard of it alone.
bool MayWork(const View& view, const Worker* worker) {
  if (worker == nullptr || worker->report == nullptr) {
    return !HadTime(view);
  }
  return worker->fresh && Active(worker->report->beat.phase);
}

// Nobody but worker 0 is left. A pod that hangs is not waited for to the end: its ids are fenced,
// so it can commit no more.
bool Alone(const View& view) {
  if (view.in.now >= BeginAnywayAt(view)) {
    return true;
  }
  const int members = std::max(view.generation()->replicas, OrdinalsKnown(view));
  for (int i = kCleaner + 1; i < members; ++i) {
    auto it = view.workers.find(i);
    const Worker* other = it != view.workers.end() ? &it->second : nullptr;
    if (view.set_replicas ? other != nullptr && other->pod != nullptr : MayWork(view, other)) {
      return false;
    }
  }
  return true;
}

CleanupStatus StatusNow(const View& view, const Remains& wanted, bool alone) {
  const CleanupReport* report = ReportOf(view);
  if (report != nullptr && !control::Without(wanted, report->removed).any()) {
    return Removed(view, *report, wanted);
  }
  if (view.in.now >= GiveUpAt(view)) {
    return GiveUp(view, wanted, WhyNotInTime(view));
  }
  if (const std::optional<std::string> why = NobodyCan(view)) {
    return GiveUp(view, wanted, *why);
  }
  if (!alone) {
    return Status(CleanupState::kWaiting,
                  fmt::format("Then worker {} removes {}.", kCleaner, Words(view, wanted)));
  }
  const Remains left = report != nullptr ? control::Without(wanted, report->removed) : wanted;
  std::string message = fmt::format("Worker {} removes {}.", kCleaner, Words(view, left));
  if (report != nullptr && report->error) {
    message += fmt::format(" {} It tries again until {}.", ErrorWords(*report),
                           base::FormatTime(GiveUpAt(view)));
  }
  return Status(CleanupState::kRemoving, std::move(message));
}

bool Ended(const CleanupStatus& status) {
  return status.state == CleanupState::kRemoved || status.state == CleanupState::kGaveUp;
}

}  // namespace

Remains RemainsToRemove(const v1alpha1::DeletionPolicy& policy) {
  return {policy.checkpoints == OnDelete::kDelete, policy.exchange_topics == OnDelete::kDelete,
          policy.consumer_group == OnDelete::kDelete};
}

Cleanup PlanCleanup(const View& view) {
  Cleanup cleanup;
  cleanup.wanted = RemainsToRemove(view.in.job.spec.deletion_policy);
  // A job that never had an assignment has written nothing anywhere.
  if (!cleanup.wanted.any() || view.generation() == nullptr) {
    return {};
  }
  if (view.goal != Goal::kDelete) {
    cleanup.step =
        view.goal == Goal::kRun && view.settled() ? CleanupStep::kNotice : CleanupStep::kNone;
    return cleanup;
  }
  const std::optional<CleanupStatus>& before = view.in.job.status.cleanup;
  if (before && Ended(*before)) {
    cleanup.status = before;
    return cleanup;
  }
  const bool alone = Alone(view);
  cleanup.status = StatusNow(view, cleanup.wanted, alone);
  const bool same_state = before && before->state == cleanup.status->state;
  cleanup.status->since = same_state ? before->since : view.in.now;
  if (!Ended(*cleanup.status)) {
    cleanup.step = alone ? CleanupStep::kBegin : CleanupStep::kStay;
  }
  return cleanup;
}

bool CleanupUnderWay(const View& view) {
  return view.cleanup.status && !Ended(*view.cleanup.status);
}

std::optional<control::CleanupOrder> CleanupOrderOf(const View& view) {
  if (view.cleanup.step == CleanupStep::kNone) {
    return std::nullopt;
  }
  const v1alpha1::GenerationStatus& generation = *view.generation();
  return control::CleanupOrder{view.cleanup.step, view.cleanup.wanted,
                               std::max({generation.ordinals_used, generation.replicas, 1})};
}

std::optional<WallTime> NextCleanupLook(const View& view) {
  if (!CleanupUnderWay(view) || view.in.now >= BeginAnywayAt(view)) {
    return std::nullopt;
  }
  const bool listens = !view.set_replicas && !HadTime(view);
  return listens ? std::min(HeardBy(view), BeginAnywayAt(view)) : BeginAnywayAt(view);
}

}  // namespace sj::op::decide
