// SPDX-License-Identifier: Apache-2.0
// StatusServer: a worker's HTTP endpoints. /healthz: the process lives and its epoch thread moves;
// /readyz: the job runs; /status: JSON; /metrics: Prometheus text. Read-only, no secrets.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/base/clock.h"
#include "api/base/http_server.h"
#include "api/base/metrics.h"
#include "api/base/status.h"
#include "worker/runtime/job_status.h"

namespace sj::worker::control {

// What /status prints.
std::string StatusJson(const runtime::JobStatus& status);

// Copies the board into the registry's series, labelled with the job.
class StatusMetrics {
 public:
  StatusMetrics(base::MetricRegistry* registry, const std::string& job);
  void Set(const runtime::JobStatus& status);

 private:
  struct Series;
  std::unique_ptr<Series> series_;

 public:
  ~StatusMetrics();
};

// `board` is not owned and outlives the server.
base::Result<std::unique_ptr<base::HttpServer>> StartStatusServer(const std::string& address,
                                                                  uint16_t port,
                                                                  const std::string& job,
                                                                  runtime::StatusBoard* board);

}  // namespace sj::worker::control
