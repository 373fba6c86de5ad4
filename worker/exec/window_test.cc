// SPDX-License-Identifier: Apache-2.0
// Window assignment: floors, offsets, hopping, extremes.
#include "worker/exec/window.h"

#include <gtest/gtest.h>

#include <random>

namespace sj::worker::exec {
namespace {

WindowAssigner Tumble(int64_t size, int64_t offset) {
  plan::WindowSpec spec;
  spec.size_ms = size;
  spec.offset_ms = offset;
  return *WindowAssigner::Make(spec);
}

TEST(WindowTest, TumbleFloorsBelowZero) {
  WindowAssigner windows = Tumble(60'000, 0);
  EXPECT_EQ(windows.LastEnd(0), 60'000);
  EXPECT_EQ(windows.LastEnd(59'999), 60'000);
  EXPECT_EQ(windows.LastEnd(60'000), 120'000);
  EXPECT_EQ(windows.LastEnd(-1), 0);
  EXPECT_EQ(windows.LastEnd(-60'000), 0);
  EXPECT_EQ(windows.LastEnd(-60'001), -60'000);
}

TEST(WindowTest, OffsetsAndTheCacheAgreeWithArithmetic) {
  std::mt19937_64 random(1);
  for (int64_t offset : {int64_t{0}, int64_t{7}, int64_t{-13}, int64_t{250}}) {
    WindowAssigner windows = Tumble(100, offset);
    for (int i = 0; i < 10'000; ++i) {
      int64_t t = static_cast<int64_t>(random() % 2000) - 1000;
      int64_t start = t;
      while ((start - offset) % 100 != 0) {
        --start;
      }
      ASSERT_EQ(windows.LastEnd(t), start + 100) << t << " " << offset;
    }
  }
}

TEST(WindowTest, HopGivesEveryWindow) {
  plan::WindowSpec spec;
  spec.kind = plan::WindowKind::kHop;
  spec.size_ms = 50;
  spec.slide_ms = 20;
  WindowAssigner windows = *WindowAssigner::Make(spec);
  for (int64_t t = -200; t < 200; ++t) {
    std::vector<int64_t> want;
    for (int64_t start = 400; start >= -400; start -= 20) {
      if (start <= t && t < start + 50) {
        want.push_back(start + 50);
      }
    }
    std::vector<int64_t> got;
    for (int64_t k = 0; k < windows.windows_max(); ++k) {
      int64_t end = windows.LastEnd(t) - k * windows.slide_ms();
      if (windows.Holds(end, t)) {
        got.push_back(end);
      }
    }
    ASSERT_EQ(got, want) << t;
  }
}

TEST(WindowTest, ExtremesDoNotOverflow) {
  WindowAssigner windows = Tumble(3'600'000, 1);
  for (int64_t t : {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX}) {
    int64_t end = windows.LastEnd(t);
    EXPECT_GE(end, INT64_MIN + 2);
    EXPECT_LE(end, INT64_MAX - 2);
  }
}

TEST(WindowTest, RefusesWhatCannotRun) {
  plan::WindowSpec spec;
  EXPECT_FALSE(WindowAssigner::Make(spec).ok()) << "no size";
  spec.size_ms = 1000;
  spec.kind = plan::WindowKind::kSession;
  EXPECT_EQ(WindowAssigner::Make(spec).status().kind(), base::ErrorKind::kInvalidArgument);
  spec.kind = plan::WindowKind::kHop;
  EXPECT_FALSE(WindowAssigner::Make(spec).ok()) << "no slide";
  spec.slide_ms = 1;
  spec.size_ms = 100'000;
  EXPECT_FALSE(WindowAssigner::Make(spec).ok()) << "too many windows for a row";
}

TEST(WindowTest, ClosedAndExpired) {
  EXPECT_FALSE(WindowClosed(100, 98));
  EXPECT_TRUE(WindowClosed(100, 99));
  EXPECT_FALSE(WindowClosed(100, types::kWatermarkMin));
  EXPECT_TRUE(WindowClosed(100, types::kWatermarkMax));
  EXPECT_EQ(ExpiredBelow(99), 101);
  EXPECT_EQ(ExpiredBelow(types::kWatermarkMin), INT64_MIN);
  EXPECT_EQ(ExpiredBelow(types::kWatermarkMax), INT64_MAX);
}

}  // namespace
}  // namespace sj::worker::exec
