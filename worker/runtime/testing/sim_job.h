// SPDX-License-Identifier: Apache-2.0
// SimJob: one SQL job over a SimKafka and a temporary checkpoint directory, run by as many workers
// as a phase asks, killed or drained and started again at another parallelism.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/runtime/supervisor.h"
#include "worker/runtime/testing/sim_kafka.h"

namespace sj::worker::runtime::testing {

class SimJob {
 public:
  // Errors of the SQL are returned by Plan().
  explicit SimJob(std::string sql);
  ~SimJob();

  base::Status Plan();
  SimKafka& kafka() { return kafka_; }

  struct Phase {
    int replicas = 1;
    int threads = 1;
    int attempts_max = 1;                                      // 0: restarts as often as it takes
    std::optional<std::map<std::string, int>> committed = {};  // JobConfig::committed_partitions
    int only = -1;                                             // the one ordinal that comes up
  };
  // Runs the job to its end. The first error of a worker, if any.
  base::Status RunToEnd(const Phase& phase);
  // Runs until everything before the gate is committed, then ends the workers: `crash` cuts them
  // off as kill -9 would, otherwise they drain.
  base::Status RunToGate(const Phase& phase, const std::string& topic, bool crash);

 private:
  std::vector<JobConfig> Configs(const Phase& phase);
  base::Status Run(const Phase& phase, const std::string& gate_topic, bool crash);

  std::string sql_;
  SimKafka kafka_;
  std::filesystem::path directory_;
  plan::PhysicalPlan plan_;
  types::Generation generation_ = 0;
  int replicas_before_ = 0;
};

}  // namespace sj::worker::runtime::testing
