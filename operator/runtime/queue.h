// SPDX-License-Identifier: Apache-2.0
// WorkQueue: the keys that have to be reconciled. A key is in it once, is never handed to two
// workers at the same time (added while it runs, it comes again after Done), waits longer after
// each failure, and real changes overtake resyncs. Bounded by items_max distinct keys.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/base/clock.h"
#include "api/base/metrics.h"
#include "operator/kube/resource.h"

namespace sj::op::runtime {

using base::Millis;
using kube::ObjectKey;

enum class Priority : uint8_t {
  kResync,  // nothing is known to have changed
  kChange,  // an event of the object or of its children
};

struct QueueOptions {
  std::string name = "streamjob";
  Millis backoff_min{5};
  Millis backoff_max{300'000};
  size_t items_max = 100'000;
};

// Thread-safe.
class WorkQueue {
 public:
  // `metrics` may be null. Both outlive the queue.
  WorkQueue(QueueOptions options, const base::Clock& clock, base::MetricRegistry* metrics);
  ~WorkQueue();

  // False when the queue is shut down or full; the periodic resync brings the key back.
  bool Add(const ObjectKey& key, Priority priority = Priority::kChange);
  // The earlier of two delays for the same key wins; an Add makes it ready at once. A key that is
  // taken loses its delay: whoever takes it decides anew.
  bool AddAfter(const ObjectKey& key, Millis delay, Priority priority = Priority::kChange);
  // Adds after this key's back-off, which doubles with every call since the last Forget.
  bool AddRateLimited(const ObjectKey& key);
  void Forget(const ObjectKey& key);
  int Failures(const ObjectKey& key) const;

  // The next ready key, marked as running until Done. Get waits (by the machine's clock, so only
  // under base::RealClock) and returns nothing once shut down; TryGet does not wait.
  std::optional<ObjectKey> Get();
  std::optional<ObjectKey> TryGet();
  void Done(const ObjectKey& key);

  // No more adds; waiting Gets return nothing. Keys still queued are dropped.
  void ShutDown();
  // Keys ready to run, keys waiting for their time, keys running.
  size_t depth() const;
  size_t delayed() const;
  size_t running() const;
  // When the next delayed key becomes ready; nothing without one.
  std::optional<base::MonoTime> NextDue() const;
  // Brings the gauges of running keys up to date; call before metrics are printed.
  void UpdateMetrics();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::runtime
