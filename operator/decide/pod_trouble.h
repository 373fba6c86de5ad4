// SPDX-License-Identifier: Apache-2.0
// What is wrong with a pod, in words: the container's reason as Kubernetes gives it and a sentence
// that says more. Pure, thread-safe.
#pragma once

#include <optional>
#include <string>

#include "api/base/json.h"

namespace sj::op::decide {

struct PodTrouble {
  std::string reason;   // CamelCase: ImagePullBackOff, CrashLoopBackOff, OOMKilled, Unschedulable
  std::string message;  // names pod and container
};

// Nothing for a pod that runs or is on its way.
std::optional<PodTrouble> TroubleOf(const base::Json& pod);

// Restarts of all containers of the pod.
int64_t RestartsOf(const base::Json& pod);
bool PodReady(const base::Json& pod);

}  // namespace sj::op::decide
