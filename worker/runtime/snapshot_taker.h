// SPDX-License-Identifier: Apache-2.0
// SnapshotTaker: takes a snapshot of the running job beside it: a cut of what is committed, copies
// of the objects it names, what is in flight, and last the manifest
// (docs/design/0006-snapshots.md). It has clients of its own, fences nobody and commits nothing.
// May be called again after an error, and begun again by another process: what is copied stays.
// Owned by one thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "worker/runtime/job_config.h"
#include "worker/runtime/job_status.h"
#include "worker/runtime/run_context.h"
#include "worker/runtime/snapshot_cut.h"

namespace sj::worker::runtime {

struct SnapshotAsked {
  std::string name;                  // of the StreamJobSnapshot
  std::string uid;                   // of the same
  types::Generation generation = 0;  // started, without a hand-over under way
  int replicas = 1;                  // of it
  // For people, in the manifest.
  std::string job_namespace, job_name, sql;

  int rounds_max = 8;                           // fetches; the job deletes objects meanwhile
  std::chrono::milliseconds quiet_max{60'000};  // waits so long for a cut outside of a switch
  std::chrono::milliseconds rows_max{30'000};   // and so long for open transactions
  uint64_t rows_bytes_max = 256u << 20;         // in flight
};

struct SnapshotProgress {
  int round = 0;
  int64_t objects = 0;  // copied so far, in all rounds
  int64_t objects_of_cut = 0;
};

struct SnapshotTaken {
  checkpoint::SnapshotRef ref;
  int64_t objects = 0;  // copied ones
  uint64_t bytes = 0;   // of all that the snapshot is
  uint64_t rows = 0;    // messages in flight
  types::Epoch epoch = 0;
  base::WallTime at{};
  std::string state_hash;
};

class SnapshotTaker {
 public:
  struct Parts {
    Connectors connectors = RealConnectors();
    // By a quorum read: is the generation asked for still in force? Null: always.
    std::function<base::Status()> confirm;
    std::function<void(const SnapshotProgress&)> on_progress;  // may be null
    const base::Clock* clock = nullptr;
    const std::atomic<bool>* stop = nullptr;  // kCancelled soon after it is set; may be null
  };
  SnapshotTaker(JobConfig config, SnapshotAsked asked, Parts parts);

  // Errors: kInvalidArgument (such a job has no snapshots), kExhausted
  // (no quiet moment in time, rounds, rows), kCancelled (stopped, or the generation was replaced),
  // those of Kafka and the store.
  base::Result<SnapshotTaken> Take();
  RunStage stage() const { return stage_; }

 private:
  base::Status Open();
  base::Result<SnapshotTaken> Round();
  base::Result<SnapshotCut> AwaitCut();
  base::Result<SnapshotCut> ReadCut();
  base::Result<std::map<types::InputPartition, int64_t>> ReadEnds(const SnapshotCut& cut);
  base::Status CopyObjects(const std::set<std::string>& objects);
  base::Status LookAtCopies();
  base::Result<std::vector<checkpoint::SnapshotRows>> ReadRows(
      const SnapshotCut& cut, const std::map<types::InputPartition, int64_t>& ends,
      const std::string& file);
  base::Result<uint64_t> StoreRows(const std::string& file, const std::string& key);
  base::Result<SnapshotTaken> StoreManifest(checkpoint::SnapshotManifest manifest,
                                            uint64_t rows_bytes);
  void RemoveRest(const std::set<std::string>& keys);
  void Progress(int64_t objects_of_cut);
  base::Status Pause(std::chrono::milliseconds time);
  std::string Key(const std::string& name) const { return prefix_ + "/" + name; }

  const JobConfig config_;
  const SnapshotAsked asked_;
  const Parts parts_;
  const std::string prefix_;
  const std::string scratch_;
  RunStage stage_ = RunStage::kConnect;
  std::unique_ptr<RunContext> run_;  // what the plan says of inputs; nothing of it runs
  std::unique_ptr<connect::CommittedReader> committed_;
  std::unique_ptr<connect::ExchangeLog> exchange_;
  std::unique_ptr<store::ObjectStore> store_;
  std::map<std::string, uint64_t> there_;  // objects below the prefix, with their bytes
  int round_ = 0;
  base::WallTime cut_at_{};
};

}  // namespace sj::worker::runtime
