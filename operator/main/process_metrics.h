// SPDX-License-Identifier: Apache-2.0
// ProcessMetrics: the process_* metrics every Prometheus client offers, read from /proc.
#pragma once

#include "api/base/clock.h"
#include "api/base/metrics.h"

namespace sj::op::main {

// Thread-compatible.
class ProcessMetrics {
 public:
  // Outlived by both.
  ProcessMetrics(base::MetricRegistry& registry, const base::Clock& clock);
  // Reads the values of now; call before the registry is printed.
  void Update();

 private:
  base::Gauge resident_, cpu_, descriptors_, threads_;
};

}  // namespace sj::op::main
