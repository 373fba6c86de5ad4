// SPDX-License-Identifier: Apache-2.0
// SnapshotImport: makes units of a snapshot units of a new job: the objects they need become the
// job's own, of generation 0, and their footers are written anew with its UID and names. All names
// and bytes follow from the snapshot and the job, so several workers, or one again after a crash,
// may import the same object. Owned by the thread that opens a run.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/snapshot_manifest.h"
#include "worker/store/object_store.h"

namespace sj::worker::checkpoint {

// A snapshot as a job is told of it.
struct SnapshotRef {
  std::string location;  // "s3://bucket/prefix/snapshots/<job uid>/<name>/<snapshot uid>"
  std::string manifest;  // name of the manifest below it
  std::string sha256;    // of the manifest, hex
  bool operator==(const SnapshotRef&) const = default;
};

struct ImportTarget {
  std::string job_uid;
  std::string id_prefix;
  std::string state_hash;
  int max_parallelism = 0;
  int shards = 0;
  std::string scratch_directory;  // made when it is missing
  // The snapshot's prefix within the job's own store, which then copies by itself; empty: it lies
  // elsewhere.
  std::string within;
};

// What was in flight to one shard over one edge: frames, see ForEachFrame.
struct InFlight {
  int edge = 0;
  int shard = 0;
  std::string frames;
};

class SnapshotImport {
 public:
  // Neither store is owned. `from` is at the snapshot's location. Errors: kCorrupt (another
  // manifest than the status names), kNotFound, kInvalidArgument (another query, other shards).
  static base::Result<std::unique_ptr<SnapshotImport>> Open(const SnapshotRef& snapshot,
                                                            ImportTarget target,
                                                            store::ObjectStore* from,
                                                            store::ObjectStore* to);

  // Of `wanted` those that the snapshot has, with offset and metadata for a restore by the new job.
  base::Result<std::vector<Checkpointer::CommittedRef>> Import(
      const std::vector<Checkpointer::CommittedRef>& wanted);
  // What was in flight to these shards, verified.
  base::Result<std::vector<InFlight>> Rows(const std::set<int>& shards);
  // A name of the snapshot's job as the new job's.
  std::string Renamed(const std::string& name) const;

  const SnapshotManifest& manifest() const { return manifest_; }

 private:
  SnapshotImport(ImportTarget target, store::ObjectStore* from, store::ObjectStore* to)
      : target_(std::move(target)), from_(from), to_(to) {}
  base::Status CheckManifest() const;
  base::Result<std::string> ImportFooter(const std::string& metadata, const std::set<int>& shards);
  base::Result<Footer> Rewrite(const Footer& footer) const;
  base::Result<std::string> OwnName(const std::string& object, const char* suffix) const;
  base::Status CopyObject(const std::string& object);
  base::Status CopyThroughFile(const std::string& object, const std::string& to);

  const ImportTarget target_;
  store::ObjectStore* const from_;
  store::ObjectStore* const to_;
  SnapshotManifest manifest_;
  std::map<std::string, uint64_t> bytes_;  // of the snapshot's objects
  std::set<std::string> copied_;
};

}  // namespace sj::worker::checkpoint
