// SPDX-License-Identifier: Apache-2.0
// Rollout: what happens to an edit of the user's before and after the workers change for it.
// Before: a running worker judges it (pre-flight), and until it fits what runs goes on. After: a
// spec that does not become ready goes back to the last stable one. Both by the same means: a
// manifest kept in its ConfigMap stays in force (View::held), the user's spec is never written.
// Pure.
#pragma once

#include <optional>
#include <string>

#include "operator/decide/view.h"

namespace sj::op::decide {

// REQUIRES: everything in `view` but goal, rollout and held is filled in.
Rollout PlanRollout(const View& view);

// The manifest of that spec hash as a ConfigMap of ours holds it, checked against the hash.
std::optional<v1alpha1::StreamJobSpec> StoredManifest(const Children& children,
                                                      const std::string& spec_hash);
// "restart: sql, checkpoint.interval changed": from what runs to what is wanted.
std::string DescribeChange(const View& view);

// The ordinal of the worker to be asked about the user's edit; -1: there is nothing to ask, or
// nobody.
int WorkerToAsk(const View& view);
std::string CheckManifest(const View& view);  // what it is asked about

// The user's edit is not in force and will not be until the user acts. `reason` is CamelCase.
struct Block {
  std::string reason;
  std::string message;
};
std::optional<Block> BlockedEdit(const View& view);
// Rolled out, failed past its time, and there is no way back: rollback is off.
std::optional<Block> StuckRollout(const View& view);

// When to look again although nothing tells us to.
std::optional<WallTime> NextRolloutLook(const View& view);

}  // namespace sj::op::decide
