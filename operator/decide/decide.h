// SPDX-License-Identifier: Apache-2.0
// Decide: the whole control logic of a StreamJob as one pure function. Same input, same output; no
// clock, no I/O, no memory between calls. The shim writes the status first (under the job's
// resourceVersion) and then carries the actions out in order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/decide/action.h"
#include "operator/decide/directive.h"
#include "operator/decide/input.h"

namespace sj::op::decide {

struct Event {
  bool warning = false;
  std::string reason;
  std::string message;
};

// What the autoscaler asked for, to be remembered, and when to ask it again.
struct ScalingNote {
  int replicas = 0;
  Millis bucket{};
  Millis look_again{};
};

struct Output {
  v1alpha1::StreamJobStatus status;
  bool status_changed = false;
  // True when the status holds a new generation: nothing else is done before it is stored.
  bool generation_changed = false;
  std::vector<Action> actions;
  std::vector<Event> events;            // told once the status is stored
  std::optional<Millis> requeue_after;  // nothing: only when something changes
  std::optional<ScalingNote> scaling;   // nothing: it was not asked
  // Set when the clean-up of a deletion has just come to its end: removed or given up.
  std::optional<v1alpha1::CleanupState> cleanup_ended;
  Directive directive;                // for the workers, valid for the job as it was read
  std::optional<std::string> defect;  // an illegal phase move: a defect of ours, to be logged
};

Output Decide(const Input& in);

}  // namespace sj::op::decide
