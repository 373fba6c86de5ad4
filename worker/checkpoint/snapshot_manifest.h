// SPDX-License-Identifier: Apache-2.0
// SnapshotManifest: what a snapshot holds, as one object written last. It names the footers of a
// cut by hash, footers name chunks by checksum, and it names the rows in flight by checksum; its
// own hash stands in the status of the StreamJobSnapshot. Pure functions.
//
// A snapshot is a location of its own, <location>/snapshots/<job uid>/<name>/<snapshot uid>, with
//   objects/<key>   copies of checkpoint objects under the keys they had
//   rows-<n>        what was in flight: for each edge and shard  { length u32 LE | payload }*
//   manifest-<n>    this
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/clock.h"
#include "api/base/status.h"
#include "worker/checkpoint/checkpointer.h"
#include "worker/store/object_store.h"

namespace sj::worker::checkpoint {

inline constexpr int kSnapshotFormat = 1;
inline constexpr size_t kManifestBytesMax = 32u << 20;

// Messages of one exchange partition, in its order.
struct SnapshotRows {
  int edge = 0;
  int shard = 0;
  uint64_t offset = 0;  // in the rows object
  uint64_t length = 0;
  uint64_t records = 0;
  std::string checksum;  // ChecksumOf
  bool operator==(const SnapshotRows&) const = default;
};

struct SnapshotManifest {
  int format = kSnapshotFormat;
  std::string job_namespace;  // for people
  std::string job_name;       // for people
  std::string job_uid;
  std::string id_prefix;  // of topic names
  std::string state_hash;
  int max_parallelism = 0;
  int shards = 0;
  types::Generation generation = 0;
  int replicas = 0;
  types::Epoch epoch = 0;  // the largest of the cut
  base::WallTime taken{};
  std::string sql;                                 // for people
  std::vector<Checkpointer::CommittedRef> inputs;  // of the whole job
  std::vector<store::ObjectInfo> objects;          // keys as the job had them
  std::string rows_object;                         // empty: nothing was in flight
  std::vector<SnapshotRows> rows;
};

std::string EncodeManifest(const SnapshotManifest& manifest);  // one line of JSON
// kCorrupt; kInvalidArgument for another format.
base::Result<SnapshotManifest> DecodeManifest(std::string_view json);

// "snapshots/<job uid>/<name>/<snapshot uid>", below the job's own location.
std::string SnapshotPrefix(const std::string& job_uid, const std::string& name,
                           const std::string& snapshot_uid);
std::string SnapshotObjectKey(const std::string& key);  // "objects/<key>"
// The location of what lies below `prefix` of another one, and the way back: empty when `inner` is
// not below `outer`.
std::string LocationBelow(const std::string& outer, const std::string& prefix);
std::string PrefixWithin(const std::string& outer, const std::string& inner);

void AppendFrame(std::string_view payload, std::string* out);
// kCorrupt when the bytes are no sequence of frames; else the first error of `take`.
base::Status ForEachFrame(std::string_view bytes,
                          const std::function<base::Status(std::string_view)>& take);

}  // namespace sj::worker::checkpoint
