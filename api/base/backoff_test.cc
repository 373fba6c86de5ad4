// SPDX-License-Identifier: Apache-2.0
// Back-off: growth, bound, jitter range, repeatability.
#include "api/base/backoff.h"

#include <gtest/gtest.h>

namespace sj::base {
namespace {

TEST(Backoff, GrowsToItsBoundWithoutJitter) {
  Backoff backoff({Millis(100), Millis(450), 2.0, 0.0}, 1);
  EXPECT_EQ(backoff.Next(), Millis(100));
  EXPECT_EQ(backoff.Next(), Millis(200));
  EXPECT_EQ(backoff.Next(), Millis(400));
  EXPECT_EQ(backoff.Next(), Millis(450));
  EXPECT_EQ(backoff.Next(), Millis(450));
  EXPECT_EQ(backoff.attempts(), 5);
  backoff.Reset();
  EXPECT_EQ(backoff.attempts(), 0);
  EXPECT_EQ(backoff.Next(), Millis(100));
}

TEST(Backoff, JitterStaysInRangeAndRepeatsWithTheSeed) {
  const BackoffOptions options{Millis(1000), Millis(1000), 2.0, 0.5};
  Backoff a(options, 7);
  Backoff b(options, 7);
  bool differs = false;
  Millis last{0};
  for (int i = 0; i < 200; ++i) {
    const Millis delay = a.Next();
    EXPECT_GE(delay, Millis(500));
    EXPECT_LE(delay, Millis(1000));
    EXPECT_EQ(delay, b.Next());
    differs = differs || (i > 0 && delay != last);
    last = delay;
  }
  EXPECT_TRUE(differs);
}

TEST(Backoff, NeverOverflowsAfterManyAttempts) {
  Backoff backoff({Millis(1), Millis(30'000), 10.0, 0.0}, 1);
  Millis last{0};
  for (int i = 0; i < 10'000; ++i) {
    last = backoff.Next();
  }
  EXPECT_EQ(last, Millis(30'000));
}

}  // namespace
}  // namespace sj::base
