// SPDX-License-Identifier: Apache-2.0
// Chains and their merge plan.
#include "worker/checkpoint/chain.h"

#include <algorithm>

namespace sj::worker::checkpoint {
namespace {

constexpr uint64_t kTierBytes = 64u << 10;
constexpr int kTierWidth = 4;

int TierOf(uint64_t bytes) {
  int tier = 0;
  for (uint64_t limit = kTierBytes; bytes > limit && tier < 24; limit *= kTierWidth) {
    ++tier;
  }
  return tier;
}

}  // namespace

int64_t Chain::ExpiredBelow() const {
  return *std::min_element(expired_below.begin(), expired_below.end());
}

void Chain::Expire(types::KeyGroupRange shard, types::KeyGroupRange run, int64_t below) {
  for (int group = std::max(shard.begin, run.begin); group < std::min(shard.end, run.end);
       ++group) {
    int64_t& bound = expired_below[static_cast<size_t>(group - shard.begin)];
    bound = std::max(bound, below);
  }
}

void Chain::DropDead() {
  int64_t below = ExpiredBelow();
  std::erase_if(chunks, [&](const ChunkRef& chunk) { return chunk.ns_max < below; });
}

uint64_t Chain::Bytes() const {
  uint64_t bytes = 0;
  for (const ChunkRef& chunk : chunks) {
    bytes += chunk.length;
  }
  return bytes;
}

Chain Chain::From(const OperatorState& state, int key_groups) {
  Chain chain(key_groups);
  if (state.groups_expired_below.empty()) {
    chain.expired_below.assign(chain.expired_below.size(), state.expired_below);
  } else {
    chain.expired_below = state.groups_expired_below;
  }
  chain.chunks = state.chunks;
  return chain;
}

OperatorState Chain::ToState(uint16_t op) const {
  OperatorState state;
  state.op = op;
  state.expired_below = ExpiredBelow();
  bool same = std::all_of(expired_below.begin(), expired_below.end(),
                          [&](int64_t below) { return below == state.expired_below; });
  if (!same) {
    state.groups_expired_below = expired_below;
  }
  state.chunks = chunks;
  return state;
}

size_t PlanMerge(const std::vector<uint64_t>& sizes, size_t chunks_max) {
  size_t from = sizes.size();
  uint64_t merged = 0;  // bytes of [from, end) once they are one chunk
  while (!sizes.empty()) {
    int tier = TierOf(from == sizes.size() ? sizes.back() : merged);
    size_t start = from;
    uint64_t bytes = merged;
    while (start > 0 && TierOf(sizes[start - 1]) <= tier) {
      bytes += sizes[--start];
    }
    size_t run = from - start + (from < sizes.size() ? 1 : 0);
    if (run < kTierWidth) {
      break;
    }
    from = start;
    merged = bytes;
  }
  size_t left = from + (from < sizes.size() ? 1 : 0);
  return left > chunks_max ? 0 : from;
}

}  // namespace sj::worker::checkpoint
