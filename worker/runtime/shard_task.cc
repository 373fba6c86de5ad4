// SPDX-License-Identifier: Apache-2.0
// Rows in, watermark by all senders' marks, state out.
#include "worker/runtime/shard_task.h"

#include <algorithm>

namespace sj::worker::runtime {

base::Result<std::unique_ptr<ShardTask>> ShardTask::Make(const ShardTaskOptions& options) {
  const RunContext& run = *options.run;
  std::unique_ptr<ShardTask> task(new ShardTask());
  task->edge_ = options.edge;
  task->shard_ = options.shard;
  task->edges_ = options.edges;
  for (const std::string& instance : options.edge->instances) {
    task->senders_.Expect(instance);
  }
  int id = options.edge->edge->id;
  if (options.restored != nullptr) {
    auto senders = options.restored->senders.find(id);
    if (senders != options.restored->senders.end()) {
      task->senders_.Restore(senders->second);
    }
    auto told = options.restored->watermark_ms.find(id);
    if (told != options.restored->watermark_ms.end()) {
      task->watermark_ms_ = told->second;
    }
  }
  exec::OperatorContext context;
  context.store = run.state.get();
  context.max_parallelism = run.own.max_parallelism;
  context.key_groups = types::ShardRange(options.shard, run.own.shards, run.own.max_parallelism);
  context.restored_watermark_ms = task->watermark_ms_;
  context.state_memory_bytes_max =
      run.config->state_memory_bytes_max / static_cast<size_t>(std::max(1, options.shards));
  SJ_ASSIGN_OR_RETURN(task->fragment_,
                      exec::FragmentInstance::Make(run.config->plan, *options.edge->receiver,
                                                   context, options.terminals));
  return task;
}

base::Status ShardTask::TakeMarks(const std::vector<NamedMark>& marks) {
  for (const NamedMark& mark : marks) {
    senders_.Update(mark);
  }
  return Advance();
}

base::Status ShardTask::Advance() {
  int64_t next = senders_.Watermark();
  if (next <= watermark_ms_) {
    return base::OkStatus();
  }
  watermark_ms_ = next;
  SJ_RETURN_IF_ERROR(fragment_->PushWatermark(next));
  if (edges_.empty()) {
    return base::OkStatus();
  }
  std::vector<NamedMark> mine = {{InstanceName(edge_->topic, shard_), TimeMark{next, false}}};
  for (EdgeSender* edge : edges_) {
    SJ_RETURN_IF_ERROR(edge->Announce(mine));
  }
  return base::OkStatus();
}

void ShardTask::Capture(checkpoint::ShardState* out, std::vector<state::FrozenRun>* runs) {
  int id = edge_->edge->id;
  out->shard = shard_;
  out->senders[id] = senders_.all();
  out->watermark_ms[id] = watermark_ms_;
  fragment_->TakeFrozen(runs);
}

}  // namespace sj::worker::runtime
