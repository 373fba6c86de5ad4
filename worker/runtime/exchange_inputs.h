// SPDX-License-Identifier: Apache-2.0
// ExchangeInputs: the exchange partitions of the shards of one task thread: their readers (one for
// each depth of edges and each time shards were added), positions, and what is to be drained of
// them. Owned by a task thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "worker/checkpoint/footer.h"
#include "worker/runtime/exchange_message.h"
#include "worker/runtime/run_context.h"

namespace sj::worker::runtime {

class ExchangeInputs {
 public:
  explicit ExchangeInputs(RunContext* run) : run_(run) {}

  // Adds the partitions of these shards at the positions of `states` (0 where there is none).
  base::Status Add(const std::vector<int>& shards,
                   const std::vector<checkpoint::ShardState>& states);
  // What is in the log of these inputs now has to be drained. At a start, before any thread runs.
  base::Status DrainAtStart();
  // Opens readers for what has none yet. A worker alone writes nothing to its exchange topics:
  // once they are drained it needs none.
  base::Status OpenReaders(bool alone);
  void Drop(int shard);

  // Reads what may be read now, without waiting. True: there was something.
  using Take = std::function<base::Status(int edge, int shard, ExchangeMessage message)>;
  base::Result<bool> Step(const Take& take);
  // Moves positions over transaction markers, opens the gate for what is drained.
  void NoteDrained();
  void Capture(std::map<int, checkpoint::ShardState>* shards) const;
  void AddWakeFds(std::vector<int>* fds) const;

 private:
  struct Input {
    int edge = -1;
    int shard = -1;
    types::InputPartition partition;
    int64_t next_offset = 0;
    int64_t drain_to = 0;
    bool drained = true;
    int reader = -1;  // index; -1: none yet
  };
  struct Reader {
    int depth = 0;
    std::unique_ptr<connect::ExchangeReader> reader;
  };

  base::Result<int> StepReader(Reader* reader, const Take& take);
  void TakeTargets();
  int DepthOf(const Input& input) const { return run_->edges[input.edge].depth; }

  RunContext* run_;
  std::map<types::InputPartition, Input> inputs_;
  std::vector<Reader> readers_;
  uint64_t targets_seen_ = 0;
};

}  // namespace sj::worker::runtime
