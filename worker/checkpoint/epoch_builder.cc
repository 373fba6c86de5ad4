// SPDX-License-Identifier: Apache-2.0
// Building one checkpoint object:
//   chunk | chunk | ... | footer JSON | footer length u32 LE | "SJC1"
// with the chunks this epoch made, ordered by shard and operator. What an epoch did not touch stays
// where an earlier object has it.
#include "worker/checkpoint/epoch_builder.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "worker/checkpoint/mapped_file.h"
#include "worker/checkpoint/object_name.h"
#include "worker/state/chunk.h"

namespace sj::worker::checkpoint {
namespace {

int GroupsPerShard(const CheckpointIdentity& identity) {
  return identity.max_parallelism / identity.shards;
}

}  // namespace

base::Status EpochBuilder::Build(const Chains& former, EpochCapture* capture) {
  SJ_RETURN_IF_ERROR(CheckShards(*capture));
  for (const ShardState& shard : capture->shards) {
    auto from = former.lower_bound({shard.shard, 0});
    auto to = former.lower_bound({shard.shard + 1, 0});
    chains_.insert(from, to);
  }
  for (state::FrozenRun& run : capture->runs) {
    SJ_RETURN_IF_ERROR(Collect(&run, *capture));
  }
  capture->runs.clear();
  for (auto& [key, chain] : chains_) {
    chain.DropDead();
    auto it = changes_.find(key);
    if (it != changes_.end()) {
      SJ_RETURN_IF_ERROR(Extend(&chain, &it->second));
    }
  }
  changes_.clear();
  return RewriteForeign();
}

base::Status EpochBuilder::CheckShards(const EpochCapture& capture) const {
  std::set<int> seen;
  for (const ShardState& shard : capture.shards) {
    if (shard.shard < 0 || shard.shard >= options_.identity.shards ||
        !seen.insert(shard.shard).second) {
      return base::Internal(fmt::format("write epoch {}: shard {} is out of range or there twice",
                                        capture.epoch, shard.shard));
    }
  }
  return base::OkStatus();
}

// Sorts a run's entries by shard and raises what has expired in the key groups it covers.
base::Status EpochBuilder::Collect(state::FrozenRun* run, const EpochCapture& capture) {
  const CheckpointIdentity& identity = options_.identity;
  for (const ShardState& shard : capture.shards) {
    types::KeyGroupRange range =
        types::ShardRange(shard.shard, identity.shards, identity.max_parallelism);
    bool overlaps = range.begin < run->key_groups.end && run->key_groups.begin < range.end;
    if (overlaps && run->expired_below != INT64_MIN) {
      ChainOf({shard.shard, run->op}).Expire(range, run->key_groups, run->expired_below);
    }
  }
  std::set<int> shards;
  for (const ShardState& shard : capture.shards) {
    shards.insert(shard.shard);
  }
  int last_shard = -1;
  std::vector<state::FrozenEntry>* into = nullptr;
  for (state::FrozenEntry& entry : run->entries) {
    state::StateKey key;
    if (!state::DecodeStateKey(entry.key, &key) || key.op != run->op ||
        !run->key_groups.Contains(key.key_group) || key.key_group >= identity.max_parallelism) {
      return base::Internal(
          fmt::format("write epoch {}: an entry lies outside of its run of operator {}",
                      capture.epoch, run->op));
    }
    int shard = types::ShardOf(key.key_group, identity.shards, identity.max_parallelism);
    if (shard != last_shard) {
      if (!shards.contains(shard)) {
        return base::Internal(fmt::format("write epoch {}: state of shard {}, which is not ours",
                                          capture.epoch, shard));
      }
      ChainOf({shard, run->op});
      into = &changes_[{shard, run->op}];
      last_shard = shard;
    }
    into->push_back(std::move(entry));
  }
  run->entries.clear();
  return base::OkStatus();
}

Chain& EpochBuilder::ChainOf(const ChainKey& key) {
  return chains_.try_emplace(key, GroupsPerShard(options_.identity)).first->second;
}

// Adds the epoch's chunk and merges what the plan says.
base::Status EpochBuilder::Extend(Chain* chain, std::vector<state::FrozenEntry>* entries) {
  std::string file = files_->NewFile();
  SJ_ASSIGN_OR_RETURN(state::ChunkInfo info, state::WriteChunk(std::move(*entries), file));
  if (info.entries == 0) {
    return base::OkStatus();
  }
  ChunkRef chunk;
  chunk.offset = pending_files_.size();
  chunk.length = info.bytes;
  chunk.entries = info.entries;
  chunk.ns_max = info.ns_max;
  pending_files_.push_back(file);
  chain->chunks.push_back(std::move(chunk));
  std::vector<uint64_t> sizes;
  for (const ChunkRef& each : chain->chunks) {
    sizes.push_back(each.length);
  }
  size_t from = PlanMerge(sizes, static_cast<size_t>(options_.chunks_max));
  return from < sizes.size() ? MergeFrom(chain, from) : base::OkStatus();
}

base::Status EpochBuilder::MergeFrom(Chain* chain, size_t from) {
  std::vector<std::string> inputs;
  for (size_t i = from; i < chain->chunks.size(); ++i) {
    SJ_ASSIGN_OR_RETURN(std::string file, FileOf(chain->chunks[i]));
    inputs.push_back(std::move(file));
  }
  std::string out = files_->NewFile();
  SJ_ASSIGN_OR_RETURN(state::ChunkInfo info,
                      state::MergeChunks(inputs, chain->ExpiredBelow(), from == 0, out));
  for (size_t i = from; i < chain->chunks.size(); ++i) {
    if (IsPending(chain->chunks[i])) {
      std::error_code ignored;
      std::filesystem::remove(pending_files_[chain->chunks[i].offset], ignored);
    }
  }
  chain->chunks.resize(from);
  if (info.entries > 0) {
    ChunkRef chunk;
    chunk.offset = pending_files_.size();
    chunk.length = info.bytes;
    chunk.entries = info.entries;
    chunk.ns_max = info.ns_max;
    pending_files_.push_back(out);
    chain->chunks.push_back(std::move(chunk));
  }
  return base::OkStatus();
}

// Own copies of what other ordinals or generations wrote, as far as the credit goes, so that their
// objects can go. As they are: a merge of much state would make the epoch long.
base::Status EpochBuilder::RewriteForeign() {
  for (auto& [key, chain] : chains_) {
    for (ChunkRef& chunk : chain.chunks) {
      if (!IsForeign(chunk)) {
        continue;
      }
      if (rewritten_ + chunk.length > rewrite_credit_) {
        foreign_left_ = true;
        continue;
      }
      rewritten_ += chunk.length;
      SJ_RETURN_IF_ERROR(CopyToPending(&chunk));
    }
  }
  return base::OkStatus();
}

base::Status EpochBuilder::CopyToPending(ChunkRef* chunk) {
  SJ_ASSIGN_OR_RETURN(const std::string from, files_->Get(*chunk));
  std::string file = files_->NewFile();
  std::error_code error;
  std::filesystem::create_hard_link(from, file, error);
  if (error) {
    std::filesystem::copy_file(from, file, error);
  }
  if (error) {
    return base::Exhausted(fmt::format("copy chunk file \"{}\": {}", from, error.message()));
  }
  chunk->object.clear();
  chunk->offset = pending_files_.size();
  pending_files_.push_back(std::move(file));
  return base::OkStatus();
}

bool EpochBuilder::IsForeign(const ChunkRef& chunk) const {
  ObjectName name;
  return !IsPending(chunk) && (!ParseObjectName(chunk.object, &name) ||
                               name.generation != options_.identity.generation ||
                               name.ordinal != options_.identity.ordinal);
}

base::Result<std::string> EpochBuilder::FileOf(const ChunkRef& chunk) {
  if (IsPending(chunk)) {
    return pending_files_[chunk.offset];
  }
  return files_->Get(chunk);
}

base::Result<std::string> EpochBuilder::Pack(const EpochCapture& capture, std::string* footer) {
  const std::string path = files_->NewFile();
  uint64_t offset = 0;
  for (auto& [key, chain] : chains_) {
    for (ChunkRef& chunk : chain.chunks) {
      if (!IsPending(chunk)) {
        continue;
      }
      const std::string& file = pending_files_[chunk.offset];
      SJ_ASSIGN_OR_RETURN(MappedFile bytes, MappedFile::Open(file));
      SJ_RETURN_IF_ERROR(AppendToFile(path, bytes.view()));
      chunk.checksum = ChecksumOf(bytes.view());
      chunk.object = object_;
      chunk.offset = std::exchange(offset, offset + chunk.length);
      made_.emplace_back(chunk, file);
    }
  }
  Footer out;
  const CheckpointIdentity& identity = options_.identity;
  out.job_uid = identity.job_uid;
  out.state_hash = identity.state_hash;
  out.max_parallelism = identity.max_parallelism;
  out.shards = identity.shards;
  out.generation = identity.generation;
  out.ordinal = identity.ordinal;
  out.incarnation = identity.incarnation;
  out.epoch = capture.epoch;
  out.sources = capture.sources;
  out.shard_states = capture.shards;
  for (ShardState& shard : out.shard_states) {
    shard.operators.clear();
    auto end = chains_.lower_bound({shard.shard + 1, 0});
    for (auto it = chains_.lower_bound({shard.shard, 0}); it != end; ++it) {
      shard.operators.push_back(it->second.ToState(it->first.second));
    }
  }
  *footer = EncodeFooter(out);
  if (footer->size() > kFooterBytesMax) {
    return base::Exhausted(fmt::format("write epoch {}: the footer has {} bytes, at most {} fit",
                                       capture.epoch, footer->size(), kFooterBytesMax));
  }
  SJ_RETURN_IF_ERROR(AppendToFile(path, SealFooter(*footer)));
  return path;
}

}  // namespace sj::worker::checkpoint
