// SPDX-License-Identifier: Apache-2.0
// What an edit of each spec field does to a running job: one table, used by the operator and by
// `streamjob-worker diff`, shown to users before anything stops. Whether state fits a new plan is
// not decided here: the worker compares plans. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/json.h"

namespace sj::v1alpha1 {

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
SpecChange CompareSpecs(const base::Json& before, const base::Json& after);
// "sql, checkpoint.interval and 2 more changed"; "nothing changed".
std::string DescribeFields(const SpecChange& change);

}  // namespace sj::v1alpha1
