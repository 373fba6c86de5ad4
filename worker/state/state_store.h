// SPDX-License-Identifier: Apache-2.0
// StateStore: the worker's local RocksDB, a cache below the in-memory tables. It holds what was
// restored from a checkpoint and what was evicted from memory; it is wiped after any unclean stop
// and never decides anything. RocksDB stays inside this folder.
//
// A state key, bytewise ordered, is  op u16 | key group u16 | namespace i64 | user key (big-endian,
// the namespace with its sign bit flipped), so a shard, a thread's part of it, or one window of a
// key group is a range read. A window operator's namespace is the window's end in milliseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/types/key_group.h"

namespace sj::worker::state {

struct StateKey {
  uint16_t op = 0;
  uint16_t key_group = 0;
  int64_t ns = 0;
  std::string_view key;
};
std::string EncodeStateKey(const StateKey& key);
bool DecodeStateKey(std::string_view bytes, StateKey* out);  // key is a view into bytes
// The first key behind the namespace, and behind the key group: ends for range reads.
std::string NamespaceEnd(uint16_t op, uint16_t key_group, int64_t ns);
std::string KeyGroupEnd(uint16_t op, uint16_t key_group);

// One entry of an epoch's changes. deleted: a tombstone without value.
struct FrozenEntry {
  std::string key;  // encoded state key
  std::string value;
  bool deleted = false;
};

// What one operator on one thread changed in an epoch. `entries` may be unsorted: whoever makes
// chunks of it sorts. Namespaces below `expired_below` are dead and must not be restored.
struct FrozenRun {
  uint16_t op = 0;
  types::KeyGroupRange key_groups;
  int64_t expired_below = INT64_MIN;
  std::vector<FrozenEntry> entries;
};

struct StateStoreOptions {
  std::string directory;  // made when missing, wiped on Open
  size_t block_cache_bytes = 16u << 20;
  size_t write_buffer_bytes = 8u << 20;
};

// Thread-safe.
class StateStore {
 public:
  static base::Result<std::unique_ptr<StateStore>> Open(const StateStoreOptions& options);
  virtual ~StateStore() = default;

  // kNotFound when there is none.
  virtual base::Result<std::string> Get(std::string_view key) = 0;
  virtual base::Status Write(const std::vector<FrozenEntry>& entries) = 0;
  // Entries with from <= key < to in order; visit returns false to stop.
  virtual base::Status Scan(
      std::string_view from, std::string_view to,
      const std::function<bool(std::string_view, std::string_view)>& visit) = 0;
  virtual base::Status DeleteRange(std::string_view from, std::string_view to) = 0;
  // Takes a chunk file (see chunk.h) in; later ingests win over earlier ones. The file stays where
  // it is and may be deleted afterwards. REQUIRES: its bytes are known to be those that were
  // written; here they are verified block by block as they are read.
  virtual base::Status Ingest(const std::string& file) = 0;
  virtual uint64_t ApproximateBytes() = 0;
};

}  // namespace sj::worker::state
