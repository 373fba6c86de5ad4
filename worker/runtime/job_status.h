// SPDX-License-Identifier: Apache-2.0
// StatusBoard: what this worker's share of the job is doing, for /status, metrics and the operator.
// Thread-safe. Counters go on over restarts of the attempt.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "api/base/status.h"
#include "worker/types/column.h"
#include "worker/types/ids.h"

namespace sj::worker::runtime {

enum class JobPhase : uint8_t {
  kStarting,  // opening connectors, fencing
  kRestoring,
  kRunning,
  kDraining,   // the last epoch
  kStopped,    // asked to stop; everything is committed
  kCompleted,  // bounded input is used up and committed
  kFailed,     // waits before the next attempt, or gave up: see error
};
std::string_view ToString(JobPhase phase);

// How far an attempt got; with the error's kind it gives the reason a person is told.
enum class RunStage : uint8_t {
  kPlan,        // SQL to plan
  kConnect,     // connectors, topics
  kFence,       // transactional ids
  kGeneration,  // waiting for START, asking the operator
  kOffsets,     // committed positions
  kStore,       // the checkpoint store answers
  kRestore,     // checkpoints to state
  kRun,
};
// CamelCase, for conditions and events: "TopicMissing", "CheckpointStoreRefused", ...
std::string_view ReasonOf(RunStage stage, const base::Status& status);

// A partition with much to read.
struct PartitionLoad {
  std::string topic;
  int partition = 0;
  int64_t lag = 0;           // records up to the last stable offset
  int64_t arrival_rate = 0;  // records/s, from the growth of the log
};
// How the input and the threads of this worker do, over the last sample: see input_meter.h.
struct InputLoad {
  int threads = 0;
  bool keyed = false;
  int partitions = 0;
  double busiest_ratio = 0;            // of the busiest task thread
  double back_pressure_ratio = 0;      // waiting for room in the output, part of busy_ratio
  std::optional<int64_t> lag_time_ms;  // age of the last record read; 0: nothing to read
  int blocked_partitions = 0;          // wait at their last stable offset with more behind it
  int64_t blocked_for_ms = 0;          // the longest of them
  int64_t unstable_records = 0;        // behind it
  std::vector<PartitionLoad> hottest;  // by lag
};

// How far a hand-over got in this worker.
struct HandOverStatus {
  types::Generation generation = 0;  // 0: there was none
  int to_give = 0, gave = 0;         // units: source partitions and shards
  int to_take = 0, took = 0;
  bool prefetched = false;  // nothing is left to be fetched before START
  bool done = false;
};

struct JobStatus {
  JobPhase phase = JobPhase::kStarting;
  types::Generation generation = 0;
  types::Epoch epoch = 0;  // last committed
  // Oldest generation whose objects the retained footers name; known from the attempt's first
  // commit on, because only then no partition of ours names an older footer any more.
  std::optional<types::Generation> oldest_generation;
  std::optional<base::WallTime> committed_at;
  int64_t epoch_duration_ms = 0;  // from the request to the commit
  uint64_t checkpoint_bytes = 0;
  uint64_t checkpointed_state_bytes = 0;  // what a restore would read of this worker's shards
  uint64_t checkpoint_puts = 0;           // all of this process
  uint64_t checkpoint_bytes_total = 0;
  std::string checkpoint_object;
  uint64_t epochs = 0;    // committed by this process
  uint64_t restarts = 0;  // attempts after the first
  uint64_t records_in = 0;
  uint64_t rows_out = 0;
  uint64_t late_rows = 0;
  uint64_t null_times = 0;
  uint64_t bad_records = 0;
  std::string last_bad;
  int64_t lag_records = -1;  // -1: unknown
  int64_t watermark_ms = types::kWatermarkMin;
  uint64_t state_bytes = 0;
  double busy_ratio = 0;  // of all task threads, over the last sample
  std::optional<InputLoad> input;
  HandOverStatus hand_over;
  RunStage stage = RunStage::kConnect;
  base::Status error;  // why the last attempt ended; ok while running
  std::optional<base::WallTime> failed_at;
};

class StatusBoard {
 public:
  JobStatus Get() const {
    std::lock_guard<std::mutex> lock(mu_);
    return status_;
  }
  template <typename F>
  void Update(F change) {
    std::lock_guard<std::mutex> lock(mu_);
    change(status_);
  }

 private:
  mutable std::mutex mu_;
  JobStatus status_;  // guarded by mu_
};

}  // namespace sj::worker::runtime
