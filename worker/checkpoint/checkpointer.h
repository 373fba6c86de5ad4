// SPDX-License-Identifier: Apache-2.0
// Checkpointer: turns the frozen changes of an epoch into one uploaded object, and a committed
// position back into state. The runtime calls it on the epoch thread; task threads go on meanwhile.
//
// Object keys are  <job uid>/g<generation>/<ordinal>/<epoch>-<incarnation>  below the store's
// prefix: unique for ever, never overwritten. Chunk chains of an (operator, shard) are kept short
// by merging the newest chunks of similar size into the next object (tiers), so a footer stays
// small.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/footer.h"
#include "worker/state/state_store.h"
#include "worker/store/object_store.h"

namespace sj::worker::checkpoint {

struct CheckpointIdentity {
  std::string job_uid;
  std::string state_hash;
  types::Generation generation = 1;
  int ordinal = 0;
  std::string incarnation;  // random, per start
  int max_parallelism = 128;
  int shards = 16;
};

struct CheckpointerOptions {
  CheckpointIdentity identity;
  std::string directory;  // scratch for chunk files; wiped on Open
  int retain = 3;         // committed checkpoints of this worker kept (>= 3 unless told otherwise)
  int chunks_max = 12;    // per (operator, shard) before a forced full merge
  // Chunks of other ordinals or generations are copied until none is left, so many bytes an epoch;
  // a larger one waits until as much has been saved up. More would make the epochs behind a restore
  // of much state long, and everybody's: readers wait for the oldest open transaction.
  uint64_t rewrite_bytes_max = 4u << 20;
  // Local copies of chunks kept for merges; above it they are fetched again when needed.
  uint64_t local_bytes_max = uint64_t{4} << 30;
};

// What the runtime hands over at the end of an epoch.
struct EpochCapture {
  types::Epoch epoch = 0;
  std::vector<state::FrozenRun> runs;  // all threads' runs
  std::map<types::InputPartition, SourceState> sources;
  std::vector<ShardState> shards;  // `operators` left empty: filled from the chains
  // Hand-over: shards that are in this capture for the last time, and the generation they are
  // released to (0: nothing is released, source partitions neither).
  types::Generation released_to = 0;
  std::set<int> released_shards;
};

struct WrittenCheckpoint {
  std::string object;
  std::string metadata;           // goes with every offset of the epoch's transaction
  std::string released_metadata;  // in its place for partitions that are released; empty: none are
  uint64_t bytes = 0;
  int puts = 0;
};

// What a restore found for the partitions and shards this worker owns.
struct Restored {
  types::Epoch epoch = 0;  // largest epoch seen; the next one is epoch + 1
  std::map<types::InputPartition, SourceState> sources;  // absent: never committed
  std::vector<ShardState> shards;                        // one for each owned shard that has state
  uint64_t bytes = 0;
  int objects = 0;
};

// Owned by the epoch thread; Collect may run on another thread.
class Checkpointer {
 public:
  // `store` is not owned and outlives the object.
  static base::Result<std::unique_ptr<Checkpointer>> Open(const CheckpointerOptions& options,
                                                          store::ObjectStore* store);
  virtual ~Checkpointer() = default;

  // Reads the footers that the committed metadata name, verifies identity, hashes and checksums,
  // fetches the owned shards' chunks and ingests them into `state`. Never falls back: missing
  // metadata with an offset, a missing object, another job's uid, another state hash, format or
  // key-group count are errors (kCorrupt or kInvalidArgument, words for a condition). `committed`
  // maps every owned input partition that has an offset to its metadata; `exchange` tells which of
  // them are shards.
  struct CommittedRef {
    types::InputPartition partition;
    int64_t offset = 0;
    std::string metadata;
    int edge = -1;  // exchange partition of this edge, or -1: a source partition
    int shard = -1;
  };
  virtual base::Result<Restored> Restore(const std::vector<CommittedRef>& committed,
                                         state::StateStore* state) = 0;
  // Fetches chunks ahead of a Restore or a Take, into files of its own, while whoever has the units
  // goes on. On any one thread, beside the checkpointer that made it.
  class Prefetch {
   public:
    virtual ~Prefetch() = default;  // what was not given to Add is removed
    // What a restore of `committed` would read now and this has not got yet. `go_on` is asked
    // between reads; false ends it. Bytes fetched. Errors as those of Restore; kCorrupt may mean no
    // more than that `committed` is not the last commit any more.
    virtual base::Result<uint64_t> Run(const std::vector<CommittedRef>& committed,
                                       const std::function<bool()>& go_on) = 0;
  };
  // For a Restore or a Take as a member of `generation`.
  virtual base::Result<std::unique_ptr<Prefetch>> NewPrefetch(types::Generation generation) = 0;
  // What it has fetched is not read again by the next Restore or Take.
  virtual void Add(std::unique_ptr<Prefetch> prefetch) = 0;
  // Hand-over: the same as Restore for units taken from another worker while this one runs, as a
  // member of `generation`. Entries that `state` still has of the taken shards are dropped first.
  // The chains join those of this worker with the first Write whose capture has the shard.
  virtual base::Result<Restored> Take(const std::vector<CommittedRef>& committed,
                                      types::Generation generation, state::StateStore* state) = 0;
  // Builds the chunks, merges where due, PUTs one object and verifies it. Not decided until
  // Confirm. Epochs rise; Write(n + 1) may come before Confirm(n) and builds on n. Shards that are
  // not in the capture are given up. After an error only the same epoch, with the same capture, may
  // be written again; the state handed over is not in the chains yet.
  virtual base::Result<WrittenCheckpoint> Write(EpochCapture capture) = 0;
  // The epoch's transaction has committed.
  virtual void Confirm(types::Epoch epoch) = 0;
  // Deletes objects of this worker that no retained committed footer refers to. REQUIRES: only
  // called behind a commit. `generation_floor`: no worker of the job refers to objects of
  // generations below it any more (0: unknown, touch only own generation).
  virtual base::Status Collect(types::Generation generation_floor) = 0;
  // The oldest generation whose objects this worker still refers to.
  virtual types::Generation OldestGeneration() const = 0;
  virtual uint64_t StateBytes() const = 0;  // of the chains, for status
};

}  // namespace sj::worker::checkpoint
