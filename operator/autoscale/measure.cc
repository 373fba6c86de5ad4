// SPDX-License-Identifier: Apache-2.0
// See measure.h.
#include "operator/autoscale/measure.h"

#include <fmt/format.h>

#include <algorithm>

namespace sj::op::autoscale {
namespace {

constexpr Millis kSilentAfter{20'000};
constexpr double kBacklogSeconds = 5;  // more than this to read counts as a backlog
constexpr double kRateMax = 1e9;       // records/s of one worker
constexpr Millis kBlockedMin{10'000};  // shorter ones are ordinary transactions
constexpr Millis kReachBack{10'000};   // how far before the window its first point may lie

double Seconds(Millis time) {
  return static_cast<double>(time.count()) / 1000;
}

// One worker over the window.
struct Share {
  double read_rate = 0;
  double lag_growth = 0;  // records/s
  int64_t lag = 0;
  int64_t lag_lowest = 0;
  double busy = 0;
  double busiest = 0;
  double back_pressure = 0;
};

// The points of the window, from the one at its beginning or before it: a short
// window holds two reports or three, and two alone would not span it.
std::vector<const Point*> PointsOf(const WorkerTrack& track, WallTime since) {
  std::vector<const Point*> points;
  for (const Point& point : track.points) {
    if (point.at <= since) {
      points.clear();
    }
    if (point.at >= since - kReachBack) {
      points.push_back(&point);
    }
  }
  return points;
}

// What is wrong with the points of worker `ordinal`.
std::optional<Unmeasured> Problem(const std::vector<const Point*>& points, int ordinal,
                                  const MeasureInput& in) {
  if (points.empty() || in.now - points.back()->at > kSilentAfter) {
    return Unmeasured{"MetricsMissing", fmt::format("worker {} does not report", ordinal)};
  }
  const auto bad = [&](bool Point::*flag) {
    return std::any_of(points.begin(), points.end(),
                       [&](const Point* point) { return !(point->*flag); });
  };
  if (bad(&Point::valid)) {
    return Unmeasured{"MetricsInvalid",
                      fmt::format("worker {} reports numbers that cannot be true", ordinal)};
  }
  if (bad(&Point::complete)) {
    return Unmeasured{"MetricsMissing", fmt::format("worker {} does not report its load", ordinal)};
  }
  if (std::any_of(points.begin(), points.end(), [](const Point* p) { return !p->lag; })) {
    return Unmeasured{"LagUnknown",
                      fmt::format("lag unknown: worker {} has not heard the end of all its "
                                  "partitions",
                                  ordinal)};
  }
  if (points.back()->at - points.front()->at < in.window * 6 / 10) {
    return Unmeasured{"Measuring", "the workers have run for too short a time to be measured"};
  }
  const double rate = static_cast<double>(points.back()->records_in - points.front()->records_in) /
                      Seconds(points.back()->at - points.front()->at);
  const bool falls = std::adjacent_find(points.begin(), points.end(), [](auto* a, auto* b) {
                       return b->records_in < a->records_in;
                     }) != points.end();
  if (falls || rate > kRateMax) {
    return Unmeasured{"MetricsInvalid",
                      fmt::format("worker {} reports an impossible progress", ordinal)};
  }
  return std::nullopt;
}

Share ShareOf(const std::vector<const Point*>& points) {
  const Point& first = *points.front();
  const Point& last = *points.back();
  const double span = Seconds(last.at - first.at);
  Share share;
  share.read_rate = static_cast<double>(last.records_in - first.records_in) / span;
  share.lag_growth = static_cast<double>(*last.lag - *first.lag) / span;
  share.lag = *last.lag;
  share.lag_lowest = share.lag;
  const double count = static_cast<double>(points.size());
  for (const Point* point : points) {
    share.lag_lowest = std::min(share.lag_lowest, *point->lag);
    share.busy += point->busy / count;
    share.busiest += point->busiest / count;
    share.back_pressure += point->back_pressure / count;
  }
  return share;
}

void AddInput(const control::InputReport& input, Measurement& all, int64_t& hot_lag) {
  all.threads = std::max(all.threads, input.threads);
  all.keyed = all.keyed || input.keyed;
  if (input.lag_time_ms && *input.lag_time_ms >= 0) {
    all.lag_ms = std::max(all.lag_ms.value_or(0), *input.lag_time_ms);
  }
  if (input.blocked_partitions > 0 && input.blocked_for >= kBlockedMin) {
    all.blocked_partitions += input.blocked_partitions;
    all.blocked_for = std::max(all.blocked_for, input.blocked_for);
  }
  for (const control::PartitionLoad& partition : input.hottest) {
    if (partition.lag > hot_lag) {
      hot_lag = partition.lag;
      all.hot_topic = partition.topic;
      all.hot_partition = partition.partition;
    }
  }
}

void Add(const Share& share, int ordinal, Measurement& all) {
  all.read_rate += share.read_rate;
  all.arrival_rate += share.read_rate + share.lag_growth;
  all.lag += share.lag;
  all.busy += share.busy / all.workers;
  if (ordinal == 0 || share.busiest > all.busiest) {
    all.busiest = share.busiest;
    all.busiest_worker = ordinal;
  }
  all.back_pressure = std::max(all.back_pressure, share.back_pressure);
  const bool backlogged = share.read_rate > 0 &&
                          static_cast<double>(share.lag_lowest) > share.read_rate * kBacklogSeconds;
  all.backlogged_workers += backlogged ? 1 : 0;
}

}  // namespace

std::variant<Measurement, Unmeasured> Measure(const MeasureInput& in) {
  Measurement all;
  all.workers = in.workers;
  int64_t hot_lag = 0;
  const WorkerTrack none{};
  for (int ordinal = 0; ordinal < in.workers; ++ordinal) {
    auto it = in.track.workers().find(ordinal);
    const WorkerTrack& worker = it != in.track.workers().end() ? it->second : none;
    const std::vector<const Point*> points = PointsOf(worker, in.now - in.window);
    if (std::optional<Unmeasured> problem = Problem(points, ordinal, in)) {
      return *std::move(problem);
    }
    Add(ShareOf(points), ordinal, all);
    AddInput(*worker.input, all, hot_lag);
  }
  all.arrival_rate = std::max(all.arrival_rate, 0.0);
  all.busy_threads = all.busy * all.workers * all.threads;
  if (all.lag > 0 && hot_lag > 0) {
    all.hot_share = std::min(static_cast<double>(hot_lag) / static_cast<double>(all.lag), 1.0);
  }
  return all;
}

}  // namespace sj::op::autoscale
