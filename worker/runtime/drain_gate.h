// SPDX-License-Identifier: Apache-2.0
// DrainGate: holds inputs back while exchange partitions still hold rows that must come first, so
// that no row sent in memory overtakes one on the exchange topic. An input of some depth may be
// read when every exchange partition of a deeper edge has been drained: what the input makes goes
// to deeper edges only. Sources are above all edges. Thread-safe.
#pragma once

#include <atomic>
#include <memory>

namespace sj::worker::runtime {

inline constexpr int kSourceDepth = -1;

class DrainGate {
 public:
  // Before any thread runs.
  void Init(int depths) {
    depths_ = depths;
    undrained_ = std::make_unique<std::atomic<int>[]>(static_cast<size_t>(depths));
  }
  // Holds everything back but the deepest inputs, which feed nobody, until Open.
  void Close() { closed_.store(true, std::memory_order_release); }
  void Open() { closed_.store(false, std::memory_order_release); }
  // More partitions of an edge of this depth have to be drained.
  void Expect(int depth, int partitions) { undrained_[depth].fetch_add(partitions); }
  // One has been. True: it was the last one of its depth.
  bool Drained(int depth) { return undrained_[depth].fetch_sub(1) == 1; }

  bool MayRead(int depth) const {
    if (depth < depths_ - 1 && closed_.load(std::memory_order_acquire)) {
      return false;
    }
    for (int deeper = depth + 1; deeper < depths_; ++deeper) {
      if (undrained_[deeper].load(std::memory_order_acquire) > 0) {
        return false;
      }
    }
    return true;
  }

 private:
  int depths_ = 0;
  std::atomic<bool> closed_{false};
  std::unique_ptr<std::atomic<int>[]> undrained_;
};

}  // namespace sj::worker::runtime
