// SPDX-License-Identifier: Apache-2.0
// Key groups and shards: the units in which keyed state is placed. A key belongs to one of
// max_parallelism key groups for the life of the job; a shard is an equal contiguous range of key
// groups. Pure functions. (The idea is Flink's; the hash is XXH3 over the key bytes.)
#pragma once

#include <cstdint>
#include <string_view>

namespace sj::worker::types {

struct KeyGroupRange {
  int begin = 0;
  int end = 0;  // exclusive
  bool Contains(int key_group) const { return key_group >= begin && key_group < end; }
  bool empty() const { return end <= begin; }
  int size() const { return end - begin; }
  bool operator==(const KeyGroupRange&) const = default;
};

// The key group of a key's bytes (AppendKeyBytes over its columns). Stable for ever.
int KeyGroupOf(std::string_view key_bytes, int max_parallelism);
// The same from base::Hash64(key_bytes). The hash's high bits choose, so its low bits stay evenly
// spread inside a key group and may index hash tables.
int KeyGroupOfHash(uint64_t hash, int max_parallelism);

// REQUIRES: shards divides max_parallelism.
KeyGroupRange ShardRange(int shard, int shards, int max_parallelism);
int ShardOf(int key_group, int shards, int max_parallelism);

// The part of `count` units that owner `index` of `owners` has: contiguous, sizes differ by at most
// one. Used for shards and partitions over workers and for key groups over a worker's threads.
KeyGroupRange PartOf(int count, int owners, int index);
// The owner of unit `unit`: the inverse of PartOf.
int OwnerOf(int unit, int count, int owners);

}  // namespace sj::worker::types
