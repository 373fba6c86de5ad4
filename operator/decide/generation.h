// SPDX-License-Identifier: Apache-2.0
// Planning of generations: the assignment's number, held in the job's status. The next value is
// decided here and written under an optimistic lock before anything destructive happens. Pure.
//
//   none --first report--> 1 PREPARE --all fenced--> 1 STARTED --spec or replicas change-->
//   2 PREPARE (drain; new pods; plan known) --all fenced--> 2 STARTED ...
#pragma once

#include <optional>
#include <string>

#include "operator/decide/view.h"

namespace sj::op::decide {

struct GenerationPlan {
  // The value to write; nothing: stays as it is.
  std::optional<v1alpha1::GenerationStatus> next;
  std::string event;    // CamelCase reason of the event; empty: nothing worth one
  std::string message;  // what happens, as a sentence
  // Why a wanted change waits, as a phrase; empty: it does not.
  std::string waits_for;
};

GenerationPlan PlanGeneration(const View& view);

}  // namespace sj::op::decide
