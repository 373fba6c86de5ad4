// SPDX-License-Identifier: Apache-2.0
// The loads of the comparison: synthetic ones, and a recorded one from a text of "second rate"
// lines. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "operator/autoscale/simulator/job_model.h"

namespace sj::op::autoscale::simulator {

std::vector<Load> SyntheticLoads();
// Linear between the lines; comments begin with '#'. Errors: kInvalidArgument, with the line.
base::Result<Load> RecordedLoad(std::string name, std::string_view text);
// Between `low` and `high`, `period_s` long, as a saw blade.
Load SawTooth(double low, double high, int period_s, int seconds);

}  // namespace sj::op::autoscale::simulator
