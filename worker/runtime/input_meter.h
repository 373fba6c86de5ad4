// SPDX-License-Identifier: Apache-2.0
// InputMeter: what the autoscaler needs to know of one worker, from samples about a second apart:
// the busiest thread, time spent waiting for the output, partitions held up by an open transaction,
// partitions with much to read and how fast their logs grow. Positions and ends are those the
// readers have heard of; nothing here asks a broker. Owned by the epoch thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "worker/connect/connector.h"
#include "worker/runtime/job_status.h"
#include "worker/types/ids.h"

namespace sj::worker::runtime {

class InputMeter {
 public:
  struct NamedLag {
    std::string topic;
    connect::PartitionLag lag;
  };
  struct Sample {
    base::MonoTime now;
    base::WallTime wall;
    bool keyed = false;
    std::vector<uint64_t> busy_ns;  // of each task thread, since its start
    uint64_t waited_ns = 0;         // for room in the output, all threads, since the start
    std::vector<NamedLag> inputs;   // every partition this worker reads
  };

  static constexpr size_t kHottestMax = 8;

  void Take(const Sample& sample);
  // Nothing before the second sample.
  const std::optional<InputLoad>& load() const { return load_; }

 private:
  struct Seen {
    int64_t position = -1;
    int64_t log_end = -1;
    base::MonoTime since;  // blocked at this position since
    double rate = 0;       // growth of the log, smoothed
  };

  void Threads(const Sample& sample, InputLoad* load) const;
  void ForgetOthers(const Sample& sample);
  void Partitions(const Sample& sample, InputLoad* load);

  std::optional<Sample> last_;
  std::map<types::InputPartition, Seen> seen_;
  std::optional<InputLoad> load_;
};

}  // namespace sj::worker::runtime
