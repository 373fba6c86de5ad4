// SPDX-License-Identifier: Apache-2.0
// RunContext: what the task threads of one attempt share: the plan's connectors, the commit log,
// the channels between threads, and the port through which the epoch thread speaks to each of them.
// Members are constant after OpenRun unless they say otherwise.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "api/base/status.h"
#include "worker/checkpoint/checkpointer.h"
#include "worker/checkpoint/snapshot_import.h"
#include "worker/connect/connector.h"
#include "worker/connect/exchange.h"
#include "worker/runtime/channel.h"
#include "worker/runtime/drain_gate.h"
#include "worker/runtime/job_config.h"
#include "worker/runtime/ownership.h"
#include "worker/runtime/placement.h"
#include "worker/runtime/waker.h"
#include "worker/state/state_store.h"

namespace sj::worker::runtime {

// A keyed edge with what follows from the plan.
struct EdgeInfo {
  const plan::Edge* edge = nullptr;
  const plan::Fragment* receiver = nullptr;
  int depth = 0;                       // 0: fed by sources only
  std::string topic;                   // its exchange topic, or a name for positions only
  std::vector<std::string> instances;  // every sender of the whole job
};

// What a task thread hands over at the end of an epoch.
struct ThreadCapture {
  int thread = 0;
  types::Epoch epoch = 0;
  bool changed = false;  // anything happened since the epoch before
  std::vector<state::FrozenRun> runs;
  std::map<types::InputPartition, checkpoint::SourceState> sources;
  std::vector<checkpoint::ShardState> shards;
};

// Counters of one task thread, written by it, read by anybody.
struct ThreadStats {
  std::atomic<uint64_t> records_in{0};
  std::atomic<uint64_t> rows_out{0};
  std::atomic<uint64_t> late_rows{0};
  std::atomic<uint64_t> null_times{0};
  std::atomic<uint64_t> state_bytes{0};
  std::atomic<uint64_t> busy_ns{0};
  std::atomic<int64_t> watermark_ms{types::kWatermarkMin};
  std::atomic<int64_t> lag_records{-1};  // -1: unknown
};

// A partition as its reader sees it.
struct PartitionInput {
  int table = 0;
  connect::PartitionLag lag;
};

// The epoch thread's line to one task thread.
struct ThreadPort {
  std::atomic<types::Epoch> requested{0};
  std::atomic<bool> finished{false};  // bounded input is used up and everything was sent on
  Waker waker;
  ThreadStats stats;
  std::mutex mu;
  std::vector<PartitionInput> inputs;  // guarded by mu; of all partitions the thread reads
};

// What every task thread does at the end of one epoch: a hand-over gives units away, or takes some.
struct PlacementChange {
  types::Epoch epoch = 0;
  Placement placement;  // from the next epoch on
  UnitSet give;
  UnitSet take;
  checkpoint::Restored restored;  // of the taken units
};

struct RunContext {
  const JobConfig* config = nullptr;
  const base::Clock* clock = nullptr;
  const std::atomic<bool>* stop_asked = nullptr;  // by whoever started the attempt; may be null
  // The share of `generation`. After the start `own.replicas`, `generation` and `placement` belong
  // to the epoch thread: a hand-over changes them. The rest of `own` never changes.
  Ownership own;
  types::Generation generation = 0;
  Placement placement;
  std::unique_ptr<connect::CommitLog> log;
  std::unique_ptr<connect::ExchangeLog> exchange;         // null: one worker without Kafka
  std::vector<std::unique_ptr<connect::Source>> sources;  // by table; null: not read
  std::vector<std::unique_ptr<connect::Sink>> sinks;      // by table; null: not written
  std::map<int, int> partition_counts;                    // table -> partitions
  std::vector<EdgeInfo> edges;                            // by edge id
  int depths = 0;
  std::unique_ptr<state::StateStore> state;
  std::unique_ptr<store::ObjectStore> objects;
  std::unique_ptr<checkpoint::Checkpointer> checkpointer;  // null: no checkpoints
  checkpoint::Restored restored;
  bool imported = false;  // some of it from a snapshot
  // What was in flight in that snapshot, to be taken before any input. Each entry belongs to the
  // thread of its shard.
  std::vector<checkpoint::InFlight> in_flight;
  bool bounded = false;  // every source ends

  std::vector<std::unique_ptr<ThreadPort>> ports;               // by thread
  std::vector<std::vector<std::unique_ptr<Channel>>> channels;  // [from][to]; null on the diagonal

  // Set by the epoch thread before it asks for the end of its epoch, read by the task threads
  // there.
  std::optional<PlacementChange> change;

  // Holds sources back while exchange partitions still hold rows that must come first: those sent
  // before this start, or before units were taken. In the second case the ends to drain to are
  // known behind a commit only: the epoch thread publishes them under a new version.
  DrainGate gate;
  std::atomic<uint64_t> drain_version{0};
  std::atomic<bool> stop{false};

  // Captures and the first error, from task threads to the epoch thread.
  std::mutex mu;
  std::condition_variable changed;
  std::vector<ThreadCapture> captures;                     // guarded by mu
  base::Status failure;                                    // guarded by mu
  std::map<types::InputPartition, int64_t> drain_targets;  // guarded by mu
  std::atomic<bool> failed{false};

  // Records the first error and wakes everybody. Thread-safe.
  void Fail(base::Status status);
  void WakeAll();
};

// Connectors, partition counts and edges of the plan. Touches neither transactions nor group.
// REQUIRES: `config` and `own` are set.
base::Status DescribeRun(const Connectors& make, RunContext* run);

// The tables that are read or written. Pointers into the run's plan.
UsedTables TablesOf(const RunContext& run);

// The partition counts of the job's source topics as the brokers have them now.
base::Result<std::map<std::string, int>> AskPartitions(const JobConfig& config);

// True answers from the outside about a plan that is to run: every source and sink topic exists and
// may be described. Opens no transaction and joins no group, so it may be called beside a run.
base::Status CheckTopics(const JobConfig& config);

// Opens connectors, fences, checks the generation, reads committed positions, restores: in that
// order. REQUIRES: ids in the plan are dense. The result has no threads yet. `stop` ends waiting
// for a hand-over (kCancelled); may be null.
base::Result<std::unique_ptr<RunContext>> OpenRun(const JobConfig& config, const JobHooks& hooks,
                                                  const base::Clock& clock,
                                                  const std::atomic<bool>* stop);

}  // namespace sj::worker::runtime
