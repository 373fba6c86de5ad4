// SPDX-License-Identifier: Apache-2.0
// What to do next, for every reason a job is not ready: one sentence for whoever is on call, in
// conditions, events and the dashboard alike. Pure, thread-safe.
#pragma once

#include <string_view>

namespace sj::op::decide {

// Empty when there is nothing to do but wait.
std::string_view NextStep(std::string_view reason);

}  // namespace sj::op::decide
