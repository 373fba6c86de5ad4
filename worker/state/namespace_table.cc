// SPDX-License-Identifier: Apache-2.0
// Linear probing over (tag, entry) slots at a load of at most 3/4. The slot position and the tag
// come from the hash's low half, so the index grows without touching entries; the high bits, which
// choose the key group, are compared in the entry.
#include "worker/state/namespace_table.h"

#include <cstring>
#include <new>
#include <utility>

namespace sj::worker::state {
namespace {

constexpr std::align_val_t kAlign{16};
constexpr uint32_t kFirstEntries = 16;
constexpr size_t kArenaChunkBytes = 16u << 10;

size_t StrideFor(size_t entry_bytes) {
  return sizeof(EntryHead) + (entry_bytes + 15) / 16 * 16;
}

}  // namespace

void NamespaceTable::AlignedFree::operator()(std::byte* p) const {
  ::operator delete(p, kAlign);
}

NamespaceTable::NamespaceTable(size_t entry_bytes)
    : stride_(StrideFor(entry_bytes)), index_(kFirstEntries * 2), keys_(kArenaChunkBytes) {
}

uint32_t NamespaceTable::Find(std::string_view key, uint64_t hash) const {
  uint32_t tag = static_cast<uint32_t>(hash);
  size_t mask = index_.size() - 1;
  for (size_t i = tag & mask;; i = (i + 1) & mask) {
    const Slot& slot = index_[i];
    if (slot.entry == kNone) {
      return kNone;
    }
    if (slot.tag != tag) {
      continue;
    }
    const EntryHead* head = at(slot.entry);
    if (head->hash == hash && head->key() == key) {
      return slot.entry;
    }
  }
}

uint32_t NamespaceTable::Insert(std::string_view key, uint64_t hash, int key_group) {
  if ((size_ + 1) * size_t{4} > index_.size() * 3) {
    GrowIndex();
  }
  if (size_ == room_) {
    GrowStorage();
  }
  uint32_t entry = size_++;
  EntryHead* head = at(entry);
  std::memset(static_cast<void*>(head), 0, stride_);
  head->hash = hash;
  head->key_size = static_cast<uint32_t>(key.size());
  head->key_group = static_cast<uint16_t>(key_group);
  if (key.empty()) {
    // Nothing to copy, and data() may be null.
  } else if (key.size() <= kInlineKeyBytes) {
    std::memcpy(head->near_key, key.data(), key.size());
  } else {
    head->far_key = keys_.Copy(key).data;
  }
  size_t mask = index_.size() - 1;
  size_t i = static_cast<uint32_t>(hash) & mask;
  while (index_[i].entry != kNone) {
    i = (i + 1) & mask;
  }
  index_[i] = {static_cast<uint32_t>(hash), entry};
  return entry;
}

size_t NamespaceTable::memory_bytes() const {
  return index_.size() * sizeof(Slot) + room_ * stride_ + keys_.bytes() +
         blocks_.capacity() * sizeof(Block);
}

NamespaceTable::Block NamespaceTable::NewBlock(uint32_t entries) const {
  return Block(static_cast<std::byte*>(::operator new(entries* stride_, kAlign)));
}

void NamespaceTable::GrowIndex() {
  std::vector<Slot> grown(index_.size() * 2);
  size_t mask = grown.size() - 1;
  for (const Slot& slot : index_) {
    if (slot.entry == kNone) {
      continue;
    }
    size_t i = slot.tag & mask;
    while (grown[i].entry != kNone) {
      i = (i + 1) & mask;
    }
    grown[i] = slot;
  }
  index_ = std::move(grown);
}

// Small namespaces are common (many windows, few keys), so the first block grows by copying up to
// the common block size; from then on whole blocks are added and entries stay where they are.
void NamespaceTable::GrowStorage() {
  constexpr uint32_t kBlockEntries = kBlockMask + 1;
  if (room_ >= kBlockEntries) {
    blocks_.push_back(NewBlock(kBlockEntries));
    room_ += kBlockEntries;
    return;
  }
  uint32_t grown = room_ == 0 ? kFirstEntries : room_ * 4;
  Block block = NewBlock(grown);
  if (room_ > 0) {
    std::memcpy(block.get(), blocks_[0].get(), size_ * stride_);
    blocks_[0] = std::move(block);
  } else {
    blocks_.push_back(std::move(block));
  }
  room_ = grown;
}

}  // namespace sj::worker::state
