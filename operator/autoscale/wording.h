// SPDX-License-Identifier: Apache-2.0
// What a person and the status get to see: sentences, rounded numbers, and whether they have moved
// enough to be worth a write. Pure.
#pragma once

#include <string>

#include "api/v1alpha1/stream_job.h"
#include "operator/autoscale/bounds.h"
#include "operator/autoscale/formula.h"
#include "operator/autoscale/measure.h"

namespace sj::op::autoscale {

// To two significant digits; 0 for what is no number.
int64_t Rounded(double value);
v1alpha1::AutoscalingInputs InputsOf(const Measurement& measured);
v1alpha1::AutoscalingTerms TermsOf(const Demand& demand, Millis pause, bool pause_measured);

// Phrases: lower-case, no full stop.
std::string BoundsText(const Bounds& bounds, int replicas);
std::string BlockedText(const Measurement& measured);
std::string BackPressureText(const Measurement& measured);
std::string PauseText(Millis pause, bool measured);
std::string SteadyText(const Demand& demand, int workers);
std::string DemandText(const Demand& demand, int wanted);
std::string ChangeText(const Demand& demand, int from, int to);

// A decision, a mode or an event is told at once; anything else at most every `refresh`, and
// numbers only when one of them moved by a quarter.
bool WorthWriting(const v1alpha1::AutoscalingStatus* before,
                  const v1alpha1::AutoscalingStatus& after, WallTime now, Millis refresh);

}  // namespace sj::op::autoscale
