// SPDX-License-Identifier: Apache-2.0
// Policies: ways to choose a replica count, all on the same model. `flink` follows the formula and
// the defaults of Flink's Kubernetes operator's autoscaler for a one-vertex job, `keda` the Kafka
// scaler of KEDA behind a Horizontal Pod Autoscaler with its default behaviour.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "operator/autoscale/simulator/job_model.h"

namespace sj::op::autoscale::simulator {

class Policy {
 public:
  virtual ~Policy() = default;
  virtual const char* name() const = 0;
  // Called every second. A replica count: rescale to it.
  virtual std::optional<int> Look(const JobModel& job) = 0;
};

struct FlinkSettings {
  const char* name = "Flink";
  double target = 0.7;
  double boundary = 0.3;
  int window_s = 900;
  int stabilization_s = 300;
  int down_interval_s = 3'600;
  double down_factor_max = 0.6;
  double catch_up_s = 1'800;
  double restart_s = 300;
  double backlog_s = 300;      // more work than this opens the band
  double observed_lag_s = 30;  // the observed rate counts from here
};

std::unique_ptr<Policy> MakeStreamJobPolicy();
std::unique_ptr<Policy> MakeFlinkPolicy(const FlinkSettings& settings);
// `lag_threshold`: records of lag for each worker.
std::unique_ptr<Policy> MakeKedaPolicy(const char* name, double lag_threshold);
// Stays as it is.
std::unique_ptr<Policy> MakeFixedPolicy();

std::vector<std::unique_ptr<Policy>> ComparedPolicies();

}  // namespace sj::op::autoscale::simulator
