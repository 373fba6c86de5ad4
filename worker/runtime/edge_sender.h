// SPDX-License-Identifier: Apache-2.0
// EdgeSender: one task thread's end of a keyed edge. Rows go to the shard of their key: into the
// shard itself when this thread has it, through a channel when another thread has it, or as a
// message of the exchange topic, inside the worker's transaction, when another worker has it. Owned
// by a task thread.
#pragma once

#include <string>
#include <vector>

#include "worker/exec/operator.h"
#include "worker/runtime/marks.h"
#include "worker/runtime/run_context.h"

namespace sj::worker::runtime {

// The shards a thread has itself; implemented by TaskThread.
class LocalShards {
 public:
  virtual ~LocalShards() = default;
  virtual base::Status TakeRows(int edge, int shard, types::Batch rows) = 0;
  virtual base::Status TakeMarks(int edge, const std::vector<NamedMark>& marks) = 0;
  virtual types::Epoch epoch() const = 0;
  virtual void NoteOutput() = 0;                   // something went into the epoch's transaction
  virtual const Placement& placement() const = 0;  // in this epoch
};

class EdgeSender final : public exec::Output {
 public:
  EdgeSender(RunContext* run, const EdgeInfo& edge, int thread, LocalShards* local);

  base::Status Push(types::Batch batch) override;
  // Nothing: what travels are the sender instances' marks, by Announce.
  base::Status PushWatermark(int64_t) override { return base::OkStatus(); }

  // Tells every receiver of this edge. Call after everything the marks speak of was pushed.
  base::Status Announce(const std::vector<NamedMark>& marks);
  // No room: the thread should take no input.
  bool Full() const;

 private:
  base::Status SendShard(int shard, types::Batch rows);
  base::Status SendRemote(int shard, const types::Batch& rows);
  base::Status Produce(int shard, const std::string& payload);

  RunContext* run_;
  const EdgeInfo& edge_;
  int thread_;
  LocalShards* local_;
  std::vector<std::vector<uint32_t>> by_shard_;  // scratch: rows of each shard
  std::string key_;                              // scratch
  std::string payload_;                          // scratch
  std::string origin_;                           // key of this epoch's messages
  types::Epoch origin_epoch_ = -1;
};

}  // namespace sj::worker::runtime
