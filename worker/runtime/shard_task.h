// SPDX-License-Identifier: Apache-2.0
// ShardTask: a keyed fragment for one shard. Its operators, its state and its watermark are the
// shard's own, so that a shard can be restored or moved without asking another. Owned by a task
// thread.
#pragma once

#include <memory>
#include <vector>

#include "worker/exec/operator.h"
#include "worker/runtime/edge_sender.h"
#include "worker/runtime/run_context.h"

namespace sj::worker::runtime {

struct ShardTaskOptions {
  RunContext* run = nullptr;
  const EdgeInfo* edge = nullptr;
  int shard = 0;
  const checkpoint::ShardState* restored = nullptr;  // null: nothing was stored yet
  int shards = 1;                                    // of this worker, to share its memory
  exec::Terminals* terminals = nullptr;
  std::vector<EdgeSender*> edges;  // those the fragment sends into
};

class ShardTask {
 public:
  static base::Result<std::unique_ptr<ShardTask>> Make(const ShardTaskOptions& options);

  base::Status TakeRows(types::Batch rows) { return fragment_->Push(std::move(rows)); }
  base::Status TakeMarks(const std::vector<NamedMark>& marks);
  // Moves the watermark when the marks allow it.
  base::Status Advance();
  base::Status EndEpoch() { return fragment_->EndEpoch(); }
  void Capture(checkpoint::ShardState* out, std::vector<state::FrozenRun>* runs);

  int shard() const { return shard_; }
  int edge() const { return edge_->edge->id; }
  bool finished() const { return watermark_ms_ == types::kWatermarkMax; }
  size_t state_bytes() const { return fragment_->StateBytes(); }
  uint64_t late_rows() const { return fragment_->LateRows(); }

 private:
  ShardTask() = default;

  const EdgeInfo* edge_ = nullptr;
  int shard_ = 0;
  std::vector<EdgeSender*> edges_;
  SenderMarks senders_;
  int64_t watermark_ms_ = types::kWatermarkMin;
  std::unique_ptr<exec::FragmentInstance> fragment_;
};

}  // namespace sj::worker::runtime
