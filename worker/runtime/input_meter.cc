// SPDX-License-Identifier: Apache-2.0
// See input_meter.h.
#include "worker/runtime/input_meter.h"

#include <algorithm>
#include <set>
#include <utility>

namespace sj::worker::runtime {
namespace {

constexpr double kSmoothing = 0.2;

double Seconds(base::MonoTime from, base::MonoTime to) {
  return std::chrono::duration<double>(to - from).count();
}

// Between two counters that only grow; a smaller one is another thread's.
double Share(uint64_t before, uint64_t now, double span_s) {
  const double spent_s = now > before ? static_cast<double>(now - before) / 1e9 : 0;
  return std::clamp(spent_s / span_s, 0.0, 1.0);
}

bool Hotter(const PartitionLoad& a, const PartitionLoad& b) {
  return std::pair(a.lag, a.arrival_rate) > std::pair(b.lag, b.arrival_rate);
}

}  // namespace

void InputMeter::Threads(const Sample& sample, InputLoad* load) const {
  const double span = Seconds(last_->now, sample.now);
  const size_t threads = std::min(sample.busy_ns.size(), last_->busy_ns.size());
  for (size_t i = 0; i < threads; ++i) {
    load->busiest_ratio =
        std::max(load->busiest_ratio, Share(last_->busy_ns[i], sample.busy_ns[i], span));
  }
  load->back_pressure_ratio = Share(last_->waited_ns, sample.waited_ns,
                                    span * std::max<double>(static_cast<double>(threads), 1));
}

// Partitions that were handed over would come back with a rate of all the time in between.
void InputMeter::ForgetOthers(const Sample& sample) {
  std::set<types::InputPartition> here;
  for (const NamedLag& input : sample.inputs) {
    here.insert({input.topic, input.lag.partition});
  }
  std::erase_if(seen_, [&](const auto& entry) { return !here.contains(entry.first); });
}

void InputMeter::Partitions(const Sample& sample, InputLoad* load) {
  ForgetOthers(sample);
  bool lag_time_known = true;
  int64_t lag_time = 0;
  for (const NamedLag& input : sample.inputs) {
    const connect::PartitionLag& lag = input.lag;
    Seen& seen = seen_[{input.topic, lag.partition}];
    if (last_ && sample.now > last_->now && seen.log_end >= 0 && lag.log_end >= seen.log_end) {
      const double rate =
          static_cast<double>(lag.log_end - seen.log_end) / Seconds(last_->now, sample.now);
      seen.rate += (rate - seen.rate) * kSmoothing;
    }
    const bool blocked = lag.at_stable_end && lag.log_end > lag.position;
    if (!blocked || seen.position != lag.position) {
      seen.since = sample.now;
    }
    seen.position = lag.position;
    seen.log_end = lag.log_end;
    if (blocked) {
      load->blocked_partitions += 1;
      load->unstable_records += lag.log_end - lag.position;
      const auto waits = std::chrono::duration_cast<base::Millis>(sample.now - seen.since);
      load->blocked_for_ms = std::max<int64_t>(load->blocked_for_ms, waits.count());
    }
    const int64_t behind =
        lag.stable_end < 0 ? 0 : std::max<int64_t>(0, lag.stable_end - lag.position);
    if (behind > 0 || seen.rate > 0) {
      load->hottest.push_back(
          {input.topic, lag.partition, behind, static_cast<int64_t>(seen.rate)});
    }
    lag_time_known =
        lag_time_known && lag.stable_end >= 0 && (behind == 0 || lag.last_record_ms > 0);
    if (behind > 0 && lag.last_record_ms > 0) {
      lag_time = std::max(lag_time, sample.wall.time_since_epoch().count() - lag.last_record_ms);
    }
  }
  if (lag_time_known) {
    load->lag_time_ms = lag_time;
  }
  const size_t shown = std::min(load->hottest.size(), kHottestMax);
  std::partial_sort(load->hottest.begin(), load->hottest.begin() + static_cast<ptrdiff_t>(shown),
                    load->hottest.end(), Hotter);
  load->hottest.resize(shown);
}

void InputMeter::Take(const Sample& sample) {
  InputLoad load;
  load.threads = static_cast<int>(sample.busy_ns.size());
  load.keyed = sample.keyed;
  load.partitions = static_cast<int>(sample.inputs.size());
  Partitions(sample, &load);
  if (last_ && sample.now > last_->now) {
    Threads(sample, &load);
    load_ = std::move(load);
  }
  last_ = sample;
}

}  // namespace sj::worker::runtime
