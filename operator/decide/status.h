// SPDX-License-Identifier: Apache-2.0
// The status to write: conditions from the one verdict, numbers from the workers' reports. Numbers
// are quantised: alone they cause a write once per status_refresh, and only when the job committed
// something new, so a job without input causes none. What is stored is therefore what was true when
// it was last worth a write; whether epochs are in time is for CheckpointHealthy to say. Pure.
#pragma once

#include <optional>

#include "operator/decide/health.h"
#include "operator/decide/view.h"

namespace sj::op::decide {

// An epoch of a member that was confirmed longer ago than this is late.
Millis LateAfter(const View& view);

v1alpha1::StreamJobStatus MakeStatus(const View& view, const GenerationPlan& plan,
                                     const Verdict& verdict);

// When numbers that have moved since `status` was written may replace the old ones; may be over:
// with the workers' next reports. Nothing: what is written is what they report. Whoever does not
// look then leaves a burst's lag standing when the burst is long over.
std::optional<WallTime> NextNumbersLook(const View& view, const v1alpha1::StreamJobStatus& status);

}  // namespace sj::op::decide
