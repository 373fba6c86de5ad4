// SPDX-License-Identifier: Apache-2.0
// Phases of a simulated job.
#include "worker/runtime/testing/sim_job.h"

#include <stdlib.h>

#include <thread>

#include "api/base/check.h"
#include "api/base/log.h"

namespace sj::worker::runtime::testing {

SimJob::SimJob(std::string sql) : sql_(std::move(sql)) {
  base::SetLog(base::LogLevel::kError, base::LogFormat::kText);
  std::string name = (std::filesystem::temp_directory_path() / "sj-sim-XXXXXX").string();
  SJ_CHECK(mkdtemp(name.data()) != nullptr);
  directory_ = name;
}

SimJob::~SimJob() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

base::Status SimJob::Plan() {
  SJ_ASSIGN_OR_RETURN(plan_, plan::PlanSql(sql_));
  return base::OkStatus();
}

std::vector<JobConfig> SimJob::Configs(const Phase& phase) {
  generation_ += 1;
  std::vector<JobConfig> configs;
  for (int ordinal = 0; ordinal < phase.replicas; ++ordinal) {
    if (phase.only >= 0 && ordinal != phase.only) {
      continue;
    }
    JobConfig config;
    config.plan = plan_;
    config.connect.job_id = config.job_uid = "sim";
    config.generation = generation_;
    config.ordinal = config.connect.ordinal = ordinal;
    config.replicas = phase.replicas;
    config.shards = 4;
    config.max_parallelism = 16;
    // Ordinal 0 takes over the ids of those that are gone.
    for (int gone = phase.replicas; ordinal == 0 && gone < replicas_before_; ++gone) {
      config.fence_ordinals.push_back(gone);
    }
    config.committed_partitions = phase.committed;
    config.epoch_interval = std::chrono::milliseconds(5);
    config.watermark_interval = std::chrono::milliseconds(1);
    config.rows_per_poll = 3;
    config.threads = phase.threads;
    config.store.location = "file://" + (directory_ / "checkpoints").string();
    config.scratch_directory = (directory_ / ("scratch" + std::to_string(ordinal))).string();
    configs.push_back(std::move(config));
  }
  replicas_before_ = phase.replicas;
  return configs;
}

base::Status SimJob::RunToEnd(const Phase& phase) {
  return Run(phase, "", false);
}

base::Status SimJob::RunToGate(const Phase& phase, const std::string& topic, bool crash) {
  return Run(phase, topic, crash);
}

base::Status SimJob::Run(const Phase& phase, const std::string& gate_topic, bool crash) {
  std::vector<JobConfig> configs = Configs(phase);
  JobHooks hooks;
  hooks.connectors = SimKafka::MakeConnectors(&kafka_);
  RestartPolicy policy;
  policy.backoff_min = std::chrono::milliseconds(1);
  policy.backoff_max = std::chrono::milliseconds(5);
  policy.retry_user_errors = std::chrono::milliseconds(0);
  policy.attempts_max = phase.attempts_max;
  std::atomic<bool> stop{false};
  std::vector<base::Status> results(configs.size());
  std::vector<StatusBoard> boards(configs.size());
  std::vector<std::thread> workers;
  for (size_t i = 0; i < configs.size(); ++i) {
    workers.emplace_back([&, i] {
      auto outcome = RunJob(configs[i], hooks, base::RealClock(), policy, &boards[i], stop);
      results[i] = outcome.status();
    });
  }
  base::Status gate;
  if (!gate_topic.empty()) {
    if (!kafka_.WaitCommitted(gate_topic, std::chrono::seconds(60))) {
      gate = base::Internal("the gate was not committed in time");
    }
    if (crash) {
      kafka_.CutAll();
    }
    stop.store(true);
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  for (base::Status& result : results) {
    if (!result.ok() && !crash) {
      return std::move(result);
    }
  }
  return gate;
}

}  // namespace sj::worker::runtime::testing
