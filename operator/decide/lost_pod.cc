// SPDX-License-Identifier: Apache-2.0
// See lost_pod.h.
#include "operator/decide/lost_pod.h"

#include <algorithm>

#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using resources::Find;
using resources::List;
using resources::Number;
using resources::Text;

// From when on a kubelet that lives would have confirmed the deletion, or ended the worker at
// least. Nothing: the pod is not being deleted.
std::optional<WallTime> OverdueFrom(const View& view, const Json& pod) {
  const base::Result<WallTime> deadline =
      base::ParseTime(Text(pod, {"metadata", "deletionTimestamp"}));
  if (!deadline.ok()) {
    return std::nullopt;
  }
  if (!EvictedFromNode(pod)) {
    return *deadline + view.in.settings.kubelet_late;
  }
  const Millis grace(1'000 * Number(pod, {"metadata", "deletionGracePeriodSeconds"}));
  return *deadline - grace + view.in.settings.kubelet_late;
}

WallTime SilentFrom(const View& view, const Worker& worker) {
  const WallTime heard = worker.report != nullptr
                             ? std::max(worker.report->seen_at, view.in.leading_since)
                             : view.in.leading_since;
  return heard + view.in.settings.silent_after;
}

// Nothing: it will not.
std::optional<WallTime> LostFrom(const View& view, const Worker& worker) {
  const std::optional<WallTime> overdue =
      worker.pod != nullptr ? OverdueFrom(view, *worker.pod) : std::optional<WallTime>();
  return overdue ? std::max(*overdue, SilentFrom(view, worker)) : overdue;
}

}  // namespace

bool EvictedFromNode(const Json& pod) {
  const Json& conditions = List(pod, {"status", "conditions"});
  return std::any_of(conditions.begin(), conditions.end(), [](const Json& condition) {
    return Text(condition, {"type"}) == "DisruptionTarget" &&
           Text(condition, {"status"}) == "True" &&
           Text(condition, {"reason"}) == "DeletionByTaintManager";
  });
}

bool LostWithNode(const View& view, const Worker& worker) {
  const std::optional<WallTime> from = LostFrom(view, worker);
  return from && view.in.now >= *from;
}

std::optional<WallTime> NextLostPodLook(const View& view) {
  std::optional<WallTime> next;
  for (const auto& [ordinal, worker] : view.workers) {
    const std::optional<WallTime> from = LostFrom(view, worker);
    if (from && view.in.now < *from) {
      next = next ? std::min(*next, *from) : from;
    }
  }
  return next;
}

}  // namespace sj::op::decide
