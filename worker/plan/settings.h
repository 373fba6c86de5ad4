// SPDX-License-Identifier: Apache-2.0
// SET and RESET: the settings a job's text may give, and what values they take. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/physical.h"
#include "worker/sql/ast.h"

namespace sj::worker::plan {

// "5 s", "500ms", "1 min"; a bare number is milliseconds. nullopt: malformed or negative.
std::optional<int64_t> ParseDurationMs(std::string_view text);

base::Status ApplySet(const sql::SetOption& set, std::vector<Setting>* settings);
base::Status ApplyReset(const sql::ResetOption& reset, std::vector<Setting>* settings);

// Names of all settings, for the reference page.
std::vector<std::string_view> SettingNames();

}  // namespace sj::worker::plan
