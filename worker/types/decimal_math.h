// SPDX-License-Identifier: Apache-2.0
// Arithmetic of two DECIMALs of own scales, exact to 256 bits, then rounded HALF_UP once to the
// result's scale. nullopt: the result does not fit its precision (SQL: NULL). Pure functions.
// REQUIRES everywhere: at most 38 digits in every operand, 0 <= scale <= 38.
#pragma once

#include <compare>
#include <optional>

#include "worker/types/decimal.h"

namespace sj::worker::types {

struct DecimalOperand {
  Int128 unscaled = 0;
  int scale = 0;
};

struct DecimalShape {
  int precision = 38;
  int scale = 0;
};

std::optional<Int128> DecimalAdd(DecimalOperand a, DecimalOperand b, DecimalShape result);
std::optional<Int128> DecimalMultiply(DecimalOperand a, DecimalOperand b, DecimalShape result);
// REQUIRES: b is not zero (also for DecimalRemainder, whose sign is a's).
std::optional<Int128> DecimalDivide(DecimalOperand a, DecimalOperand b, DecimalShape result);
std::optional<Int128> DecimalRemainder(DecimalOperand a, DecimalOperand b, DecimalShape result);
std::strong_ordering DecimalCompare(DecimalOperand a, DecimalOperand b);

}  // namespace sj::worker::types
