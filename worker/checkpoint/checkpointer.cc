// SPDX-License-Identifier: Apache-2.0
// EpochCheckpointer: Checkpointer over EpochBuilder (writing), PlanRestore (reading) and Retention
// (deleting). The chains move to the next epoch only when its object is stored. Owned by the epoch
// thread; Collect, OldestGeneration and StateBytes may run on another one, they use only Retention
// and atomics.
#include "worker/checkpoint/checkpointer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <utility>

#include "api/base/failpoint.h"
#include "worker/checkpoint/chain.h"
#include "worker/checkpoint/chunk_files.h"
#include "worker/checkpoint/epoch_builder.h"
#include "worker/checkpoint/mapped_file.h"
#include "worker/checkpoint/object_name.h"
#include "worker/checkpoint/restore_plan.h"
#include "worker/checkpoint/retention.h"
#include "worker/state/chunk.h"
#include "worker/state/scratch_directory.h"

namespace sj::worker::checkpoint {
namespace {

constexpr int kDeletesMax = 1000;  // in one Collect

ObjectName OwnName(const CheckpointIdentity& identity) {
  ObjectName name;
  name.job_uid = identity.job_uid;
  name.generation = identity.generation;
  name.ordinal = identity.ordinal;
  name.incarnation = identity.incarnation;
  return name;
}

class ChunkPrefetch final : public Checkpointer::Prefetch {
 public:
  ChunkPrefetch(CheckpointIdentity identity, std::string directory, store::ObjectStore* store)
      : identity_(std::move(identity)), store_(store), files_(std::move(directory), store) {}
  ~ChunkPrefetch() override { files_.Keep({}, 0); }

  base::Result<uint64_t> Run(const std::vector<Checkpointer::CommittedRef>& committed,
                             const std::function<bool()>& go_on) override {
    SJ_ASSIGN_OR_RETURN(RestorePlan plan, PlanRestore(committed, identity_, store_));
    const uint64_t before = files_.fetched_bytes();
    for (auto& [key, chain] : plan.chains) {
      chain.DropDead();
      SJ_RETURN_IF_ERROR(files_.Prefetch(chain.chunks, go_on));
      chunks_.insert(chunks_.end(), chain.chunks.begin(), chain.chunks.end());
    }
    return files_.fetched_bytes() - before;
  }

  ChunkFiles& files() { return files_; }
  const std::vector<ChunkRef>& chunks() const { return chunks_; }

 private:
  const CheckpointIdentity identity_;
  store::ObjectStore* const store_;
  ChunkFiles files_;
  std::vector<ChunkRef> chunks_;
};

class EpochCheckpointer final : public Checkpointer {
 public:
  EpochCheckpointer(CheckpointerOptions options, store::ObjectStore* store)
      : options_(std::move(options)),
        own_(OwnName(options_.identity)),
        store_(store),
        files_(options_.directory, store),
        retention_(own_, options_.retain) {}

  base::Result<Restored> Restore(const std::vector<CommittedRef>& committed,
                                 state::StateStore* state) override;
  base::Result<std::unique_ptr<Prefetch>> NewPrefetch(types::Generation generation) override;
  void Add(std::unique_ptr<Prefetch> prefetch) override;
  base::Result<Restored> Take(const std::vector<CommittedRef>& committed,
                              types::Generation generation, state::StateStore* state) override;
  base::Result<WrittenCheckpoint> Write(EpochCapture capture) override;
  void Confirm(types::Epoch epoch) override;
  base::Status Collect(types::Generation generation_floor) override;
  types::Generation OldestGeneration() const override { return retention_.OldestGeneration(); }
  uint64_t StateBytes() const override { return state_bytes_; }

 private:
  base::Status Ingest(const Chains& chains, state::StateStore* state);
  base::Status DropExpired(const ChainKey& key, const Chain& chain, state::StateStore* state);
  base::Status CheckEpoch(types::Epoch epoch) const;
  base::Result<WrittenCheckpoint> WriteAs(const std::string& object, EpochCapture* capture);
  base::Status DropLocal(const Chains& chains, state::StateStore* state);
  void JoinTaken(const EpochCapture& capture);
  void NoteCaptured(const EpochCapture& capture);
  void PinReleased(const std::string& object, const EpochCapture& capture);
  void Adopt(EpochBuilder* builder);
  void KeepFiles();
  base::Status DeleteObject(const std::string& object, int* budget);
  base::Status SweepOwn(int* budget);
  base::Status SweepGenerations(types::Generation floor, int* budget);

  const CheckpointerOptions options_;
  const ObjectName own_;
  store::ObjectStore* const store_;

  // Owned by the epoch thread.
  ChunkFiles files_;
  Chains chains_;
  Chains taken_;                                 // of shards that no capture has had yet
  std::set<types::InputPartition> new_sources_;  // the same of everything taken over
  std::set<int> new_shards_;
  types::Epoch captured_in_ = 0;  // the first capture with all of that; 0: none yet, or committed
  types::Epoch last_epoch_ = 0;
  types::Epoch failed_epoch_ = 0;  // 0: none
  int prefetches_ = 0;
  std::vector<ChunkRef> ahead_;  // fetched for the next Restore or Take
  uint64_t rewrite_credit_ = 0;  // saved up for a chunk larger than what an epoch may copy
  int retry_ = 0;

  Retention retention_;
  std::atomic<uint64_t> state_bytes_{0};
  // Used by Collect only.
  bool own_swept_ = false;
  types::Generation floor_swept_ = 0;
};

base::Result<Restored> EpochCheckpointer::Restore(const std::vector<CommittedRef>& committed,
                                                  state::StateStore* state) {
  SJ_ASSIGN_OR_RETURN(RestorePlan plan, PlanRestore(committed, options_.identity, store_));
  for (auto& [key, chain] : plan.chains) {
    chain.DropDead();
  }
  SJ_RETURN_IF_ERROR(Ingest(plan.chains, state));
  ahead_.clear();
  Restored restored = std::move(plan.restored);
  restored.bytes = files_.fetched_bytes();
  restored.objects = static_cast<int>(plan.objects.size());
  chains_ = std::move(plan.chains);
  last_epoch_ = restored.epoch;
  if (!committed.empty()) {
    retention_.Restored(restored.epoch, std::move(plan.objects));
  }
  KeepFiles();
  return restored;
}

base::Result<std::unique_ptr<Checkpointer::Prefetch>> EpochCheckpointer::NewPrefetch(
    types::Generation generation) {
  CheckpointIdentity identity = options_.identity;
  identity.generation = generation;
  std::string directory = fmt::format("{}/ahead-{}", options_.directory, ++prefetches_);
  SJ_RETURN_IF_ERROR(state::WipeScratchDirectory(directory).WithContext("fetch chunks ahead"));
  return std::unique_ptr<Prefetch>(
      std::make_unique<ChunkPrefetch>(std::move(identity), std::move(directory), store_));
}

void EpochCheckpointer::Add(std::unique_ptr<Prefetch> prefetch) {
  auto* ahead = static_cast<ChunkPrefetch*>(prefetch.get());
  files_.AdoptAll(&ahead->files());
  ahead_ = ahead->chunks();
}

base::Result<Restored> EpochCheckpointer::Take(const std::vector<CommittedRef>& committed,
                                               types::Generation generation,
                                               state::StateStore* state) {
  CheckpointIdentity identity = options_.identity;
  identity.generation = generation;
  SJ_ASSIGN_OR_RETURN(RestorePlan plan, PlanRestore(committed, identity, store_));
  for (auto& [key, chain] : plan.chains) {
    chain.DropDead();
  }
  uint64_t before = files_.fetched_bytes();
  SJ_RETURN_IF_ERROR(DropLocal(plan.chains, state));
  SJ_RETURN_IF_ERROR(Ingest(plan.chains, state));
  ahead_.clear();
  Restored restored = std::move(plan.restored);
  restored.bytes = files_.fetched_bytes() - before;
  restored.objects = static_cast<int>(plan.objects.size());
  taken_.merge(plan.chains);
  for (const CommittedRef& ref : committed) {
    if (ref.edge < 0) {
      new_sources_.insert(ref.partition);
    } else {
      new_shards_.insert(ref.shard);
    }
  }
  captured_in_ = 0;
  retention_.Took(plan.objects);
  return restored;
}

// A shard that was here before has left entries in the local store.
base::Status EpochCheckpointer::DropLocal(const Chains& chains, state::StateStore* state) {
  const CheckpointIdentity& identity = options_.identity;
  for (const auto& [key, chain] : chains) {
    types::KeyGroupRange range =
        types::ShardRange(key.first, identity.shards, identity.max_parallelism);
    std::string from =
        state::EncodeStateKey({key.second, static_cast<uint16_t>(range.begin), INT64_MIN, {}});
    std::string to = state::KeyGroupEnd(key.second, static_cast<uint16_t>(range.end - 1));
    SJ_RETURN_IF_ERROR(state->DeleteRange(from, to));
  }
  return base::OkStatus();
}

void EpochCheckpointer::JoinTaken(const EpochCapture& capture) {
  for (const ShardState& shard : capture.shards) {
    auto end = taken_.lower_bound({shard.shard + 1, 0});
    for (auto it = taken_.lower_bound({shard.shard, 0}); it != end;) {
      chains_.insert_or_assign(it->first, std::move(it->second));
      it = taken_.erase(it);
    }
  }
}

void EpochCheckpointer::NoteCaptured(const EpochCapture& capture) {
  if (new_sources_.empty() && new_shards_.empty()) {
    return;
  }
  for (const auto& [partition, source] : capture.sources) {
    new_sources_.erase(partition);
  }
  for (const ShardState& shard : capture.shards) {
    new_shards_.erase(shard.shard);
  }
  if (new_sources_.empty() && new_shards_.empty()) {
    captured_in_ = capture.epoch;
  }
}

// Before its first commit here, what is committed of a taken unit names objects of its former
// owner: a restart would need them.
void EpochCheckpointer::Confirm(types::Epoch epoch) {
  retention_.Committed(epoch);
  if (captured_in_ != 0 && epoch >= captured_in_) {
    captured_in_ = 0;
    retention_.TakenAreCommitted();
  }
}

// What a taker will read, and refer to until it has written its own.
void EpochCheckpointer::PinReleased(const std::string& object, const EpochCapture& capture) {
  std::set<std::string> objects = {object};
  for (const auto& [key, chain] : chains_) {
    for (const ChunkRef& chunk : chain.chunks) {
      if (capture.released_shards.contains(key.first)) {
        objects.insert(chunk.object);
      }
    }
  }
  retention_.Pin(objects);
}

base::Status EpochCheckpointer::Ingest(const Chains& chains, state::StateStore* state) {
  for (const auto& [key, chain] : chains) {
    SJ_RETURN_IF_ERROR(files_.Prefetch(chain.chunks));
    for (const ChunkRef& chunk : chain.chunks) {
      SJ_ASSIGN_OR_RETURN(std::string file, files_.Get(chunk));
      SJ_RETURN_IF_ERROR(state->Ingest(file).WithContext(
          fmt::format("restore operator {} of shard {}", key.second, key.first)));
    }
    SJ_RETURN_IF_ERROR(DropExpired(key, chain, state));
  }
  return base::OkStatus();
}

// Chunks may still hold namespaces that have expired since they were written.
base::Status EpochCheckpointer::DropExpired(const ChainKey& key, const Chain& chain,
                                            state::StateStore* state) {
  const CheckpointIdentity& identity = options_.identity;
  types::KeyGroupRange range =
      types::ShardRange(key.first, identity.shards, identity.max_parallelism);
  for (int group = range.begin; group < range.end; ++group) {
    int64_t below = chain.expired_below[static_cast<size_t>(group - range.begin)];
    uint16_t kg = static_cast<uint16_t>(group);
    std::string from = state::EncodeStateKey({key.second, kg, INT64_MIN, {}});
    std::string to = state::EncodeStateKey({key.second, kg, below, {}});
    bool found = false;
    SJ_RETURN_IF_ERROR(state->Scan(from, to, [&](std::string_view, std::string_view) {
      found = true;
      return false;
    }));
    if (found) {
      SJ_RETURN_IF_ERROR(state->DeleteRange(from, to));
    }
  }
  return base::OkStatus();
}

base::Status EpochCheckpointer::CheckEpoch(types::Epoch epoch) const {
  if (failed_epoch_ != 0 && epoch != failed_epoch_) {
    return base::Internal(
        fmt::format("write epoch {}: epoch {} failed and must come first", epoch, failed_epoch_));
  }
  if (epoch <= last_epoch_) {
    return base::Internal(
        fmt::format("write epoch {}: epoch {} is written already", epoch, last_epoch_));
  }
  return base::OkStatus();
}

base::Result<WrittenCheckpoint> EpochCheckpointer::Write(EpochCapture capture) {
  SJ_RETURN_IF_ERROR(CheckEpoch(capture.epoch));
  ObjectName name = own_;
  name.epoch = capture.epoch;
  name.retry = retry_;
  const std::string object = FormatObjectName(name);
  const types::Epoch epoch = capture.epoch;
  base::Result<WrittenCheckpoint> written = WriteAs(object, &capture);
  if (!written.ok()) {
    failed_epoch_ = epoch;
    ++retry_;
    retention_.Abandoned(object);
    return std::move(written).status().WithContext(fmt::format("write epoch {}", epoch));
  }
  last_epoch_ = epoch;
  failed_epoch_ = 0;
  retry_ = 0;
  return written;
}

base::Result<WrittenCheckpoint> EpochCheckpointer::WriteAs(const std::string& object,
                                                           EpochCapture* capture) {
  JoinTaken(*capture);
  EpochBuilder builder(options_, &files_, object, rewrite_credit_ + options_.rewrite_bytes_max);
  SJ_RETURN_IF_ERROR(builder.Build(chains_, capture));
  std::string footer;
  SJ_ASSIGN_OR_RETURN(std::string packed, builder.Pack(*capture, &footer));
  SJ_RETURN_IF_ERROR(base::Failpoint("checkpoint.before_upload"));
  WrittenCheckpoint written;
  written.object = object;
  written.metadata = CommitMetadata(object, footer);
  written.puts = 1;
  {
    SJ_ASSIGN_OR_RETURN(MappedFile bytes, MappedFile::Open(packed));
    SJ_RETURN_IF_ERROR(store_->Put(object, bytes.view()));
    written.bytes = bytes.view().size();
  }
  SJ_RETURN_IF_ERROR(base::Failpoint("checkpoint.after_upload"));
  std::error_code ignored;
  std::filesystem::remove(packed, ignored);
  rewrite_credit_ = builder.credit_left();
  Adopt(&builder);
  std::set<std::string> objects = {object};
  for (const auto& [key, chain] : chains_) {
    for (const ChunkRef& chunk : chain.chunks) {
      objects.insert(chunk.object);
    }
  }
  retention_.Written(capture->epoch, std::move(objects));
  NoteCaptured(*capture);
  if (capture->released_to > 0) {
    written.released_metadata = ReleaseMetadata(written.metadata, capture->released_to);
    PinReleased(object, *capture);
  }
  return written;
}

void EpochCheckpointer::Adopt(EpochBuilder* builder) {
  for (const auto& [chunk, file] : builder->made()) {
    files_.Adopt(chunk, file);
  }
  chains_ = builder->TakeChains();
  KeepFiles();
}

void EpochCheckpointer::KeepFiles() {
  std::vector<const ChunkRef*> live;
  uint64_t bytes = 0;
  for (const Chains* chains : {&chains_, &taken_}) {
    for (const auto& [key, chain] : *chains) {
      for (const ChunkRef& chunk : chain.chunks) {
        live.push_back(&chunk);
        bytes += chunk.length;
      }
    }
  }
  for (const ChunkRef& chunk : ahead_) {
    live.push_back(&chunk);
  }
  state_bytes_ = bytes;
  files_.Keep(live, options_.local_bytes_max);
}

base::Status EpochCheckpointer::Collect(types::Generation generation_floor) {
  int budget = kDeletesMax;
  for (const std::string& object : retention_.Garbage()) {
    SJ_RETURN_IF_ERROR(DeleteObject(object, &budget));
    retention_.Deleted(object);
  }
  if (!own_swept_ && retention_.full()) {
    SJ_RETURN_IF_ERROR(SweepOwn(&budget));
    own_swept_ = budget > 0;
  }
  // One worker does it for all ordinals, those that are gone included.
  if (own_.ordinal == 0 && generation_floor > floor_swept_ &&
      generation_floor <= retention_.OldestGeneration()) {
    SJ_RETURN_IF_ERROR(SweepGenerations(generation_floor, &budget));
    floor_swept_ = budget > 0 ? generation_floor : floor_swept_;
  }
  return base::OkStatus();
}

// Over the budget nothing is deleted; the next Collect goes on.
base::Status EpochCheckpointer::DeleteObject(const std::string& object, int* budget) {
  if (*budget <= 0) {
    return base::OkStatus();
  }
  --*budget;
  SJ_RETURN_IF_ERROR(base::Failpoint("checkpoint.in_collect"));
  return store_->Delete(object);
}

// What former incarnations of this ordinal left behind.
base::Status EpochCheckpointer::SweepOwn(int* budget) {
  SJ_ASSIGN_OR_RETURN(
      std::vector<store::ObjectInfo> found,
      store_->List(fmt::format("{}/g{}/{}/", own_.job_uid, own_.generation, own_.ordinal)));
  for (const store::ObjectInfo& object : found) {
    if (retention_.MayGo(object.key)) {
      SJ_RETURN_IF_ERROR(DeleteObject(object.key, budget));
    }
  }
  return base::OkStatus();
}

base::Status EpochCheckpointer::SweepGenerations(types::Generation floor, int* budget) {
  SJ_ASSIGN_OR_RETURN(std::vector<store::ObjectInfo> found, store_->List(own_.job_uid + "/"));
  for (const store::ObjectInfo& object : found) {
    ObjectName name;
    if (ParseObjectName(object.key, &name) && name.job_uid == own_.job_uid &&
        name.generation < floor && !retention_.Refers(object.key)) {
      SJ_RETURN_IF_ERROR(DeleteObject(object.key, budget));
    }
  }
  return base::OkStatus();
}

base::Status CheckOptions(const CheckpointerOptions& options) {
  const CheckpointIdentity& identity = options.identity;
  SJ_RETURN_IF_ERROR(CheckNamePart("job uid", identity.job_uid, true));
  SJ_RETURN_IF_ERROR(CheckNamePart("incarnation", identity.incarnation, false));
  bool fine = identity.generation >= 0 && identity.ordinal >= 0 && identity.shards > 0 &&
              identity.max_parallelism > 0 && identity.max_parallelism <= 1 << 15 &&
              identity.max_parallelism % identity.shards == 0 && options.retain >= 1 &&
              options.chunks_max >= 1;
  if (!fine) {
    return base::InvalidArgument(fmt::format(
        "open checkpoints: generation {}, ordinal {}, {} shards of {} key groups, retain {}, at "
        "most {} chunks",
        identity.generation, identity.ordinal, identity.shards, identity.max_parallelism,
        options.retain, options.chunks_max));
  }
  ObjectName longest = OwnName(identity);
  longest.epoch = INT64_MAX;
  longest.retry = INT32_MAX;
  const std::string metadata = CommitMetadata(FormatObjectName(longest), "");
  if (ReleaseMetadata(metadata, INT64_MAX).size() >= kCommitMetadataBytesMax) {
    return base::InvalidArgument(
        fmt::format("open checkpoints: job uid and incarnation are too long together"));
  }
  return base::OkStatus();
}

}  // namespace

base::Result<std::unique_ptr<Checkpointer>> Checkpointer::Open(const CheckpointerOptions& options,
                                                               store::ObjectStore* store) {
  SJ_RETURN_IF_ERROR(CheckOptions(options));
  SJ_RETURN_IF_ERROR(
      state::WipeScratchDirectory(options.directory).WithContext("open checkpoints"));
  return std::unique_ptr<Checkpointer>(new EpochCheckpointer(options, store));
}

}  // namespace sj::worker::checkpoint
