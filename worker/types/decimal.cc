// SPDX-License-Identifier: Apache-2.0
// DECIMAL on unscaled 128-bit integers. No value here ever exceeds 38 digits, so no intermediate
// overflows: every widening is checked against the power-of-ten table first.
#include "worker/types/decimal.h"

#include <algorithm>
#include <array>

#include "api/base/check.h"

namespace sj::worker::types {
namespace {

constexpr int kExponentMax = 1'000'000;  // beyond it the answer is zero or "does not fit" anyway

constexpr std::array<Int128, 39> MakePowers() {
  std::array<Int128, 39> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) {
    powers[i] = powers[i - 1] * 10;
  }
  return powers;
}
constexpr std::array<Int128, 39> kPowers = MakePowers();

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// The parts of "[+-]digits[.digits][e[+-]digits]".
struct Number {
  bool negative = false;
  std::string_view whole, fraction;
  int exponent = 0;
};

std::string_view TakeDigits(std::string_view* text) {
  size_t n = 0;
  while (n < text->size() && IsDigit((*text)[n])) {
    ++n;
  }
  std::string_view digits = text->substr(0, n);
  text->remove_prefix(n);
  return digits;
}

bool TakeSign(std::string_view* text) {
  if (text->empty() || (text->front() != '-' && text->front() != '+')) {
    return false;
  }
  bool negative = text->front() == '-';
  text->remove_prefix(1);
  return negative;
}

bool TakeExponent(std::string_view text, int* exponent) {
  bool negative = TakeSign(&text);
  std::string_view digits = TakeDigits(&text);
  if (digits.empty() || !text.empty()) {
    return false;
  }
  int value = 0;
  for (char c : digits) {
    value = std::min(value * 10 + (c - '0'), kExponentMax);
  }
  *exponent = negative ? -value : value;
  return true;
}

bool Split(std::string_view text, Number* out) {
  out->negative = TakeSign(&text);
  out->whole = TakeDigits(&text);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    out->fraction = TakeDigits(&text);
  }
  if (out->whole.empty() && out->fraction.empty()) {
    return false;
  }
  if (text.empty()) {
    return true;
  }
  return (text.front() == 'e' || text.front() == 'E') &&
         TakeExponent(text.substr(1), &out->exponent);
}

}  // namespace

bool IsDecimalText(std::string_view text) {
  Number number;
  return Split(text, &number);
}

Int128 PowerOfTen(int exponent) {
  SJ_CHECK(exponent >= 0 && exponent <= kDecimalPrecisionMax);
  return kPowers[static_cast<size_t>(exponent)];
}

bool FitsPrecision(Int128 unscaled, int precision) {
  Int128 bound = PowerOfTen(precision);
  return unscaled < bound && unscaled > -bound;
}

std::optional<Int128> Rescale(Int128 unscaled, int from_scale, int to_scale, int precision) {
  int up = to_scale - from_scale;
  if (up > 0) {
    if (unscaled == 0) {
      return 0;
    }
    if (up >= precision || !FitsPrecision(unscaled, precision - up)) {
      return std::nullopt;
    }
    return unscaled * PowerOfTen(up);
  }
  if (up < 0) {
    if (-up > kDecimalPrecisionMax) {
      return 0;
    }
    Int128 divisor = PowerOfTen(-up);
    Int128 rest = unscaled % divisor;
    Int128 magnitude = rest < 0 ? -rest : rest;
    unscaled /= divisor;
    if (magnitude >= divisor - magnitude) {
      unscaled += rest < 0 ? -1 : 1;
    }
  }
  if (!FitsPrecision(unscaled, precision)) {
    return std::nullopt;
  }
  return unscaled;
}

void AppendDecimal(Int128 unscaled, int scale, std::string* out) {
  unsigned __int128 rest = static_cast<unsigned __int128>(unscaled);
  if (unscaled < 0) {
    out->push_back('-');
    rest = -rest;
  }
  char digits[48];
  size_t begin = sizeof(digits);
  int written = 0;
  while (rest != 0 || written <= scale) {
    digits[--begin] = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
    ++written;
    if (written == scale) {
      digits[--begin] = '.';
    }
  }
  out->append(digits + begin, sizeof(digits) - begin);
}

std::string DecimalToString(Int128 unscaled, int scale) {
  std::string out;
  AppendDecimal(unscaled, scale, &out);
  return out;
}

std::optional<Int128> ParseDecimal(std::string_view text, int precision, int scale) {
  Number number;
  if (!Split(text, &number)) {
    return std::nullopt;
  }
  auto digit_at = [&number](size_t i) {
    return i < number.whole.size() ? number.whole[i] : number.fraction[i - number.whole.size()];
  };
  size_t count = number.whole.size() + number.fraction.size();
  size_t first = 0;
  while (first < count && digit_at(first) == '0') {
    ++first;
  }
  if (first == count) {
    return 0;
  }
  // Digits of the unscaled result: all of them and `shift` zeros, or all but the last -shift.
  int64_t shift = int64_t{number.exponent} - static_cast<int64_t>(number.fraction.size()) + scale;
  int64_t keep = static_cast<int64_t>(count - first) + shift;
  if (keep > precision) {
    return std::nullopt;
  }
  if (keep < 0) {
    return 0;
  }
  Int128 value = 0;
  for (size_t i = first; i < first + static_cast<size_t>(keep); ++i) {
    value = value * 10 + (i < count ? digit_at(i) - '0' : 0);
  }
  size_t next = first + static_cast<size_t>(keep);
  if (next < count && digit_at(next) >= '5') {
    value += 1;
  }
  if (!FitsPrecision(value, precision)) {
    return std::nullopt;
  }
  return number.negative ? -value : value;
}

}  // namespace sj::worker::types
