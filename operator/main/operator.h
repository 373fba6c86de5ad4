// SPDX-License-Identifier: Apache-2.0
// Operator: everything wired together: reflectors fill the store, changes become keys, the loop of
// the leader reconciles them; every replica serves health, metrics and the control endpoint. Knows
// no flags and no signals, so tests run it against the fake API server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/base/clock.h"
#include "api/base/metrics.h"
#include "api/base/status.h"
#include "operator/kube/client.h"
#include "operator/reconcile/config.h"

namespace sj::op::main {

struct OperatorOptions {
  reconcile::OperatorConfig config;
  std::string identity;  // of this process in the election
  std::string instance;  // the pod's name, for events
  std::string lease_namespace;
  std::string watch_label;
  bool leader_elect = true;
  int workers = 8;
  bool control_tls = true;  // tests only: plain HTTP without certificate files
};

struct OperatorParts {
  kube::KubeClient& client;
  // With a time-out per call well below the renew deadline, so that a slow API server is noticed.
  kube::KubeClient& lease_client;
  const base::Clock& clock;
  base::MetricRegistry& metrics;
  // The lease is lost; called once, from another thread. The process has to end.
  std::function<void()> on_lost;
};

// Start and Stop belong to one thread; the rest is thread-safe.
class Operator {
 public:
  // The parts outlive the operator.
  Operator(OperatorOptions options, OperatorParts parts);
  // Stops without giving the lease back.
  ~Operator();

  // Errors: a port is taken, a certificate cannot be read.
  base::Status Start();
  // Lets running reconciles end; with `release` the lease is given back.
  void Stop(bool release);

  // The caches are complete: this replica could lead, and answers generation checks.
  bool Ready() const;
  bool Leading() const;
  uint16_t control_port() const;
  uint16_t http_port() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::main
