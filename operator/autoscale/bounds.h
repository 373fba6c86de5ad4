// SPDX-License-Identifier: Apache-2.0
// The replica bounds in force at a time: those of the spec, or of the first schedule that matches.
// Times of day are UTC. Pure.
#pragma once

#include <string>

#include "api/base/clock.h"
#include "api/v1alpha1/stream_job.h"

namespace sj::op::autoscale {

struct Bounds {
  int low = 1;
  int high = 1;
  std::string schedule;  // its name; empty: the spec's own bounds
};

// REQUIRES: the spec was validated. Whatever it says: 1 <= low <= high.
Bounds BoundsAt(const v1alpha1::EffectiveAutoscaling& spec, base::WallTime now);

}  // namespace sj::op::autoscale
