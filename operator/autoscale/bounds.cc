// SPDX-License-Identifier: Apache-2.0
// See bounds.h.
#include "operator/autoscale/bounds.h"

#include <algorithm>
#include <chrono>

namespace sj::op::autoscale {
namespace {

using v1alpha1::AutoscalingSchedule;

int Minutes(const std::string& time) {
  const auto digit = [&](size_t i) { return i < time.size() ? time[i] - '0' : 0; };
  return (digit(0) * 10 + digit(1)) * 60 + digit(3) * 10 + digit(4);
}

// The schedule may start on this day of the week.
bool StartsOn(const AutoscalingSchedule& schedule, std::chrono::weekday day) {
  const auto wanted = static_cast<v1alpha1::Weekday>(day.iso_encoding() - 1);
  return schedule.days.empty() ||
         std::find(schedule.days.begin(), schedule.days.end(), wanted) != schedule.days.end();
}

bool Matches(const AutoscalingSchedule& schedule, base::WallTime now) {
  const auto today = std::chrono::floor<std::chrono::days>(now);
  const auto minute =
      std::chrono::duration_cast<std::chrono::minutes>(now - base::WallTime(today)).count();
  const int start = Minutes(schedule.start);
  const int end = Minutes(schedule.end);
  if (end > start) {
    return minute >= start && minute < end && StartsOn(schedule, std::chrono::weekday(today));
  }
  // Over midnight: today's evening, or the morning after yesterday's.
  const std::chrono::weekday yesterday(today - std::chrono::days(1));
  return (minute >= start && StartsOn(schedule, std::chrono::weekday(today))) ||
         (minute < end && StartsOn(schedule, yesterday));
}

}  // namespace

Bounds BoundsAt(const v1alpha1::EffectiveAutoscaling& spec, base::WallTime now) {
  Bounds bounds{spec.min_replicas, spec.max_replicas, ""};
  for (size_t i = 0; i < spec.schedules.size(); ++i) {
    const AutoscalingSchedule& schedule = spec.schedules[i];
    if (Matches(schedule, now)) {
      bounds.low = schedule.min_replicas.value_or(bounds.low);
      bounds.high = schedule.max_replicas.value_or(bounds.high);
      bounds.schedule = schedule.name.empty() ? "schedule " + std::to_string(i + 1) : schedule.name;
      break;
    }
  }
  bounds.low = std::max(bounds.low, 1);
  bounds.high = std::max(bounds.high, bounds.low);
  return bounds;
}

}  // namespace sj::op::autoscale
