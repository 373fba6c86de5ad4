// SPDX-License-Identifier: Apache-2.0
// Minimum over live senders, monotone.
#include "worker/runtime/marks.h"

#include <algorithm>
#include <optional>

namespace sj::worker::runtime {

std::string InstanceName(const std::string& topic, int partition) {
  return topic + "/" + std::to_string(partition);
}

void SenderMarks::Restore(const std::map<std::string, TimeMark>& marks) {
  for (const auto& [instance, mark] : marks) {
    auto it = marks_.find(instance);
    if (it != marks_.end()) {
      it->second = mark;
    }
  }
}

void SenderMarks::Update(const NamedMark& named) {
  auto it = marks_.find(named.instance);
  if (it == marks_.end()) {
    return;  // a sender of another plan: cannot hold or move this edge
  }
  it->second.watermark_ms = std::max(it->second.watermark_ms, named.mark.watermark_ms);
  it->second.idle = named.mark.idle;
}

int64_t SenderMarks::Watermark() {
  std::optional<int64_t> low;
  for (const auto& [instance, mark] : marks_) {
    if (!mark.idle) {
      low = std::min(low.value_or(types::kWatermarkMax), mark.watermark_ms);
    }
  }
  last_ = std::max(last_, low.value_or(last_));
  return last_;
}

int64_t AdvanceWatermark(const std::vector<TimeMark>& marks, int64_t last) {
  std::optional<int64_t> low;
  for (const TimeMark& mark : marks) {
    if (!mark.idle) {
      low = std::min(low.value_or(types::kWatermarkMax), mark.watermark_ms);
    }
  }
  return std::max(last, low.value_or(last));
}

}  // namespace sj::worker::runtime
