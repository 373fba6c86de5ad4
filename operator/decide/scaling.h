// SPDX-License-Identifier: Apache-2.0
// The autoscaler's place in a decision. Its choice is stored in status.autoscaling.decision first
// and is wanted from the next pass on, like a replica count in the spec; a spec.replicas rules over
// it. Without a memory (Input::track) nothing is decided anew. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/autoscale/track.h"
#include "operator/decide/decide.h"
#include "operator/decide/view.h"

namespace sj::op::decide {

// The workers wanted: spec.replicas, or what the autoscaler decided last, or before its first
// decision what runs.
int WantedReplicas(const v1alpha1::StreamJob& job, const v1alpha1::EffectiveSpec& effective);

// What the reports say, for the memory.
autoscale::Observation ObserveLoad(const v1alpha1::StreamJob& job,
                                   std::span<const WorkerReport> workers, WallTime now);

// Puts status.autoscaling; adds an event for a change. `waits_for`: of a rescale under way.
std::optional<ScalingNote> PutScaling(const View& view, const std::string& waits_for,
                                      v1alpha1::StreamJobStatus& status,
                                      std::vector<Event>& events);

}  // namespace sj::op::decide
