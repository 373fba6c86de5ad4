// SPDX-License-Identifier: Apache-2.0
// Two fibers: the process's main thread and its heartbeats.
#include "simulation/worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "worker/runtime/supervisor.h"

namespace sj::simulation {
namespace {

using control::Command;
using control::WorkerPhase;
using worker::runtime::JobPhase;
using worker::runtime::JobStatus;
using worker::runtime::Outcome;

constexpr Nanos kCallDeadline = seconds(10);
constexpr milliseconds kHold{5'000};
constexpr Nanos kRetryMin = milliseconds(200);
constexpr Nanos kRetryMax = seconds(3);
constexpr Nanos kReportWithin = seconds(3);
constexpr int kRoundsMax = 24;

WorkerPhase PhaseOf(JobPhase phase) {
  switch (phase) {
    case JobPhase::kStarting:
      return WorkerPhase::kStarting;
    case JobPhase::kRestoring:
      return WorkerPhase::kRestoring;
    case JobPhase::kRunning:
      return WorkerPhase::kRunning;
    case JobPhase::kDraining:
      return WorkerPhase::kDraining;
    case JobPhase::kStopped:
      return WorkerPhase::kStopped;
    case JobPhase::kCompleted:
      return WorkerPhase::kCompleted;
    case JobPhase::kFailed:
      return WorkerPhase::kFailed;
  }
  return WorkerPhase::kFailed;
}

base::Status NobodyThere() {
  return base::Unavailable("call the operator: no answer");
}

}  // namespace

Worker::Worker(World* world, Kafka* kafka, SimStore* store, WorkerSetup setup)
    : world_(world), setup_(std::move(setup)) {
  incarnation_ = fmt::format("w{}", setup_.number);
  io_.world = world;
  io_.kafka = kafka;
  io_.process = world->NewProcess(fmt::format("worker {}-{}", setup_.ordinal, setup_.number));
  io_.overlap = [this] { StepTasks(static_cast<int>(world_->Random(4))); };
  connectors_ = MakeConnectors(&io_, store);
  config_.plan = *setup_.plan;
  config_.job_uid = config_.connect.job_id = setup_.job.uid;
  config_.connect.id_prefix = "sim";
  config_.ordinal = config_.connect.ordinal = setup_.ordinal;
  config_.threads = setup_.threads;
  config_.epoch_interval = std::chrono::duration_cast<milliseconds>(setup_.epoch_interval);
  config_.checkpoints_retained = 2;
  config_.store.location = "s3://simulated/checkpoints";
  config_.scratch_directory = setup_.directory;
  config_.rows_per_poll = 3;
  config_.watermark_interval = milliseconds(500);
}

void Worker::Start(std::function<void()> ended) {
  ended_ = std::move(ended);
  io_.process->on_dead = [this] { ended_(); };
  world_->Spawn(io_.process, [this] { Main(); });
  world_->Spawn(io_.process, [this] { Beat(); });
}

void Worker::Terminate() {
  term_.store(true);
  stop_run_.store(true);
  changed_ = true;
  world_->WakeProcess(io_.process);
}

void Worker::Began(int tasks, std::function<bool(int)> step) {
  tasks_ = tasks;
  step_ = std::move(step);
}

void Worker::Ended() {
  tasks_ = 0;
}

bool Worker::StepTasks(int rounds) {
  bool some = false;
  for (int i = 0; i < rounds && tasks_ > 0 && !stepping_; ++i) {
    stepping_ = true;
    const bool did = step_(static_cast<int>(world_->Random(static_cast<uint64_t>(tasks_))));
    stepping_ = false;
    some = some || did;
  }
  return some;
}

void Worker::Wait(Nanos) {
  LookAtError();
  bool some = false;
  for (int i = 0; i < kRoundsMax && (StepTasks(2 * std::max(1, tasks_)) || i == 0); ++i) {
    some = i > 0;
  }
  changed_ = false;
  world_->WaitFor(changed_, some ? world_->Between(milliseconds(5), milliseconds(50))
                                 : world_->Between(milliseconds(200), milliseconds(1200)));
}

void Worker::LookAtError() {
  const JobStatus status = board_.Get();
  if (status.phase != JobPhase::kFailed || status.error.ok()) {
    told_error_.clear();
    return;
  }
  const std::string text = status.error.ToString();
  if (text != told_error_) {
    told_error_ = text;
    world_->Log(io_.process->name + " failed: " + text);
    setup_.on_error(status.error);
  }
}

void Worker::Main() {
  while (!term_.load()) {
    auto assignment = Register();
    if (!assignment.ok() || !RunGeneration(*assignment)) {
      break;
    }
    world_->Sleep(milliseconds(50));
  }
  over_ = true;
  world_->Log(io_.process->name + (term_.load() ? " exits as told" : " exits"));
  io_.process->dead = true;
  world_->WakeProcess(io_.process);
}

base::Result<control::Assignment> Worker::Register() {
  control::RegisterRequest request;
  request.worker = {setup_.job, setup_.ordinal, incarnation_};
  request.worker_version = "simulated";
  request.spec_hash = setup_.spec_hash;
  request.plan_hash = config_.plan.state_hash;
  request.partitions = setup_.partitions;
  using Answer = base::Result<control::RegisterResponse>;
  Nanos backoff = kRetryMin;
  while (!term_.load()) {
    auto answer = world_->Call<Answer>(
        Service::kControl, kCallDeadline,
        [route = setup_.route, request](std::function<void(Answer)> reply) {
          ControlEndpoint* endpoint = route();
          return endpoint != nullptr ? endpoint->Register(request, reply) : reply(NobodyThere());
        });
    Nanos wait = backoff;
    if (answer && answer->ok()) {
      const control::RegisterResponse& response = **answer;
      if (response.assignment) {
        known_generation_ = std::max(known_generation_, response.assignment->generation);
        started_generation_ = std::max(started_generation_, response.started_generation);
        setup_.on_assignment(*response.assignment);
        return *response.assignment;
      }
      wait = std::clamp<Nanos>(response.retry_after, kRetryMin, kRetryMax);
      backoff = kRetryMin;
    } else {
      backoff = std::min(backoff * 2, kRetryMax);
    }
    world_->Sleep(wait);
  }
  return base::Cancelled("register with the operator: stopped");
}

bool Worker::RunGeneration(const control::Assignment& assignment) {
  config_.generation = assignment.generation;
  config_.replicas = assignment.replicas;
  config_.shards = assignment.shards;
  config_.max_parallelism = assignment.max_parallelism;
  config_.partitions = assignment.partitions;
  config_.fence_ordinals = assignment.fence_ordinals;
  config_.hand_over = assignment.hand_over_from > 0;
  config_.committed_partitions = assignment.committed_partitions;
  // The real one draws a random name for every attempt.
  stop_run_.store(term_.load());
  generation_ = assignment.generation;
  fenced_ = false;
  command_ = Command::kNone;
  world_->Log(fmt::format("{} takes generation {} of {}", io_.process->name, assignment.generation,
                          assignment.replicas));
  worker::runtime::JobHooks hooks;
  hooks.connectors = connectors_;
  hooks.cooperation = this;
  hooks.check_generation = [this] { return AwaitStart(config_.generation); };
  hooks.confirm_generation = [this] { return CheckCurrent(config_.generation); };
  hooks.generation_floor = [this] { return generation_floor_; };
  hooks.hand_over = [this] { return HandOver(); };
  hooks.on_stage = [this](worker::runtime::RunStage stage) {
    if (stage == worker::runtime::RunStage::kConnect) {
      Ended();  // whatever an attempt before left
      config_.incarnation = fmt::format("{}x{}", incarnation_, ++attempts_);
    }
    Nudge();
  };
  auto outcome = worker::runtime::RunJob(config_, hooks, *world_, worker::runtime::RestartPolicy{},
                                         &board_, stop_run_);
  Ended();
  if (!outcome.ok()) {
    LookAtError();
    WaitReported(JobPhase::kFailed);
    return false;
  }
  if (*outcome == Outcome::kRejoin) {
    LookAtError();
    WaitReported(JobPhase::kFailed);
    return !term_.load();
  }
  WaitReported(*outcome == Outcome::kCompleted ? JobPhase::kCompleted : JobPhase::kStopped);
  return !term_.load();
}

int64_t Worker::generation() const {
  return std::max<int64_t>(generation_, board_.Get().generation);
}

bool Worker::HandsOver() const {
  return offered_ && offered_->generation == known_generation_ && offered_->hand_over_from > 0 &&
         offered_->hand_over_from == generation();
}

std::optional<worker::runtime::HandOverOrder> Worker::HandOver() const {
  if (!HandsOver()) {
    return std::nullopt;
  }
  return worker::runtime::HandOverOrder{offered_->generation, offered_->replicas,
                                        started_generation_ >= offered_->generation};
}

control::HeartbeatRequest Worker::Report() {
  const JobStatus status = board_.Get();
  control::HeartbeatRequest report;
  report.worker = {setup_.job, setup_.ordinal, incarnation_};
  report.sequence = ++sequence_;
  report.phase = fenced_ ? WorkerPhase::kFenced : PhaseOf(status.phase);
  report.generation = generation();
  report.hands_over = true;
  if (status.hand_over.generation > 0) {
    report.hand_over = control::HandOverReport{
        status.hand_over.generation, status.hand_over.to_give, status.hand_over.gave,
        status.hand_over.to_take,    status.hand_over.took,    status.hand_over.prefetched};
  }
  if (status.generation == report.generation) {
    report.oldest_generation = status.oldest_generation;
  }
  report.epoch = status.epoch;
  report.last_epoch_time = status.committed_at;
  if (status.lag_records >= 0) {
    report.lag_records = status.lag_records;
  }
  report.restarts = static_cast<int64_t>(status.restarts);
  if (!status.error.ok()) {
    report.error =
        control::ToWorkerError(status.error, worker::runtime::ReasonOf(status.stage, status.error));
  }
  report.hold = nudged_ ? base::Millis(0) : kHold;
  report.known_generation = known_generation_;
  report.known_started_generation = started_generation_;
  report.known_command = command_;
  nudged_ = false;
  return report;
}

void Worker::Beat() {
  using Answer = base::Result<control::HeartbeatResponse>;
  Nanos backoff = kRetryMin;
  while (!over_) {
    const JobPhase phase = board_.Get().phase;
    auto gone = std::make_shared<bool>(false);
    auto answer = world_->Call<Answer>(
        Service::kControl, kHold + kCallDeadline,
        [route = setup_.route, report = Report(), gone](std::function<void(Answer)> reply) {
          ControlEndpoint* endpoint = route();
          return endpoint != nullptr ? endpoint->Heartbeat(report, gone, reply)
                                     : reply(NobodyThere());
        },
        &nudged_);
    *gone = true;
    if (!answer || !answer->ok()) {
      if (!nudged_) {
        world_->WaitFor(nudged_, backoff);
        backoff = std::min(backoff * 2, kRetryMax);
      }
      continue;
    }
    backoff = kRetryMin;
    reported_ = phase;
    Take(**answer);
  }
}

void Worker::Take(const control::HeartbeatResponse& response) {
  Command command = response.command;
  known_generation_ = std::max(known_generation_, response.generation);
  started_generation_ = std::max(started_generation_, response.started_generation);
  command_ = response.command;
  generation_floor_ = std::max(generation_floor_, response.generation_floor.value_or(0));
  if (response.assignment) {
    offered_ = response.assignment;
  }
  if (command == Command::kNone && generation_ != 0 && known_generation_ > generation() &&
      !HandsOver()) {
    command = Command::kDrain;
  }
  if (command != Command::kNone && !stop_run_.exchange(true)) {
    world_->Log(io_.process->name + " is asked to drain");
  }
  changed_ = true;
  world_->WakeProcess(io_.process);
}

void Worker::Nudge() {
  nudged_ = true;
  world_->WakeProcess(io_.process);
}

base::Status Worker::CheckCurrent(int64_t generation) {
  using Answer = base::Result<control::GenerationResponse>;
  auto answer = world_->Call<Answer>(
      Service::kControl, kCallDeadline,
      [route = setup_.route, job = setup_.job](std::function<void(Answer)> reply) {
        ControlEndpoint* endpoint = route();
        return endpoint != nullptr ? endpoint->Generation(job, reply) : reply(NobodyThere());
      });
  if (!answer) {
    return base::Unavailable("ask the operator for the generation: no answer");
  }
  SJ_RETURN_IF_ERROR(answer->status());
  const control::GenerationResponse& current = **answer;
  if (current.generation != generation || current.started_generation < generation) {
    return base::Cancelled(
        fmt::format("generation {} was replaced by {}", generation, current.generation));
  }
  return base::OkStatus();
}

base::Status Worker::AwaitStart(int64_t generation) {
  generation_ = generation;
  fenced_ = true;
  Nudge();
  while (true) {
    world_->WaitUntil(
        [&] {
          return stop_run_.load() || started_generation_ >= generation ||
                 known_generation_ > generation;
        },
        seconds(2));
    if (stop_run_.load()) {
      return base::Cancelled("wait for the start of a generation: stopped");
    }
    if (known_generation_ > generation) {
      return base::Cancelled("wait for the start of a generation: it was replaced");
    }
    if (started_generation_ >= generation) {
      break;
    }
  }
  fenced_ = false;
  return CheckCurrent(generation);
}

void Worker::WaitReported(JobPhase phase) {
  reported_.reset();
  Nudge();
  world_->WaitUntil([&] { return reported_ == phase; }, kReportWithin);
}

}  // namespace sj::simulation
