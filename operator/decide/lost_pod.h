// SPDX-License-Identifier: Apache-2.0
// A worker's pod whose node does not answer. Kubernetes gives it up when the node has been NotReady
// for as long as the pod tolerates, and then waits for the kubelet's word for ever: a StatefulSet
// makes no other pod of that name before. The operator takes it away by force, which is safe here
// and nowhere else: whoever of the old worker is left commits nothing once its successor has
// fenced its transactional ids. Pure.
#pragma once

#include <optional>

#include "operator/decide/view.h"

namespace sj::op::decide {

// Kubernetes has given the pod up: its node does not answer, or somebody has tainted it NoExecute.
bool EvictedFromNode(const Json& pod);

// The pod is being deleted, nobody confirms it, and its worker has been silent for
// Settings::silent_after.
bool LostWithNode(const View& view, const Worker& worker);

// When that may become true of some pod by time alone.
std::optional<WallTime> NextLostPodLook(const View& view);

}  // namespace sj::op::decide
