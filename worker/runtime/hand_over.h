// SPDX-License-Identifier: Apache-2.0
// HandOver: the epoch thread's part of a rescale while the job runs
// (docs/design/0003-hand-over.md). Before it starts, fetch ahead what comes. Then
// release first what goes, in an epoch of its own; wait for the marks of what comes, restore it,
// adopt it at the end of an epoch, and hold the intake until the exchange has been drained. Owned
// by the epoch thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "worker/runtime/job_status.h"
#include "worker/runtime/run_context.h"
#include "worker/runtime/unit_prefetch.h"

namespace sj::worker::runtime {

class HandOver {
 public:
  HandOver(RunContext* run, const JobHooks* hooks, StatusBoard* board);

  // Looks for an order, or whether what it waits for is there. Does network calls when there is
  // something to do. True: the epoch should end now.
  base::Result<bool> Poll();
  // Before the end of `epoch` is asked for.
  void Prepare(types::Epoch epoch);
  // What the epoch releases goes into the capture. True: it must be committed.
  bool Mark(checkpoint::EpochCapture* capture) const;
  // Behind the commit of an epoch.
  base::Status Committed(types::Epoch epoch);

  // Units change hands.
  bool active() const { return step_ != Step::kIdle && step_ != Step::kPrepared; }
  // Everything was given away and this worker is no member any more.
  bool left() const { return left_; }

 private:
  enum class Step : uint8_t {
    kIdle,
    kPrepared,   // not started yet: what will be taken is fetched ahead
    kReleasing,  // the next epoch gives
    kWaiting,    // for the marks of what is taken
    kAdopting,   // restored; the next epoch takes
  };

  // What is to be done about the order, if there is one. True: it has started.
  bool TakeOrder();
  void NotePrepared(const HandOverOrder& order);
  void Abandon();
  base::Result<bool> LookForReleases();
  base::Status PublishEnds();
  void Finish();
  void Report();

  RunContext* run_;
  const JobHooks* hooks_;
  StatusBoard* board_;
  Step step_ = Step::kIdle;
  bool left_ = false;
  HandOverOrder order_;
  Ownership next_;
  Share share_;
  HandOverStatus status_;
  checkpoint::Restored taken_;
  std::unique_ptr<UnitPrefetch> prefetch_;
  base::MonoTime started_at_;
  base::MonoTime waiting_since_;
  base::MonoTime look_at_;
  std::chrono::milliseconds look_again_{};
};

}  // namespace sj::worker::runtime
