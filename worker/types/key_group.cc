// SPDX-License-Identifier: Apache-2.0
// Placement of keys and units: plain integer arithmetic, the same on every machine for ever.
#include "worker/types/key_group.h"

#include "api/base/check.h"
#include "api/base/hash.h"

namespace sj::worker::types {

int KeyGroupOfHash(uint64_t hash, int max_parallelism) {
  unsigned __int128 product =
      static_cast<unsigned __int128>(hash) * static_cast<uint64_t>(max_parallelism);
  return static_cast<int>(product >> 64);
}

int KeyGroupOf(std::string_view key_bytes, int max_parallelism) {
  return KeyGroupOfHash(base::Hash64(key_bytes), max_parallelism);
}

KeyGroupRange ShardRange(int shard, int shards, int max_parallelism) {
  SJ_CHECK(shards > 0 && max_parallelism % shards == 0);
  int width = max_parallelism / shards;
  return {shard * width, (shard + 1) * width};
}

int ShardOf(int key_group, int shards, int max_parallelism) {
  SJ_CHECK(shards > 0 && max_parallelism % shards == 0);
  return key_group / (max_parallelism / shards);
}

KeyGroupRange PartOf(int count, int owners, int index) {
  int64_t n = count;
  return {static_cast<int>(n * index / owners), static_cast<int>(n * (index + 1) / owners)};
}

int OwnerOf(int unit, int count, int owners) {
  return static_cast<int>(((int64_t{unit} + 1) * owners - 1) / count);
}

}  // namespace sj::worker::types
