// SPDX-License-Identifier: Apache-2.0
// See clean_up.h.
#include "worker/main/clean_up.h"

namespace sj::worker {
namespace {

using sj::control::CleanupOrder;
using sj::control::CleanupReport;
using sj::control::CleanupStep;
using sj::control::Remains;

constexpr base::Millis kLook{500};        // at the termination flag, which wakes nobody
constexpr base::Millis kTryAgain{2'000};  // what failed

std::optional<sj::control::WorkerError> Attempt(const CleanUpParts& parts,
                                                const CleanupOrder& order, const Remains& left,
                                                CleanupReport& report) {
  const base::Result<Remains> allowed = parts.confirm();
  if (!allowed.ok()) {
    return sj::control::ToWorkerError(allowed.status(), "OperatorUnreachable");
  }
  const Remains what = sj::control::Both(left, *allowed);
  if (!what.any()) {
    return sj::control::ToWorkerError(
        base::Cancelled("the job is not being deleted, or spec.deletionPolicy has changed"),
        "NotToBeRemoved");
  }
  return parts.remove(what, order.ordinals, report);
}

}  // namespace

bool MustStay(const CleanupOrder& order) {
  return order.step == CleanupStep::kStay || order.step == CleanupStep::kBegin;
}

void CleanUp(const CleanUpParts& parts, const std::atomic<bool>& term) {
  CleanupReport report;
  while (true) {
    const CleanupOrder order = parts.order();
    const Remains left = sj::control::Without(order.remove, report.removed);
    if (term.load() && (!MustStay(order) || !left.any())) {
      return;
    }
    if (order.step != CleanupStep::kBegin || !left.any()) {
      parts.await_other(order, kLook);
      continue;
    }
    report.error = Attempt(parts, order, left, report);
    parts.tell(report);
    if (report.error) {
      parts.await_other(order, kTryAgain);
    }
  }
}

}  // namespace sj::worker
