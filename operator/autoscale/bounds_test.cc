// SPDX-License-Identifier: Apache-2.0
// Times in, bounds out.
#include "operator/autoscale/bounds.h"

#include <gtest/gtest.h>

namespace sj::op::autoscale {
namespace {

using v1alpha1::Weekday;

// 2026-01-05 is a Monday.
std::string At(const v1alpha1::EffectiveAutoscaling& spec, const char* time) {
  const Bounds bounds = BoundsAt(spec, base::ParseTime(time).value());
  return std::to_string(bounds.low) + "-" + std::to_string(bounds.high) +
         (bounds.schedule.empty() ? "" : " " + bounds.schedule);
}

v1alpha1::EffectiveAutoscaling Spec(std::vector<v1alpha1::AutoscalingSchedule> schedules) {
  v1alpha1::EffectiveAutoscaling spec;
  spec.min_replicas = 1;
  spec.max_replicas = 8;
  spec.schedules = std::move(schedules);
  return spec;
}

TEST(Bounds, WithoutScheduleTheSpecRules) {
  EXPECT_EQ(At(Spec({}), "2026-01-05T12:00:00Z"), "1-8");
}

TEST(Bounds, EndIsNotPartOfIt) {
  const auto spec = Spec({{"day", {}, "08:30", "18:00", 4, 16}});
  EXPECT_EQ(At(spec, "2026-01-05T08:29:59Z"), "1-8");
  EXPECT_EQ(At(spec, "2026-01-05T08:30:00Z"), "4-16 day");
  EXPECT_EQ(At(spec, "2026-01-05T17:59:59Z"), "4-16 day");
  EXPECT_EQ(At(spec, "2026-01-05T18:00:00Z"), "1-8");
}

TEST(Bounds, DaysAreThoseOfTheStart) {
  const auto spec = Spec({{"", {Weekday::kFri}, "22:00", "06:00", 3, {}}});
  EXPECT_EQ(At(spec, "2026-01-09T23:00:00Z"), "3-8 schedule 1");
  EXPECT_EQ(At(spec, "2026-01-10T05:59:00Z"), "3-8 schedule 1");
  EXPECT_EQ(At(spec, "2026-01-10T06:00:00Z"), "1-8");
  EXPECT_EQ(At(spec, "2026-01-10T23:00:00Z"), "1-8");
  EXPECT_EQ(At(spec, "2026-01-09T05:00:00Z"), "1-8");
}

TEST(Bounds, EqualTimesAreAWholeDay) {
  const auto spec = Spec({{"sunday", {Weekday::kSun}, "12:00", "12:00", {}, 2}});
  EXPECT_EQ(At(spec, "2026-01-04T11:59:00Z"), "1-8");
  EXPECT_EQ(At(spec, "2026-01-04T12:00:00Z"), "1-2 sunday");
  EXPECT_EQ(At(spec, "2026-01-05T11:59:00Z"), "1-2 sunday");
}

TEST(Bounds, FirstMatchRules) {
  const auto spec = Spec({{"a", {}, "08:00", "10:00", 4, {}}, {"b", {}, "09:00", "11:00", 6, {}}});
  EXPECT_EQ(At(spec, "2026-01-05T09:30:00Z"), "4-8 a");
  EXPECT_EQ(At(spec, "2026-01-05T10:30:00Z"), "6-8 b");
}

TEST(Bounds, AreBoundsWhateverTheSpecSays) {
  v1alpha1::EffectiveAutoscaling spec;
  spec.min_replicas = -3;
  spec.max_replicas = -7;
  EXPECT_EQ(At(spec, "2026-01-05T09:30:00Z"), "1-1");
}

}  // namespace
}  // namespace sj::op::autoscale
