// SPDX-License-Identifier: Apache-2.0
// PlanDiff: what becomes of the stored state when one plan takes the place of another. The whole
// state of a checkpoint is taken over or refused, never in part; the operators are told apart to
// say why. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/plan/physical.h"

namespace sj::worker::plan {

enum class StateFate : uint8_t {
  kKept,          // means the same in both plans
  kNew,           // only the new plan has it
  kDropped,       // only the old plan has it
  kIncompatible,  // both have an operator of that id, with another meaning
};
std::string_view ToString(StateFate fate);

struct OperatorChange {
  int op = 0;        // PhysicalOp::id, the name in state
  std::string what;  // "TUMBLE window of 60000 ms by user_id": of the new plan unless dropped
  StateFate fate = StateFate::kKept;
  std::string why;  // kIncompatible: the first fact that differs
};

struct PlanDiff {
  bool compatible = true;                 // a checkpoint of the old plan can start the new one
  std::vector<OperatorChange> operators;  // by id
  std::vector<std::string> sources_new;   // "connector=kafka;topic=orders;"
  std::vector<std::string> sources_dropped;
};
PlanDiff DiffPlans(const PhysicalPlan& before, const PhysicalPlan& after);

// "1 stateful operator keeps its state"; "operator 1 (TUMBLE ...) is incompatible: key was user_id,
// is item": one line, the first trouble and how many more.
std::string Summary(const PlanDiff& diff);
// A line for each operator and each source that comes or goes.
std::string Describe(const PlanDiff& diff);

}  // namespace sj::worker::plan
