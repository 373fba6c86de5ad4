// SPDX-License-Identifier: Apache-2.0
// Channel: rows, watermarks and epoch markers from one task thread to another of the same worker.
// Push never blocks; the bound is kept by the sender, which takes no input while a channel is full,
// so what is queued exceeds the bound by at most what one input batch made. Thread-safe (one
// sender, one receiver).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

#include "worker/runtime/marks.h"
#include "worker/types/column.h"
#include "worker/types/ids.h"

namespace sj::worker::runtime {

struct ThreadMessage {
  enum class Kind : uint8_t { kRows, kMarks, kMarker };
  Kind kind = Kind::kRows;
  int edge = -1;
  int shard = -1;          // kRows
  int depth = 0;           // kMarker: all edges of this depth are complete for the epoch
  types::Epoch epoch = 0;  // kMarker
  types::Batch rows;
  Marks marks;
};

inline constexpr size_t kChannelRowsMax = 32 * 1024;

class Channel {
 public:
  void Push(ThreadMessage message) {
    std::lock_guard<std::mutex> lock(mu_);
    rows_.fetch_add(message.rows.rows, std::memory_order_relaxed);
    queue_.push_back(std::move(message));
    size_.store(queue_.size(), std::memory_order_release);
  }

  bool Pop(ThreadMessage* out) {
    if (size_.load(std::memory_order_acquire) == 0) {
      return false;
    }
    std::lock_guard<std::mutex> lock(mu_);
    if (queue_.empty()) {
      return false;
    }
    *out = std::move(queue_.front());
    queue_.pop_front();
    rows_.fetch_sub(out->rows.rows, std::memory_order_relaxed);
    size_.store(queue_.size(), std::memory_order_release);
    return true;
  }

  bool Full() const { return rows_.load(std::memory_order_relaxed) >= kChannelRowsMax; }
  bool Empty() const { return size_.load(std::memory_order_acquire) == 0; }

 private:
  std::mutex mu_;
  std::deque<ThreadMessage> queue_;  // guarded by mu_
  std::atomic<size_t> size_{0};
  std::atomic<size_t> rows_{0};
};

}  // namespace sj::worker::runtime
