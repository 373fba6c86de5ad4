// SPDX-License-Identifier: Apache-2.0
// Placement: which task thread of this worker has each of its units (source partitions and
// shards). It starts as the even spread of Ownership; a hand-over changes it unit by unit, so that
// what stays, stays on its thread. ShareOf tells what a worker gives and takes when the number of
// workers changes. Pure values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/runtime/ownership.h"

namespace sj::worker::runtime {

// Units, sorted.
struct UnitSet {
  std::vector<int> shards;
  std::map<int, std::vector<int>> partitions;  // table -> partitions; no empty lists
  bool empty() const { return shards.empty() && partitions.empty(); }
  size_t size() const;
  bool HasShard(int shard) const;
  bool HasPartition(int table, int partition) const;
  // "shards 4-7,9; table 0 partitions 2-3"
  std::string ToString() const;
  bool operator==(const UnitSet&) const = default;
};

// table -> number of partitions
using PartitionCounts = std::map<int, int>;

// Nothing for a worker that is no member: ordinal >= replicas.
UnitSet UnitsOf(const Ownership& own, const PartitionCounts& counts);

struct Share {
  UnitSet give;
  UnitSet take;
};
Share ShareOf(const Ownership& now, const Ownership& next, const PartitionCounts& counts);

class Placement {
 public:
  Placement() = default;
  Placement(const Ownership& own, const PartitionCounts& counts);

  // -1: another worker has it.
  int ThreadOfShard(int shard) const { return thread_of_shard_[static_cast<size_t>(shard)]; }
  bool OwnsShard(int shard) const { return ThreadOfShard(shard) >= 0; }
  int shard_count() const { return static_cast<int>(thread_of_shard_.size()); }  // of the job
  std::vector<int> Shards() const;
  std::vector<int> ThreadShards(int thread) const;
  std::vector<int> ThreadPartitions(int table, int thread) const;

  void Remove(const UnitSet& units);
  // Each goes to the thread that has the fewest of its kind. REQUIRES: none is here yet.
  void Add(const UnitSet& units);

 private:
  int threads_ = 1;
  std::vector<int> thread_of_shard_;                       // -1: not ours
  std::map<int, std::map<int, int>> thread_of_partition_;  // table -> partition -> thread
};

}  // namespace sj::worker::runtime
