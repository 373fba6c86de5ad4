// SPDX-License-Identifier: Apache-2.0
// JobConfig: everything one attempt to run a job's share needs, as plain data, and JobHooks: the
// few questions it asks of whoever started it (the control client in a cluster, nobody on a
// laptop).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/snapshot_import.h"
#include "worker/connect/connector.h"
#include "worker/plan/physical.h"
#include "worker/runtime/connectors.h"
#include "worker/runtime/cooperation.h"
#include "worker/runtime/job_status.h"
#include "worker/store/object_store.h"
#include "worker/types/ids.h"

namespace sj::worker::runtime {

struct JobConfig {
  plan::PhysicalPlan plan;
  connect::ConnectContext connect;

  // The generation's assignment.
  std::string job_uid;
  types::Generation generation = 1;
  int ordinal = 0;
  int replicas = 1;
  int shards = 16;
  int max_parallelism = 128;
  std::map<std::string, int> partitions;  // topic -> count, fixed for the generation; absent: ask
  std::vector<int> fence_ordinals;        // ordinals of the generation before that are gone
  // As in control::Assignment. Absent: no operator keeps it.
  std::optional<std::map<std::string, int>> committed_partitions;
  // The generation before goes on and hands its units over: this worker is new, and takes each of
  // its units only when it is marked as released to `generation`.
  bool hand_over = false;
  // Units that no epoch of the job has committed begin with what this snapshot has of them.
  std::optional<checkpoint::SnapshotRef> restore_from;

  std::chrono::milliseconds epoch_interval{1000};
  int checkpoints_retained = 3;
  store::ObjectStoreOptions
      store;                // location empty: no checkpoints (results of a crash are repeated)
  std::string incarnation;  // in object names, unique to the attempt; empty: random
  std::string scratch_directory;  // local state and chunks; wiped at start

  int threads = 1;
  size_t state_memory_bytes_max = 256u << 20;  // of all shards; more goes to RocksDB
  size_t rows_per_poll = 4096;
  std::chrono::milliseconds watermark_interval{100};  // how often watermarks travel
  std::chrono::milliseconds epoch_deadline{60'000};   // captures not in by then: the attempt fails
};

// The next generation, which differs from the one that runs in `replicas` only.
struct HandOverOrder {
  types::Generation generation = 0;
  int replicas = 0;
  bool started = true;  // false: prepared; nothing changes hands before START
  bool operator==(const HandOverOrder&) const = default;
};

struct JobHooks {
  Connectors connectors = RealConnectors();
  // After fencing, before any offset is read: is this generation still the current one? An error
  // (kFenced or kUnavailable) ends the attempt. Null: nobody to ask.
  std::function<base::Status()> check_generation;
  // The attempt reached this stage. Null: nobody listens.
  std::function<void(RunStage)> on_stage;
  // Asked now and then by a running attempt: is its generation to be handed over while it runs?
  // Null: never.
  std::function<std::optional<HandOverOrder>()> hand_over;
  // The oldest generation any worker of the job still refers to; 0: unknown. Null: unknown.
  std::function<types::Generation()> generation_floor;
  // Set: the attempt starts no threads, see there. Null: it does. Not owned.
  Cooperation* cooperation = nullptr;
  // After the committed offsets were read: is this generation still the current one? What was read
  // may be the release of a newer one. Null: always.
  std::function<base::Status()> confirm_generation;
};

}  // namespace sj::worker::runtime
