// SPDX-License-Identifier: Apache-2.0
// Replay: one policy on one load, counted. Pure but for the policy's own memory.
#pragma once

#include <string>
#include <vector>

#include "operator/autoscale/simulator/policies.h"

namespace sj::op::autoscale::simulator {

struct Minute {
  double rate = 0;
  double lag = 0;
  int workers = 0;
};

struct Outcome {
  std::string policy;
  std::string load;
  int rescales = 0;
  int rescales_per_hour_max = 0;  // in any hour
  double lag_time = 0;            // record-seconds: the lag over time
  double lag_max = 0;
  double worker_hours = 0;
  int workers_max = 0;
  int workers_last = 0;
  std::vector<Minute> minutes;
};

Outcome Replay(const JobSpec& spec, const Load& load, Policy& policy);

}  // namespace sj::op::autoscale::simulator
