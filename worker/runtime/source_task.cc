// SPDX-License-Identifier: Apache-2.0
// Poll -> times -> operators; partition marks; watermarks at most once an interval.
#include "worker/runtime/source_task.h"

#include <algorithm>

namespace sj::worker::runtime {

base::Result<std::unique_ptr<SourceTask>> SourceTask::Make(const SourceTaskOptions& options) {
  std::unique_ptr<SourceTask> task(new SourceTask());
  task->run_ = options.run;
  task->plan_ = options.fragment;
  task->thread_ = options.thread;
  task->edges_ = options.edges;
  task->source_ = options.run->sources[options.fragment->table].get();
  exec::OperatorContext context;
  context.max_parallelism = options.run->own.max_parallelism;
  SJ_ASSIGN_OR_RETURN(task->fragment_,
                      exec::FragmentInstance::Make(options.run->config->plan, *options.fragment,
                                                   context, options.terminals));
  SJ_RETURN_IF_ERROR(task->OpenPartitions(options));
  return task;
}

base::Status SourceTask::OpenPartitions(const SourceTaskOptions& options) {
  last_travel_ = run_->clock->Mono();
  std::vector<connect::PartitionStart> starts;
  for (int number : options.numbers) {
    const auto& state = options.restored->sources.at({source_->topic(), number});
    by_number_[number] = partitions_.size();
    partitions_.push_back({number, state, last_travel_});
    finished_ += state.finished ? 1 : 0;
    connect::PartitionStart start{number, state.offset, std::nullopt};
    if (state.end_offset >= 0) {
      start.end_offset = state.end_offset;
    }
    if (!state.finished) {
      starts.push_back(start);
    }
  }
  // Restored marks are told again: receivers that were restored too must not wait for new rows.
  owed_ = !partitions_.empty();
  if (starts.empty()) {
    return base::OkStatus();
  }
  SJ_ASSIGN_OR_RETURN(reader_, source_->OpenReader(starts, plan_->columns, run_->log.get()));
  return base::OkStatus();
}

base::Result<bool> SourceTask::Step(types::Epoch epoch) {
  if (reader_ == nullptr) {
    return false;
  }
  connect::SourceBatch batch;
  SJ_ASSIGN_OR_RETURN(bool some, reader_->Poll(run_->config->rows_per_poll,
                                               std::chrono::milliseconds(0), epoch, &batch));
  if (!some) {
    return false;
  }
  run_->ports[thread_]->stats.records_in.fetch_add(batch.records, std::memory_order_relaxed);
  SJ_RETURN_IF_ERROR(Process(std::move(batch)));
  return true;
}

base::Status SourceTask::Process(connect::SourceBatch batch) {
  Partition& partition = partitions_[by_number_.at(batch.partition)];
  partition.state.offset = batch.next_offset;
  int64_t seen = types::kWatermarkMin;
  if (batch.rows.rows > 0) {
    if (fragment_->has_watermark()) {
      SJ_ASSIGN_OR_RETURN(auto timed, fragment_->AssignTimes(std::move(batch.rows)));
      seen = timed.watermark_ms;
      null_times_ += timed.null_times;
      batch.rows = std::move(timed.batch);
    }
    SJ_RETURN_IF_ERROR(fragment_->Push(std::move(batch.rows)));
  }
  if (batch.records > 0) {
    partition.last_record = run_->clock->Mono();
    if (partition.state.time.idle) {
      partition.state.time.idle = false;
      idle_changed_ = true;
    }
  }
  if (batch.finished && !partition.state.finished) {
    partition.state.finished = true;
    finished_ += 1;
    seen = types::kWatermarkMax;
  }
  if (seen > partition.state.time.watermark_ms) {
    partition.state.time.watermark_ms = seen;
    owed_ = true;
  }
  return base::OkStatus();
}

void SourceTask::NoteIdle(base::MonoTime now) {
  std::chrono::milliseconds limit = source_->idle_timeout();
  if (limit.count() <= 0) {
    return;
  }
  for (Partition& partition : partitions_) {
    bool idle = !partition.state.finished && now - partition.last_record >= limit;
    if (idle && !partition.state.time.idle) {
      partition.state.time.idle = true;
      idle_changed_ = true;
    }
  }
}

base::Status SourceTask::Travel(base::MonoTime now, bool force) {
  bool all_finished = finished_ == partitions_.size();
  if (!force && !(all_finished && owed_) && now - last_travel_ < run_->config->watermark_interval) {
    return base::OkStatus();
  }
  last_travel_ = now;
  NoteIdle(now);
  if (!owed_ && !idle_changed_) {
    return base::OkStatus();
  }
  std::vector<TimeMark> marks;
  for (const Partition& partition : partitions_) {
    marks.push_back(partition.state.time);
  }
  int64_t next = AdvanceWatermark(marks, watermark_ms_);
  if (next > watermark_ms_) {
    watermark_ms_ = next;
    run_->ports[thread_]->stats.watermark_ms.store(next, std::memory_order_relaxed);
    SJ_RETURN_IF_ERROR(fragment_->PushWatermark(next));
  } else if (!idle_changed_) {
    return base::OkStatus();  // no receiver can move by what changed; it stays owed
  } else {
    // An idle partition no longer holds the receivers back: what is buffered must go first.
    SJ_RETURN_IF_ERROR(fragment_->EndEpoch());
  }
  owed_ = false;
  idle_changed_ = false;
  return Announce();
}

base::Status SourceTask::Announce() {
  if (edges_.empty()) {
    return base::OkStatus();
  }
  std::vector<NamedMark> marks;
  for (const Partition& partition : partitions_) {
    marks.push_back({InstanceName(source_->topic(), partition.number), partition.state.time});
  }
  for (EdgeSender* edge : edges_) {
    SJ_RETURN_IF_ERROR(edge->Announce(marks));
  }
  return base::OkStatus();
}

void SourceTask::Capture(std::map<types::InputPartition, checkpoint::SourceState>* out) const {
  for (const Partition& partition : partitions_) {
    (*out)[{source_->topic(), partition.number}] = partition.state;
  }
}

void SourceTask::AddInputs(std::vector<PartitionInput>* out) const {
  if (reader_ == nullptr) {
    return;
  }
  for (const connect::PartitionLag& lag : reader_->Lag()) {
    out->push_back({plan_->table, lag});
  }
}

void SourceTask::Drop(const UnitSet& units) {
  for (size_t i = 0; i < partitions_.size();) {
    if (!units.HasPartition(plan_->table, partitions_[i].number)) {
      ++i;
      continue;
    }
    if (reader_ != nullptr) {
      reader_->Drop(partitions_[i].number);
    }
    finished_ -= partitions_[i].state.finished ? 1 : 0;
    partitions_.erase(partitions_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  by_number_.clear();
  for (size_t i = 0; i < partitions_.size(); ++i) {
    by_number_[partitions_[i].number] = i;
  }
}

int64_t SourceTask::lag_records() const {
  if (reader_ == nullptr) {
    return 0;
  }
  int64_t total = 0;
  for (const connect::PartitionLag& lag : reader_->Lag()) {
    if (lag.stable_end < 0) {
      return -1;
    }
    total += std::max<int64_t>(0, lag.stable_end - lag.position);
  }
  return total;
}

}  // namespace sj::worker::runtime
