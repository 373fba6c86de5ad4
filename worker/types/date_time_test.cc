// SPDX-License-Identifier: Apache-2.0
// Dates and timestamps: known values, every day of many years, strict refusals.
#include "worker/types/date_time.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sj::worker::types {
namespace {

constexpr auto kSql = TimestampFormat::kSql;
constexpr auto kIso = TimestampFormat::kIso8601;

std::string Fixed(int64_t millis, int precision) {
  std::string out;
  AppendTimestampFixed(millis, precision, &out);
  return out;
}

std::string Text(int64_t millis, TimestampFormat format, bool zulu = false) {
  std::string out;
  AppendTimestamp(millis, format, zulu, &out);
  return out;
}

TEST(DateTimeTest, KnownTimestamps) {
  struct Known {
    const char* text;
    int64_t millis;
  };
  for (const Known& known :
       {Known{"1970-01-01 00:00:00", 0}, Known{"1969-12-31 23:59:59.999", -1},
        Known{"2000-02-29 12:00:00", 951825600000}, Known{"2026-01-02 03:04:05.678", 1767323045678},
        Known{"9999-12-31 23:59:59.999", 253402300799999},
        Known{"0000-01-01 00:00:00", -62167219200000},
        Known{"1600-02-29 00:00:00", -11670998400000},
        Known{"2038-01-19 03:14:08", 2147483648000}}) {
    EXPECT_EQ(ParseTimestamp(known.text, kSql), known.millis) << known.text;
    EXPECT_EQ(Text(known.millis, kSql), known.text);
    std::string iso = known.text;
    iso[10] = 'T';
    EXPECT_EQ(ParseTimestamp(iso, kIso), known.millis);
    EXPECT_EQ(Text(known.millis, kIso, true), iso + "Z");
    EXPECT_EQ(ParseTimestampLtz(iso + "Z", kIso), known.millis);
  }
}

TEST(DateTimeTest, AgreesWithChronoOnEveryDay) {
  using namespace std::chrono;
  for (int64_t day = -800'000; day < 2'932'897; day += 1) {
    year_month_day ymd{sys_days{days{day}}};
    CivilTime civil = ToCivil(day * 86'400'000 + 1);
    ASSERT_EQ(civil.year, int{ymd.year()});
    ASSERT_EQ(civil.month, static_cast<int>(unsigned{ymd.month()}));
    ASSERT_EQ(civil.day, static_cast<int>(unsigned{ymd.day()}));
    ASSERT_EQ(FromCivil(civil), day * 86'400'000 + 1);
  }
}

TEST(DateTimeTest, YearsOutsideFourDigits) {
  EXPECT_EQ(Text(-62167219200001, kSql), "-0001-12-31 23:59:59.999");
  EXPECT_EQ(Text(253402300800000, kSql), "+10000-01-01 00:00:00");
  EXPECT_EQ(ToCivil(INT64_MIN).millis, 192);
  EXPECT_EQ(ToCivil(INT64_MAX).millis, 807);
}

TEST(DateTimeTest, Fractions) {
  EXPECT_EQ(ParseTimestamp("2026-01-02 03:04:05.6", kSql), 1767323045600);
  EXPECT_EQ(ParseTimestamp("2026-01-02 03:04:05.678999999", kSql), 1767323045678);
  EXPECT_EQ(Text(1767323045600, kSql), "2026-01-02 03:04:05.6");
  EXPECT_EQ(Text(1767323045060, kSql), "2026-01-02 03:04:05.06");
  EXPECT_EQ(Fixed(1767323045600, 3), "2026-01-02 03:04:05.600");
  EXPECT_EQ(Fixed(1767323045600, 0), "2026-01-02 03:04:05");
  EXPECT_EQ(Fixed(1767323045600, 6), "2026-01-02 03:04:05.600000");
}

TEST(DateTimeTest, Offsets) {
  EXPECT_EQ(ParseTimestampLtz("1970-01-01T02:00:00+02:00", kIso), 0);
  EXPECT_EQ(ParseTimestampLtz("1969-12-31 19:00:00-05:00", kSql), 0);
  EXPECT_EQ(ParseTimestampLtz("1970-01-01 00:00:00", kSql), std::nullopt);
  EXPECT_EQ(ParseTimestamp("1970-01-01 00:00:00Z", kSql), std::nullopt);
}

TEST(DateTimeTest, Refusals) {
  for (const char* bad :
       {"", "2026", "2026-02-29 00:00:00", "2025-13-01 00:00:00", "2025-00-01 00:00:00",
        "2025-01-32 00:00:00", "2025-01-01 24:00:00", "2025-01-01 00:60:00", "2025-01-01 00:00:60",
        "2025-01-01T00:00:00", "2025-1-1 00:00:00", "2025-01-01 00:00", "2025-01-01 00:00:00.",
        "2025-01-01 00:00:00.1234567890", "1900-02-29 00:00:00", "2025-01-01 00:00:00 ",
        "+2025-01-01 00:00:00"}) {
    EXPECT_EQ(ParseTimestamp(bad, kSql), std::nullopt) << bad;
  }
}

// The usual form has a way of its own; a fourth digit of the second takes the general one.
TEST(DateTimeTest, TheUsualFormReadsAsTheGeneralOne) {
  constexpr int64_t kPrime = 7'919'000'027;  // walks all times of day over 200 years
  for (int64_t millis = -2'208'988'800'000; millis < 4'102'444'800'000; millis += kPrime) {
    std::string usual = Fixed(millis, 3);
    ASSERT_EQ(usual.size(), 23u);
    ASSERT_EQ(ParseTimestamp(usual, kSql), millis) << usual;
    ASSERT_EQ(ParseTimestamp(usual + "0", kSql), millis) << usual;
  }
  const std::string good = "2026-02-28 23:59:59.999";
  for (size_t i = 0; i < good.size(); ++i) {
    for (char c : {'/', ':', 'x', '\xff'}) {
      std::string bad = good;
      bad[i] = c == good[i] ? 'x' : c;
      EXPECT_EQ(ParseTimestamp(bad, kSql), std::nullopt) << bad;
    }
  }
  for (const char* bad :
       {"2026-02-29 00:00:00.000", "2026-00-01 00:00:00.000", "2026-13-01 00:00:00.000",
        "2026-01-00 00:00:00.000", "2026-01-01 24:00:00.000", "2026-01-01 00:60:00.000",
        "2026-01-01 00:00:60.000", "2026-01-01T00:00:00.000"}) {
    EXPECT_EQ(ParseTimestamp(bad, kSql), std::nullopt) << bad;
  }
}

TEST(DateTimeTest, DatesAndTimesOfDay) {
  EXPECT_EQ(ParseDate("1970-01-02"), 1);
  EXPECT_EQ(ParseDate("1969-12-31"), -1);
  EXPECT_EQ(ParseDate("2024-02-29"), 19782);
  EXPECT_EQ(ParseDate("2023-02-29"), std::nullopt);
  std::string out;
  AppendDate(19782, &out);
  EXPECT_EQ(out, "2024-02-29");
  EXPECT_EQ(ParseTimeOfDay("01:02:03.004"), 3723004);
  EXPECT_EQ(ParseTimeOfDay("01:02"), 3720000);
  EXPECT_EQ(ParseTimeOfDay("25:00:00"), std::nullopt);
  out.clear();
  AppendTimeOfDay(3723004, 3, &out);
  EXPECT_EQ(out, "01:02:03.004");
}

}  // namespace
}  // namespace sj::worker::types
