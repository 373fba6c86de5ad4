// SPDX-License-Identifier: Apache-2.0
// See track.h.
#include "operator/autoscale/track.h"

#include <algorithm>
#include <cmath>

namespace sj::op::autoscale {
namespace {

// Beyond these a number is no measurement.
constexpr int64_t kCountMax = int64_t{1} << 50;
constexpr double kRatioSlack = 1.05;

bool IsRatio(double value) {
  return std::isfinite(value) && value >= 0 && value <= kRatioSlack;
}

bool IsCount(int64_t value) {
  return value >= 0 && value <= kCountMax;
}

bool IsSane(const control::InputReport& input) {
  const bool hottest_ok =
      std::all_of(input.hottest.begin(), input.hottest.end(), [](const auto& partition) {
        return IsCount(partition.lag) && IsCount(partition.arrival_rate);
      });
  return input.threads >= 1 && input.threads <= 4'096 && input.partitions >= 0 &&
         IsRatio(input.busiest_ratio) && IsRatio(input.back_pressure_ratio) &&
         input.blocked_partitions >= 0 && input.blocked_for.count() >= 0 && hottest_ok;
}

Point PointOf(const Seen& seen) {
  Point point;
  point.at = seen.at;
  point.records_in = seen.records_in;
  point.lag = seen.lag_records;
  point.complete = seen.busy.has_value() && seen.input.has_value();
  point.valid = IsCount(seen.records_in) && (!seen.lag_records || IsCount(*seen.lag_records)) &&
                (!seen.busy || IsRatio(*seen.busy)) && (!seen.input || IsSane(*seen.input));
  if (!point.complete || !point.valid) {
    return point;
  }
  point.back_pressure = std::min(seen.input->back_pressure_ratio, 1.0);
  point.busy = std::clamp(*seen.busy - point.back_pressure, 0.0, 1.0);
  point.busiest = std::clamp(seen.input->busiest_ratio - point.back_pressure, point.busy, 1.0);
  return point;
}

}  // namespace

void Track::Note(const Observation& seen, Millis spacing) {
  if (seen.generation != generation_) {
    generation_ = seen.generation;
    workers_.clear();
  }
  NoteSwitch(seen);
  std::erase_if(workers_, [&](const auto& entry) { return entry.first >= seen.replicas; });
  for (const Seen& worker : seen.workers) {
    const bool member = worker.ordinal >= 0 && worker.ordinal < seen.replicas;
    if (member && worker.running && worker.generation == seen.generation) {
      NoteWorker(worker, spacing);
    }
  }
}

// A switch begins when a generation is prepared and ends when all its workers run.
void Track::NoteSwitch(const Observation& seen) {
  const auto runs = [&](const Seen& worker) {
    return worker.running && worker.ordinal >= 0 && worker.ordinal < seen.replicas &&
           worker.generation == seen.generation;
  };
  settled_ = seen.started && seen.replicas > 0 &&
             std::count_if(seen.workers.begin(), seen.workers.end(), runs) == seen.replicas;
  if (!seen.started && !switch_since_) {
    switch_since_ = seen.step_at.value_or(seen.now);
  }
  if (!settled_) {
    return;
  }
  // Another spec restarts pods: that is no cost of a rescale.
  if (switch_since_ && settled_generation_ > 0 && seen.generation > settled_generation_ &&
      seen.spec_hash == settled_hash_) {
    last_pause_ = Pause{seen.generation, std::max(seen.now - *switch_since_, Millis(1))};
  }
  switch_since_.reset();
  settled_generation_ = seen.generation;
  settled_hash_ = seen.spec_hash;
}

void Track::NoteWorker(const Seen& seen, Millis spacing) {
  WorkerTrack& track = workers_[seen.ordinal];
  if (track.incarnation != seen.incarnation) {
    track = {seen.incarnation, {}, std::nullopt};
  }
  if (!track.points.empty() && seen.at < track.points.back().at) {
    track.points.clear();  // the clock went back
  }
  if (!track.points.empty() && seen.at - track.points.back().at < spacing) {
    return;
  }
  track.points.push_back(PointOf(seen));
  track.input = seen.input;
  if (track.points.size() > kPointsMax) {
    track.points.pop_front();
  }
}

void Track::Remember(WallTime now, int replicas, Millis bucket) {
  const bool gap = !recommended_.empty() && now - recommended_.back().until > bucket * 4;
  if (gap || (!recommended_.empty() && now < recommended_.back().until)) {
    recommended_.clear();  // nobody looked in between, or the clock went back
  }
  if (!recommended_.empty() && now - recommended_.back().from < bucket) {
    Recommended& last = recommended_.back();
    last.until = now;
    last.lowest = std::min(last.lowest, replicas);
    last.highest = std::max(last.highest, replicas);
    return;
  }
  recommended_.push_back({now, now, replicas, replicas});
  if (recommended_.size() > kRecommendedMax) {
    recommended_.pop_front();
  }
}

std::optional<int> Track::LowestSince(WallTime since) const {
  std::optional<int> lowest;
  if (recommended_.empty() || recommended_.front().from > since) {
    return lowest;
  }
  for (const Recommended& entry : recommended_) {
    if (entry.until >= since) {
      lowest = std::min(lowest.value_or(entry.lowest), entry.lowest);
    }
  }
  return lowest;
}

std::optional<int> Track::HighestSince(WallTime since) const {
  std::optional<int> highest;
  if (recommended_.empty() || recommended_.front().from > since) {
    return highest;
  }
  for (const Recommended& entry : recommended_) {
    if (entry.until >= since) {
      highest = std::max(highest.value_or(entry.highest), entry.highest);
    }
  }
  return highest;
}

WallTime Track::CoveredAt(WallTime now, Millis length) const {
  return (recommended_.empty() ? now : recommended_.front().from) + length;
}

std::optional<WallTime> Track::LastNotAbove(int replicas) const {
  for (auto entry = recommended_.rbegin(); entry != recommended_.rend(); ++entry) {
    if (entry->lowest <= replicas) {
      return entry->until;
    }
  }
  return std::nullopt;
}

std::optional<WallTime> Track::LastNotBelow(int replicas) const {
  for (auto entry = recommended_.rbegin(); entry != recommended_.rend(); ++entry) {
    if (entry->highest >= replicas) {
      return entry->until;
    }
  }
  return std::nullopt;
}

}  // namespace sj::op::autoscale
