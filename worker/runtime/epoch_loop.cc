// SPDX-License-Identifier: Apache-2.0
// Request, capture, flush, upload, commit, confirm; clean up behind the commit.
#include "worker/runtime/epoch_loop.h"

#include <algorithm>
#include <set>

#include "api/base/failpoint.h"
#include "api/base/log.h"
#include "worker/runtime/positions.h"

namespace sj::worker::runtime {
namespace {

// Far below any broker's offsets.retention.minutes (7 days by default).
constexpr std::chrono::minutes kRecommitAfter{30};
constexpr std::chrono::seconds kCleanUpEvery{5};
constexpr size_t kTrimLate = 2;  // clean-ups between a commit and the trim up to it
constexpr std::chrono::milliseconds kWaitSlice{20};
constexpr std::chrono::seconds kBusySample{1};

}  // namespace

EpochLoop::EpochLoop(RunContext* run, const JobHooks* hooks, StatusBoard* board,
                     const std::atomic<bool>* stop)
    : run_(run),
      hooks_(hooks),
      board_(board),
      stop_(stop),
      hand_over_(run, hooks, board),
      base_(board->Get()) {
  requested_at_ = cleaned_at_ = sampled_at_ = run->clock->Mono();
  board->Update([](JobStatus& s) { s.input.reset(); });
  next_tick_ = requested_at_ + run->config->epoch_interval;
}

base::Result<Outcome> EpochLoop::Run() {
  for (types::Epoch epoch = run_->restored.epoch + 1;; ++epoch) {
    SJ_ASSIGN_OR_RETURN(Wake wake, WaitForTick());
    if (wake == Wake::kFailed) {
      std::lock_guard<std::mutex> lock(run_->mu);
      return run_->failure;
    }
    if (wake != Wake::kTick) {
      board_->Update([](JobStatus& s) { s.phase = JobPhase::kDraining; });
    }
    requested_at_ = run_->clock->Mono();
    next_tick_ = requested_at_ + run_->config->epoch_interval;
    hand_over_.Prepare(epoch);
    for (auto& port : run_->ports) {
      port->requested.store(epoch, std::memory_order_release);
      port->waker.Wake();
    }
    SJ_ASSIGN_OR_RETURN(auto captures, Collect(epoch));
    SJ_RETURN_IF_ERROR(Decide(epoch, std::move(captures)));
    Publish();
    if (wake != Wake::kTick || hand_over_.left()) {
      return wake == Wake::kFinished ? Outcome::kCompleted : Outcome::kStopped;
    }
  }
}

base::Result<EpochLoop::Wake> EpochLoop::WaitForTick() {
  while (true) {
    SJ_ASSIGN_OR_RETURN(bool now_please, hand_over_.Poll());
    std::unique_lock<std::mutex> lock(run_->mu);
    if (run_->failed.load()) {
      return Wake::kFailed;
    }
    if (stop_->load()) {
      return Wake::kStop;
    }
    if (!hand_over_.active() && AllFinished()) {
      return Wake::kFinished;
    }
    base::MonoTime now = run_->clock->Mono();
    if (now_please || now >= next_tick_) {
      return Wake::kTick;
    }
    // Counters are read between epochs too: an interval may be minutes long.
    Publish();
    Sleep(&lock, std::min<std::chrono::nanoseconds>(kWaitSlice, next_tick_ - now));
  }
}

void EpochLoop::Sleep(std::unique_lock<std::mutex>* lock, std::chrono::nanoseconds at_most) {
  if (hooks_->cooperation == nullptr) {
    run_->changed.wait_for(*lock, at_most);
    return;
  }
  lock->unlock();
  hooks_->cooperation->Wait(at_most);
  lock->lock();
}

bool EpochLoop::AllFinished() const {
  return std::all_of(run_->ports.begin(), run_->ports.end(),
                     [](const auto& port) { return port->finished.load(); });
}

base::Result<std::vector<ThreadCapture>> EpochLoop::Collect(types::Epoch epoch) {
  std::unique_lock<std::mutex> lock(run_->mu);
  base::MonoTime deadline = run_->clock->Mono() + run_->config->epoch_deadline;
  while (run_->captures.size() < run_->ports.size()) {
    if (run_->failed.load()) {
      return run_->failure;
    }
    if (run_->clock->Mono() > deadline) {
      return base::Unavailable("end epoch " + std::to_string(epoch) +
                               ": task threads did not get to its end in time");
    }
    Sleep(&lock, kWaitSlice);
  }
  return std::exchange(run_->captures, {});
}

base::Status EpochLoop::Decide(types::Epoch epoch, std::vector<ThreadCapture> captures) {
  checkpoint::EpochCapture capture;
  capture.epoch = epoch;
  bool changed = false;
  for (ThreadCapture& part : captures) {
    changed = changed || part.changed;
    std::move(part.runs.begin(), part.runs.end(), std::back_inserter(capture.runs));
    capture.sources.merge(part.sources);
    std::move(part.shards.begin(), part.shards.end(), std::back_inserter(capture.shards));
  }
  SJ_RETURN_IF_ERROR(base::Failpoint("epoch.captured"));
  // Before the upload: the next epoch's records wait for this flush.
  SJ_RETURN_IF_ERROR(run_->log->Flush(epoch));
  base::MonoTime now = run_->clock->Mono();
  const bool must = hand_over_.Mark(&capture);
  if (!must && !changed && committed_at_ && now - *committed_at_ < kRecommitAfter) {
    // What is committed is the state as of now: an idle job is not late.
    board_->Update([&](JobStatus& s) { s.committed_at = run_->clock->Wall(); });
    return base::OkStatus();
  }
  checkpoint::WrittenCheckpoint written;
  std::vector<connect::CommittedPosition> positions;
  checkpoint::EpochCapture keep;
  keep.sources = capture.sources;
  keep.shards = capture.shards;
  keep.released_to = capture.released_to;
  if (run_->checkpointer != nullptr) {
    SJ_ASSIGN_OR_RETURN(written, run_->checkpointer->Write(std::move(capture)));
  }
  SJ_RETURN_IF_ERROR(run_->log->Commit(epoch, Positions(keep, written)));
  if (run_->checkpointer != nullptr) {
    run_->checkpointer->Confirm(epoch);
  }
  committed_at_ = run_->clock->Mono();
  PublishCommit(epoch, written);
  SJ_RETURN_IF_ERROR(hand_over_.Committed(epoch));
  SJ_RETURN_IF_ERROR(base::Failpoint("epoch.after_commit"));
  CleanUp(keep);
  return base::OkStatus();
}

std::vector<connect::CommittedPosition> EpochLoop::Positions(
    const checkpoint::EpochCapture& capture, const checkpoint::WrittenCheckpoint& written) const {
  std::vector<connect::CommittedPosition> positions;
  for (const auto& [partition, state] : capture.sources) {
    positions.push_back({partition, state.offset, written.metadata});
  }
  for (const checkpoint::ShardState& shard : capture.shards) {
    for (const auto& [edge, offset] : shard.edge_offsets) {
      positions.push_back({{run_->edges[edge].topic, shard.shard}, offset, written.metadata});
    }
  }
  if (capture.released_to > 0) {
    std::set<types::InputPartition> released;
    for (const auto& ref : InputsOf(*run_, run_->change->give)) {
      released.insert(ref.partition);
    }
    for (connect::CommittedPosition& position : positions) {
      if (released.contains(position.partition)) {
        position.metadata = written.released_metadata;
      }
    }
  }
  return positions;
}

void EpochLoop::CleanUp(const checkpoint::EpochCapture& capture) {
  base::MonoTime now = run_->clock->Mono();
  if (now - cleaned_at_ < kCleanUpEvery) {
    return;
  }
  cleaned_at_ = now;
  if (run_->checkpointer != nullptr) {
    types::Generation floor = hooks_->generation_floor ? hooks_->generation_floor() : 0;
    base::Status status = run_->checkpointer->Collect(floor);
    if (!status.ok()) {
      base::LogWarn("old checkpoints not deleted", {{"error", status.ToString()}});
    }
  }
  if (run_->exchange == nullptr || run_->own.replicas == 1) {
    return;
  }
  std::vector<connect::ExchangeStart> before;
  for (const checkpoint::ShardState& shard : capture.shards) {
    for (const auto& [edge, offset] : shard.edge_offsets) {
      if (offset > 0) {
        before.push_back({{run_->edges[edge].topic, shard.shard}, offset});
      }
    }
  }
  // Late: who takes a snapshot reads what was in flight at a commit some seconds after it.
  trim_later_.push_back(std::move(before));
  if (trim_later_.size() <= kTrimLate) {
    return;
  }
  base::Status status = run_->exchange->Trim(trim_later_.front());
  trim_later_.pop_front();
  if (!status.ok()) {
    base::LogWarn("exchange topics not trimmed", {{"error", status.ToString()}});
  }
}

void EpochLoop::PublishCommit(types::Epoch epoch, const checkpoint::WrittenCheckpoint& written) {
  auto took = run_->clock->Mono() - requested_at_;
  std::optional<types::Generation> oldest;
  uint64_t state_bytes = 0;
  if (run_->checkpointer != nullptr) {
    oldest = run_->checkpointer->OldestGeneration();
    state_bytes = run_->checkpointer->StateBytes();
  }
  board_->Update([&](JobStatus& s) {
    s.epoch = epoch;
    s.oldest_generation = oldest;
    s.epochs += 1;
    s.committed_at = run_->clock->Wall();
    s.epoch_duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    s.checkpoint_bytes = written.bytes;
    s.checkpointed_state_bytes = state_bytes;
    s.checkpoint_bytes_total += written.bytes;
    s.checkpoint_puts += written.puts;
    s.checkpoint_object = written.object;
  });
}

void EpochLoop::Publish() {
  JobStatus sum;
  uint64_t busy_ns = 0;
  int64_t lag = 0;
  std::optional<int64_t> watermark;
  for (auto& port : run_->ports) {
    const ThreadStats& t = port->stats;
    sum.records_in += t.records_in.load();
    sum.rows_out += t.rows_out.load();
    sum.late_rows += t.late_rows.load();
    sum.null_times += t.null_times.load();
    sum.state_bytes += t.state_bytes.load();
    busy_ns += t.busy_ns.load();
    int64_t of_thread = t.lag_records.load();
    lag = (lag < 0 || of_thread < 0) ? -1 : lag + of_thread;
    watermark = std::min(watermark.value_or(types::kWatermarkMax), t.watermark_ms.load());
  }
  for (auto& source : run_->sources) {
    if (source != nullptr) {
      connect::ConnectorStats& stats = source->stats();
      sum.bad_records += stats.bad_records.load();
      std::lock_guard<std::mutex> lock(stats.mu);
      sum.last_bad = stats.last_bad;
    }
  }
  SampleLoad(busy_ns);
  board_->Update([&](JobStatus& s) {
    s.records_in = base_.records_in + sum.records_in;
    s.rows_out = base_.rows_out + sum.rows_out;
    s.late_rows = base_.late_rows + sum.late_rows;
    s.null_times = base_.null_times + sum.null_times;
    s.bad_records = base_.bad_records + sum.bad_records;
    s.last_bad = sum.last_bad.empty() ? s.last_bad : sum.last_bad;
    s.state_bytes = sum.state_bytes;
    s.lag_records = lag;
    s.watermark_ms = watermark.value_or(types::kWatermarkMin);
    s.busy_ratio = busy_ratio_;
    s.input = meter_.load();
  });
}

void EpochLoop::SampleLoad(uint64_t busy_ns) {
  base::MonoTime now = run_->clock->Mono();
  if (now - sampled_at_ < kBusySample) {
    return;
  }
  double span_ns = static_cast<double>((now - sampled_at_).count()) * run_->own.threads;
  busy_ratio_ = static_cast<double>(busy_ns - sampled_busy_ns_) / span_ns;
  sampled_at_ = now;
  sampled_busy_ns_ = busy_ns;
  InputMeter::Sample sample;
  sample.now = now;
  sample.wall = run_->clock->Wall();
  sample.keyed = !run_->edges.empty();
  sample.waited_ns = run_->log == nullptr ? 0 : run_->log->waited_ns();
  for (auto& port : run_->ports) {
    sample.busy_ns.push_back(port->stats.busy_ns.load());
    std::lock_guard<std::mutex> lock(port->mu);
    for (const PartitionInput& input : port->inputs) {
      const std::unique_ptr<connect::Source>& source = run_->sources[input.table];
      sample.inputs.push_back({source->topic(), input.lag});
    }
  }
  meter_.Take(sample);
}

}  // namespace sj::worker::runtime
