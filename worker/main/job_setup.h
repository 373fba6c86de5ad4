// SPDX-License-Identifier: Apache-2.0
// From a manifest to what the runtime runs: plan, connections, checkpoint store. Used by all
// commands.
#pragma once

#include <string>

#include "api/base/status.h"
#include "api/v1alpha1/stream_job.h"
#include "worker/runtime/job_config.h"

namespace sj::worker {

struct SetupOptions {
  std::string secrets_directory;  // mounted Secrets: <dir>/<secret name>/<key>
  std::string data_directory;     // scratch; empty: a temporary one
  std::string checkpoint;         // overrides spec.checkpoint.location
  std::string ca_file;
  int threads = 0;      // 0: as the spec says, or the CPUs of this process
  bool laptop = false;  // file:// checkpoints by default, credentials from the environment
};

// Reads the file: YAML, JSON or plain SQL.
base::Result<v1alpha1::StreamJob> ReadJobFile(const std::string& path);

// The SQL of the job as a plan. Errors: kInvalidArgument, "line:column: ...".
base::Result<plan::PhysicalPlan> PlanJob(const v1alpha1::StreamJob& job);

// Everything but the assignment, which is one worker with everything until it is told otherwise.
base::Result<runtime::JobConfig> MakeConfig(const v1alpha1::StreamJob& job,
                                            const SetupOptions& options);

// Checks connector options without touching the network.
base::Status CheckConnectors(const runtime::JobConfig& config);

}  // namespace sj::worker
