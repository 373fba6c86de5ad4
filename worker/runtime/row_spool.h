// SPDX-License-Identifier: Apache-2.0
// RowSpool: payloads of many exchange partitions, as they come, into one file sorted by partition,
// without holding them in memory. Scratch files; owned by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/snapshot_manifest.h"

namespace sj::worker::runtime {

class RowSpool {
 public:
  // The directory exists and is ours; more than bytes_max are refused.
  RowSpool(std::string directory, uint64_t bytes_max)
      : directory_(std::move(directory)), bytes_max_(bytes_max) {}
  ~RowSpool();
  RowSpool(const RowSpool&) = delete;
  RowSpool& operator=(const RowSpool&) = delete;

  // Errors: kExhausted.
  base::Status Add(int edge, int shard, std::string_view payload);
  // Writes `file` and tells what lies where in it. Call once, after everything was added.
  base::Result<std::vector<checkpoint::SnapshotRows>> Finish(const std::string& file);

  uint64_t records() const { return records_; }

 private:
  struct Part {
    std::string file;
    std::string buffer;
    uint64_t records = 0;
  };
  base::Status Flush(Part* part);

  const std::string directory_;
  const uint64_t bytes_max_;
  std::map<std::pair<int, int>, Part> parts_;  // by edge and shard
  uint64_t bytes_ = 0;
  uint64_t records_ = 0;
};

}  // namespace sj::worker::runtime
