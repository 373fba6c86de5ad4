// SPDX-License-Identifier: Apache-2.0
// Action: one effect on the cluster, a small value that prints as one line. The shim in
// operator/reconcile carries actions out in order and stops at the first that fails; each is safe
// to repeat. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operator/decide/view.h"

namespace sj::op::decide {

enum class ActionKind : uint8_t {
  kAddFinalizer,
  kApply,        // server-side apply of `object`
  kScale,        // spec.replicas of the StatefulSet `object` to `replicas`
  kDelete,       // `object` as observed: its UID and version are preconditions
  kForceDelete,  // the same without waiting for anybody's word; pods only
  kRemoveFinalizer,
};

struct Action {
  ActionKind kind = ActionKind::kApply;
  Json object;  // with apiVersion and kind; null for the finalizer kinds
  int replicas = 0;
  std::string why;
  // Needs a fresh quorum read of the job first: it stops or removes something.
  bool destructive = false;
};
// "apply StatefulSet orders-worker: spec.replicas: 1, want 2".
std::string ToString(const Action& action);

// What to do now that the status is as stored. Empty while a generation is still to be written.
std::vector<Action> PlanActions(const View& view);

}  // namespace sj::op::decide
