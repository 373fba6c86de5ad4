// SPDX-License-Identifier: Apache-2.0
// Operator: one step of a fragment on one task thread. Batches are pushed in, results are pushed to
// an Output. Five hooks: batch, watermark, end of epoch (freeze), and for stateful operators
// restore through their state table. Everything here is owned by one task thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/physical.h"
#include "worker/state/state_store.h"
#include "worker/types/column.h"
#include "worker/types/key_group.h"

namespace sj::worker::exec {

// Where an operator's results go. Implemented by the next operator, an edge or a sink.
class Output {
 public:
  virtual ~Output() = default;
  virtual base::Status Push(types::Batch batch) = 0;
  virtual base::Status PushWatermark(int64_t watermark_ms) = 0;
};

class Operator : public Output {
 public:
  // Called when the epoch ends, before the marker passes: push out what is buffered, freeze state.
  // Default: nothing.
  virtual base::Status EndEpoch() { return base::OkStatus(); }
  // Appends the dirty state frozen by EndEpoch. Default: stateless.
  virtual void TakeFrozen(std::vector<state::FrozenRun>* out) { (void)out; }
  // Bytes of state held in memory. Default: 0.
  virtual size_t StateBytes() const { return 0; }
  // Rows dropped because their window had closed.
  virtual uint64_t LateRows() const { return 0; }
};

struct OperatorContext {
  state::StateStore* store = nullptr;  // not owned; outlives the operator
  types::KeyGroupRange key_groups;     // what this thread owns
  int max_parallelism = 128;
  int64_t restored_watermark_ms =
      types::kWatermarkMin;                   // windows ending at or before it have fired
  size_t state_memory_bytes_max = 64u << 20;  // before entries are evicted to the store
};

// The ends of branches, given by the runtime.
class Terminals {
 public:
  virtual ~Terminals() = default;
  virtual Output* Edge(int edge) = 0;
  virtual Output* Sink(int table) = 0;
};

// The operators of one fragment on one thread, wired. Push/PushWatermark feed the fragment's heads.
class FragmentInstance final : public Output {
 public:
  static base::Result<std::unique_ptr<FragmentInstance>> Make(const plan::PhysicalPlan& plan,
                                                              const plan::Fragment& fragment,
                                                              const OperatorContext& context,
                                                              Terminals* terminals);
  ~FragmentInstance() override;

  base::Status Push(types::Batch batch) override;
  base::Status PushWatermark(int64_t watermark_ms) override;
  base::Status EndEpoch();
  void TakeFrozen(std::vector<state::FrozenRun>* out);
  size_t StateBytes() const;
  uint64_t LateRows() const;

  // Source fragments with a WATERMARK: runs the ops before kWatermark over the batch (computed
  // columns), and gives the largest watermark value of its rows (kWatermarkMin: none). The runtime
  // keeps it per partition, takes the minimum over live partitions and feeds PushWatermark after
  // Push. Rows with a NULL time are dropped and counted in null_times.
  struct Timed {
    types::Batch batch;
    int64_t watermark_ms = types::kWatermarkMin;
    uint64_t null_times = 0;
  };
  base::Result<Timed> AssignTimes(types::Batch batch);
  bool has_watermark() const;

 private:
  FragmentInstance();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::worker::exec
