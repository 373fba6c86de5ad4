// SPDX-License-Identifier: Apache-2.0
// SourceTask: a source fragment on one task thread: reads its partitions, keeps a watermark for
// each (Flink's rule: the minimum of the live ones, idle ones left out), runs the fragment's
// operators. Owned by a task thread.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "worker/exec/operator.h"
#include "worker/runtime/edge_sender.h"
#include "worker/runtime/run_context.h"

namespace sj::worker::runtime {

struct SourceTaskOptions {
  RunContext* run = nullptr;
  const plan::Fragment* fragment = nullptr;
  int thread = 0;
  std::vector<int> numbers;                        // the partitions it reads
  const checkpoint::Restored* restored = nullptr;  // has all of them
  exec::Terminals* terminals = nullptr;
  std::vector<EdgeSender*> edges;  // those the fragment sends into
};

class SourceTask {
 public:
  static base::Result<std::unique_ptr<SourceTask>> Make(const SourceTaskOptions& options);

  // Reads and processes at most one batch, without waiting. True: there was something.
  base::Result<bool> Step(types::Epoch epoch);
  // Passes the watermark on when it moved and the interval is over, or when forced.
  base::Status Travel(base::MonoTime now, bool force);
  base::Status EndEpoch() { return fragment_->EndEpoch(); }
  void Capture(std::map<types::InputPartition, checkpoint::SourceState>* out) const;
  // Reads these no more; those it does not have are left out. Call between two epochs.
  void Drop(const UnitSet& units);
  bool empty() const { return partitions_.empty(); }

  bool finished() const { return finished_ == partitions_.size() && !owed_; }
  int wake_fd() const { return reader_ == nullptr ? -1 : reader_->wake_fd(); }
  int64_t watermark_ms() const { return watermark_ms_; }
  int64_t lag_records() const;
  void AddInputs(std::vector<PartitionInput>* out) const;
  uint64_t null_times() const { return null_times_; }
  uint64_t late_rows() const { return fragment_->LateRows(); }

 private:
  struct Partition {
    int number = 0;
    checkpoint::SourceState state;
    base::MonoTime last_record;
  };

  SourceTask() = default;
  base::Status OpenPartitions(const SourceTaskOptions& options);
  base::Status Process(connect::SourceBatch batch);
  void NoteIdle(base::MonoTime now);
  base::Status Announce();

  RunContext* run_ = nullptr;
  const plan::Fragment* plan_ = nullptr;
  connect::Source* source_ = nullptr;
  int thread_ = 0;
  std::vector<EdgeSender*> edges_;
  std::unique_ptr<exec::FragmentInstance> fragment_;
  std::unique_ptr<connect::SourceReader> reader_;  // null: no partitions
  std::vector<Partition> partitions_;
  std::map<int, size_t> by_number_;
  size_t finished_ = 0;
  int64_t watermark_ms_ = types::kWatermarkMin;  // last passed on
  bool owed_ = false;                            // marks changed since the last Announce
  bool idle_changed_ = false;
  base::MonoTime last_travel_;
  uint64_t null_times_ = 0;
};

}  // namespace sj::worker::runtime
