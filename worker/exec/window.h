// SPDX-License-Identifier: Apache-2.0
// Windows in event time: pure arithmetic on milliseconds. [start, end), end exclusive; negative
// times floor; results that would not fit 64 bits are clamped.
#pragma once

#include <cstdint>

#include "api/base/status.h"
#include "worker/plan/physical.h"
#include "worker/types/column.h"

namespace sj::worker::exec {

// Whether a window ending at `end` has fired, or fires now, at this watermark.
inline bool WindowClosed(int64_t end, int64_t watermark_ms) {
  return watermark_ms == types::kWatermarkMax || end <= watermark_ms + 1;
}

// Namespaces (window ends) below this are dead at this watermark.
inline int64_t ExpiredBelow(int64_t watermark_ms) {
  return watermark_ms == types::kWatermarkMin       ? INT64_MIN
         : watermark_ms >= types::kWatermarkMax - 2 ? INT64_MAX
                                                    : watermark_ms + 2;
}

// TUMBLE is HOP with slide = size.
class WindowAssigner {
 public:
  // Errors: kInvalidArgument for kinds and sizes that cannot be run.
  static base::Result<WindowAssigner> Make(const plan::WindowSpec& spec);

  // The end of the last window that holds `time`; the others end slide, 2 * slide ... before.
  int64_t LastEnd(int64_t time) const {
    // All rows of a batch mostly fall into one slide: no division then.
    if (time >= cached_start_ && time < cached_start_ + slide_) {
      return cached_end_;
    }
    return LastEndSlow(time);
  }
  // How many windows hold a time, at most; window k ends at LastEnd - k * slide.
  int64_t windows_max() const { return (size_ + slide_ - 1) / slide_; }
  // Whether the window that ends there holds `time`; only needed for k > 0.
  bool Holds(int64_t end, int64_t time) const { return end > time; }
  int64_t size_ms() const { return size_; }
  int64_t slide_ms() const { return slide_; }

 private:
  int64_t LastEndSlow(int64_t time) const;

  int64_t size_ = 1;
  int64_t slide_ = 1;
  int64_t offset_ = 0;
  // The last slide seen. Mutable: a cache, and assigners belong to one thread.
  mutable int64_t cached_start_ = 0;
  mutable int64_t cached_end_ = 0;
};

}  // namespace sj::worker::exec
