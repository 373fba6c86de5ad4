// SPDX-License-Identifier: Apache-2.0
// LeaderElector: one leader among the operator's replicas by a coordination/v1 Lease, with the
// times and the reading rule of client-go: a holder is believed dead only after its lease duration
// without a change, measured on our own monotonic clock. Leader election is not fencing: two
// leaders must be harmless to what they lead.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/base/clock.h"
#include "api/base/metrics.h"
#include "operator/kube/client.h"

namespace sj::op::runtime {

struct LeaderOptions {
  std::string ns;
  std::string lease_name = "streamjob-operator";
  std::string identity;  // unique to the process, e.g. pod name and a random suffix
  base::Millis lease_duration{15'000};
  base::Millis renew_deadline{10'000};
  base::Millis retry_period{2'000};
};

struct LeaderCallbacks {
  std::function<void()> on_started;
  // The lease is lost, or could not be renewed within renew_deadline: stop at once.
  std::function<void()> on_lost;
};

// Thread-safe.
class LeaderElector {
 public:
  // `metrics` may be null. All references outlive the elector. `client` needs a time-out per call
  // well below renew_deadline.
  LeaderElector(LeaderOptions options, LeaderCallbacks callbacks, kube::KubeClient& client,
                const base::Clock& clock, base::MetricRegistry* metrics);
  // Stops without a release.
  ~LeaderElector();

  // Runs Step on a thread of its own until Stop.
  void Start();
  // Ends the thread; with `release` an own lease is given back, so that another replica takes over
  // at its next try.
  void Stop(bool release);

  // One try to take or renew; returns how long to wait before the next. Calls the callbacks.
  base::Millis Step();
  // Gives an own lease back.
  base::Status Release();

  // True between on_started and the loss, and only while the last renewal is younger than
  // renew_deadline.
  bool IsLeader() const;
  // Who held the lease when it was last read, or "".
  std::string Holder() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::runtime
