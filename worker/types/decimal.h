// SPDX-License-Identifier: Apache-2.0
// DECIMAL arithmetic on unscaled 128-bit integers, with Flink's rules: results that do not fit the
// precision are NULL, rounding is HALF_UP. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "worker/types/column.h"

namespace sj::worker::types {

inline constexpr int kDecimalPrecisionMax = 38;

Int128 PowerOfTen(int exponent);  // REQUIRES: 0 <= exponent <= 38
bool FitsPrecision(Int128 unscaled, int precision);
// unscaled * 10^(to - from), HALF_UP when digits are dropped; nullopt when it does not fit
// `precision`.
std::optional<Int128> Rescale(Int128 unscaled, int from_scale, int to_scale, int precision);
// "-12.30" for (-1230, 2).
std::string DecimalToString(Int128 unscaled, int scale);
void AppendDecimal(Int128 unscaled, int scale, std::string* out);
// Accepts an optional sign, digits, one point, an exponent. Rounds HALF_UP to `scale`; nullopt when
// malformed or when it does not fit.
std::optional<Int128> ParseDecimal(std::string_view text, int precision, int scale);

// Whether ParseDecimal refuses a text only for its size.
bool IsDecimalText(std::string_view text);

}  // namespace sj::worker::types
