// SPDX-License-Identifier: Apache-2.0
// Time and duration text, and the manual clock.
#include "api/base/clock.h"

#include <gtest/gtest.h>

namespace sj::base {
namespace {

TEST(Time, FormatsAndParses) {
  const WallTime t(Millis(1'767'323'045'678));
  EXPECT_EQ(FormatTime(t), "2026-01-02T03:04:05Z");
  EXPECT_EQ(FormatTime(t, true), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(*ParseTime("2026-01-02T03:04:05.678Z"), t);
  EXPECT_EQ(*ParseTime("2026-01-02T03:04:05.678999Z"), t);
  EXPECT_EQ(*ParseTime("2026-01-02T05:04:05.678+02:00"), t);
  EXPECT_EQ(*ParseTime("2026-01-01T23:34:05.678-03:30"), t);
  EXPECT_EQ(*ParseTime("2024-02-29T00:00:00Z"), WallTime(Millis(1'709'164'800'000)));
}

TEST(Time, RefusesWhatIsNotRfc3339) {
  for (const char* text :
       {"", "2026-01-02", "2026-01-02T03:04:05", "2026-02-30T03:04:05Z", "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:05Zx", "2026-1-2T03:04:05Z", "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+0200", "+026-01-02T03:04:05Z"}) {
    EXPECT_FALSE(ParseTime(text).ok()) << text;
  }
}

TEST(Duration, ParsesAndFormats) {
  EXPECT_EQ(*ParseDuration("500ms"), Millis(500));
  EXPECT_EQ(*ParseDuration("1s"), Millis(1000));
  EXPECT_EQ(*ParseDuration("2m"), Millis(120'000));
  EXPECT_EQ(*ParseDuration("1h30m"), Millis(5'400'000));
  EXPECT_EQ(*ParseDuration("7d"), Millis(604'800'000));
  EXPECT_EQ(*ParseDuration("0"), Millis(0));
  EXPECT_EQ(FormatDuration(Millis(5'400'000)), "1h30m");
  EXPECT_EQ(FormatDuration(Millis(90'500)), "1m30s500ms");
  EXPECT_EQ(FormatDuration(Millis(0)), "0s");
  for (int64_t ms : {1L, 999L, 1'000L, 59'999L, 86'400'001L}) {
    EXPECT_EQ(*ParseDuration(FormatDuration(Millis(ms))), Millis(ms));
  }
}

TEST(Duration, RefusesTheRest) {
  for (const char* text : {"", "5", "-1s", "1.5s", "s", "1 s", "1s ", "1x", "99999999999999999h",
                           "9223372036854775807ms1ms"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(ManualClock, MovesBothClocksTogether) {
  ManualClock clock;
  const WallTime wall = clock.Wall();
  const MonoTime mono = clock.Mono();
  clock.Advance(Millis(1500));
  EXPECT_EQ(clock.Wall() - wall, Millis(1500));
  EXPECT_EQ(clock.Mono() - mono, Millis(1500));
}

}  // namespace
}  // namespace sj::base
