// SPDX-License-Identifier: Apache-2.0
// FakeJob: workers with a constant load each, reported every five seconds, and the autoscaler asked
// as often. For tests that set one number and look at the decision.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "operator/autoscale/autoscaler.h"

namespace sj::op::autoscale::testing {

struct FakeWorker {
  double rate = 1'000;  // records/s read
  double lag = 0;
  double lag_growth = 0;  // records/s
  double busy = 0.5;
  double busiest = -1;  // -1: as busy
  double back_pressure = 0;
  int blocked = 0;
  std::vector<control::PartitionLoad> hottest;
};

class FakeJob {
 public:
  // `count` equal workers.
  FakeJob(int count, FakeWorker worker);

  // Lets time pass: reports, evaluates, remembers, stores. Follows decisions when `obeys`.
  void Run(int seconds);
  // Alters every report before it is taken.
  std::function<void(Seen&)> spoil;

  const v1alpha1::AutoscalingStatus& status() const { return status_; }
  const Decision& decision() const { return decision_; }
  const std::string& veto() const { return status_.veto; }
  const std::string& message() const { return status_.message; }
  int wanted() const { return status_.decision; }
  int writes() const { return writes_; }

  v1alpha1::EffectiveAutoscaling settings;
  std::vector<FakeWorker> workers;
  std::map<std::string, int> partitions{{"user-events", 8}};
  int shards = 16;
  int threads = 1;
  bool keyed = false;
  bool obeys = false;
  bool running = true;
  std::optional<int> pinned;
  std::string waits_for;
  WallTime now{Millis(1'767'571'200'000)};  // a Monday, 00:00 UTC
  std::string incarnation = "a";

 private:
  Observation Observe();
  void Ask();

  Track track_;
  Decision decision_;
  v1alpha1::AutoscalingStatus status_;  // as computed
  std::optional<v1alpha1::AutoscalingStatus> stored_;
  std::map<int, double> records_in_;
  int64_t generation_ = 1;
  int writes_ = 0;
};

}  // namespace sj::op::autoscale::testing
