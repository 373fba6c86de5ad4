// SPDX-License-Identifier: Apache-2.0
// The footer as JSON, numbers as integers, one line:
//   {"format":1, "job":UID, "state":HASH, "max_parallelism":N, "shards":N, "generation":N,
//    "ordinal":N, "incarnation":S, "epoch":N,
//    "sources":  [[topic, partition, offset, end offset, finished, watermark, idle], ...],
//    "objects":  [object key, ...],                       named once, chunks use the position
//    "states":   [{"shard":N,
//                  "offsets":    [[edge, offset], ...],
//                  "senders":    [[edge, instance, watermark, idle], ...],
//                  "watermarks": [[edge, watermark], ...],
//                  "operators":  [{"op":N, "expired":N, "groups":[N, ...],
//                                  "chunks":[[object, offset, length, entries, ns max, checksum],
//                                            ...]}, ...]}, ...]}
// At the end of an object:  footer | length u32 little-endian | "SJC1".
// Decoding is strict about types and ranges; unknown members are ignored, another format is not.
#include "worker/checkpoint/footer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "api/base/check.h"
#include "api/base/hash.h"
#include "api/base/json.h"
#include "worker/checkpoint/json_row.h"
#include "worker/checkpoint/object_name.h"

namespace sj::worker::checkpoint {
namespace {

using base::Json;

constexpr std::string_view kMagic = "SJC1";
constexpr size_t kSealBytes = 8;
constexpr std::string_view kMetadataPrefix = "sj1:";
constexpr std::string_view kReleasePrefix = "sj2:";
constexpr size_t kHashBytes = 16;
constexpr int64_t kShardsMax = 1 << 15;

// Objects in the order of first use in the sorted list.
std::vector<std::string> ObjectsOf(const Footer& footer) {
  std::vector<std::string> objects;
  for (const ShardState& shard : footer.shard_states) {
    for (const OperatorState& op : shard.operators) {
      for (const ChunkRef& chunk : op.chunks) {
        objects.push_back(chunk.object);
      }
    }
  }
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  return objects;
}

Json EncodeOperator(const OperatorState& op, const std::vector<std::string>& objects) {
  Json out = {{"op", op.op}, {"expired", op.expired_below}, {"chunks", Json::array()}};
  if (!op.groups_expired_below.empty()) {
    out["groups"] = op.groups_expired_below;
  }
  for (const ChunkRef& chunk : op.chunks) {
    auto at = std::lower_bound(objects.begin(), objects.end(), chunk.object) - objects.begin();
    out["chunks"].push_back(
        Json::array({at, chunk.offset, chunk.length, chunk.entries, chunk.ns_max, chunk.checksum}));
  }
  return out;
}

Json EncodeShard(const ShardState& shard, const std::vector<std::string>& objects) {
  Json out = {{"shard", shard.shard},
              {"offsets", Json::array()},
              {"senders", Json::array()},
              {"watermarks", Json::array()},
              {"operators", Json::array()}};
  for (const auto& [edge, offset] : shard.edge_offsets) {
    out["offsets"].push_back(Json::array({edge, offset}));
  }
  for (const auto& [edge, senders] : shard.senders) {
    for (const auto& [instance, mark] : senders) {
      out["senders"].push_back(Json::array({edge, instance, mark.watermark_ms, mark.idle}));
    }
  }
  for (const auto& [edge, watermark] : shard.watermark_ms) {
    out["watermarks"].push_back(Json::array({edge, watermark}));
  }
  for (const OperatorState& op : shard.operators) {
    out["operators"].push_back(EncodeOperator(op, objects));
  }
  return out;
}

// Reads one footer. The first thing wrong is kept in error_ and ends every loop.
class FooterReader {
 public:
  base::Result<Footer> Read(const Json& root) {
    JsonRow row(root, &error_);
    footer_.format = static_cast<int>(row.Int("format", 0, INT32_MAX));
    if (error_.empty() && footer_.format != kFormatVersion) {
      return base::InvalidArgument(fmt::format(
          "the checkpoint has format {}, this program reads {}", footer_.format, kFormatVersion));
    }
    footer_.job_uid = row.Text("job");
    footer_.state_hash = row.Text("state");
    footer_.max_parallelism = static_cast<int>(row.Int("max_parallelism", 1, kShardsMax));
    footer_.shards = static_cast<int>(row.Int("shards", 1, kShardsMax));
    footer_.generation = row.Int("generation", 0, INT64_MAX);
    footer_.ordinal = static_cast<int>(row.Int("ordinal", 0, INT32_MAX));
    footer_.incarnation = row.Text("incarnation");
    footer_.epoch = row.Int("epoch", 0, INT64_MAX);
    for (const Json& object : row.List("objects")) {
      ObjectName name;
      if (!object.is_string() || !ParseObjectName(object.get_ref<const std::string&>(), &name)) {
        Bad("objects");
        break;
      }
      objects_.push_back(object.get<std::string>());
    }
    ReadSources(row.List("sources"));
    for (const Json& shard : row.List("states")) {
      ReadShard(shard);
    }
    if (error_.empty() && footer_.max_parallelism % footer_.shards != 0) {
      Bad("shards");
    }
    if (!error_.empty()) {
      return base::Corrupt(fmt::format("read checkpoint footer: bad \"{}\"", error_));
    }
    return std::move(footer_);
  }

 private:
  void Bad(std::string_view what) {
    if (error_.empty()) {
      error_ = what;
    }
  }

  void ReadSources(const Json& list) {
    for (const Json& item : list) {
      JsonRow row(item, &error_);
      types::InputPartition partition{row.TextAt(0), static_cast<int>(row.IntAt(1, 0, INT32_MAX))};
      SourceState source;
      source.offset = row.IntAt(2, 0, INT64_MAX);
      source.end_offset = row.IntAt(3, -1, INT64_MAX);
      source.finished = row.BoolAt(4);
      source.time = {row.IntAt(5), row.BoolAt(6)};
      if (!footer_.sources.emplace(std::move(partition), source).second) {
        Bad("sources");
      }
      if (!error_.empty()) {
        return;
      }
    }
  }

  void ReadShard(const Json& item) {
    if (!error_.empty()) {
      return;
    }
    JsonRow row(item, &error_);
    ShardState shard;
    shard.shard = static_cast<int>(row.Int("shard", 0, footer_.shards - 1));
    for (const Json& pair : row.List("offsets")) {
      JsonRow at(pair, &error_);
      shard.edge_offsets[Edge(at)] = at.IntAt(1, 0, INT64_MAX);
    }
    for (const Json& sender : row.List("senders")) {
      JsonRow at(sender, &error_);
      shard.senders[Edge(at)][at.TextAt(1)] = {at.IntAt(2), at.BoolAt(3)};
    }
    for (const Json& pair : row.List("watermarks")) {
      JsonRow at(pair, &error_);
      shard.watermark_ms[Edge(at)] = at.IntAt(1);
    }
    for (const Json& op : row.List("operators")) {
      ReadOperator(op, &shard);
    }
    if (!shards_.insert(shard.shard).second) {
      Bad("shard");
    }
    footer_.shard_states.push_back(std::move(shard));
  }

  static int Edge(JsonRow& row) { return static_cast<int>(row.IntAt(0, 0, INT32_MAX)); }

  void ReadOperator(const Json& item, ShardState* shard) {
    JsonRow row(item, &error_);
    OperatorState op;
    op.op = static_cast<uint16_t>(row.Int("op", 0, UINT16_MAX));
    op.expired_below = row.Int("expired");
    if (item.contains("groups")) {
      const Json& groups = row.List("groups");
      for (size_t i = 0; i < groups.size(); ++i) {
        op.groups_expired_below.push_back(JsonRow(groups, &error_).IntAt(i));
      }
      if (static_cast<int>(groups.size()) != footer_.max_parallelism / footer_.shards) {
        Bad("groups");
      }
    }
    for (const Json& chunk : row.List("chunks")) {
      op.chunks.push_back(ReadChunk(chunk));
      if (!error_.empty()) {
        return;
      }
    }
    if (!operators_.insert({shard->shard, op.op}).second) {
      Bad("op");
    }
    shard->operators.push_back(std::move(op));
  }

  ChunkRef ReadChunk(const Json& item) {
    JsonRow row(item, &error_);
    ChunkRef chunk;
    int64_t object = row.IntAt(0, 0, static_cast<int64_t>(objects_.size()) - 1);
    chunk.offset = static_cast<uint64_t>(row.IntAt(1, 0, INT64_MAX / 2));
    chunk.length = static_cast<uint64_t>(row.IntAt(2, 1, INT64_MAX / 2));
    chunk.entries = static_cast<uint64_t>(row.IntAt(3, 1, INT64_MAX));
    chunk.ns_max = row.IntAt(4);
    chunk.checksum = row.TextAt(5);
    if (error_.empty()) {
      chunk.object = objects_[static_cast<size_t>(object)];
    }
    return chunk;
  }

  Footer footer_;
  std::vector<std::string> objects_;
  std::set<int> shards_;
  std::set<std::pair<int, int>> operators_;
  std::string error_;
};

bool ParseGeneration(std::string_view text, types::Generation* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out > 0 && text[0] != '0';
}

bool IsHash(std::string_view text) {
  return text.size() == kHashBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::string EncodeFooter(const Footer& footer) {
  std::vector<std::string> objects = ObjectsOf(footer);
  Json out = {{"format", footer.format},    {"job", footer.job_uid},
              {"state", footer.state_hash}, {"max_parallelism", footer.max_parallelism},
              {"shards", footer.shards},    {"generation", footer.generation},
              {"ordinal", footer.ordinal},  {"incarnation", footer.incarnation},
              {"epoch", footer.epoch},      {"sources", Json::array()},
              {"objects", objects},         {"states", Json::array()}};
  for (const auto& [partition, source] : footer.sources) {
    out["sources"].push_back(
        Json::array({partition.topic, partition.partition, source.offset, source.end_offset,
                     source.finished, source.time.watermark_ms, source.time.idle}));
  }
  for (const ShardState& shard : footer.shard_states) {
    out["states"].push_back(EncodeShard(shard, objects));
  }
  return base::DumpJson(out);
}

base::Result<Footer> DecodeFooter(std::string_view json) {
  SJ_ASSIGN_OR_RETURN(const Json root, ParseStored(json, kFooterBytesMax, "checkpoint footer"));
  return FooterReader().Read(root);
}

std::string CommitMetadata(const std::string& object, std::string_view footer_json) {
  return fmt::format("{}{}:{}", kMetadataPrefix, object,
                     base::Sha256Hex(footer_json).substr(0, kHashBytes));
}

std::string ReleaseMetadata(std::string_view metadata, types::Generation generation) {
  SJ_CHECK(metadata.starts_with(kMetadataPrefix) && generation > 0);
  return fmt::format("{}{}:{}", kReleasePrefix, metadata.substr(kMetadataPrefix.size()),
                     generation);
}

base::Result<MetadataRef> ParseCommitMetadata(std::string_view metadata) {
  std::string_view rest = metadata;
  MetadataRef ref;
  const bool released = rest.starts_with(kReleasePrefix);
  bool fine =
      metadata.size() < kCommitMetadataBytesMax && (released || rest.starts_with(kMetadataPrefix));
  rest.remove_prefix(std::min(rest.size(), kMetadataPrefix.size()));
  if (released) {
    size_t colon = std::min(rest.rfind(':'), rest.size());
    fine = fine && ParseGeneration(rest.substr(std::min(colon + 1, rest.size())), &ref.released_to);
    rest = rest.substr(0, colon);
  }
  size_t colon = std::min(rest.rfind(':'), rest.size());
  ref.object = rest.substr(0, colon);
  ref.footer_hash = rest.substr(std::min(colon + 1, rest.size()));
  ObjectName name;
  if (!fine || !IsHash(ref.footer_hash) || !ParseObjectName(ref.object, &name)) {
    return base::Corrupt(fmt::format("commit metadata \"{}\" is not a checkpoint's",
                                     base::HexEncode(metadata.substr(0, 100))));
  }
  return ref;
}

base::Result<std::string_view> FindFooter(std::string_view tail, size_t* wanted) {
  *wanted = 0;
  if (tail.size() < kSealBytes || !tail.ends_with(kMagic)) {
    return base::Corrupt("read checkpoint footer: the object does not end like a checkpoint");
  }
  size_t length = 0;
  for (size_t i = 0; i < 4; ++i) {
    length |= size_t{static_cast<uint8_t>(tail[tail.size() - kSealBytes + i])} << (8 * i);
  }
  if (length == 0 || length > kFooterBytesMax) {
    return base::Corrupt(fmt::format("read checkpoint footer: a length of {}", length));
  }
  if (length + kSealBytes > tail.size()) {
    *wanted = length + kSealBytes;
    return std::string_view();
  }
  return tail.substr(tail.size() - kSealBytes - length, length);
}

std::string SealFooter(std::string_view footer_json) {
  std::string out(footer_json);
  for (int shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>(footer_json.size() >> shift));
  }
  return out.append(kMagic);
}

}  // namespace sj::worker::checkpoint
