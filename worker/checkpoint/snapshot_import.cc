// SPDX-License-Identifier: Apache-2.0
// An object <uid>/g<n>/<ordinal>/<epoch>-<incarnation> of the snapshot becomes
// <new uid>/g0/<ordinal>/<epoch>-<incarnation>g<n>, and its footer, written anew, an object of its
// own with an 'f' behind that name: chunks keep their places.
#include "worker/checkpoint/snapshot_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "api/base/hash.h"
#include "worker/checkpoint/chunk_files.h"
#include "worker/checkpoint/mapped_file.h"
#include "worker/checkpoint/object_name.h"
#include "worker/checkpoint/read_footer.h"

namespace sj::worker::checkpoint {
namespace {

constexpr uint64_t kPartBytes = 16u << 20;  // in memory at a time

using CommittedRef = Checkpointer::CommittedRef;

std::string TopicPrefix(const std::string& id_prefix, const std::string& job_uid) {
  return fmt::format("{}.{}.", id_prefix, job_uid);
}

// The same bytes may be there already, of another worker or of an earlier try.
base::Status PutSame(store::ObjectStore* store, const std::string& key, std::string_view bytes) {
  base::Status put = store->Put(key, bytes);
  if (put.ok() || put.kind() != base::ErrorKind::kConflict) {
    return put;
  }
  SJ_ASSIGN_OR_RETURN(const std::string there, store->Get(key));
  return there == bytes ? base::OkStatus() : put;
}

}  // namespace

base::Result<std::unique_ptr<SnapshotImport>> SnapshotImport::Open(const SnapshotRef& snapshot,
                                                                   ImportTarget target,
                                                                   store::ObjectStore* from,
                                                                   store::ObjectStore* to) {
  const std::string what = fmt::format("read snapshot {}", snapshot.location);
  base::Result<std::string> json = from->Get(snapshot.manifest);
  if (!json.ok()) {
    return std::move(json).status().WithContext(what);
  }
  if (base::Sha256Hex(*json) != snapshot.sha256) {
    return base::Corrupt(
        fmt::format("{}: its manifest is not the one that was written when it was taken", what));
  }
  std::unique_ptr<SnapshotImport> import(new SnapshotImport(std::move(target), from, to));
  base::Result<SnapshotManifest> manifest = DecodeManifest(*json);
  if (!manifest.ok()) {
    return std::move(manifest).status().WithContext(what);
  }
  import->manifest_ = *std::move(manifest);
  for (const store::ObjectInfo& object : import->manifest_.objects) {
    import->bytes_[object.key] = object.bytes;
  }
  base::Status fits = import->CheckManifest();
  if (!fits.ok()) {
    return std::move(fits).WithContext(what);
  }
  return import;
}

base::Status SnapshotImport::CheckManifest() const {
  if (manifest_.state_hash != target_.state_hash) {
    return base::InvalidArgument(fmt::format(
        "its state was written by another query (state hash {}, this query has {}). Use the query "
        "that the snapshot's manifest tells; sinks may differ",
        manifest_.state_hash, target_.state_hash));
  }
  if (manifest_.max_parallelism != target_.max_parallelism) {
    return base::InvalidArgument(
        fmt::format("it was taken with spec.maxParallelism {}, this job has {}",
                    manifest_.max_parallelism, target_.max_parallelism));
  }
  if (manifest_.shards != target_.shards) {
    return base::InvalidArgument(fmt::format("it was taken with {} shards, this job has {}",
                                             manifest_.shards, target_.shards));
  }
  return base::OkStatus();
}

std::string SnapshotImport::Renamed(const std::string& name) const {
  const std::string before = TopicPrefix(manifest_.id_prefix, manifest_.job_uid);
  return name.starts_with(before)
             ? TopicPrefix(target_.id_prefix, target_.job_uid) + name.substr(before.size())
             : name;
}

base::Result<std::string> SnapshotImport::OwnName(const std::string& object,
                                                  const char* suffix) const {
  ObjectName name;
  if (!ParseObjectName(object, &name) || name.job_uid != manifest_.job_uid) {
    return base::Corrupt(fmt::format("object \"{}\" is not one of the snapshot's job", object));
  }
  name.incarnation += fmt::format("g{}{}", name.generation, suffix);
  SJ_RETURN_IF_ERROR(CheckNamePart("incarnation", name.incarnation, false));
  name.job_uid = target_.job_uid;
  name.generation = 0;
  return FormatObjectName(name);
}

base::Result<Footer> SnapshotImport::Rewrite(const Footer& footer) const {
  Footer out = footer;
  out.job_uid = target_.job_uid;
  out.generation = 0;
  out.incarnation += fmt::format("g{}f", footer.generation);
  out.sources.clear();
  for (const auto& [partition, source] : footer.sources) {
    out.sources[{Renamed(partition.topic), partition.partition}] = source;
  }
  for (ShardState& shard : out.shard_states) {
    for (auto& [edge, offset] : shard.edge_offsets) {
      offset = 0;  // the new job's exchange topics are new too
    }
    for (auto& [edge, senders] : shard.senders) {
      std::map<std::string, TimeMark> renamed;
      for (const auto& [instance, mark] : senders) {
        renamed[Renamed(instance)] = mark;
      }
      senders = std::move(renamed);
    }
    for (OperatorState& op : shard.operators) {
      for (ChunkRef& chunk : op.chunks) {
        SJ_ASSIGN_OR_RETURN(chunk.object, OwnName(chunk.object, ""));
      }
    }
  }
  return out;
}

base::Status SnapshotImport::CopyThroughFile(const std::string& object, const std::string& to) {
  auto known = bytes_.find(object);
  if (known == bytes_.end()) {
    return base::Corrupt(
        fmt::format("a footer names object \"{}\", the manifest does not", object));
  }
  std::error_code ignored;
  std::filesystem::create_directories(target_.scratch_directory, ignored);
  const std::string file = target_.scratch_directory + "/import-" + base::RandomHex(8);
  const auto copy = [&]() -> base::Status {
    for (uint64_t at = 0; at < known->second; at += kPartBytes) {
      SJ_ASSIGN_OR_RETURN(
          const std::string part,
          from_->GetRange(SnapshotObjectKey(object), at, std::min(kPartBytes, known->second - at)));
      SJ_RETURN_IF_ERROR(AppendToFile(file, part));
    }
    SJ_ASSIGN_OR_RETURN(MappedFile bytes, MappedFile::Open(file));
    base::Status put = to_->Put(to, bytes.view());
    // Chunks are verified when they are read, whoever has written them.
    return !put.ok() && put.kind() == base::ErrorKind::kConflict ? base::OkStatus() : put;
  };
  base::Status copied = copy();
  std::filesystem::remove(file, ignored);
  return copied;
}

base::Status SnapshotImport::CopyObject(const std::string& object) {
  if (copied_.contains(object)) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(const std::string to, OwnName(object, ""));
  base::Status copied = target_.within.empty()
                            ? CopyThroughFile(object, to)
                            : to_->Copy(target_.within + "/" + SnapshotObjectKey(object), to);
  if (!copied.ok()) {
    return std::move(copied).WithContext("import from the snapshot");
  }
  copied_.insert(object);
  return base::OkStatus();
}

// The new metadata.
base::Result<std::string> SnapshotImport::ImportFooter(const std::string& metadata,
                                                       const std::set<int>& shards) {
  SJ_ASSIGN_OR_RETURN(const MetadataRef ref, ParseCommitMetadata(metadata));
  SJ_ASSIGN_OR_RETURN(const LoadedFooter loaded, ReadFooter(from_, SnapshotObjectKey(ref.object)));
  if (loaded.hash != ref.footer_hash || loaded.footer.job_uid != manifest_.job_uid ||
      loaded.footer.state_hash != manifest_.state_hash) {
    return base::Corrupt(
        fmt::format("object \"{}\" of the snapshot is not the one that was copied", ref.object));
  }
  for (const ShardState& shard : loaded.footer.shard_states) {
    for (const OperatorState& op : shard.operators) {
      for (const ChunkRef& chunk : op.chunks) {
        if (shards.contains(shard.shard)) {
          SJ_RETURN_IF_ERROR(CopyObject(chunk.object));
        }
      }
    }
  }
  SJ_ASSIGN_OR_RETURN(const Footer footer, Rewrite(loaded.footer));
  SJ_ASSIGN_OR_RETURN(const std::string name, OwnName(ref.object, "f"));
  const std::string json = EncodeFooter(footer);
  SJ_RETURN_IF_ERROR(PutSame(to_, name, SealFooter(json)));
  return CommitMetadata(name, json);
}

base::Result<std::vector<CommittedRef>> SnapshotImport::Import(
    const std::vector<CommittedRef>& wanted) {
  std::map<std::pair<int, int>, const CommittedRef*> shards;
  std::map<types::InputPartition, const CommittedRef*> sources;
  for (const CommittedRef& input : manifest_.inputs) {
    if (input.edge >= 0) {
      shards[{input.edge, input.shard}] = &input;
    } else {
      sources[{Renamed(input.partition.topic), input.partition.partition}] = &input;
    }
  }
  const auto find = [&](const CommittedRef& ref) -> const CommittedRef* {
    if (ref.edge >= 0) {
      auto it = shards.find({ref.edge, ref.shard});
      return it == shards.end() ? nullptr : it->second;
    }
    auto it = sources.find(ref.partition);
    return it == sources.end() ? nullptr : it->second;
  };
  std::map<std::string, std::set<int>> footers;  // metadata -> shards wanted of it
  for (const CommittedRef& ref : wanted) {
    const CommittedRef* input = find(ref);
    if (input != nullptr) {
      std::set<int>& of = footers[input->metadata];
      if (ref.edge >= 0) {
        of.insert(ref.shard);
      }
    }
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [before, of] : footers) {
    SJ_ASSIGN_OR_RETURN(metadata[before], ImportFooter(before, of));
  }
  std::vector<CommittedRef> imported;
  for (const CommittedRef& ref : wanted) {
    if (const CommittedRef* input = find(ref)) {
      CommittedRef own = ref;
      own.offset = ref.edge >= 0 ? 0 : input->offset;
      own.metadata = metadata[input->metadata];
      imported.push_back(std::move(own));
    }
  }
  return imported;
}

base::Result<std::vector<InFlight>> SnapshotImport::Rows(const std::set<int>& shards) {
  std::vector<InFlight> out;
  for (const SnapshotRows& rows : manifest_.rows) {
    if (!shards.contains(rows.shard)) {
      continue;
    }
    SJ_ASSIGN_OR_RETURN(std::string frames,
                        from_->GetRange(manifest_.rows_object, rows.offset, rows.length));
    if (ChecksumOf(frames) != rows.checksum) {
      return base::Corrupt(
          fmt::format("read rows in flight of edge {} to shard {}: other bytes "
                      "than were written",
                      rows.edge, rows.shard));
    }
    out.push_back({rows.edge, rows.shard, std::move(frames)});
  }
  return out;
}

}  // namespace sj::worker::checkpoint
