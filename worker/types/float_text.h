// SPDX-License-Identifier: Apache-2.0
// FLOAT and DOUBLE as Java spells them ("1.0", "1.0E10", "NaN"), which is what Flink writes, with
// the fewest digits that read back to the same value. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sj::worker::types {

void AppendJavaDouble(double v, std::string* out);
void AppendJavaFloat(float v, std::string* out);
// Optional sign, digits, point, exponent, or NaN or Infinity; the whole text.
std::optional<double> ParseDouble(std::string_view text);

}  // namespace sj::worker::types
