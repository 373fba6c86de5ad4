// SPDX-License-Identifier: Apache-2.0
// Attempts and the waiting between them.
#include "worker/runtime/supervisor.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "api/base/log.h"
#include "api/base/watchdog.h"
#include "worker/runtime/task_thread.h"

namespace sj::worker::runtime {
namespace {

constexpr std::chrono::milliseconds kStopSlice{50};
constexpr std::chrono::seconds kHealthyAfter{60};
constexpr std::chrono::seconds kEndThreadsMax{120};

// Waits, but not past a stop. False: stopped.
bool WaitFor(std::chrono::milliseconds time, const JobHooks& hooks, const base::Clock& clock,
             const std::atomic<bool>& stop) {
  std::mutex mu;
  std::condition_variable never;
  std::unique_lock<std::mutex> lock(mu);
  base::MonoTime end = clock.Mono() + time;
  while (!stop.load() && clock.Mono() < end) {
    if (hooks.cooperation != nullptr) {
      hooks.cooperation->Wait(kStopSlice);
    } else {
      never.wait_for(lock, kStopSlice);
    }
  }
  return !stop.load();
}

void StartThreads(const JobHooks& hooks, std::vector<std::unique_ptr<TaskThread>>* threads) {
  if (hooks.cooperation != nullptr) {
    hooks.cooperation->Began(static_cast<int>(threads->size()),
                             [threads](int t) { return (*threads)[t]->StepOnce(); });
    return;
  }
  for (auto& thread : *threads) {
    thread->Start();
  }
}

// Threads end before what they use: stop, unblock, join, release.
void EndThreads(RunContext* run, std::vector<std::unique_ptr<TaskThread>>* threads) {
  base::WatchedCall watched("end the task threads", kEndThreadsMax);
  run->stop.store(true);
  run->log->Cancel();
  run->WakeAll();
  for (auto& thread : *threads) {
    thread->Join();
  }
  threads->clear();
}

// How long the start of an attempt spent in each stage, for its log line.
class StageClock {
 public:
  explicit StageClock(const base::Clock& clock) : clock_(clock), since_(clock.Mono()) {}
  void Enter(RunStage stage) {
    const base::MonoTime now = clock_.Mono();
    spent_[stage_] += std::chrono::duration_cast<base::Millis>(now - since_).count();
    since_ = now;
    stage_ = stage;
  }
  int64_t Spent(RunStage stage) const {
    auto it = spent_.find(stage);
    return it == spent_.end() ? 0 : it->second;
  }

 private:
  const base::Clock& clock_;
  base::MonoTime since_;
  RunStage stage_ = RunStage::kConnect;
  std::map<RunStage, int64_t> spent_;
};

void NoteFailure(const base::Status& status, const base::Clock& clock, StatusBoard* board) {
  base::LogError("attempt failed", {{"error", status.ToString()}});
  board->Update([&](JobStatus& s) {
    s.phase = JobPhase::kFailed;
    s.error = status;
    s.failed_at = clock.Wall();
  });
}

}  // namespace

base::Result<Outcome> RunAttempt(const JobConfig& config, const JobHooks& hooks,
                                 const base::Clock& clock, StatusBoard* board,
                                 const std::atomic<bool>& stop) {
  board->Update([&](JobStatus& s) {
    s.phase = JobPhase::kStarting;
    s.generation = config.generation;
    s.oldest_generation.reset();
    s.hand_over = {};
  });
  StageClock stages(clock);
  JobHooks staged = hooks;
  staged.on_stage = [&](RunStage stage) {
    stages.Enter(stage);
    if (stage == RunStage::kOffsets) {
      base::LogDebug("generation is current",
                     {{"generation", config.generation}, {"ordinal", config.ordinal}});
    }
    board->Update([&](JobStatus& s) {
      s.stage = stage;
      s.phase = stage == RunStage::kRestore ? JobPhase::kRestoring : s.phase;
    });
    if (hooks.on_stage) {
      hooks.on_stage(stage);
    }
  };
  SJ_ASSIGN_OR_RETURN(auto run, OpenRun(config, staged, clock, &stop));
  stages.Enter(RunStage::kRun);
  std::vector<std::unique_ptr<TaskThread>> threads;
  for (int t = 0; t < config.threads; ++t) {
    auto thread = TaskThread::Make(run.get(), t);
    if (!thread.ok()) {
      EndThreads(run.get(), &threads);
      return std::move(thread).status();
    }
    threads.push_back(std::move(thread).value());
  }
  StartThreads(hooks, &threads);
  board->Update([&](JobStatus& s) {
    s.phase = JobPhase::kRunning;
    s.stage = RunStage::kRun;
    s.error = base::OkStatus();
  });
  if (hooks.on_stage) {
    hooks.on_stage(RunStage::kRun);
  }
  base::LogInfo("running", {{"generation", config.generation},
                            {"ordinal", config.ordinal},
                            {"threads", config.threads},
                            {"from_epoch", run->restored.epoch},
                            {"connect_ms", stages.Spent(RunStage::kConnect)},
                            {"fence_ms", stages.Spent(RunStage::kFence)},
                            {"start_ms", stages.Spent(RunStage::kGeneration)},
                            {"offsets_ms", stages.Spent(RunStage::kOffsets)},
                            {"store_ms", stages.Spent(RunStage::kStore)},
                            {"restore_ms", stages.Spent(RunStage::kRestore)}});
  EpochLoop loop(run.get(), &hooks, board, &stop);
  auto outcome = loop.Run();
  EndThreads(run.get(), &threads);
  if (hooks.cooperation != nullptr) {
    hooks.cooperation->Ended();
  }
  run->log->Close();
  return outcome;
}

base::Result<Outcome> RunJob(const JobConfig& config, const JobHooks& hooks,
                             const base::Clock& clock, const RestartPolicy& policy,
                             StatusBoard* board, const std::atomic<bool>& stop) {
  std::chrono::milliseconds backoff = policy.backoff_min;
  for (int attempt = 1;; ++attempt) {
    base::MonoTime start = clock.Mono();
    auto outcome = RunAttempt(config, hooks, clock, board, stop);
    if (outcome.ok()) {
      board->Update([&](JobStatus& s) {
        s.phase = *outcome == Outcome::kCompleted ? JobPhase::kCompleted : JobPhase::kStopped;
      });
      return outcome;
    }
    const base::Status& status = outcome.status();
    if (status.kind() == base::ErrorKind::kCancelled) {
      board->Update([](JobStatus& s) { s.phase = JobPhase::kStopped; });
      return Outcome::kStopped;  // nothing was running yet
    }
    NoteFailure(status, clock, board);
    // What this worker owns now depends on what was committed, and on what the others do.
    bool handing_over = config.hand_over || board->Get().hand_over.generation > config.generation;
    if (handing_over && status.kind() != base::ErrorKind::kFenced) {
      return Outcome::kRejoin;
    }
    bool final = status.kind() == base::ErrorKind::kFenced ||
                 (policy.attempts_max > 0 && attempt >= policy.attempts_max);
    bool hopeless = status.retry() == base::Retry::kNever;
    if (final || (hopeless && policy.retry_user_errors.count() == 0)) {
      return outcome;
    }
    if (clock.Mono() - start >= kHealthyAfter) {
      backoff = policy.backoff_min;
    }
    if (!WaitFor(hopeless ? policy.retry_user_errors : backoff, hooks, clock, stop)) {
      board->Update([](JobStatus& s) { s.phase = JobPhase::kStopped; });
      return Outcome::kStopped;  // nothing runs: what is committed is all there is
    }
    backoff = std::min(backoff * 2, policy.backoff_max);
    board->Update([](JobStatus& s) { s.restarts += 1; });
  }
}

}  // namespace sj::worker::runtime
