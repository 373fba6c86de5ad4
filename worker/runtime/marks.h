// SPDX-License-Identifier: Apache-2.0
// Watermarks as they travel over a keyed edge: every sender instance (a source partition, or a
// shard of an earlier edge) has its own mark, so marks stay true when ownership moves between
// workers. Owned by one task thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/checkpoint/footer.h"
#include "worker/types/column.h"

namespace sj::worker::runtime {

using checkpoint::TimeMark;

struct NamedMark {
  std::string instance;
  TimeMark mark;
};
// Shared by the channels of all receiving threads, hence shared.
using Marks = std::shared_ptr<const std::vector<NamedMark>>;

// "<topic>/<partition>"
std::string InstanceName(const std::string& topic, int partition);

// What one receiver (a shard of an edge) knows of all its senders.
class SenderMarks {
 public:
  // Every sender there is, so that a silent one holds the watermark.
  void Expect(const std::string& instance) { marks_.try_emplace(instance); }
  void Restore(const std::map<std::string, TimeMark>& marks);
  void Update(const NamedMark& named);
  // The smallest mark of senders that are not idle; never lower than before. All idle: stays.
  int64_t Watermark();
  const std::map<std::string, TimeMark>& all() const { return marks_; }

 private:
  std::map<std::string, TimeMark> marks_;
  int64_t last_ = types::kWatermarkMin;
};

// The same rule over a reader's own partitions: minimum of live ones, held when all are idle, and
// never going back.
int64_t AdvanceWatermark(const std::vector<TimeMark>& marks, int64_t last);

}  // namespace sj::worker::runtime
