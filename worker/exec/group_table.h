// SPDX-License-Identifier: Apache-2.0
// GroupTable: (key bytes, window end) -> dense group number, open addressing with linear probing.
// Keys are copied once, when their group is made. Owned by one task thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "worker/types/column.h"

namespace sj::worker::exec {

class GroupTable {
 public:
  struct Group {
    types::StringRef key;
    int64_t end = 0;
    uint64_t hash = 0;
  };

  GroupTable();
  // `key` with data() == nullptr is a key of its own, apart from the empty one (a NULL).
  uint32_t FindOrAdd(uint64_t hash, std::string_view key, int64_t end) {
    size_t at = hash & mask_;
    while (slots_[at].group != 0) {
      if (slots_[at].tag == static_cast<uint32_t>(hash >> 32)) {
        const Group& group = groups_[slots_[at].group - 1];
        if (group.hash == hash && group.end == end && SameKey(group.key, key)) {
          return slots_[at].group - 1;
        }
      }
      at = (at + 1) & mask_;
    }
    return Add(at, hash, key, end);
  }
  // Asks the memory for what FindOrAdd will read.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

  size_t size() const { return groups_.size(); }
  size_t key_bytes() const { return arena_->bytes(); }
  const std::vector<Group>& groups() const { return groups_; }
  // Forgets all groups. Keys handed out stay alive as long as the returned owner.
  std::shared_ptr<const void> Clear();

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t group = 0;  // + 1; 0: free
  };

  static bool SameKey(const types::StringRef& a, std::string_view b) {
    return a.size == b.size() && (a.data == nullptr) == (b.data() == nullptr) &&
           (a.size == 0 || std::memcmp(a.data, b.data(), a.size) == 0);
  }
  uint32_t Add(size_t at, uint64_t hash, std::string_view key, int64_t end);
  void Rehash(size_t slots);

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  std::vector<Group> groups_;
  // Shared with the key column of the batch made of these groups.
  std::shared_ptr<types::Arena> arena_;
};

}  // namespace sj::worker::exec
