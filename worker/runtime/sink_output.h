// SPDX-License-Identifier: Apache-2.0
// SinkOutput: the end of a branch on one task thread: hands rows to the sink's writer under the
// thread's current epoch. Owned by a task thread.
#pragma once

#include <memory>

#include "worker/connect/connector.h"
#include "worker/exec/operator.h"
#include "worker/runtime/task_thread.h"

namespace sj::worker::runtime {

class TaskThread::SinkOutput final : public exec::Output {
 public:
  SinkOutput(const TaskThread* thread, ThreadStats* stats,
             std::unique_ptr<connect::SinkWriter> writer)
      : thread_(thread), stats_(stats), writer_(std::move(writer)) {}

  base::Status Push(types::Batch batch) override {
    if (batch.rows == 0) {
      return base::OkStatus();
    }
    written_ = true;
    stats_->rows_out.fetch_add(batch.rows, std::memory_order_relaxed);
    return writer_->Write(batch, thread_->epoch());
  }
  base::Status PushWatermark(int64_t) override { return base::OkStatus(); }
  base::Status EndEpoch() { return writer_->EndEpoch(thread_->epoch()); }
  // Whether rows were written since the last call.
  bool TakeWritten() { return std::exchange(written_, false); }

 private:
  const TaskThread* thread_;
  ThreadStats* stats_;
  std::unique_ptr<connect::SinkWriter> writer_;
  bool written_ = false;
};

}  // namespace sj::worker::runtime
