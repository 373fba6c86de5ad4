// SPDX-License-Identifier: Apache-2.0
// HTTP headers of the control API that both sides know.
#pragma once

#include <string_view>

namespace sj::control {

// "no" on the 503 of a replica that does not lead: it closes the connection, and another one may
// reach the replica that does.
inline constexpr std::string_view kLeaderHeader = "X-StreamJob-Leader";

}  // namespace sj::control
