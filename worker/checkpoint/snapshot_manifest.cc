// SPDX-License-Identifier: Apache-2.0
// The manifest as JSON, one line:
//   {"format":1, "namespace":S, "name":S, "job":UID, "prefix":S, "state":HASH,
//    "max_parallelism":N, "shards":N, "generation":N, "replicas":N, "epoch":N, "taken_ms":N,
//    "sql":S,
//    "inputs":  [[topic, partition, offset, metadata, edge, shard], ...],  edge -1: a source
//    "objects": [[key, bytes], ...],
//    "rows":    {"object":S, "parts":[[edge, shard, offset, length, records, checksum], ...]}}
// Decoding is strict about types and ranges; unknown members are ignored, another format is not.
#include "worker/checkpoint/snapshot_manifest.h"

#include <fmt/format.h>

#include "api/base/json.h"
#include "worker/checkpoint/json_row.h"
#include "worker/checkpoint/object_name.h"

namespace sj::worker::checkpoint {
namespace {

using base::Json;

constexpr int kShardsMax = 1 << 15;
constexpr size_t kLengthBytes = 4;

void ReadInputs(const Json& list, std::string* error, SnapshotManifest* out) {
  for (const Json& item : list) {
    JsonRow row(item, error);
    Checkpointer::CommittedRef ref;
    ref.partition = {row.TextAt(0), static_cast<int>(row.IntAt(1, 0, INT32_MAX))};
    ref.offset = row.IntAt(2, 0, INT64_MAX);
    ref.metadata = row.TextAt(3);
    ref.edge = static_cast<int>(row.IntAt(4, -1, INT32_MAX));
    ref.shard = static_cast<int>(row.IntAt(5, -1, out->shards - 1));
    if (error->empty() &&
        (!ParseCommitMetadata(ref.metadata).ok() || (ref.edge < 0) != (ref.shard < 0))) {
      *error = "inputs";
    }
    if (!error->empty()) {
      return;
    }
    out->inputs.push_back(std::move(ref));
  }
}

void ReadObjects(const Json& list, std::string* error, SnapshotManifest* out) {
  for (const Json& item : list) {
    JsonRow row(item, error);
    store::ObjectInfo object{row.TextAt(0), static_cast<uint64_t>(row.IntAt(1, 0, INT64_MAX))};
    ObjectName name;
    if (error->empty() && (!ParseObjectName(object.key, &name) || name.job_uid != out->job_uid)) {
      *error = "objects";
    }
    if (!error->empty()) {
      return;
    }
    out->objects.push_back(std::move(object));
  }
}

void ReadRows(const Json& item, std::string* error, SnapshotManifest* out) {
  JsonRow row(item, error);
  out->rows_object = row.Text("object");
  for (const Json& part : row.List("parts")) {
    JsonRow at(part, error);
    SnapshotRows rows;
    rows.edge = static_cast<int>(at.IntAt(0, 0, INT32_MAX));
    rows.shard = static_cast<int>(at.IntAt(1, 0, out->shards - 1));
    rows.offset = static_cast<uint64_t>(at.IntAt(2, 0, INT64_MAX / 2));
    rows.length = static_cast<uint64_t>(at.IntAt(3, 1, INT64_MAX / 2));
    rows.records = static_cast<uint64_t>(at.IntAt(4, 1, INT64_MAX));
    rows.checksum = at.TextAt(5);
    if (!error->empty()) {
      return;
    }
    out->rows.push_back(std::move(rows));
  }
}

}  // namespace

std::string EncodeManifest(const SnapshotManifest& manifest) {
  Json out = {{"format", manifest.format},
              {"namespace", manifest.job_namespace},
              {"name", manifest.job_name},
              {"job", manifest.job_uid},
              {"prefix", manifest.id_prefix},
              {"state", manifest.state_hash},
              {"max_parallelism", manifest.max_parallelism},
              {"shards", manifest.shards},
              {"generation", manifest.generation},
              {"replicas", manifest.replicas},
              {"epoch", manifest.epoch},
              {"taken_ms", manifest.taken.time_since_epoch() / base::Millis(1)},
              {"sql", manifest.sql},
              {"inputs", Json::array()},
              {"objects", Json::array()},
              {"rows", {{"object", manifest.rows_object}, {"parts", Json::array()}}}};
  for (const Checkpointer::CommittedRef& ref : manifest.inputs) {
    out["inputs"].push_back(Json::array({ref.partition.topic, ref.partition.partition, ref.offset,
                                         ref.metadata, ref.edge, ref.shard}));
  }
  for (const store::ObjectInfo& object : manifest.objects) {
    out["objects"].push_back(Json::array({object.key, object.bytes}));
  }
  for (const SnapshotRows& rows : manifest.rows) {
    out["rows"]["parts"].push_back(Json::array(
        {rows.edge, rows.shard, rows.offset, rows.length, rows.records, rows.checksum}));
  }
  return base::DumpJson(out);
}

base::Result<SnapshotManifest> DecodeManifest(std::string_view json) {
  SJ_ASSIGN_OR_RETURN(const Json root, ParseStored(json, kManifestBytesMax, "snapshot manifest"));
  std::string error;
  JsonRow row(root, &error);
  SnapshotManifest out;
  out.format = static_cast<int>(row.Int("format", 0, INT32_MAX));
  if (error.empty() && out.format != kSnapshotFormat) {
    return base::InvalidArgument(fmt::format("the snapshot has format {}, this program reads {}",
                                             out.format, kSnapshotFormat));
  }
  out.job_namespace = row.Text("namespace");
  out.job_name = row.Text("name");
  out.job_uid = row.Text("job");
  out.id_prefix = row.Text("prefix");
  out.state_hash = row.Text("state");
  out.max_parallelism = static_cast<int>(row.Int("max_parallelism", 1, kShardsMax));
  out.shards = static_cast<int>(row.Int("shards", 1, kShardsMax));
  out.generation = row.Int("generation", 0, INT64_MAX);
  out.replicas = static_cast<int>(row.Int("replicas", 1, INT32_MAX));
  out.epoch = row.Int("epoch", 0, INT64_MAX);
  out.taken = base::WallTime(base::Millis(row.Int("taken_ms", 0, INT64_MAX / 1'000'000)));
  out.sql = row.Text("sql");
  ReadInputs(row.List("inputs"), &error, &out);
  ReadObjects(row.List("objects"), &error, &out);
  ReadRows(root.is_object() && root.contains("rows") ? root["rows"] : Json(), &error, &out);
  if (!error.empty()) {
    return base::Corrupt(fmt::format("read snapshot manifest: bad \"{}\"", error));
  }
  return out;
}

std::string SnapshotPrefix(const std::string& job_uid, const std::string& name,
                           const std::string& snapshot_uid) {
  return fmt::format("snapshots/{}/{}/{}", job_uid, name, snapshot_uid);
}

std::string SnapshotObjectKey(const std::string& key) {
  return "objects/" + key;
}

std::string LocationBelow(const std::string& outer, const std::string& prefix) {
  std::string location = outer;
  while (location.ends_with('/')) {
    location.pop_back();
  }
  return location + "/" + prefix;
}

std::string PrefixWithin(const std::string& outer, const std::string& inner) {
  const std::string start = LocationBelow(outer, "");
  return inner.starts_with(start) ? inner.substr(start.size()) : "";
}

void AppendFrame(std::string_view payload, std::string* out) {
  for (size_t shift = 0; shift < 8 * kLengthBytes; shift += 8) {
    out->push_back(static_cast<char>(payload.size() >> shift));
  }
  out->append(payload);
}

base::Status ForEachFrame(std::string_view bytes,
                          const std::function<base::Status(std::string_view)>& take) {
  while (!bytes.empty()) {
    size_t length = 0;
    for (size_t i = 0; i < kLengthBytes && i < bytes.size(); ++i) {
      length |= size_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    }
    if (bytes.size() < kLengthBytes || bytes.size() - kLengthBytes < length) {
      return base::Corrupt("read rows in flight: cut short");
    }
    SJ_RETURN_IF_ERROR(take(bytes.substr(kLengthBytes, length)));
    bytes.remove_prefix(kLengthBytes + length);
  }
  return base::OkStatus();
}

}  // namespace sj::worker::checkpoint
