// SPDX-License-Identifier: Apache-2.0
// Footer: the self-description at the end of every checkpoint object, and the commit metadata that
// names it. Kafka's committed metadata of a partition -> object -> footer -> everything a restore
// needs of that partition. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/types/column.h"
#include "worker/types/ids.h"

namespace sj::worker::checkpoint {

inline constexpr int kFormatVersion = 1;
inline constexpr size_t kFooterBytesMax = 4u << 20;

// A piece of state: `length` bytes at `offset` of object `object` (full key), an SST chunk.
struct ChunkRef {
  std::string object;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t entries = 0;
  std::string checksum;        // XXH3-64 of the bytes, hex
  int64_t ns_max = INT64_MAX;  // largest namespace in it; once expired the chunk is left out
  bool operator==(const ChunkRef&) const = default;
};

// State of one operator in one shard: chunks oldest first.
struct OperatorState {
  uint16_t op = 0;
  int64_t expired_below = INT64_MIN;  // namespaces below are gone, in every key group
  // Of each key group of the shard, when they differ (threads may be at different watermarks).
  std::vector<int64_t> groups_expired_below;
  std::vector<ChunkRef> chunks;
};

// What the worker knows of one source partition or, for a keyed edge, of one sender instance.
struct TimeMark {
  int64_t watermark_ms = types::kWatermarkMin;
  bool idle = false;
};

struct SourceState {
  int64_t offset = 0;
  int64_t end_offset = -1;  // bounded runs; -1: unbounded
  bool finished = false;
  TimeMark time;
};

// One shard: its exchange partitions' positions, the watermarks its senders announced, its state.
struct ShardState {
  int shard = 0;
  std::map<int, int64_t> edge_offsets;                     // edge id -> next exchange offset
  std::map<int, std::map<std::string, TimeMark>> senders;  // edge id -> instance -> mark
  std::map<int, int64_t> watermark_ms;  // edge id -> what the operators were told
  std::vector<OperatorState> operators;
};

struct Footer {
  int format = kFormatVersion;
  std::string job_uid;
  std::string state_hash;
  int max_parallelism = 0;
  int shards = 0;
  types::Generation generation = 0;
  int ordinal = 0;
  std::string incarnation;
  types::Epoch epoch = 0;
  std::map<types::InputPartition, SourceState> sources;
  std::vector<ShardState> shard_states;
};

std::string EncodeFooter(const Footer& footer);            // one line of JSON
base::Result<Footer> DecodeFooter(std::string_view json);  // kCorrupt

// An object is  chunk bytes... | footer JSON | footer length u32 LE | "SJC1".
// The commit metadata is  "sj1:<object key>:<first 16 hex of the footer's SHA-256>", and of a
// partition that its owner gives up in this very commit  "sj2:<object key>:<hash>:<generation>":
// the release mark, for the generation that takes it.
std::string CommitMetadata(const std::string& object, std::string_view footer_json);
// REQUIRES: `metadata` is CommitMetadata's, generation > 0.
std::string ReleaseMetadata(std::string_view metadata, types::Generation generation);
struct MetadataRef {
  std::string object;
  std::string footer_hash;
  types::Generation released_to = 0;  // 0: not released
};
base::Result<MetadataRef> ParseCommitMetadata(std::string_view metadata);  // kCorrupt
inline constexpr size_t kCommitMetadataBytesMax = 200;

// The footer JSON inside the last bytes of an object. kCorrupt when they are not an object's end.
// `wanted` gets the number of last bytes needed when `tail` is too short (the view is then empty).
base::Result<std::string_view> FindFooter(std::string_view tail, size_t* wanted);
std::string SealFooter(std::string_view footer_json);  // footer | length | "SJC1"

}  // namespace sj::worker::checkpoint
