// SPDX-License-Identifier: Apache-2.0
// See formula.h.
#include "operator/autoscale/formula.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sj::op::autoscale {
namespace {

// A change needs more than this: utilisation a seventh above the target, or a catch-up that takes
// longer than asked; fewer workers must have a tenth to spare.
constexpr double kUpSlack = 1.15;
constexpr double kCatchUpSlack = 1.05;
constexpr double kDownSlack = 1.1;
constexpr double kObservedBelow = 0.87;  // busy less than this with a backlog: busy time misleads
constexpr double kBackPressureMax = 0.3;
constexpr double kSkewMin = 2;
constexpr double kHotShareMin = 0.5;
constexpr double kGainMin = 1.05;    // of the capacity: less is no help
constexpr double kGainShare = 0.25;  // twice the workers: a quarter more at least

struct Units {
  int count = 1;
  std::string topic;  // empty: shards
};

// The widest topic is what workers can share; a keyed plan cannot use more of them than shards.
Units UnitsOf(const FormulaInput& in) {
  Units units;
  for (const auto& [topic, count] : in.partitions) {
    if (units.topic.empty() || count > units.count) {
      units = {std::max(count, 1), topic};
    }
  }
  if (in.measured.keyed && in.shards < units.count) {
    units = {std::max(in.shards, 1), ""};
  }
  return units;
}

LoadModel ModelOf(const FormulaInput& in, int units) {
  const Measurement& m = in.measured;
  LoadInput load{m.read_rate, m.busy_threads, m.busiest, m.workers, m.threads, units};
  // Workers with a backlog do what they can. If their threads are idle meanwhile, something
  // outside of them is the limit, and what they read is the true rate.
  const bool backlogged = m.backlogged_workers * 2 > m.workers;
  if (backlogged && m.back_pressure <= kBackPressureMax && m.busiest < kObservedBelow) {
    load.busy_threads *= 1 / std::max(m.busiest, 0.005);
    load.busiest = 1;
  }
  return LoadModel(load);
}

void NameLimit(const FormulaInput& in, const LoadModel& model, const Units& units, Demand& out) {
  const Measurement& m = in.measured;
  if (model.Capacity(1'000'000) > model.Capacity(in.high) * kGainMin) {
    out.limit = "MaxReplicas";
    out.limit_message = fmt::format("more workers are needed but maxReplicas is {}", in.high);
    return;
  }
  const bool hot = model.skew() >= kSkewMin;
  if (hot && m.hot_share >= kHotShareMin && m.hot_partition >= 0) {
    out.limit = "HotPartition";
    out.limit_message = fmt::format(
        "more workers cannot help: partition {} of topic {} has {:.0f} % of the lag, and one "
        "thread reads a partition",
        m.hot_partition, m.hot_topic, m.hot_share * 100);
    return;
  }
  if (hot) {
    out.limit = "HotKey";
    out.limit_message = fmt::format(
        "more workers cannot help: the busiest thread of worker {} has {:.1f} times its share, so "
        "a key or partition is hot",
        m.busiest_worker, model.skew());
    return;
  }
  out.limit = units.topic.empty() ? "ShardLimit" : "PartitionLimit";
  out.limit_message =
      units.topic.empty()
          ? fmt::format("more workers cannot help: the job has {} shards", units.count)
          : fmt::format("more workers cannot help: topic {} has {} partition{}", units.topic,
                        units.count, units.count == 1 ? "" : "s");
}

// The largest count up to `needed` whose gain is worth its workers: with a hot partition a second
// or third set of workers would read a few per cent more.
int WorthIt(const LoadModel& model, int now, int needed) {
  const double capacity = model.Capacity(now);
  for (int workers = needed; workers > now; --workers) {
    const double more = static_cast<double>(workers) / now - 1;
    const bool step = model.Capacity(workers) > model.Capacity(workers - 1);
    if (step && model.Capacity(workers) > capacity * std::max(kGainMin, 1 + more * kGainShare)) {
      return workers;
    }
  }
  return now;
}

// Nothing arrives and nothing waits.
bool Idle(const Measurement& m) {
  return m.read_rate <= 0 && m.lag == 0;
}

}  // namespace

double Demand::capacity_of(int workers) const {
  auto it = capacities.find(workers);
  return it != capacities.end() ? it->second : 0;
}

Demand Apply(const FormulaInput& in) {
  const Measurement& m = in.measured;
  Demand out;
  out.arrival_rate = m.arrival_rate;
  out.lag = m.lag;
  out.wanted = in.low;
  if (Idle(m)) {
    return out;
  }
  const double catch_up_s = std::max(static_cast<double>(in.catch_up.count()) / 1000, 1.0);
  const double pause_s = static_cast<double>(in.pause.count()) / 1000;
  out.headroom = m.arrival_rate / in.target;
  out.catch_up = static_cast<double>(m.lag) / catch_up_s;
  out.rescale = m.arrival_rate * pause_s / catch_up_s;
  const double backlog_needs = m.arrival_rate + out.catch_up + out.rescale;
  out.required = std::max(out.headroom, backlog_needs);
  const Units units = UnitsOf(in);
  const LoadModel model = ModelOf(in, units.count);
  for (int workers = 1; workers <= std::max(in.high, m.workers); ++workers) {
    out.capacities[workers] = model.Capacity(workers);
  }
  out.capacity = model.Capacity(m.workers);
  out.wanted = m.workers;
  const bool short_of = out.headroom > out.capacity * kUpSlack ||
                        (out.catch_up > 0 && backlog_needs > out.capacity * kCatchUpSlack);
  if (short_of) {
    out.wanted = WorthIt(model, m.workers, model.Needed(out.required, in.low, in.high));
    if (model.Capacity(out.wanted) * kUpSlack < out.required) {
      NameLimit(in, model, units, out);
    }
  } else {
    const int needed = model.Needed(out.required * kDownSlack, in.low, in.high);
    out.wanted = std::min(m.workers, needed);
  }
  out.wanted_capacity = model.Capacity(out.wanted);
  return out;
}

}  // namespace sj::op::autoscale
