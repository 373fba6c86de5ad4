// SPDX-License-Identifier: Apache-2.0
// What a task thread owns, made from the plan and the ownership.
#include <algorithm>

#include "worker/runtime/sink_output.h"
#include "worker/runtime/task_thread.h"

namespace sj::worker::runtime {

TaskThread::TaskThread(RunContext* run, int thread)
    : run_(run), thread_(thread), port_(run->ports[thread].get()) {
  marker_depth_.assign(run->own.threads, 0);
}

TaskThread::~TaskThread() {
  Join();
}

base::Result<std::unique_ptr<TaskThread>> TaskThread::Make(RunContext* run, int thread) {
  std::unique_ptr<TaskThread> task(new TaskThread(run, thread));
  task->epoch_ = run->restored.epoch + 1;
  for (const EdgeInfo& edge : run->edges) {
    task->senders_.push_back(std::make_unique<EdgeSender>(run, edge, thread, task.get()));
  }
  SJ_RETURN_IF_ERROR(task->MakeSinks());
  SJ_RETURN_IF_ERROR(task->MakeShards());
  SJ_RETURN_IF_ERROR(task->MakeSources());
  SJ_RETURN_IF_ERROR(task->OpenExchange());
  for (const auto& source : task->sources_) {
    task->fds_.push_back(source->wake_fd());
  }
  if (task->exchange_ != nullptr) {
    task->fds_.push_back(task->exchange_->wake_fd());
  }
  return task;
}

exec::Output* TaskThread::Sink(int table) {
  return sinks_.at(table).get();
}

base::Status TaskThread::MakeSinks() {
  for (size_t table = 0; table < run_->sinks.size(); ++table) {
    if (run_->sinks[table] == nullptr) {
      continue;
    }
    SJ_ASSIGN_OR_RETURN(auto writer, run_->sinks[table]->OpenWriter(run_->log.get()));
    sinks_[static_cast<int>(table)] =
        std::make_unique<SinkOutput>(this, &port_->stats, std::move(writer));
  }
  return base::OkStatus();
}

std::vector<EdgeSender*> TaskThread::SendersOf(const plan::Fragment& fragment) {
  std::vector<EdgeSender*> senders;
  for (const plan::PhysicalOp& op : fragment.ops) {
    if (op.kind == plan::OpKind::kSendEdge) {
      senders.push_back(senders_[op.edge].get());
    }
  }
  return senders;
}

base::Status TaskThread::MakeShards() {
  types::KeyGroupRange mine = run_->own.ThreadShards(thread_);
  for (const EdgeInfo& edge : run_->edges) {
    for (int shard = mine.begin; shard < mine.end; ++shard) {
      ShardTaskOptions options{run_, &edge, shard, nullptr, this, SendersOf(*edge.receiver)};
      for (const checkpoint::ShardState& state : run_->restored.shards) {
        if (state.shard == shard) {
          options.restored = &state;
        }
      }
      SJ_ASSIGN_OR_RETURN(auto task, ShardTask::Make(options));
      shard_by_id_[{edge.edge->id, shard}] = task.get();
      shards_.push_back(std::move(task));
    }
  }
  std::stable_sort(shards_.begin(), shards_.end(), [this](const auto& a, const auto& b) {
    return run_->edges[a->edge()].depth > run_->edges[b->edge()].depth;
  });
  return base::OkStatus();
}

base::Status TaskThread::MakeSources() {
  for (const plan::Fragment& fragment : run_->config->plan.fragments) {
    if (fragment.input != plan::InputKind::kSource) {
      continue;
    }
    SourceTaskOptions options{run_, &fragment, thread_, this, SendersOf(fragment)};
    SJ_ASSIGN_OR_RETURN(auto task, SourceTask::Make(options));
    sources_.push_back(std::move(task));
  }
  return base::OkStatus();
}

base::Status TaskThread::OpenExchange() {
  types::KeyGroupRange mine = run_->own.ThreadShards(thread_);
  std::vector<connect::ExchangeStart> starts;
  bool behind = false;
  for (const EdgeInfo& edge : run_->edges) {
    for (int shard = mine.begin; shard < mine.end; ++shard) {
      ExchangeInput input;
      input.edge = edge.edge->id;
      input.shard = shard;
      input.partition = {edge.topic, shard};
      for (const checkpoint::ShardState& state : run_->restored.shards) {
        auto offset = state.edge_offsets.find(input.edge);
        if (state.shard == shard && offset != state.edge_offsets.end()) {
          input.next_offset = offset->second;
        }
      }
      if (run_->exchange != nullptr) {
        SJ_ASSIGN_OR_RETURN(input.drain_to, run_->exchange->StableEnd(input.partition));
        input.drained = input.next_offset >= input.drain_to;
        behind = behind || !input.drained;
        run_->undrained.fetch_add(input.drained ? 0 : 1);
        starts.push_back({input.partition, input.next_offset});
      }
      input_by_partition_[input.partition] = inputs_.size();
      inputs_.push_back(std::move(input));
    }
  }
  // A single worker writes nothing to its exchange topics: nothing to read once they are drained.
  if (starts.empty() || (run_->own.replicas == 1 && !behind)) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(exchange_, run_->exchange->OpenReader(starts));
  return base::OkStatus();
}

}  // namespace sj::worker::runtime
