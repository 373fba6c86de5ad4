// SPDX-License-Identifier: Apache-2.0
// The table is kept at most half full, so probes stay short.
#include "worker/exec/group_table.h"

#include <algorithm>

namespace sj::worker::exec {
namespace {
constexpr size_t kSlotsMin = 1024;
}  // namespace

GroupTable::GroupTable() : arena_(std::make_shared<types::Arena>()) {
  Rehash(kSlotsMin);
}

uint32_t GroupTable::Add(size_t at, uint64_t hash, std::string_view key, int64_t end) {
  types::StringRef copy = key.data() == nullptr ? types::StringRef{} : arena_->Copy(key);
  groups_.push_back({copy, end, hash});
  auto group = static_cast<uint32_t>(groups_.size());
  slots_[at] = {static_cast<uint32_t>(hash >> 32), group};
  if (groups_.size() * 2 > slots_.size()) {
    Rehash(slots_.size() * 2);
  }
  return group - 1;
}

void GroupTable::Rehash(size_t slots) {
  slots_.assign(slots, Slot{});
  mask_ = slots - 1;
  for (size_t i = 0; i < groups_.size(); ++i) {
    uint64_t hash = groups_[i].hash;
    size_t at = hash & mask_;
    while (slots_[at].group != 0) {
      at = (at + 1) & mask_;
    }
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(i + 1)};
  }
}

std::shared_ptr<const void> GroupTable::Clear() {
  std::shared_ptr<const void> keys = std::move(arena_);
  arena_ = std::make_shared<types::Arena>();
  std::fill(slots_.begin(), slots_.end(), Slot{});
  groups_.clear();
  return keys;
}

}  // namespace sj::worker::exec
