// SPDX-License-Identifier: Apache-2.0
// What an edit of each spec field does to a running job: one table, shown to users in events before
// anything stops. Whether state fits a new plan is not decided here: the worker compares plans and
// refuses with reason StateIncompatible. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "operator/decide/view.h"

namespace sj::op::decide {

enum class ChangeClass : uint8_t {
  kIgnore,   // workers do not notice
  kRescale,  // new generation, no process restarts
  kRestart,  // new generation with new processes, from the last committed epoch
  kRefused,  // fixed for the life of the job
};
std::string_view ToString(ChangeClass change);

struct FieldClass {
  std::string_view field;  // path below spec; a prefix of the paths it speaks for
  ChangeClass change;
  std::string_view why;
};
std::span<const FieldClass> FieldClasses();
// The class of the longest entry that is a prefix of `field`; kRestart for an unknown one.
ChangeClass ClassOf(std::string_view field);

struct SpecChange {
  ChangeClass change = ChangeClass::kIgnore;  // the strongest of all fields
  std::vector<std::string> fields;            // changed paths, one level below lists
};
SpecChange Compare(const Json& before, const Json& after);

// "restart: sql and checkpoint.interval changed": from the manifest that runs to the one wanted.
std::string DescribeChange(const View& view);

}  // namespace sj::op::decide
