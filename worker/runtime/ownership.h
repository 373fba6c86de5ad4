// SPDX-License-Identifier: Apache-2.0
// Ownership: which source partitions and shards this worker has, and which of its task threads has
// each. Pure: the same numbers give the same answer in every worker, so nobody has to be told.
#pragma once

#include <string>
#include <vector>

#include "worker/types/key_group.h"

namespace sj::worker::runtime {

struct Ownership {
  int replicas = 1;
  int ordinal = 0;
  int threads = 1;
  int shards = 16;
  int max_parallelism = 128;

  // Partitions of a topic with `count` partitions that this worker reads.
  types::KeyGroupRange WorkerPartitions(int count) const;
  // The part of them that `thread` reads.
  types::KeyGroupRange ThreadPartitions(int count, int thread) const;
  types::KeyGroupRange WorkerShards() const;
  types::KeyGroupRange ThreadShards(int thread) const;
  bool OwnsShard(int shard) const { return WorkerShards().Contains(shard); }
  // REQUIRES: OwnsShard(shard).
  int ThreadOfShard(int shard) const;
};

}  // namespace sj::worker::runtime
