// SPDX-License-Identifier: Apache-2.0
// The loop of a task thread. What it owns is made in task_thread_setup.cc.
#include "worker/runtime/task_thread.h"

#include <pthread.h>

#include "worker/runtime/exchange_message.h"
#include "worker/runtime/sink_output.h"

namespace sj::worker::runtime {
namespace {

constexpr int kMessagesPerStepMax = 64;
constexpr std::chrono::milliseconds kIdleWaitMax{50};
constexpr std::chrono::milliseconds kInputsEvery{250};

}  // namespace

void TaskThread::Start() {
  runner_ = std::thread([this] {
    pthread_setname_np(pthread_self(), ("task-" + std::to_string(thread_)).c_str());
    Run();
  });
}

void TaskThread::Join() {
  if (runner_.joinable()) {
    runner_.join();
  }
}

void TaskThread::Run() {
  base::Status status = Loop();
  if (!status.ok() && !run_->stop.load()) {
    run_->Fail(std::move(status));
  }
}

base::Status TaskThread::Loop() {
  while (!run_->stop.load(std::memory_order_relaxed)) {
    SJ_ASSIGN_OR_RETURN(bool some, Round());
    if (!some) {
      Wait();
    }
  }
  return base::OkStatus();
}

base::Result<bool> TaskThread::Round() {
  base::MonoTime start = run_->clock->Mono();
  if (!in_flight_taken_) {
    in_flight_taken_ = true;
    SJ_RETURN_IF_ERROR(TakeInFlight());
  }
  if (!aligning_ && port_->requested.load(std::memory_order_acquire) >= epoch_) {
    SJ_RETURN_IF_ERROR(BeginEpochEnd());
  }
  SJ_ASSIGN_OR_RETURN(bool some, StepChannels());
  SJ_ASSIGN_OR_RETURN(bool more, aligning_ ? StepAlign() : StepInputs());
  if (!some && !more) {
    UpdateStats();
    return false;
  }
  auto busy = run_->clock->Mono() - start;
  port_->stats.busy_ns.fetch_add(std::chrono::duration_cast<std::chrono::nanoseconds>(busy).count(),
                                 std::memory_order_relaxed);
  return true;
}

bool TaskThread::StepOnce() {
  auto some = Round();
  if (!some.ok()) {
    run_->Fail(std::move(some).status());
    return false;
  }
  return *some;
}

base::Result<bool> TaskThread::StepInputs() {
  SJ_ASSIGN_OR_RETURN(bool exchange, StepExchange());
  SJ_ASSIGN_OR_RETURN(bool sources, StepSources());
  SJ_RETURN_IF_ERROR(TravelSources(false));
  if (!port_->finished.load(std::memory_order_relaxed) && Finished()) {
    port_->finished.store(true);
    std::lock_guard<std::mutex> lock(run_->mu);
    run_->changed.notify_all();
  }
  return exchange || sources;
}

// Watermarks must not overtake rows either.
base::Status TaskThread::TravelSources(bool force) {
  if (!run_->gate.MayRead(kSourceDepth)) {
    return base::OkStatus();
  }
  base::MonoTime now = run_->clock->Mono();
  for (auto& source : sources_) {
    SJ_RETURN_IF_ERROR(source->Travel(now, force));
  }
  return base::OkStatus();
}

base::Result<bool> TaskThread::StepSources() {
  if (!run_->gate.MayRead(kSourceDepth)) {
    return false;
  }
  for (const auto& sender : senders_) {
    if (sender->Full()) {
      return false;
    }
  }
  bool some = false;
  for (auto& source : sources_) {
    SJ_ASSIGN_OR_RETURN(bool stepped, source->Step(epoch_));
    some = some || stepped;
  }
  changed_ = changed_ || some;
  return some;
}

base::Result<bool> TaskThread::StepChannels() {
  bool some = false;
  for (int from = 0; from < run_->own.threads; ++from) {
    if (from == thread_) {
      continue;
    }
    Channel& channel = *run_->channels[from][thread_];
    ThreadMessage message;
    for (int i = 0; i < kMessagesPerStepMax; ++i) {
      // A sender that is a round ahead waits: what follows its marker is of the next round.
      if (marker_depth_[from] > depth_ || !channel.Pop(&message)) {
        break;
      }
      some = true;
      SJ_RETURN_IF_ERROR(Handle(from, std::move(message)));
    }
  }
  return some;
}

base::Status TaskThread::Handle(int from, ThreadMessage message) {
  switch (message.kind) {
    case ThreadMessage::Kind::kRows:
      return TakeRows(message.edge, message.shard, std::move(message.rows));
    case ThreadMessage::Kind::kMarks:
      return TakeMarks(message.edge, *message.marks);
    case ThreadMessage::Kind::kMarker:
      marker_depth_[from] = message.depth + 1;
      return base::OkStatus();
  }
  return base::OkStatus();
}

base::Status TaskThread::TakeRows(int edge, int shard, types::Batch rows) {
  changed_ = true;
  return shard_by_id_.at({edge, shard})->TakeRows(std::move(rows));
}

base::Status TaskThread::TakeMarks(int edge, const std::vector<NamedMark>& marks) {
  changed_ = true;
  for (auto& shard : shards_) {
    if (shard->edge() == edge) {
      SJ_RETURN_IF_ERROR(shard->TakeMarks(marks));
    }
  }
  return base::OkStatus();
}

base::Result<bool> TaskThread::StepExchange() {
  return exchange_.Step([this](int edge, int shard, ExchangeMessage message) {
    return TakeExchange(edge, shard, std::move(message));
  });
}

base::Status TaskThread::TakeExchange(int edge, int shard, ExchangeMessage message) {
  changed_ = true;
  ShardTask* task = shard_by_id_.at({edge, shard});
  return message.is_rows ? task->TakeRows(std::move(message.rows)) : task->TakeMarks(message.marks);
}

// Deepest edge first: what an edge's rows make is sent behind what was sent over later edges
// before.
base::Status TaskThread::TakeInFlight() {
  for (int depth = run_->depths - 1; depth >= 0; --depth) {
    for (checkpoint::InFlight& flight : run_->in_flight) {
      const EdgeInfo& edge = run_->edges[flight.edge];
      if (edge.depth != depth || !shard_by_id_.contains({flight.edge, flight.shard})) {
        continue;
      }
      const std::string frames = std::exchange(flight.frames, {});
      SJ_RETURN_IF_ERROR(checkpoint::ForEachFrame(frames, [&](std::string_view bytes) {
        auto message = DecodeExchange(bytes, edge.edge->schema);
        return message.ok() ? TakeExchange(flight.edge, flight.shard, std::move(message).value())
                            : std::move(message).status();
      }));
    }
  }
  return base::OkStatus();
}

base::Status TaskThread::BeginEpochEnd() {
  SJ_RETURN_IF_ERROR(TravelSources(true));
  for (auto& source : sources_) {
    SJ_RETURN_IF_ERROR(source->EndEpoch());
  }
  exchange_.NoteDrained();
  aligning_ = true;
  depth_ = 0;
  return SendMarkers(0);
}

base::Status TaskThread::SendMarkers(int depth) {
  for (int to = 0; to < run_->own.threads; ++to) {
    if (to == thread_) {
      continue;
    }
    ThreadMessage message;
    message.kind = ThreadMessage::Kind::kMarker;
    message.depth = depth;
    message.epoch = epoch_;
    run_->channels[thread_][to]->Push(std::move(message));
    run_->ports[to]->waker.Wake();
  }
  return base::OkStatus();
}

base::Result<bool> TaskThread::StepAlign() {
  for (int from = 0; from < run_->own.threads; ++from) {
    if (from != thread_ && marker_depth_[from] <= depth_) {
      return false;
    }
  }
  for (auto& shard : shards_) {
    if (run_->edges[shard->edge()].depth == depth_) {
      SJ_RETURN_IF_ERROR(shard->EndEpoch());
    }
  }
  depth_ += 1;
  if (depth_ < run_->depths) {
    SJ_RETURN_IF_ERROR(SendMarkers(depth_));
    return true;
  }
  SJ_RETURN_IF_ERROR(EndEpoch());
  return true;
}

base::Status TaskThread::EndEpoch() {
  ThreadCapture capture;
  capture.thread = thread_;
  capture.epoch = epoch_;
  std::map<int, checkpoint::ShardState> shards;
  for (auto& shard : shards_) {
    shard->Capture(&shards[shard->shard()], &capture.runs);
  }
  exchange_.Capture(&shards);
  for (auto& [number, shard] : shards) {
    capture.shards.push_back(std::move(shard));
  }
  for (auto& source : sources_) {
    source->Capture(&capture.sources);
  }
  for (auto& [table, sink] : sinks_) {
    SJ_RETURN_IF_ERROR(sink->EndEpoch());
    changed_ = changed_ || sink->TakeWritten();
  }
  capture.changed = changed_;
  changed_ = false;
  if (run_->change && run_->change->epoch == epoch_) {
    SJ_RETURN_IF_ERROR(ApplyChange(*run_->change));
  }
  epoch_ += 1;
  aligning_ = false;
  depth_ = 0;
  marker_depth_.assign(run_->own.threads, 0);
  UpdateStats();
  std::lock_guard<std::mutex> lock(run_->mu);
  run_->captures.push_back(std::move(capture));
  run_->changed.notify_all();
  return base::OkStatus();
}

void TaskThread::UpdateStats() {
  ThreadStats& stats = port_->stats;
  uint64_t late = 0;
  uint64_t null_times = 0;
  uint64_t state = 0;
  int64_t lag = 0;
  for (auto& source : sources_) {
    late += source->late_rows();
    null_times += source->null_times();
    int64_t of_source = source->lag_records();
    lag = (lag < 0 || of_source < 0) ? -1 : lag + of_source;
  }
  for (auto& shard : shards_) {
    late += shard->late_rows();
    state += shard->state_bytes();
  }
  stats.late_rows.store(late, std::memory_order_relaxed);
  stats.null_times.store(null_times, std::memory_order_relaxed);
  stats.state_bytes.store(state, std::memory_order_relaxed);
  stats.lag_records.store(lag, std::memory_order_relaxed);
  PublishInputs();
}

void TaskThread::PublishInputs() {
  base::MonoTime now = run_->clock->Mono();
  if (now < next_inputs_) {
    return;
  }
  next_inputs_ = now + kInputsEvery;
  std::vector<PartitionInput> inputs;
  for (auto& source : sources_) {
    source->AddInputs(&inputs);
  }
  std::lock_guard<std::mutex> lock(port_->mu);
  port_->inputs = std::move(inputs);
}

bool TaskThread::Finished() const {
  if (!run_->bounded) {
    return false;
  }
  for (const auto& source : sources_) {
    if (!source->finished()) {
      return false;
    }
  }
  for (const auto& shard : shards_) {
    if (!shard->finished()) {
      return false;
    }
  }
  return true;
}

void TaskThread::Wait() {
  bool open = run_->gate.MayRead(kSourceDepth);
  port_->waker.Wait(open ? fds_ : exchange_fds_, kIdleWaitMax);
}

}  // namespace sj::worker::runtime
