// SPDX-License-Identifier: Apache-2.0
// What worker 0 does about snapshots while the job runs: takes the one it is told to, or removes
// what one keeps, on a thread of its own at low priority, and says how far it is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "api/control/messages.h"
#include "worker/runtime/snapshot_taker.h"

namespace sj::worker {

// One try. `report.known` is the order; the work fills in the rest and calls `tell` as it goes on.
// Ends soon after `stop` is set. True: the order is done with, well or not; false: it is worth
// another try.
using SnapshotWork =
    std::function<bool(const std::atomic<bool>& stop, sj::control::SnapshotReport& report,
                       const std::function<void()>& tell)>;

// Runs the work of the newest order. Thread-safe.
class SnapshotRunner {
 public:
  struct Options {
    base::Millis again_after{5'000};
    int takes_max = 3;  // tries; removing is tried as long as it is asked for
  };
  using Tell = std::function<void(const sj::control::SnapshotReport&)>;
  SnapshotRunner(Options options, SnapshotWork work, Tell tell);
  ~SnapshotRunner();  // stops the work and waits for it

  // kNone: nothing (any more). Another order than before ends the work on that.
  void Ask(const sj::control::SnapshotOrder& order);

 private:
  void Run();
  void WorkOn(const sj::control::SnapshotOrder& order);

  const Options options_;
  const SnapshotWork work_;
  const Tell tell_;
  std::mutex mu_;
  std::condition_variable changed_;
  sj::control::SnapshotOrder wanted_;  // guarded by mu_
  bool news_ = false;                  // guarded by mu_: `wanted_` was not begun yet
  bool stopping_ = false;              // guarded by mu_
  std::atomic<bool> stop_work_{false};
  std::thread thread_;  // last: starts when everything else is there
};

// What the manifest of a snapshot says of its job, for people.
struct SnapshotOf {
  std::string job_namespace, job_name, sql;
};
// The real work over the job's own clients. `confirm`: is that generation still in force?
SnapshotWork RealSnapshotWork(std::function<runtime::JobConfig()> config, SnapshotOf of,
                              std::function<base::Status(int64_t generation)> confirm);

}  // namespace sj::worker
