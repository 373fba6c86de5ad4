// SPDX-License-Identifier: Apache-2.0
// DrainedKeys: what KeyedTable remembers of a namespace between Drain and the next Freeze. A value,
// owned by one task thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sj::worker::state {

// Keys of a drained namespace that a checkpoint may hold, kept until the next Freeze tells whether
// tombstones are needed:  key group u16 | size u32 | key ...
struct DrainedKeys {
  int64_t ns = 0;
  std::string packed;

  void Add(uint16_t key_group, std::string_view key) {
    uint32_t size = static_cast<uint32_t>(key.size());
    packed.append(reinterpret_cast<const char*>(&key_group), sizeof(key_group));
    packed.append(reinterpret_cast<const char*>(&size), sizeof(size));
    packed.append(key);
  }
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t at = 0; at < packed.size();) {
      uint16_t key_group = 0;
      uint32_t size = 0;
      std::memcpy(&key_group, packed.data() + at, sizeof(key_group));
      std::memcpy(&size, packed.data() + at + sizeof(key_group), sizeof(size));
      at += sizeof(key_group) + sizeof(size);
      visit(key_group, std::string_view(packed).substr(at, size));
      at += size;
    }
  }
};

}  // namespace sj::worker::state
