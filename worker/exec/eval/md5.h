// SPDX-License-Identifier: Apache-2.0
// MD5 (RFC 1321) for the SQL function of that name; never for anything that must be secure. Pure.
#pragma once

#include <string>
#include <string_view>

namespace sj::worker::exec::eval {

// 32 lower-case hex digits.
std::string Md5Hex(std::string_view data);

}  // namespace sj::worker::exec::eval
