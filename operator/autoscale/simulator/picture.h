// SPDX-License-Identifier: Apache-2.0
// The comparison as text and as a picture. Pure.
#pragma once

#include <string>
#include <vector>

#include "operator/autoscale/simulator/replay.h"

namespace sj::op::autoscale::simulator {

// One outcome for every policy, in the order of the policies.
struct Comparison {
  Load load;
  std::vector<Outcome> outcomes;
};

// Markdown: a row for each load and policy, then the sums.
std::string Table(const std::vector<Comparison>& all);
// SVG: for each load the workers of each policy over time, above what arrives.
std::string Picture(const std::vector<Comparison>& all, const JobSpec& spec);

}  // namespace sj::op::autoscale::simulator
