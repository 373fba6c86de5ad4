// SPDX-License-Identifier: Apache-2.0
// A round: fetch, objects, ends, rows, manifest. What vanishes meanwhile ends the round; the next
// one finds most objects copied already.
#include "worker/runtime/snapshot_taker.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "api/base/hash.h"
#include "api/base/log.h"
#include "worker/checkpoint/mapped_file.h"
#include "worker/checkpoint/restore_plan.h"
#include "worker/runtime/positions.h"
#include "worker/runtime/row_spool.h"

namespace sj::worker::runtime {
namespace {

constexpr std::chrono::milliseconds kLookAgain{200};
constexpr std::chrono::milliseconds kStopSlice{50};
constexpr std::chrono::milliseconds kPollWait{20};
constexpr int kRecordsPerPollMax = 256;

// The job has moved on: its objects were collected, its exchange trimmed, its units moved.
bool WorthAnotherRound(const base::Status& status) {
  return status.kind() == base::ErrorKind::kCorrupt ||
         status.kind() == base::ErrorKind::kNotFound || status.kind() == base::ErrorKind::kConflict;
}

}  // namespace

SnapshotTaker::SnapshotTaker(JobConfig config, SnapshotAsked asked, Parts parts)
    : config_(std::move(config)),
      asked_(std::move(asked)),
      parts_(std::move(parts)),
      prefix_(checkpoint::SnapshotPrefix(config_.job_uid, asked_.name, asked_.uid)),
      scratch_(config_.scratch_directory + "/snapshot") {
}

base::Status SnapshotTaker::Pause(std::chrono::milliseconds time) {
  std::mutex mu;
  std::condition_variable never;
  std::unique_lock<std::mutex> lock(mu);
  const base::MonoTime end = parts_.clock->Mono() + time;
  do {
    if (parts_.stop != nullptr && parts_.stop->load()) {
      return base::Cancelled("take a snapshot: stopped");
    }
    never.wait_for(lock, std::min(time, kStopSlice));
  } while (parts_.clock->Mono() < end);
  return base::OkStatus();
}

void SnapshotTaker::Progress(int64_t objects_of_cut) {
  if (parts_.on_progress) {
    parts_.on_progress({round_, static_cast<int64_t>(there_.size()), objects_of_cut});
  }
}

base::Status SnapshotTaker::Open() {
  stage_ = RunStage::kConnect;
  run_ = std::make_unique<RunContext>();
  run_->config = &config_;
  run_->own = {asked_.replicas, 0, 1, config_.shards, config_.max_parallelism};
  SJ_RETURN_IF_ERROR(DescribeRun(parts_.connectors, run_.get()));
  const UsedTables tables = UsedTablesOf(config_.plan);
  SJ_ASSIGN_OR_RETURN(committed_, parts_.connectors.committed_reader(tables, config_.connect));
  if (committed_ == nullptr || config_.store.location.empty()) {
    return base::InvalidArgument(
        "take a snapshot: only a job on Kafka with spec.checkpoint.location has checkpoints to "
        "take it from");
  }
  if (!run_->edges.empty()) {
    SJ_ASSIGN_OR_RETURN(exchange_, parts_.connectors.exchange_log(tables, config_.connect));
  }
  stage_ = RunStage::kStore;
  SJ_ASSIGN_OR_RETURN(store_, parts_.connectors.object_store(config_.store));
  SJ_RETURN_IF_ERROR(LookAtCopies());
  std::error_code ignored;
  std::filesystem::remove_all(scratch_, ignored);
  std::filesystem::create_directories(scratch_, ignored);
  return base::OkStatus();
}

base::Result<SnapshotTaken> SnapshotTaker::Take() {
  SJ_RETURN_IF_ERROR(Open());
  base::Status last;
  for (round_ = 1; round_ <= asked_.rounds_max; ++round_) {
    base::Result<SnapshotTaken> taken = Round();
    if (taken.ok() || !WorthAnotherRound(taken.status())) {
      return taken;
    }
    last = taken.status();
    base::LogInfo("snapshot begins again", {{"snapshot", asked_.name},
                                            {"round", round_},
                                            {"objects", uint64_t{there_.size()}},
                                            {"because", last.ToString()}});
    SJ_RETURN_IF_ERROR(Pause(kLookAgain));
  }
  return base::Exhausted("take a snapshot: given up after " + std::to_string(asked_.rounds_max) +
                         " rounds; the last one: " + last.message());
}

base::Result<SnapshotTaken> SnapshotTaker::Round() {
  SJ_ASSIGN_OR_RETURN(const SnapshotCut cut, AwaitCut());
  stage_ = RunStage::kRestore;
  checkpoint::CheckpointIdentity identity;
  identity.job_uid = config_.job_uid;
  identity.state_hash = config_.plan.state_hash;
  identity.generation = asked_.generation;
  identity.max_parallelism = config_.max_parallelism;
  identity.shards = config_.shards;
  SJ_ASSIGN_OR_RETURN(const checkpoint::RestorePlan plan,
                      checkpoint::PlanRestore(cut.inputs, identity, store_.get()));
  // The newest objects are the first to be merged away; rows stay a little longer.
  SJ_RETURN_IF_ERROR(CopyObjects(plan.objects));
  SJ_ASSIGN_OR_RETURN(const auto ends, ReadEnds(cut));
  const std::string number = std::to_string(round_) + "-" + base::RandomHex(4);
  const std::string file = scratch_ + "/rows-" + number;
  SJ_ASSIGN_OR_RETURN(std::vector<checkpoint::SnapshotRows> rows, ReadRows(cut, ends, file));
  checkpoint::SnapshotManifest manifest;
  manifest.job_namespace = asked_.job_namespace;
  manifest.job_name = asked_.job_name;
  manifest.job_uid = config_.job_uid;
  manifest.id_prefix = config_.connect.id_prefix;
  manifest.state_hash = config_.plan.state_hash;
  manifest.max_parallelism = config_.max_parallelism;
  manifest.shards = config_.shards;
  manifest.generation = asked_.generation;
  manifest.replicas = asked_.replicas;
  manifest.epoch = plan.restored.epoch;
  manifest.taken = cut_at_;
  manifest.sql = asked_.sql;
  manifest.inputs = cut.inputs;
  for (const std::string& object : plan.objects) {
    const auto copy = there_.find(Key(checkpoint::SnapshotObjectKey(object)));
    if (copy == there_.end()) {
      return base::NotFound("copy object \"" + object + "\": the copy is not there");
    }
    manifest.objects.push_back({object, copy->second});
  }
  uint64_t rows_bytes = 0;
  if (!rows.empty()) {
    manifest.rows_object = "rows-" + number;
    manifest.rows = std::move(rows);
    SJ_ASSIGN_OR_RETURN(rows_bytes, StoreRows(file, manifest.rows_object));
  }
  return StoreManifest(std::move(manifest), rows_bytes);
}

base::Result<SnapshotCut> SnapshotTaker::AwaitCut() {
  const base::MonoTime end = parts_.clock->Mono() + asked_.quiet_max;
  while (true) {
    base::Result<SnapshotCut> cut = ReadCut();
    if (cut.ok() || cut.status().kind() != base::ErrorKind::kConflict) {
      return cut;
    }
    if (parts_.clock->Mono() >= end) {
      return base::Exhausted("take a snapshot: no moment between switches of units was found: " +
                             cut.status().message());
    }
    SJ_RETURN_IF_ERROR(Pause(kLookAgain));
  }
}

base::Result<SnapshotCut> SnapshotTaker::ReadCut() {
  stage_ = RunStage::kOffsets;
  std::vector<std::vector<CommittedRef>> inputs;
  std::vector<types::InputPartition> partitions;
  for (int ordinal = 0; ordinal < asked_.replicas; ++ordinal) {
    Ownership own = run_->own;
    own.ordinal = ordinal;
    inputs.push_back(InputsOf(*run_, UnitsOf(own, run_->partition_counts)));
    for (const CommittedRef& input : inputs.back()) {
      partitions.push_back(input.partition);
    }
  }
  cut_at_ = parts_.clock->Wall();
  SJ_ASSIGN_OR_RETURN(const auto positions, committed_->Read(partitions));
  size_t at = 0;
  for (std::vector<CommittedRef>& of_ordinal : inputs) {
    for (CommittedRef& input : of_ordinal) {
      input.offset = positions[at].offset;
      input.metadata = positions[at++].metadata;
    }
  }
  // Behind the fetch: then it lies within this generation.
  stage_ = RunStage::kGeneration;
  if (parts_.confirm) {
    SJ_RETURN_IF_ERROR(parts_.confirm());
  }
  stage_ = RunStage::kOffsets;
  return MakeCut(asked_.generation, !run_->edges.empty(), inputs);
}

// High watermarks, not stable ends: rows of the cut may lie behind an older open transaction.
base::Result<std::map<types::InputPartition, int64_t>> SnapshotTaker::ReadEnds(
    const SnapshotCut& cut) {
  std::map<types::InputPartition, int64_t> ends;
  for (const CommittedRef& input : cut.inputs) {
    if (input.edge >= 0) {
      SJ_ASSIGN_OR_RETURN(ends[input.partition], exchange_->End(input.partition));
    }
  }
  return ends;
}

base::Status SnapshotTaker::CopyObjects(const std::set<std::string>& objects) {
  stage_ = RunStage::kStore;
  bool copied = false;
  for (const std::string& object : objects) {
    const std::string to = Key(checkpoint::SnapshotObjectKey(object));
    if (there_.contains(to)) {
      continue;
    }
    SJ_RETURN_IF_ERROR(Pause({}));
    SJ_RETURN_IF_ERROR(store_->Copy(object, to));
    there_[to] = 0;
    copied = true;
    Progress(static_cast<int64_t>(objects.size()));
  }
  return copied ? LookAtCopies() : base::OkStatus();
}

base::Status SnapshotTaker::LookAtCopies() {
  SJ_ASSIGN_OR_RETURN(const auto listed, store_->List(prefix_ + "/"));
  there_.clear();
  for (const store::ObjectInfo& object : listed) {
    there_[object.key] = object.bytes;
  }
  return base::OkStatus();
}

base::Result<std::vector<checkpoint::SnapshotRows>> SnapshotTaker::ReadRows(
    const SnapshotCut& cut, const std::map<types::InputPartition, int64_t>& ends,
    const std::string& file) {
  stage_ = RunStage::kOffsets;
  std::vector<connect::ExchangeStart> starts;
  std::map<types::InputPartition, std::pair<int, int>> ids;
  for (const CommittedRef& input : cut.inputs) {
    if (input.edge < 0 || input.offset >= ends.at(input.partition)) {
      continue;
    }
    starts.push_back({input.partition, input.offset});
    ids[input.partition] = {input.edge, input.shard};
  }
  RowSpool spool(scratch_, asked_.rows_bytes_max);
  if (starts.empty()) {
    return spool.Finish(file);
  }
  // Trimmed meanwhile: the reader says kCorrupt, and another round begins.
  SJ_ASSIGN_OR_RETURN(const auto reader, exchange_->OpenReader(starts));
  const auto take = [&](const connect::ExchangeRecord& record) -> base::Status {
    const types::InputPartition partition{*record.topic, record.partition};
    if (record.offset >= ends.at(partition)) {
      return base::OkStatus();  // written after the fetch
    }
    const std::optional<ExchangeOrigin> origin = ParseOrigin(record.key);
    if (!origin) {
      return base::Conflict(
          "rows on the exchange topics were written by a worker of a version before snapshots; "
          "they have to be consumed first");
    }
    const auto& [edge, shard] = ids.at(partition);
    return cut.Has(*origin) ? spool.Add(edge, shard, record.value) : base::OkStatus();
  };
  const base::MonoTime deadline = parts_.clock->Mono() + asked_.rows_max;
  const auto behind = [&](const connect::ExchangeStart& start) {
    return reader->Position(start.partition) < ends.at(start.partition);
  };
  while (std::any_of(starts.begin(), starts.end(), behind)) {
    SJ_ASSIGN_OR_RETURN(const int got, reader->Poll(kRecordsPerPollMax, kPollWait, take));
    if (parts_.clock->Mono() >= deadline) {
      return base::Unavailable(
          "read the rows in flight: a worker's open transaction holds the end of its exchange "
          "partitions");
    }
    SJ_RETURN_IF_ERROR(
        Pause(got > 0 ? std::chrono::milliseconds(0) : std::chrono::milliseconds(1)));
  }
  return spool.Finish(file);
}

base::Result<uint64_t> SnapshotTaker::StoreRows(const std::string& file, const std::string& key) {
  stage_ = RunStage::kStore;
  SJ_ASSIGN_OR_RETURN(const auto bytes, checkpoint::MappedFile::Open(file));
  SJ_RETURN_IF_ERROR(store_->Put(Key(key), bytes.view()));
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  return uint64_t{bytes.view().size()};
}

base::Result<SnapshotTaken> SnapshotTaker::StoreManifest(checkpoint::SnapshotManifest manifest,
                                                         uint64_t rows_bytes) {
  const std::string json = checkpoint::EncodeManifest(manifest);
  if (json.size() > checkpoint::kManifestBytesMax) {
    return base::Exhausted("take a snapshot: its manifest is larger than " +
                           std::to_string(checkpoint::kManifestBytesMax) + " bytes");
  }
  SnapshotTaken taken;
  taken.ref.location = checkpoint::LocationBelow(config_.store.location, prefix_);
  taken.ref.manifest = "manifest-" + std::to_string(round_) + "-" + base::RandomHex(4);
  taken.ref.sha256 = base::Sha256Hex(json);
  SJ_RETURN_IF_ERROR(store_->Put(Key(taken.ref.manifest), json));
  taken.objects = static_cast<int64_t>(manifest.objects.size());
  taken.bytes = json.size() + rows_bytes;
  std::set<std::string> keys = {Key(taken.ref.manifest), Key(manifest.rows_object)};
  for (const store::ObjectInfo& object : manifest.objects) {
    taken.bytes += object.bytes;
    keys.insert(Key(checkpoint::SnapshotObjectKey(object.key)));
  }
  for (const checkpoint::SnapshotRows& rows : manifest.rows) {
    taken.rows += rows.records;
  }
  taken.epoch = manifest.epoch;
  taken.at = manifest.taken;
  taken.state_hash = manifest.state_hash;
  RemoveRest(keys);
  return taken;
}

// Of earlier rounds and processes. Best effort: what stays goes with the snapshot.
void SnapshotTaker::RemoveRest(const std::set<std::string>& keys) {
  auto listed = store_->List(prefix_ + "/");
  if (!listed.ok()) {
    return;
  }
  for (const store::ObjectInfo& object : *listed) {
    if (keys.contains(object.key)) {
      continue;
    }
    const base::Status deleted = store_->Delete(object.key);
    if (!deleted.ok()) {
      base::LogWarn("a copy that the snapshot does not need stays",
                    {{"object", object.key}, {"error", deleted.ToString()}});
    }
  }
}

}  // namespace sj::worker::runtime
