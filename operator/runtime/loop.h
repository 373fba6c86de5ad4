// SPDX-License-Identifier: Apache-2.0
// ControlLoop: takes keys from the queue and reconciles them on N threads. What a reconcile returns
// decides when the key comes again; an error backs off per key, so one bad object blocks no other.
// An exception that escapes is counted as a panic and treated as an internal error.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/base/clock.h"
#include "api/base/metrics.h"
#include "api/base/status.h"
#include "operator/runtime/queue.h"

namespace sj::op::runtime {

using base::Result;
using base::Status;

// How a reconcile ended well.
struct Outcome {
  // Empty: nothing to do until something changes.
  std::optional<Millis> requeue_after;

  static Outcome Done() { return {}; }
  static Outcome After(Millis delay) { return {delay}; }
};

// Reconciles one object; level-triggered: the key says who, never what happened. Called for one key
// by one thread at a time. Errors: kConflict comes again soon without a log; Retry::kNever waits
// for the next change; everything else backs off.
using Reconcile = std::function<Result<Outcome>(const ObjectKey& key)>;

struct LoopOptions {
  std::string name = "streamjob";
  int workers = 2;
};

// Thread-safe.
class ControlLoop {
 public:
  // `metrics` may be null. All references outlive the loop.
  ControlLoop(LoopOptions options, WorkQueue& queue, Reconcile reconcile,
              base::MetricRegistry* metrics);
  // Stops and joins.
  ~ControlLoop();

  void Start();
  // Shuts the queue down and waits until the running reconciles have ended. May be called twice.
  void Stop();
  // Takes and runs one ready key on the caller's thread; false when none was ready. For tests and
  // simulation: the same path as the threads'.
  bool RunOne();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::runtime
