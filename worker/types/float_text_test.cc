// SPDX-License-Identifier: Apache-2.0
// Java's spelling of floating-point numbers.
#include "worker/types/float_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace sj::worker::types {
namespace {

std::string Text(double v) {
  std::string out;
  AppendJavaDouble(v, &out);
  return out;
}

TEST(FloatTextTest, JavaSpelling) {
  EXPECT_EQ(Text(0), "0.0");
  EXPECT_EQ(Text(-0.0), "-0.0");
  EXPECT_EQ(Text(1), "1.0");
  EXPECT_EQ(Text(100), "100.0");
  EXPECT_EQ(Text(123456.789), "123456.789");
  EXPECT_EQ(Text(9999999), "9999999.0");
  EXPECT_EQ(Text(1e7), "1.0E7");
  EXPECT_EQ(Text(1.25e10), "1.25E10");
  EXPECT_EQ(Text(0.001), "0.001");
  EXPECT_EQ(Text(0.00099), "9.9E-4");
  EXPECT_EQ(Text(-1.5e-300), "-1.5E-300");
  EXPECT_EQ(Text(std::numeric_limits<double>::max()), "1.7976931348623157E308");
  EXPECT_EQ(Text(std::nan("")), "NaN");
  EXPECT_EQ(Text(-std::numeric_limits<double>::infinity()), "-Infinity");
  std::string out;
  AppendJavaFloat(0.1f, &out);
  EXPECT_EQ(out, "0.1");
}

TEST(FloatTextTest, ReadsBack) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 20'000; ++i) {
    double v = std::bit_cast<double>(random());
    if (!std::isnan(v)) {
      ASSERT_EQ(ParseDouble(Text(v)), v);
    }
  }
}

TEST(FloatTextTest, Parses) {
  EXPECT_EQ(ParseDouble("+1.5"), 1.5);
  EXPECT_EQ(ParseDouble("-.5"), -.5);
  EXPECT_EQ(ParseDouble("1e400"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(ParseDouble("1e-400"), 0.0);
  for (const char* bad : {"", "+", "--1", "+-1", "inf", "nan", "1.5x", " 1", "1 ", "e5"}) {
    EXPECT_EQ(ParseDouble(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace sj::worker::types
