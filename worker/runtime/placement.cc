// SPDX-License-Identifier: Apache-2.0
// See placement.h.
#include "worker/runtime/placement.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/base/check.h"

namespace sj::worker::runtime {
namespace {

std::string Ranges(const std::vector<int>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) {
      ++last;
    }
    text += text.empty() ? "" : ",";
    text +=
        last == i ? fmt::format("{}", numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return text;
}

std::vector<int> Minus(const std::vector<int>& from, const std::vector<int>& what) {
  std::vector<int> out;
  std::set_difference(from.begin(), from.end(), what.begin(), what.end(), std::back_inserter(out));
  return out;
}

UnitSet Minus(const UnitSet& from, const UnitSet& what) {
  UnitSet out;
  out.shards = Minus(from.shards, what.shards);
  for (const auto& [table, partitions] : from.partitions) {
    auto other = what.partitions.find(table);
    std::vector<int> left =
        other == what.partitions.end() ? partitions : Minus(partitions, other->second);
    if (!left.empty()) {
      out.partitions[table] = std::move(left);
    }
  }
  return out;
}

std::vector<int> Numbers(types::KeyGroupRange range) {
  std::vector<int> out;
  for (int i = range.begin; i < range.end; ++i) {
    out.push_back(i);
  }
  return out;
}

int Fewest(const std::vector<int>& loads) {
  return static_cast<int>(std::min_element(loads.begin(), loads.end()) - loads.begin());
}

}  // namespace

size_t UnitSet::size() const {
  size_t sum = shards.size();
  for (const auto& [table, numbers] : partitions) {
    sum += numbers.size();
  }
  return sum;
}

bool UnitSet::HasShard(int shard) const {
  return std::binary_search(shards.begin(), shards.end(), shard);
}

bool UnitSet::HasPartition(int table, int partition) const {
  auto it = partitions.find(table);
  return it != partitions.end() &&
         std::binary_search(it->second.begin(), it->second.end(), partition);
}

std::string UnitSet::ToString() const {
  std::string text = shards.empty() ? "" : "shards " + Ranges(shards);
  for (const auto& [table, numbers] : partitions) {
    text += text.empty() ? "" : "; ";
    text += fmt::format("table {} partitions {}", table, Ranges(numbers));
  }
  return text;
}

UnitSet UnitsOf(const Ownership& own, const PartitionCounts& counts) {
  UnitSet units;
  if (own.ordinal >= own.replicas) {
    return units;
  }
  units.shards = Numbers(own.WorkerShards());
  for (const auto& [table, count] : counts) {
    std::vector<int> mine = Numbers(own.WorkerPartitions(count));
    if (!mine.empty()) {
      units.partitions[table] = std::move(mine);
    }
  }
  return units;
}

Share ShareOf(const Ownership& now, const Ownership& next, const PartitionCounts& counts) {
  UnitSet had = UnitsOf(now, counts);
  UnitSet has = UnitsOf(next, counts);
  return {Minus(had, has), Minus(has, had)};
}

Placement::Placement(const Ownership& own, const PartitionCounts& counts)
    : threads_(own.threads), thread_of_shard_(static_cast<size_t>(own.shards), -1) {
  for (int thread = 0; thread < own.threads; ++thread) {
    for (int shard : Numbers(own.ThreadShards(thread))) {
      thread_of_shard_[static_cast<size_t>(shard)] = thread;
    }
    for (const auto& [table, count] : counts) {
      for (int partition : Numbers(own.ThreadPartitions(count, thread))) {
        thread_of_partition_[table][partition] = thread;
      }
    }
  }
}

std::vector<int> Placement::Shards() const {
  std::vector<int> out;
  for (int shard = 0; shard < shard_count(); ++shard) {
    if (OwnsShard(shard)) {
      out.push_back(shard);
    }
  }
  return out;
}

std::vector<int> Placement::ThreadShards(int thread) const {
  std::vector<int> out = Shards();
  std::erase_if(out, [&](int shard) { return ThreadOfShard(shard) != thread; });
  return out;
}

std::vector<int> Placement::ThreadPartitions(int table, int thread) const {
  std::vector<int> out;
  auto it = thread_of_partition_.find(table);
  if (it != thread_of_partition_.end()) {
    for (const auto& [partition, owner] : it->second) {
      if (owner == thread) {
        out.push_back(partition);
      }
    }
  }
  return out;
}

void Placement::Remove(const UnitSet& units) {
  for (int shard : units.shards) {
    thread_of_shard_[static_cast<size_t>(shard)] = -1;
  }
  for (const auto& [table, partitions] : units.partitions) {
    for (int partition : partitions) {
      thread_of_partition_[table].erase(partition);
    }
  }
}

void Placement::Add(const UnitSet& units) {
  std::vector<int> loads(static_cast<size_t>(threads_));
  for (int thread = 0; thread < threads_; ++thread) {
    loads[static_cast<size_t>(thread)] = static_cast<int>(ThreadShards(thread).size());
  }
  for (int shard : units.shards) {
    SJ_CHECK(!OwnsShard(shard));
    int thread = Fewest(loads);
    thread_of_shard_[static_cast<size_t>(shard)] = thread;
    loads[static_cast<size_t>(thread)] += 1;
  }
  for (const auto& [table, partitions] : units.partitions) {
    for (int thread = 0; thread < threads_; ++thread) {
      loads[static_cast<size_t>(thread)] = static_cast<int>(ThreadPartitions(table, thread).size());
    }
    for (int partition : partitions) {
      int thread = Fewest(loads);
      SJ_CHECK(thread_of_partition_[table].emplace(partition, thread).second);
      loads[static_cast<size_t>(thread)] += 1;
    }
  }
}

}  // namespace sj::worker::runtime
