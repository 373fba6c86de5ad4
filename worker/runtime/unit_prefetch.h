// SPDX-License-Identifier: Apache-2.0
// UnitPrefetch: the state of units that are to be taken, fetched while their owners go on
// (docs/design/0003-hand-over.md). What the owners have committed by now is read, as a bystander,
// and its chunks are fetched: chunks never change, so once the units are released only what was
// written since is left. Nothing rests on it: what fails is met again by the restore. Owned by one
// thread; the fetching itself may run on another.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "worker/runtime/positions.h"

namespace sj::worker::runtime {

class UnitPrefetch {
 public:
  // Begins to fetch `units` for a Take as a member of `generation`, on a thread of its own, for 15
  // s at most. A run that starts no threads fetches before this returns. `run` and `hooks` outlive
  // it.
  static std::unique_ptr<UnitPrefetch> Start(const JobHooks& hooks, RunContext* run,
                                             const UnitSet& units, types::Generation generation);
  // The same for everything a start will restore, and at once.
  static void FetchNow(const Connectors& make, RunContext* run);

  ~UnitPrefetch();  // ends it within one read of neighbouring chunks

  bool done() const { return done_.load(); }
  // Ends it, done or not, and gives the run's checkpointer what was fetched.
  void Finish();

 private:
  UnitPrefetch(const Connectors& make, RunContext* run, std::vector<CommittedRef> units)
      : make_(make), run_(run), units_(std::move(units)) {}
  void Open(types::Generation generation);
  void Fetch();
  base::Result<uint64_t> FetchCommitted(base::MonoTime end);
  void End();

  const Connectors& make_;
  RunContext* const run_;
  const std::vector<CommittedRef> units_;  // without positions
  std::unique_ptr<checkpoint::Checkpointer::Prefetch> chunks_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace sj::worker::runtime
