// SPDX-License-Identifier: Apache-2.0
// Signs are taken off first; magnitudes are 128 bits wide and products 256. What fits 128 bits, as
// nearly everything does, never meets the wide code.
#include "worker/types/decimal_math.h"

#include <algorithm>

#include "api/base/check.h"

namespace sj::worker::types {
namespace {

using Wide = unsigned __int128;

struct Wide256 {
  Wide high = 0;
  Wide low = 0;
};

Wide Magnitude(Int128 v) {
  return v < 0 ? -static_cast<Wide>(v) : static_cast<Wide>(v);
}

Wide256 Multiply(Wide a, Wide b) {
  Wide a0 = static_cast<uint64_t>(a);
  Wide a1 = a >> 64;
  Wide b0 = static_cast<uint64_t>(b);
  Wide b1 = b >> 64;
  Wide low = a0 * b0;
  Wide mid = a1 * b0 + (low >> 64);
  Wide mid2 = a0 * b1 + static_cast<uint64_t>(mid);
  return {a1 * b1 + (mid >> 64) + (mid2 >> 64), (mid2 << 64) | static_cast<uint64_t>(low)};
}

struct Quotient {
  bool fits = false;  // in 128 bits
  Wide value = 0;
  Wide rest = 0;
};

// Shift and subtract. REQUIRES: 0 < d < 2^127.
Quotient Divide(Wide256 n, Wide d) {
  if (n.high == 0) {
    return {true, n.low / d, n.low % d};
  }
  if (n.high >= d) {
    return {};
  }
  Wide rest = n.high;
  Wide value = 0;
  for (int bit = 127; bit >= 0; --bit) {
    rest = (rest << 1) | ((n.low >> bit) & 1);
    value <<= 1;
    if (rest >= d) {
      rest -= d;
      value |= 1;
    }
  }
  return {true, value, rest};
}

std::optional<Int128> Finish(Quotient q, Wide divisor, bool negative, int precision) {
  if (!q.fits) {
    return std::nullopt;
  }
  Wide value = q.value + (q.rest >= divisor - q.rest ? 1 : 0);
  if (value >= static_cast<Wide>(PowerOfTen(precision))) {
    return std::nullopt;
  }
  Int128 out = static_cast<Int128>(value);
  return negative ? -out : out;
}

// n / 10^drop, rounded; drop < 0 widens.
std::optional<Int128> DropDigits(Wide256 n, int drop, bool negative, int precision) {
  if (drop <= 0) {
    if (n.high != 0) {
      return std::nullopt;
    }
    if (n.low == 0) {
      return 0;
    }
    if (-drop >= precision || n.low >= static_cast<Wide>(PowerOfTen(precision + drop))) {
      return std::nullopt;
    }
    Int128 out = static_cast<Int128>(n.low) * PowerOfTen(-drop);
    return negative ? -out : out;
  }
  if (drop > kDecimalPrecisionMax) {
    // Two steps. Cutting first and rounding last is exact, for half of a power of ten is whole.
    Quotient first = Divide(n, static_cast<Wide>(PowerOfTen(kDecimalPrecisionMax)));
    if (!first.fits) {
      return std::nullopt;
    }
    return DropDigits({0, first.value}, drop - kDecimalPrecisionMax, negative, precision);
  }
  Wide divisor = static_cast<Wide>(PowerOfTen(drop));
  return Finish(Divide(n, divisor), divisor, negative, precision);
}

// Sign-magnitude sum of a * 10^ka and b * 10^kb.
struct Sum {
  bool negative = false;
  Wide256 magnitude;
};

bool Less(Wide256 a, Wide256 b) {
  return a.high != b.high ? a.high < b.high : a.low < b.low;
}

Sum AddScaled(Int128 a, int ka, Int128 b, int kb) {
  Wide256 x = Multiply(Magnitude(a), static_cast<Wide>(PowerOfTen(ka)));
  Wide256 y = Multiply(Magnitude(b), static_cast<Wide>(PowerOfTen(kb)));
  bool x_negative = a < 0;
  if (x_negative == (b < 0)) {
    Wide low = x.low + y.low;
    return {x_negative, {x.high + y.high + (low < x.low ? 1 : 0), low}};
  }
  if (Less(x, y)) {
    std::swap(x, y);
    x_negative = !x_negative;
  }
  return {x_negative, {x.high - y.high - (x.low < y.low ? 1 : 0), x.low - y.low}};
}

}  // namespace

std::optional<Int128> DecimalAdd(DecimalOperand a, DecimalOperand b, DecimalShape result) {
  int scale = std::max(a.scale, b.scale);
  Sum sum = AddScaled(a.unscaled, scale - a.scale, b.unscaled, scale - b.scale);
  return DropDigits(sum.magnitude, scale - result.scale, sum.negative, result.precision);
}

std::optional<Int128> DecimalMultiply(DecimalOperand a, DecimalOperand b, DecimalShape result) {
  bool negative = (a.unscaled < 0) != (b.unscaled < 0);
  Wide256 product = Multiply(Magnitude(a.unscaled), Magnitude(b.unscaled));
  return DropDigits(product, a.scale + b.scale - result.scale, negative, result.precision);
}

std::optional<Int128> DecimalDivide(DecimalOperand a, DecimalOperand b, DecimalShape result) {
  SJ_CHECK(b.unscaled != 0);
  bool negative = (a.unscaled < 0) != (b.unscaled < 0);
  Wide n = Magnitude(a.unscaled);
  Wide d = Magnitude(b.unscaled);
  int shift = result.scale + b.scale - a.scale;  // of a, in digits
  if (shift < 0) {  // a has more digits after the point than are wanted: a larger divisor
    Wide256 divisor = Multiply(d, static_cast<Wide>(PowerOfTen(-shift)));
    if (divisor.high != 0 || divisor.low >> 127 != 0) {
      return 0;  // above 1.7e38, so the quotient is below one half
    }
    return Finish(Divide({0, n}, divisor.low), divisor.low, negative, result.precision);
  }
  int first = std::min(shift, kDecimalPrecisionMax);
  Quotient q = Divide(Multiply(n, static_cast<Wide>(PowerOfTen(first))), d);
  int more = shift - first;
  if (!q.fits || more == 0) {
    return Finish(q, d, negative, result.precision);
  }
  Wide step = static_cast<Wide>(PowerOfTen(more));
  Wide256 whole = Multiply(q.value, step);
  Quotient tail = Divide(Multiply(q.rest, step), d);
  if (whole.high != 0 || whole.low >> 127 != 0 || !tail.fits) {
    return std::nullopt;
  }
  tail.value += whole.low;
  return Finish(tail, d, negative, result.precision);
}

std::optional<Int128> DecimalRemainder(DecimalOperand a, DecimalOperand b, DecimalShape result) {
  SJ_CHECK(b.unscaled != 0);
  int scale = std::max(a.scale, b.scale);
  Wide256 divisor = Multiply(Magnitude(b.unscaled), static_cast<Wide>(PowerOfTen(scale - b.scale)));
  Wide rest = Magnitude(a.unscaled);  // when b, widened, is larger than any a
  if (divisor.high == 0 && divisor.low >> 127 == 0) {
    // a mod b digit by digit would do; 256 bits let it be one step. The quotient may not fit, so
    // the high half is reduced first.
    Wide256 n = Multiply(rest, static_cast<Wide>(PowerOfTen(scale - a.scale)));
    n.high %= divisor.low;
    rest = Divide(n, divisor.low).rest;
  }
  return DropDigits({0, rest}, scale - result.scale, a.unscaled < 0, result.precision);
}

std::strong_ordering DecimalCompare(DecimalOperand a, DecimalOperand b) {
  if (a.scale == b.scale) {
    return a.unscaled <=> b.unscaled;
  }
  int scale = std::max(a.scale, b.scale);
  Sum difference = AddScaled(a.unscaled, scale - a.scale, -b.unscaled, scale - b.scale);
  if (difference.magnitude.high == 0 && difference.magnitude.low == 0) {
    return std::strong_ordering::equal;
  }
  return difference.negative ? std::strong_ordering::less : std::strong_ordering::greater;
}

}  // namespace sj::worker::types
