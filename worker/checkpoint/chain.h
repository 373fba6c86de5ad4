// SPDX-License-Identifier: Apache-2.0
// Chain: the chunks that make up one operator's state in one shard, and the decision which of them
// to merge. Pure values.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "worker/checkpoint/footer.h"
#include "worker/types/key_group.h"

namespace sj::worker::checkpoint {

// (shard, operator)
using ChainKey = std::pair<int, uint16_t>;

struct Chain {
  explicit Chain(int key_groups) : expired_below(static_cast<size_t>(key_groups), INT64_MIN) {}

  std::vector<int64_t> expired_below;  // of each key group of the shard; never falls
  std::vector<ChunkRef> chunks;        // oldest first

  // The bound that holds in every key group.
  int64_t ExpiredBelow() const;
  // Raises the bound in those of the shard's key groups that `run` covers.
  void Expire(types::KeyGroupRange shard, types::KeyGroupRange run, int64_t below);
  // Forgets chunks in which every entry has expired.
  void DropDead();
  uint64_t Bytes() const;

  static Chain From(const OperatorState& state, int key_groups);
  OperatorState ToState(uint16_t op) const;
};
using Chains = std::map<ChainKey, Chain>;

// Where to merge from: chunks [from, end) become one. sizes.size(): merge nothing.
//
// Tiers: a chunk of up to 64 KiB is in tier 0, and every tier holds four times larger ones. Once
// four of the newest chunks lie in the same or lower tiers they are merged, and so on with the
// result; so every byte is rewritten about once a tier, and a chain has at most three chunks a
// tier. A chain longer than chunks_max is merged whole.
size_t PlanMerge(const std::vector<uint64_t>& sizes, size_t chunks_max);

}  // namespace sj::worker::checkpoint
