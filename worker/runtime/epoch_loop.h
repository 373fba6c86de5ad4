// SPDX-License-Identifier: Apache-2.0
// EpochLoop: the epoch thread of an attempt. Ends an epoch every interval, and for each: captures
// from all task threads, output flushed, one object uploaded, offsets with its name committed. The
// commit is the only decision. An epoch in which nothing happened costs no upload and no
// transaction, but positions are committed again before the broker could expire them.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <vector>

#include "worker/runtime/hand_over.h"
#include "worker/runtime/input_meter.h"
#include "worker/runtime/job_status.h"
#include "worker/runtime/run_context.h"

namespace sj::worker::runtime {

enum class Outcome : uint8_t {
  kStopped,
  kCompleted,
  kRejoin,  // failed in a hand-over: only the operator knows which generation is to be run now
};

class EpochLoop {
 public:
  // `stop`: set by anybody; the loop then ends the last epoch, commits and returns.
  EpochLoop(RunContext* run, const JobHooks* hooks, StatusBoard* board,
            const std::atomic<bool>* stop);

  base::Result<Outcome> Run();

 private:
  enum class Wake : uint8_t { kTick, kStop, kFinished, kFailed };

  base::Result<Wake> WaitForTick();
  void Sleep(std::unique_lock<std::mutex>* lock, std::chrono::nanoseconds at_most);
  bool AllFinished() const;
  base::Result<std::vector<ThreadCapture>> Collect(types::Epoch epoch);
  base::Status Decide(types::Epoch epoch, std::vector<ThreadCapture> captures);
  std::vector<connect::CommittedPosition> Positions(
      const checkpoint::EpochCapture& capture, const checkpoint::WrittenCheckpoint& written) const;
  void CleanUp(const checkpoint::EpochCapture& capture);
  void Publish();
  void SampleLoad(uint64_t busy_ns);
  void PublishCommit(types::Epoch epoch, const checkpoint::WrittenCheckpoint& written);

  RunContext* run_;
  const JobHooks* hooks_;
  StatusBoard* board_;
  const std::atomic<bool>* stop_;
  HandOver hand_over_;
  JobStatus base_;  // counters of earlier attempts
  base::MonoTime requested_at_;
  base::MonoTime next_tick_;
  std::optional<base::MonoTime> committed_at_;
  base::MonoTime cleaned_at_;
  // Committed at the clean-ups before, oldest first; at most kTrimLate.
  std::deque<std::vector<connect::ExchangeStart>> trim_later_;
  base::MonoTime sampled_at_;
  uint64_t sampled_busy_ns_ = 0;
  double busy_ratio_ = 0;  // over the last sample
  InputMeter meter_;
};

}  // namespace sj::worker::runtime
