// SPDX-License-Identifier: Apache-2.0
// Rounding, and when a status is worth a write.
#include "operator/autoscale/wording.h"

#include <gtest/gtest.h>

#include <limits>

namespace sj::op::autoscale {
namespace {

using v1alpha1::AutoscalingStatus;

constexpr Millis kRefresh{60'000};

AutoscalingStatus Status() {
  AutoscalingStatus status;
  status.decision = status.current = status.recommended = 2;
  status.inputs = v1alpha1::AutoscalingInputs{};
  status.inputs->read_rate = 1'000;
  status.terms = v1alpha1::AutoscalingTerms{};
  status.observed_time = WallTime(Millis(0));
  return status;
}

bool Worth(const AutoscalingStatus& after, int64_t ms) {
  const AutoscalingStatus before = Status();
  return WorthWriting(&before, after, WallTime(Millis(ms)), kRefresh);
}

TEST(Wording, TwoDigits) {
  EXPECT_EQ(Rounded(0), 0);
  EXPECT_EQ(Rounded(7.6), 8);
  EXPECT_EQ(Rounded(94.4), 94);
  EXPECT_EQ(Rounded(12'345), 12'000);
  EXPECT_EQ(Rounded(-5), 0);
  EXPECT_EQ(Rounded(std::numeric_limits<double>::quiet_NaN()), 0);
  EXPECT_EQ(Rounded(std::numeric_limits<double>::infinity()), 0);
  EXPECT_EQ(Rounded(1e300), 1'000'000'000'000'000);
}

TEST(Wording, NumbersAreWrittenWhenTheyMovedAndTimeHasPassed) {
  AutoscalingStatus after = Status();
  EXPECT_FALSE(Worth(after, 1'000'000));
  after.inputs->read_rate = 1'200;
  EXPECT_FALSE(Worth(after, 1'000'000));
  after.inputs->read_rate = 1'400;
  EXPECT_TRUE(Worth(after, 60'000));
  EXPECT_FALSE(Worth(after, 59'999));
  after = Status();
  after.inputs->lag_records = 0;
  EXPECT_TRUE(Worth(after, 60'000));  // unknown before
}

TEST(Wording, ReasonsWaitForTheRefreshAndDecisionsDoNot) {
  AutoscalingStatus after = Status();
  after.veto = "Stabilizing";
  EXPECT_FALSE(Worth(after, 1'000));
  EXPECT_TRUE(Worth(after, 60'000));
  after = Status();
  after.decision = 3;
  EXPECT_TRUE(Worth(after, 1));
  after = Status();
  after.current = 3;
  EXPECT_TRUE(Worth(after, 1));
  EXPECT_TRUE(WorthWriting(nullptr, Status(), WallTime(Millis(1)), kRefresh));
}

TEST(Wording, ALearntPauseIsToldAtOnce) {
  AutoscalingStatus before = Status();
  before.history.push_back({});
  AutoscalingStatus after = before;
  EXPECT_FALSE(WorthWriting(&before, after, WallTime(Millis(1)), kRefresh));
  after.history[0].pause_ms = 4'000;
  EXPECT_TRUE(WorthWriting(&before, after, WallTime(Millis(1)), kRefresh));
}

}  // namespace
}  // namespace sj::op::autoscale
