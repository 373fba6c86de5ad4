// SPDX-License-Identifier: Apache-2.0
// The formula: what capacity the load needs, how many workers have it, and what stands in the way
// when no number of them has. Pure.
#pragma once

#include <map>
#include <string>

#include "operator/autoscale/load_model.h"
#include "operator/autoscale/measure.h"

namespace sj::op::autoscale {

struct FormulaInput {
  const Measurement& measured;
  const std::map<std::string, int>& partitions;
  int shards = 1;
  double target = 0.7;
  Millis catch_up{};
  Millis pause{};  // what a rescale costs
  int low = 1;
  int high = 1;
};

struct Demand {
  double arrival_rate = 0;
  int64_t lag = 0;
  // Records/s:
  double headroom = 0;  // arrivals / target
  double catch_up = 0;  // lag / catchUp
  double rescale = 0;   // arrivals of one pause / catchUp
  double required = 0;  // the larger of headroom, and arrivals + catch_up + rescale
  double capacity = 0;  // of the workers there are
  double wanted_capacity = 0;
  int wanted = 1;
  std::string limit;          // CamelCase: why more workers cannot help though more is required
  std::string limit_message;  // a phrase
  // Capacities by worker count, for those the decision may name.
  std::map<int, double> capacities;
  double capacity_of(int workers) const;
};

Demand Apply(const FormulaInput& in);

}  // namespace sj::op::autoscale
