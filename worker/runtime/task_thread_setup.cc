// SPDX-License-Identifier: Apache-2.0
// What a task thread owns, made from the plan and the ownership.
#include <algorithm>

#include "worker/runtime/sink_output.h"
#include "worker/runtime/task_thread.h"

namespace sj::worker::runtime {

TaskThread::TaskThread(RunContext* run, int thread)
    : run_(run),
      thread_(thread),
      port_(run->ports[thread].get()),
      placement_(run->placement),
      exchange_(run) {
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
  SJ_RETURN_IF_ERROR(task->MakeShards(task->placement_.ThreadShards(thread), run->restored));
  SJ_RETURN_IF_ERROR(task->MakeSources(run->restored, nullptr));
  SJ_RETURN_IF_ERROR(task->OpenExchange());
  task->CollectWakeFds();
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

base::Status TaskThread::MakeShards(const std::vector<int>& shards,
                                    const checkpoint::Restored& restored) {
  const int count = static_cast<int>(placement_.Shards().size());
  for (const EdgeInfo& edge : run_->edges) {
    for (int shard : shards) {
      ShardTaskOptions options{run_, &edge, shard, nullptr, count, this, SendersOf(*edge.receiver)};
      for (const checkpoint::ShardState& state : restored.shards) {
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

base::Status TaskThread::MakeSources(const checkpoint::Restored& restored, const UnitSet* only) {
  for (const plan::Fragment& fragment : run_->config->plan.fragments) {
    if (fragment.input != plan::InputKind::kSource) {
      continue;
    }
    std::vector<int> numbers = placement_.ThreadPartitions(fragment.table, thread_);
    if (only != nullptr) {
      std::erase_if(numbers, [&](int n) { return !only->HasPartition(fragment.table, n); });
      if (numbers.empty()) {
        continue;
      }
    }
    SourceTaskOptions options{run_, &fragment,          thread_, std::move(numbers), &restored,
                              this, SendersOf(fragment)};
    SJ_ASSIGN_OR_RETURN(auto task, SourceTask::Make(options));
    sources_.push_back(std::move(task));
  }
  return base::OkStatus();
}

base::Status TaskThread::OpenExchange() {
  SJ_RETURN_IF_ERROR(exchange_.Add(placement_.ThreadShards(thread_), run_->restored.shards));
  SJ_RETURN_IF_ERROR(exchange_.DrainAtStart());
  return exchange_.OpenReaders(run_->own.replicas == 1);
}

void TaskThread::CollectWakeFds() {
  exchange_fds_.clear();
  exchange_.AddWakeFds(&exchange_fds_);
  fds_ = exchange_fds_;
  for (const auto& source : sources_) {
    fds_.push_back(source->wake_fd());
  }
}

base::Status TaskThread::ApplyChange(const PlacementChange& change) {
  placement_ = change.placement;
  Give(change.give);
  SJ_RETURN_IF_ERROR(TakeOver(change));
  // From now on others write to the exchange partitions of what stays.
  SJ_RETURN_IF_ERROR(exchange_.OpenReaders(false));
  CollectWakeFds();
  return base::OkStatus();
}

void TaskThread::Give(const UnitSet& units) {
  for (auto& source : sources_) {
    source->Drop(units);
  }
  std::erase_if(sources_, [](const auto& source) { return source->empty(); });
  for (int shard : units.shards) {
    exchange_.Drop(shard);
  }
  std::erase_if(shard_by_id_, [&](const auto& item) { return units.HasShard(item.first.second); });
  std::erase_if(shards_, [&](const auto& shard) { return units.HasShard(shard->shard()); });
}

base::Status TaskThread::TakeOver(const PlacementChange& change) {
  std::vector<int> shards = placement_.ThreadShards(thread_);
  std::erase_if(shards, [&](int shard) { return !change.take.HasShard(shard); });
  SJ_RETURN_IF_ERROR(MakeShards(shards, change.restored));
  SJ_RETURN_IF_ERROR(exchange_.Add(shards, change.restored.shards));
  SJ_RETURN_IF_ERROR(MakeSources(change.restored, &change.take));
  if (!change.take.empty()) {
    changed_ = true;  // the next commit names them as ours
    port_->finished.store(false);
  }
  return base::OkStatus();
}

}  // namespace sj::worker::runtime
