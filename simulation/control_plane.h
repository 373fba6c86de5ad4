// SPDX-License-Identifier: Apache-2.0
// ControlPlane: what a simulated worker sees of the operator's replicas. A request is given to one
// replica, chosen by the worker's side as a load balancer would.
#pragma once

#include <functional>
#include <memory>

#include "api/base/status.h"
#include "api/control/messages.h"

namespace sj::simulation {

// One replica's end. Members run as events at the replica; `reply` may be called later.
class ControlEndpoint {
 public:
  virtual ~ControlEndpoint() = default;
  virtual void Register(const control::RegisterRequest& request,
                        std::function<void(base::Result<control::RegisterResponse>)> reply) = 0;
  // `gone`: the caller has given up. Shared by the caller and the held poll.
  virtual void Heartbeat(const control::HeartbeatRequest& request, std::shared_ptr<bool> gone,
                         std::function<void(base::Result<control::HeartbeatResponse>)> reply) = 0;
  virtual void Generation(const control::JobRef& job,
                          std::function<void(base::Result<control::GenerationResponse>)> reply) = 0;
};

// The replica a new connection reaches now; null: none is up. Valid until the replica dies, so to
// be asked for again by every request when it arrives.
using RouteFn = std::function<ControlEndpoint*()>;

}  // namespace sj::simulation
