// SPDX-License-Identifier: Apache-2.0
// Decimals against strings and against plain 128-bit arithmetic.
#include "worker/types/decimal.h"

#include <gtest/gtest.h>

#include <random>

#include "worker/types/decimal_math.h"

namespace sj::worker::types {
namespace {

std::string Parse(std::string_view text, int precision, int scale) {
  std::optional<Int128> v = ParseDecimal(text, precision, scale);
  return v ? DecimalToString(*v, scale) : "none";
}

TEST(DecimalTest, Prints) {
  EXPECT_EQ(DecimalToString(-1230, 2), "-12.30");
  EXPECT_EQ(DecimalToString(0, 0), "0");
  EXPECT_EQ(DecimalToString(0, 3), "0.000");
  EXPECT_EQ(DecimalToString(5, 3), "0.005");
  EXPECT_EQ(DecimalToString(-5, 1), "-0.5");
  EXPECT_EQ(DecimalToString(PowerOfTen(38) - 1, 38), "0." + std::string(38, '9'));
  EXPECT_EQ(DecimalToString(-(PowerOfTen(38) - 1), 0), "-" + std::string(38, '9'));
}

TEST(DecimalTest, ParsesAndRounds) {
  EXPECT_EQ(Parse("12.345", 10, 2), "12.35");
  EXPECT_EQ(Parse("-12.345", 10, 2), "-12.35");
  EXPECT_EQ(Parse("12.344999", 10, 2), "12.34");
  EXPECT_EQ(Parse("+.5", 10, 2), "0.50");
  EXPECT_EQ(Parse("7.", 10, 2), "7.00");
  EXPECT_EQ(Parse("1e3", 10, 2), "1000.00");
  EXPECT_EQ(Parse("1.25E-1", 10, 2), "0.13");
  EXPECT_EQ(Parse("000000000000000000000000000000000000000000001.5", 3, 1), "1.5");
  EXPECT_EQ(Parse("0.0000000000000000000000000000000000000000000009", 3, 1), "0.0");
  EXPECT_EQ(Parse("0.5", 1, 0), "1");
  EXPECT_EQ(Parse("0.4", 1, 0), "0");
  EXPECT_EQ(Parse("99.95", 3, 1), "none") << "rounds to 100.0";
  EXPECT_EQ(Parse("1000", 3, 0), "none");
  EXPECT_EQ(Parse("1e999999999999", 38, 0), "none");
  EXPECT_EQ(Parse("0e999999999999", 38, 0), "0");
  EXPECT_EQ(Parse("1e-999999999999", 38, 0), "0");
  for (const char* bad : {"", ".", "-", "1.2.3", "1e", "1e+", "abc", " 1", "1 ", "0x1", "NaN"}) {
    EXPECT_EQ(Parse(bad, 10, 2), "none") << bad;
  }
}

TEST(DecimalTest, RescaleRoundsHalfUp) {
  EXPECT_TRUE(Rescale(1234, 2, 3, 10) == Int128{12340});
  EXPECT_TRUE(Rescale(125, 2, 1, 10) == Int128{13});
  EXPECT_TRUE(Rescale(-125, 2, 1, 10) == Int128{-13});
  EXPECT_TRUE(Rescale(124, 2, 1, 10) == Int128{12});
  EXPECT_FALSE(Rescale(999, 0, 1, 3).has_value());
  EXPECT_FALSE(Rescale(PowerOfTen(38) - 1, 0, 1, 38).has_value());
  EXPECT_TRUE(Rescale(PowerOfTen(38) - 1, 38, 0, 38) == Int128{1});
  EXPECT_TRUE(Rescale(0, 0, 38, 38) == Int128{0});
}

TEST(DecimalTest, RandomRoundTripsAndRescales) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 20'000; ++i) {
    int scale = static_cast<int>(random() % 19);
    int64_t v = static_cast<int64_t>(random()) >> (random() % 63);
    auto parsed = ParseDecimal(DecimalToString(v, scale), 38, scale);
    ASSERT_TRUE(parsed && *parsed == v);
    int to = static_cast<int>(random() % 19);
    auto rescaled = Rescale(v, scale, to, 38);
    // HALF_UP by another way: add half of the divisor to the magnitude, then cut.
    Int128 magnitude = v < 0 ? -Int128{v} : Int128{v};
    Int128 want = to >= scale ? magnitude * PowerOfTen(to - scale)
                              : (magnitude + PowerOfTen(scale - to) / 2) / PowerOfTen(scale - to);
    ASSERT_TRUE(rescaled.has_value());
    ASSERT_TRUE(*rescaled == (v < 0 ? -want : want)) << v << " " << scale << " " << to;
    ASSERT_TRUE(ParseDecimal(DecimalToString(v, scale), 38, to) == rescaled);
  }
}

Int128 Wide(const std::string& text) {
  std::optional<Int128> v = ParseDecimal(text, 38, 0);
  EXPECT_TRUE(v.has_value()) << text;
  return v.value_or(0);
}

TEST(DecimalMathTest, SmallOperandsAgreeWithPlainArithmetic) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 50'000; ++i) {
    int sa = static_cast<int>(random() % 7);
    int sb = static_cast<int>(random() % 7);
    int sr = static_cast<int>(random() % 9);
    Int128 a = static_cast<int64_t>(random()) >> (20 + random() % 40);
    Int128 b = static_cast<int64_t>(random()) >> (20 + random() % 40);
    if (b == 0) {
      b = 3;
    }
    Int128 wa = a * PowerOfTen(10 - sa);
    Int128 wb = b * PowerOfTen(10 - sb);
    ASSERT_TRUE(DecimalAdd({a, sa}, {b, sb}, {38, sr}) == Rescale(wa + wb, 10, sr, 38));
    ASSERT_TRUE(DecimalMultiply({a, sa}, {b, sb}, {38, sr}) == Rescale(a * b, sa + sb, sr, 38));
    ASSERT_TRUE(DecimalRemainder({a, sa}, {b, sb}, {38, sr}) == Rescale(wa % wb, 10, sr, 38));
    ASSERT_TRUE(DecimalCompare({a, sa}, {b, sb}) == (wa <=> wb));
    Int128 n = (wa < 0 ? -wa : wa) * PowerOfTen(sr);
    Int128 d = wb < 0 ? -wb : wb;
    Int128 want = (2 * n + d) / (2 * d);
    ASSERT_TRUE(DecimalDivide({a, sa}, {b, sb}, {38, sr}) == ((wa < 0) != (wb < 0) ? -want : want));
  }
}

TEST(DecimalMathTest, WideOperands) {
  Int128 nines = PowerOfTen(38) - 1;
  EXPECT_FALSE(DecimalAdd({nines, 0}, {1, 0}, {38, 0}).has_value());
  EXPECT_TRUE(DecimalAdd({nines, 0}, {-nines, 0}, {38, 0}) == Int128{0});
  // 10^37 * 10^-20 + 10^17 * 10^0, results cut to scale 6.
  EXPECT_TRUE(DecimalAdd({PowerOfTen(37), 20}, {PowerOfTen(30), 0}, {38, 6}) ==
              PowerOfTen(36) + PowerOfTen(23));
  EXPECT_TRUE(DecimalMultiply({nines, 38}, {nines, 38}, {38, 37}) == PowerOfTen(37));
  EXPECT_FALSE(DecimalMultiply({nines, 0}, {2, 0}, {38, 0}).has_value());
  EXPECT_TRUE(DecimalMultiply({Wide("12345678901234567890123456789"), 10},
                              {Wide("98765432109876543210987654321"), 20},
                              {38, 8}) == Wide("121932631137021795226185032733622923"));
  EXPECT_TRUE(DecimalDivide({1, 0}, {3, 0}, {38, 38}) == Wide(std::string(38, '3')));
  EXPECT_TRUE(DecimalDivide({1, 0}, {nines, 38}, {38, 30}) == PowerOfTen(30));
  EXPECT_TRUE(DecimalDivide({1, 38}, {nines, 0}, {38, 0}) == Int128{0});
  EXPECT_FALSE(DecimalDivide({nines, 0}, {1, 38}, {38, 6}).has_value());
  EXPECT_TRUE(DecimalRemainder({nines, 0}, {7, 38}, {38, 38}) ==
              DecimalRemainder({nines, 0}, {7, 38}, {38, 38}));
  EXPECT_TRUE(DecimalRemainder({5, 38}, {nines, 0}, {38, 38}) == Int128{5});
  EXPECT_TRUE(DecimalCompare({1, 38}, {nines, 0}) == std::strong_ordering::less);
  EXPECT_TRUE(DecimalCompare({-nines, 0}, {-1, 38}) == std::strong_ordering::less);
  EXPECT_TRUE(DecimalCompare({100, 2}, {1, 0}) == std::strong_ordering::equal);
}

}  // namespace
}  // namespace sj::worker::types
