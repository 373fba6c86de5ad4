// SPDX-License-Identifier: Apache-2.0
// KeyedTable: one operator's typed entries on one task thread, a write-back table in memory over
// the StateStore. Entries live per namespace (a window) in flat hash tables; a namespace in which
// nothing was evicted or restored never touches the store. At the end of an epoch the dirty entries
// are copied out (Freeze) and processing goes on at once. Owned by one task thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/state/state_store.h"

namespace sj::worker::state {

// How an entry's bytes are laid out. The fixed part is what operators work on in place; it is
// zeroed when the entry is made, aligned to 16 bytes, and may be moved by copying its bytes.
// Stateless, shared by all entries of a table.
class EntryCodec {
 public:
  virtual ~EntryCodec() = default;
  virtual size_t entry_bytes() const = 0;
  // To and from the stored value. Decode gets a zeroed entry; false: corrupt.
  virtual void Encode(const std::byte* entry, std::string* out) const = 0;
  virtual bool Decode(std::string_view value, std::byte* entry) const = 0;
  // Frees what the entry owns outside its fixed part (long strings). Default: nothing.
  virtual void Destroy(std::byte* entry) const { (void)entry; }
};

struct KeyedTableOptions {
  uint16_t op = 0;
  types::KeyGroupRange key_groups;
  int max_parallelism = 128;
  size_t memory_bytes_max = 64u << 20;
};

class KeyedTable {
 public:
  // `store` and `codec` are not owned and outlive the table. Finds the namespaces that a restore
  // has put into the store.
  static base::Result<std::unique_ptr<KeyedTable>> Make(const KeyedTableOptions& options,
                                                        StateStore* store, const EntryCodec* codec);
  virtual ~KeyedTable() = default;

  // The entry of (ns, key), made zeroed when there is none; marked dirty. `hash` is
  // base::Hash64(key), `key_group` its key group. The pointer is valid until the next call. Errors
  // are those of the store; after one the table and its task must be given up.
  virtual base::Result<std::byte*> Upsert(int64_t ns, int key_group, std::string_view key,
                                          uint64_t hash) = 0;
  // Calls visit for every entry of the namespace in no particular order, then forgets it. An error
  // of visit or of the store ends it early; the table must then be given up. visit may not call the
  // table.
  virtual base::Status Drain(
      int64_t ns,
      const std::function<base::Status(std::string_view key, const std::byte* entry)>& visit) = 0;
  // The smallest live namespace, if any.
  virtual bool FirstNamespace(int64_t* ns) const = 0;
  // Entries changed since the last Freeze, tombstones first. All namespaces below expired_below are
  // gone for good: they are dropped without a trace. Costs what has changed, not what is held.
  // memory_bytes_max is kept by writing out entries that a Freeze has taken, so between two of them
  // a table may grow beyond it by what one epoch changes.
  virtual FrozenRun Freeze(int64_t expired_below) = 0;
  virtual size_t memory_bytes() const = 0;
  virtual uint64_t entries() const = 0;  // in memory
};

}  // namespace sj::worker::state
