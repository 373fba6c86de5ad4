// SPDX-License-Identifier: Apache-2.0
// Measure: the reports of a window as rates and ratios of the whole job. All or nothing: one worker
// whose numbers are missing or impossible makes the job unmeasured, and says why. Pure.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "operator/autoscale/track.h"

namespace sj::op::autoscale {

struct Measurement {
  int workers = 0;
  int threads = 1;  // of a worker
  bool keyed = false;
  double read_rate = 0;     // records/s
  double arrival_rate = 0;  // what is read and what the lag grows by
  int64_t lag = 0;
  std::optional<int64_t> lag_ms;  // the worst worker's
  double busy_threads = 0;        // sum over workers: task threads kept busy
  double busy = 0;                // mean of the workers
  double busiest = 0;             // busiest thread of the busiest worker
  int busiest_worker = 0;
  double back_pressure = 0;    // of the worker that waits most
  int backlogged_workers = 0;  // had records to read over the whole window
  int blocked_partitions = 0;
  Millis blocked_for{};
  // The partition with the most lag, and its share of the whole lag.
  std::string hot_topic;
  int hot_partition = -1;
  double hot_share = 0;
};

struct Unmeasured {
  std::string reason;   // CamelCase
  std::string message;  // a phrase
};

struct MeasureInput {
  const Track& track;
  WallTime now{};
  Millis window{};
  int workers = 0;
};
std::variant<Measurement, Unmeasured> Measure(const MeasureInput& in);

}  // namespace sj::op::autoscale
