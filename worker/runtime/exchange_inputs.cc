// SPDX-License-Identifier: Apache-2.0
// See exchange_inputs.h.
#include "worker/runtime/exchange_inputs.h"

#include <algorithm>

namespace sj::worker::runtime {
namespace {

constexpr int kRecordsPerStepMax = 256;

}  // namespace

base::Status ExchangeInputs::Add(const std::vector<int>& shards,
                                 const std::vector<checkpoint::ShardState>& states) {
  for (const EdgeInfo& edge : run_->edges) {
    for (int shard : shards) {
      Input input;
      input.edge = edge.edge->id;
      input.shard = shard;
      input.partition = {edge.topic, shard};
      for (const checkpoint::ShardState& state : states) {
        auto offset = state.edge_offsets.find(input.edge);
        if (state.shard == shard && offset != state.edge_offsets.end()) {
          input.next_offset = offset->second;
        }
      }
      inputs_[input.partition] = input;
    }
  }
  return base::OkStatus();
}

base::Status ExchangeInputs::DrainAtStart() {
  if (run_->exchange == nullptr) {
    return base::OkStatus();
  }
  for (auto& [partition, input] : inputs_) {
    SJ_ASSIGN_OR_RETURN(input.drain_to, run_->exchange->End(partition));
    input.drained = input.next_offset >= input.drain_to;
    run_->gate.Expect(DepthOf(input), input.drained ? 0 : 1);
  }
  return base::OkStatus();
}

base::Status ExchangeInputs::OpenReaders(bool alone) {
  bool behind = std::any_of(inputs_.begin(), inputs_.end(),
                            [](const auto& item) { return !item.second.drained; });
  if (run_->exchange == nullptr || (alone && !behind)) {
    return base::OkStatus();
  }
  for (int depth = 0; depth < run_->depths; ++depth) {
    std::vector<connect::ExchangeStart> starts;
    for (auto& [partition, input] : inputs_) {
      if (input.reader < 0 && DepthOf(input) == depth) {
        input.reader = static_cast<int>(readers_.size());
        starts.push_back({partition, input.next_offset});
      }
    }
    if (!starts.empty()) {
      SJ_ASSIGN_OR_RETURN(auto reader, run_->exchange->OpenReader(starts));
      readers_.push_back({depth, std::move(reader)});
    }
  }
  return base::OkStatus();
}

void ExchangeInputs::Drop(int shard) {
  for (auto it = inputs_.begin(); it != inputs_.end();) {
    Input& input = it->second;
    if (input.shard != shard) {
      ++it;
      continue;
    }
    if (input.reader >= 0) {
      readers_[static_cast<size_t>(input.reader)].reader->Drop(input.partition);
    }
    if (!input.drained && run_->gate.Drained(DepthOf(input))) {
      run_->WakeAll();
    }
    it = inputs_.erase(it);
  }
}

base::Result<bool> ExchangeInputs::Step(const Take& take) {
  int got = 0;
  for (Reader& reader : readers_) {
    if (run_->gate.MayRead(reader.depth)) {
      SJ_ASSIGN_OR_RETURN(int some, StepReader(&reader, take));
      got += some;
    }
  }
  const bool news = run_->drain_version.load(std::memory_order_acquire) != targets_seen_;
  if (got > 0 || news || !run_->gate.MayRead(kSourceDepth)) {
    NoteDrained();
  }
  return got > 0;
}

base::Result<int> ExchangeInputs::StepReader(Reader* reader, const Take& take) {
  auto one = [&](const connect::ExchangeRecord& record) -> base::Status {
    Input& input = inputs_.at({*record.topic, record.partition});
    const plan::Edge& edge = *run_->edges[input.edge].edge;
    auto message = DecodeExchange(record.value, edge.schema);
    if (!message.ok()) {
      return std::move(message).status().WithContext(InstanceName(*record.topic, record.partition) +
                                                     " offset " + std::to_string(record.offset));
    }
    input.next_offset = record.offset + 1;
    return take(input.edge, input.shard, std::move(message).value());
  };
  return reader->reader->Poll(kRecordsPerStepMax, std::chrono::milliseconds(0), one);
}

// The ends read behind a hand-over's commit, for the inputs this thread has. Every thread comes by
// here before the next epoch ends, so none misses a version.
void ExchangeInputs::TakeTargets() {
  if (run_->drain_version.load(std::memory_order_acquire) == targets_seen_) {
    return;
  }
  std::lock_guard<std::mutex> lock(run_->mu);
  targets_seen_ = run_->drain_version.load();
  for (auto& [partition, input] : inputs_) {
    auto target = run_->drain_targets.find(partition);
    if (target == run_->drain_targets.end()) {
      continue;
    }
    if (!input.drained) {
      run_->gate.Drained(DepthOf(input));  // the earlier target is within the new one
    }
    input.drain_to = target->second;
    input.drained = false;
  }
}

void ExchangeInputs::NoteDrained() {
  TakeTargets();
  for (auto& [partition, input] : inputs_) {
    if (input.reader >= 0) {
      int64_t position = readers_[static_cast<size_t>(input.reader)].reader->Position(partition);
      input.next_offset = std::max(input.next_offset, position);  // markers take offsets too
    }
    if (!input.drained && input.next_offset >= input.drain_to) {
      input.drained = true;
      if (run_->gate.Drained(DepthOf(input))) {
        run_->WakeAll();
      }
    }
  }
}

void ExchangeInputs::Capture(std::map<int, checkpoint::ShardState>* shards) const {
  for (const auto& [partition, input] : inputs_) {
    (*shards)[input.shard].edge_offsets[input.edge] = input.next_offset;
  }
}

void ExchangeInputs::AddWakeFds(std::vector<int>* fds) const {
  for (const Reader& reader : readers_) {
    fds->push_back(reader.reader->wake_fd());
  }
}

}  // namespace sj::worker::runtime
