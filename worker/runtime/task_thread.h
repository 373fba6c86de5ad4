// SPDX-License-Identifier: Apache-2.0
// TaskThread: one thread of the worker with everything it owns: source partitions, shards, the
// sending ends of edges, sink writers. Nothing is shared but channels and the RunContext's ports.
//
// The end of an epoch: the epoch thread asks; the thread flushes its source fragments, sends a
// marker down every channel and takes no more input until the markers of all other threads have
// come through (so its shards have seen exactly the epoch's rows), then freezes its shards and
// hands over a capture. One round of markers for every depth of edges. (Aligned barriers, as in
// Chandy-Lamport and Flink, but only between the threads of one worker.)
#pragma once

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "worker/exec/operator.h"
#include "worker/runtime/edge_sender.h"
#include "worker/runtime/exchange_inputs.h"
#include "worker/runtime/run_context.h"
#include "worker/runtime/shard_task.h"
#include "worker/runtime/source_task.h"

namespace sj::worker::runtime {

class TaskThread final : public LocalShards, public exec::Terminals {
 public:
  // Makes everything the thread owns; nothing runs yet.
  static base::Result<std::unique_ptr<TaskThread>> Make(RunContext* run, int thread);
  ~TaskThread() override;

  void Start();
  void Join();
  // Without a thread: one round of its loop; false: there was nothing to do. An error ends the run.
  bool StepOnce();

  // LocalShards
  base::Status TakeRows(int edge, int shard, types::Batch rows) override;
  base::Status TakeMarks(int edge, const std::vector<NamedMark>& marks) override;
  types::Epoch epoch() const override { return epoch_; }
  void NoteOutput() override { changed_ = true; }
  const Placement& placement() const override { return placement_; }

  // Terminals
  exec::Output* Edge(int edge) override { return senders_[edge].get(); }
  exec::Output* Sink(int table) override;

 private:
  class SinkOutput;
  TaskThread(RunContext* run, int thread);
  base::Status MakeSinks();
  base::Status MakeShards(const std::vector<int>& shards, const checkpoint::Restored& restored);
  // `only`: the partitions in question, null: all of this thread's.
  base::Status MakeSources(const checkpoint::Restored& restored, const UnitSet* only);
  base::Status OpenExchange();
  void CollectWakeFds();
  // Hand-over, between two epochs.
  base::Status ApplyChange(const PlacementChange& change);
  void Give(const UnitSet& units);
  base::Status TakeOver(const PlacementChange& change);
  std::vector<EdgeSender*> SendersOf(const plan::Fragment& fragment);

  void Run();
  base::Status Loop();
  base::Result<bool> Round();
  base::Result<bool> StepInputs();
  base::Result<bool> StepSources();
  base::Status TravelSources(bool force);
  base::Result<bool> StepChannels();
  base::Status Handle(int from, ThreadMessage message);
  base::Result<bool> StepExchange();
  base::Status TakeExchange(int edge, int shard, ExchangeMessage message);
  // What was in flight to this thread's shards in a snapshot. Before everything else.
  base::Status TakeInFlight();
  base::Status BeginEpochEnd();
  base::Status SendMarkers(int depth);
  base::Result<bool> StepAlign();
  base::Status EndEpoch();
  void UpdateStats();
  void PublishInputs();
  bool Finished() const;
  void Wait();

  RunContext* run_;
  int thread_;
  ThreadPort* port_;
  Placement placement_;
  std::thread runner_;

  types::Epoch epoch_ = 1;  // the epoch being processed
  bool changed_ = true;     // the first epoch is always committed: it pins the start positions
  bool in_flight_taken_ = false;
  bool aligning_ = false;
  int depth_ = 0;                  // of the markers awaited
  std::vector<int> marker_depth_;  // by sender: rounds of markers got this epoch

  std::vector<std::unique_ptr<EdgeSender>> senders_;  // by edge
  std::map<int, std::unique_ptr<SinkOutput>> sinks_;  // by table
  std::vector<std::unique_ptr<SourceTask>> sources_;
  std::vector<std::unique_ptr<ShardTask>> shards_;         // deepest edge first
  std::map<std::pair<int, int>, ShardTask*> shard_by_id_;  // (edge, shard)
  ExchangeInputs exchange_;
  std::vector<int> fds_;           // of all inputs
  std::vector<int> exchange_fds_;  // of those that are read while the gate is closed
  base::MonoTime next_inputs_;     // when the partitions' positions are told again
};

}  // namespace sj::worker::runtime
