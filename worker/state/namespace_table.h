// SPDX-License-Identifier: Apache-2.0
// NamespaceTable: the entries of one namespace in memory. An open-addressing index of 8 bytes a
// slot points into dense storage, so a lookup of a cached key touches one index line and one entry
// line. Keys of up to 16 bytes lie in the entry, longer ones in an arena. Entries are never removed
// one by one: the owner rebuilds or drops the table. Owned by one task thread.
//
// An entry:  hash u64 | key size u32 | key group u16 | dirty u8 | hot u8 | key 16 bytes or pointer
// | the operator's fixed part, zeroed when made, aligned to 16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "worker/types/column.h"

namespace sj::worker::state {

inline constexpr uint32_t kInlineKeyBytes = 16;

struct EntryHead {
  uint64_t hash;
  uint32_t key_size;
  uint16_t key_group;
  uint8_t dirty;  // changed since the last freeze
  uint8_t hot;    // used since eviction last looked at it
  union {
    char near_key[kInlineKeyBytes];
    const char* far_key;
  };

  std::string_view key() const {
    return {key_size <= kInlineKeyBytes ? near_key : far_key, key_size};
  }
  std::byte* payload() { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* payload() const { return reinterpret_cast<const std::byte*>(this + 1); }
};
static_assert(sizeof(EntryHead) == 32);

class NamespaceTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit NamespaceTable(size_t entry_bytes);

  // The entry's number, or kNone.
  uint32_t Find(std::string_view key, uint64_t hash) const;
  // Adds an entry with a zeroed payload and gives its number. REQUIRES: Find gave kNone.
  uint32_t Insert(std::string_view key, uint64_t hash, int key_group);

  uint32_t size() const { return size_; }
  EntryHead* at(uint32_t entry) {
    return reinterpret_cast<EntryHead*>(blocks_[entry >> kBlockShift].get() +
                                        (entry & kBlockMask) * stride_);
  }
  const EntryHead* at(uint32_t entry) const { return const_cast<NamespaceTable*>(this)->at(entry); }
  size_t payload_bytes() const { return stride_ - sizeof(EntryHead); }
  // What it holds on the heap.
  size_t memory_bytes() const;

 private:
  static constexpr uint32_t kBlockShift = 8;
  static constexpr uint32_t kBlockMask = (1u << kBlockShift) - 1;
  struct Slot {
    uint32_t tag = 0;  // low half of the hash
    uint32_t entry = kNone;
  };
  struct AlignedFree {
    void operator()(std::byte* p) const;
  };
  using Block = std::unique_ptr<std::byte[], AlignedFree>;

  Block NewBlock(uint32_t entries) const;
  void GrowIndex();
  void GrowStorage();

  size_t stride_;
  std::vector<Slot> index_;  // a power of two
  uint32_t size_ = 0;
  uint32_t room_ = 0;  // entries the blocks can hold
  std::vector<Block> blocks_;
  types::Arena keys_;
};

}  // namespace sj::worker::state
