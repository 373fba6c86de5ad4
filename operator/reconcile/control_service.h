// SPDX-License-Identifier: Apache-2.0
// ControlService: the HTTP face of the control API (api/control) for StartHttpServer. It checks who
// speaks, hands messages to the registry and answers generation checks from quorum reads. What may
// block on the API server runs on a few threads of its own behind a bounded queue; a full queue
// answers 503, so a storm of workers cannot pile up.
#pragma once

#include <functional>
#include <memory>

#include "api/base/http_server.h"
#include "api/base/metrics.h"
#include "operator/kube/client.h"
#include "operator/reconcile/token_cache.h"
#include "operator/reconcile/worker_registry.h"

namespace sj::op::reconcile {

struct ControlOptions {
  int threads = 2;
  size_t queue_max = 4'096;
  base::Millis tick{500};  // how often held polls are looked at
  TokenCacheOptions tokens;
};

// Thread-safe.
class ControlService {
 public:
  // `is_leader` is called on server threads. `metrics` may be null. References outlive the service.
  ControlService(ControlOptions options, kube::KubeClient& client, WorkerRegistry& registry,
                 std::function<bool()> is_leader, const base::Clock& clock,
                 base::MetricRegistry* metrics);
  // Stops.
  ~ControlService();

  // One request; fits HttpHandler. Answers at once, or later from another thread.
  void Handle(const base::ServerRequest& request, base::Responder responder);
  // The same with the answer as a function, for tests. `gone` may be empty.
  using Answer = std::function<void(base::ServerResponse)>;
  void Handle(const base::ServerRequest& request, Answer answer, std::function<bool()> gone);

  void Start();
  // Joins the threads; queued requests are answered with 503.
  void Stop();
  // Runs queued requests on the caller's thread; for tests without threads. Returns how many.
  int RunQueued();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::reconcile
