// SPDX-License-Identifier: Apache-2.0
// Cleanup: what a deletion takes away outside Kubernetes, as spec.deletionPolicy asks. The operator
// has no access there; worker 0 does it once the others are gone. Never longer than a deletion may
// take: what cannot be removed by then stays, and its names are said. Pure.
#pragma once

#include <optional>
#include <string>

#include "operator/decide/view.h"

namespace sj::op::decide {

// The worker that stays to the end: a StatefulSet of one pod has no other.
inline constexpr int kCleaner = 0;

control::Remains RemainsToRemove(const v1alpha1::DeletionPolicy& policy);

// REQUIRES: everything in `view` but cleanup is filled in.
Cleanup PlanCleanup(const View& view);

// A deletion that waits for worker 0 to clean up.
bool CleanupUnderWay(const View& view);
// What worker 0 is to be told; nothing when there is nothing to tell.
std::optional<control::CleanupOrder> CleanupOrderOf(const View& view);
// When to look again although nothing tells us to.
std::optional<WallTime> NextCleanupLook(const View& view);

}  // namespace sj::op::decide
