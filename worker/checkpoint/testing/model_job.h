// SPDX-License-Identifier: Apache-2.0
// ModelJob: a worker's state as a std::map, changed at random, and handed to a Checkpointer as the
// runtime would; with it tests know what a restore must give. Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "worker/checkpoint/checkpointer.h"
#include "worker/state/testing/temp_dir.h"

namespace sj::worker::checkpoint::testing {

using Entries = std::map<std::string, std::string>;  // state key -> value

inline CheckpointIdentity Identity(types::Generation generation, int ordinal,
                                   const std::string& incarnation) {
  CheckpointIdentity identity;
  identity.job_uid = "0b5e-uid";
  identity.state_hash = "hash1";
  identity.generation = generation;
  identity.ordinal = ordinal;
  identity.incarnation = incarnation;
  identity.max_parallelism = 32;
  identity.shards = 8;
  return identity;
}

// One committed partition, as Kafka would have it.
using Committed = std::map<types::InputPartition, Checkpointer::CommittedRef>;

class ModelJob {
 public:
  // Owns shards [shards.begin, shards.end) and the source partitions of the same numbers.
  ModelJob(types::KeyGroupRange shards, unsigned seed) : shards_(shards), random_(seed) {}

  // Random changes of two operators: operator 1 is windowed and expires, operator 2 only deletes.
  // Two threads share the key groups and stand at different watermarks.
  EpochCapture NextEpoch(types::Epoch epoch, int changes) {
    EpochCapture capture;
    capture.epoch = epoch;
    types::KeyGroupRange groups{shards_.begin * 4, shards_.end * 4};
    int middle = groups.begin + groups.size() / 2 - 1;
    for (types::KeyGroupRange part :
         {types::KeyGroupRange{groups.begin, middle}, types::KeyGroupRange{middle, groups.end}}) {
      int64_t& watermark = watermarks_.try_emplace(part.begin, first_watermark_).first->second;
      watermark += static_cast<int64_t>(random_() % 3);
      capture.runs.push_back(Run(1, part, watermark, changes));
      capture.runs.push_back(Run(2, part, INT64_MIN, changes));
    }
    for (int i = shards_.begin; i < shards_.end; ++i) {
      offsets_[i] += 1 + static_cast<int64_t>(random_() % 100);
      capture.sources[{"in", i}] = {offsets_[i], -1, false, {offsets_[i] * 10, false}};
      ShardState shard;
      shard.shard = i;
      shard.edge_offsets = {{0, offsets_[i] * 2}, {1, offsets_[i] * 3}};
      shard.senders[0]["w0-abc"] = {epoch, false};
      shard.watermark_ms[0] = epoch;
      capture.shards.push_back(shard);
    }
    return capture;
  }

  // What the transaction of this epoch commits.
  void CommitTo(Committed* committed, const std::string& metadata) const {
    for (int i = shards_.begin; i < shards_.end; ++i) {
      int64_t offset = offsets_.at(i);
      (*committed)[{"in", i}] = {{"in", i}, offset, metadata, -1, -1};
      (*committed)[{"x0", i}] = {{"x0", i}, offset * 2, metadata, 0, i};
      (*committed)[{"x1", i}] = {{"x1", i}, offset * 3, metadata, 1, i};
    }
  }

  const Entries& entries() const { return entries_; }
  // Goes on from a restore; the watermarks start where no former one has been.
  void Continue(const Entries& entries, const Restored& restored) {
    entries_ = entries;
    first_watermark_ = restored.epoch * 2;
    for (const auto& [partition, source] : restored.sources) {
      offsets_[partition.partition] = source.offset;
    }
  }

 private:
  state::FrozenRun Run(uint16_t op, types::KeyGroupRange part, int64_t watermark, int changes) {
    state::FrozenRun run;
    run.op = op;
    run.key_groups = part;
    run.expired_below = watermark;
    std::erase_if(entries_, [&](const auto& entry) {
      state::StateKey key;
      EXPECT_TRUE(state::DecodeStateKey(entry.first, &key));
      return key.op == op && part.Contains(key.key_group) && key.ns < watermark;
    });
    for (int i = 0; i < changes && !part.empty(); ++i) {
      int group = part.begin + static_cast<int>(random_() % static_cast<unsigned>(part.size()));
      int64_t ns = op == 1 ? watermark + static_cast<int64_t>(random_() % 4) : 0;
      state::FrozenEntry entry;
      entry.key = state::EncodeStateKey(
          {op, static_cast<uint16_t>(group), ns, "k" + std::to_string(random_() % 40)});
      entry.deleted = random_() % 5 == 0;
      if (entry.deleted) {
        entries_.erase(entry.key);
      } else {
        entry.value = std::to_string(random_());
        entries_[entry.key] = entry.value;
      }
      run.entries.push_back(std::move(entry));
    }
    return run;
  }

  types::KeyGroupRange shards_;
  std::mt19937 random_;
  Entries entries_;
  int64_t first_watermark_ = 0;
  std::map<int, int64_t> watermarks_;  // by the part's first key group
  std::map<int, int64_t> offsets_;     // by source partition
};

// The refs of the partitions and shards [shards.begin, shards.end).
inline std::vector<Checkpointer::CommittedRef> RefsOf(const Committed& committed,
                                                      types::KeyGroupRange shards) {
  std::vector<Checkpointer::CommittedRef> refs;
  for (const auto& [partition, ref] : committed) {
    if (shards.Contains(partition.partition)) {
      refs.push_back(ref);
    }
  }
  return refs;
}

// A checkpointer with its scratch directory, and restores into a store of its own.
class Worker {
 public:
  Worker(const CheckpointIdentity& identity, store::ObjectStore* store) {
    options.identity = identity;
    options.directory = dir.file("chunks");
    Reopen(store);
  }
  void Reopen(store::ObjectStore* store) {
    checkpointer.reset();
    auto opened = Checkpointer::Open(options, store);
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    checkpointer = std::move(opened).value();
  }
  base::Result<Restored> Restore(const std::vector<Checkpointer::CommittedRef>& refs) {
    state.reset();
    state::StateStoreOptions state_options;
    state_options.directory = dir.file("db");
    state = state::StateStore::Open(state_options).value();
    return checkpointer->Restore(refs, state.get());
  }
  Entries StateEntries() {
    Entries out;
    EXPECT_TRUE(state
                    ->Scan("", std::string(64, '\xff'),
                           [&](std::string_view key, std::string_view value) {
                             out.emplace(key, value);
                             return true;
                           })
                    .ok());
    return out;
  }

  state::testing::TempDir dir;
  CheckpointerOptions options;
  std::unique_ptr<Checkpointer> checkpointer;
  std::unique_ptr<state::StateStore> state;
};

}  // namespace sj::worker::checkpoint::testing
