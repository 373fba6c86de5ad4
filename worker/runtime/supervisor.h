// SPDX-License-Identifier: Apache-2.0
// RunJob: runs this worker's share of a job until it is stopped, completed, fenced, or cannot go
// on. An attempt that fails is thrown away whole (threads, local state, producers) and started
// again from what is committed: an uncertain outcome is never continued in memory.
#pragma once

#include <atomic>

#include "worker/runtime/epoch_loop.h"
#include "worker/runtime/job_config.h"
#include "worker/runtime/job_status.h"

namespace sj::worker::runtime {

struct RestartPolicy {
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{10'000};
  // An error that a retry cannot mend (bad option, wrong secret, missing topic): tried again this
  // seldom, because somebody may mend it outside; zero: RunJob returns it.
  std::chrono::milliseconds retry_user_errors{30'000};
  int attempts_max = 0;  // 0: no bound
};

// One attempt. Errors: kFenced (end the process), anything else as its fault and retry say.
base::Result<Outcome> RunAttempt(const JobConfig& config, const JobHooks& hooks,
                                 const base::Clock& clock, StatusBoard* board,
                                 const std::atomic<bool>& stop);

// Attempts until an outcome, kFenced, or what the policy gives up on.
base::Result<Outcome> RunJob(const JobConfig& config, const JobHooks& hooks,
                             const base::Clock& clock, const RestartPolicy& policy,
                             StatusBoard* board, const std::atomic<bool>& stop);

}  // namespace sj::worker::runtime
