// SPDX-License-Identifier: Apache-2.0
// Contiguous ranges over workers, then over the threads of a worker.
#include "worker/runtime/ownership.h"

#include "api/base/check.h"

namespace sj::worker::runtime {
namespace {

types::KeyGroupRange PartOfRange(types::KeyGroupRange whole, int owners, int index) {
  types::KeyGroupRange part = types::PartOf(whole.size(), owners, index);
  return {whole.begin + part.begin, whole.begin + part.end};
}

}  // namespace

types::KeyGroupRange Ownership::WorkerPartitions(int count) const {
  return types::PartOf(count, replicas, ordinal);
}

types::KeyGroupRange Ownership::ThreadPartitions(int count, int thread) const {
  return PartOfRange(WorkerPartitions(count), threads, thread);
}

types::KeyGroupRange Ownership::WorkerShards() const {
  return types::PartOf(shards, replicas, ordinal);
}

types::KeyGroupRange Ownership::ThreadShards(int thread) const {
  return PartOfRange(WorkerShards(), threads, thread);
}

int Ownership::ThreadOfShard(int shard) const {
  types::KeyGroupRange mine = WorkerShards();
  SJ_CHECK(mine.Contains(shard));
  return types::OwnerOf(shard - mine.begin, mine.size(), threads);
}

}  // namespace sj::worker::runtime
