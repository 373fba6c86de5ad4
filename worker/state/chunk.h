// SPDX-License-Identifier: Apache-2.0
// Chunks: sorted runs of state entries as RocksDB SST files, the unit in which state is uploaded,
// merged and restored. One chunk holds entries of one (operator, shard). Thread-safe functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/state/state_store.h"

namespace sj::worker::state {

struct ChunkInfo {
  std::string file;
  uint64_t bytes = 0;
  uint64_t entries = 0;        // tombstones included
  int64_t ns_max = INT64_MIN;  // largest namespace: below expired_below the whole chunk is dead
};

// Sorts `entries` and writes them as an SST file. The last of equal keys wins. Without entries no
// file is made, and `bytes` is 0. Errors: kCorrupt (unreadable key), kExhausted (disk full).
base::Result<ChunkInfo> WriteChunk(std::vector<FrozenEntry> entries, const std::string& file);

// Merges chunk files, later ones win, into one; namespaces below expired_below are left out, and so
// are tombstones when `drop_tombstones` (nothing older lies below the merged run).
base::Result<ChunkInfo> MergeChunks(const std::vector<std::string>& files, int64_t expired_below,
                                    bool drop_tombstones, const std::string& out);

}  // namespace sj::worker::state
