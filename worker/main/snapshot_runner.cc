// SPDX-License-Identifier: Apache-2.0
// See snapshot_runner.h.
#include "worker/main/snapshot_runner.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/base/log.h"
#include "worker/checkpoint/remove_objects.h"

namespace sj::worker {
namespace {

using sj::control::SnapshotOrder;
using sj::control::SnapshotReport;
using sj::control::SnapshotStep;

constexpr int kNice = 10;
constexpr base::Millis kTellEvery{2'000};

sj::control::SnapshotResult ResultOf(const runtime::SnapshotTaken& taken) {
  sj::control::SnapshotResult result;
  result.source = {taken.ref.location, taken.ref.manifest, taken.ref.sha256};
  result.objects = taken.objects;
  result.bytes = static_cast<int64_t>(taken.bytes);
  result.rows = static_cast<int64_t>(taken.rows);
  result.epoch = taken.epoch;
  result.taken_at = taken.at;
  result.state_hash = taken.state_hash;
  return result;
}

// True: over.
bool Fail(const base::Status& status, runtime::RunStage stage, SnapshotReport& report) {
  if (status.kind() == base::ErrorKind::kCancelled) {
    return true;  // another order follows, or none
  }
  base::LogWarn("work on a snapshot failed",
                {{"snapshot", report.known.name}, {"error", status.ToString()}});
  report.error = sj::control::ToWorkerError(status, runtime::ReasonOf(stage, status));
  return status.retry() == base::Retry::kNever;
}

bool TakeOne(const runtime::JobConfig& config, const SnapshotOf& of,
             const std::function<base::Status(int64_t)>& confirm, const std::atomic<bool>& stop,
             SnapshotReport& report, const std::function<void()>& tell) {
  const SnapshotOrder& order = report.known;
  runtime::SnapshotAsked asked;
  asked.name = order.name;
  asked.uid = order.uid;
  asked.generation = order.generation;
  asked.replicas = order.replicas;
  asked.job_namespace = of.job_namespace;
  asked.job_name = of.job_name;
  asked.sql = of.sql;
  runtime::SnapshotTaker::Parts parts;
  parts.clock = &base::RealClock();
  parts.stop = &stop;
  parts.confirm = [&] { return confirm(order.generation); };
  base::MonoTime told = parts.clock->Mono();
  parts.on_progress = [&](const runtime::SnapshotProgress& progress) {
    report.round = progress.round;
    report.objects = progress.objects;
    if (parts.clock->Mono() - told >= kTellEvery) {
      told = parts.clock->Mono();
      tell();
    }
  };
  runtime::SnapshotTaker taker(config, asked, parts);
  const base::Result<runtime::SnapshotTaken> taken = taker.Take();
  if (!taken.ok()) {
    return Fail(taken.status(), taker.stage(), report);
  }
  report.error.reset();
  report.result = ResultOf(*taken);
  report.done = true;
  base::LogInfo("snapshot taken", {{"snapshot", order.name},
                                   {"location", taken->ref.location},
                                   {"epoch", taken->epoch},
                                   {"objects", taken->objects},
                                   {"bytes", taken->bytes}});
  return true;
}

bool RemoveOne(const runtime::JobConfig& config, SnapshotReport& report) {
  base::Status removed = base::OkStatus();
  auto store = store::OpenObjectStore(config.store);
  if (store.ok()) {
    removed = checkpoint::RemoveSnapshot(**store, config.job_uid, report.known.name,
                                         report.known.uid, &report.objects);
  } else {
    removed = store.status();
  }
  if (!removed.ok()) {
    Fail(removed, runtime::RunStage::kStore, report);
    return false;  // for as long as it is asked for: somebody may mend the outside
  }
  report.error.reset();
  report.done = true;
  return true;
}

}  // namespace

SnapshotWork RealSnapshotWork(std::function<runtime::JobConfig()> config, SnapshotOf of,
                              std::function<base::Status(int64_t generation)> confirm) {
  return [config = std::move(config), of = std::move(of), confirm = std::move(confirm)](
             const std::atomic<bool>& stop, SnapshotReport& report,
             const std::function<void()>& tell) {
    return report.known.step == SnapshotStep::kTake
               ? TakeOne(config(), of, confirm, stop, report, tell)
               : RemoveOne(config(), report);
  };
}

SnapshotRunner::SnapshotRunner(Options options, SnapshotWork work, Tell tell)
    : options_(options),
      work_(std::move(work)),
      tell_(std::move(tell)),
      thread_([this] { Run(); }) {
}

SnapshotRunner::~SnapshotRunner() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    stopping_ = true;
    stop_work_.store(true);
    changed_.notify_all();
  }
  thread_.join();
}

void SnapshotRunner::Ask(const SnapshotOrder& order) {
  std::lock_guard<std::mutex> lock(mu_);
  if (order == wanted_) {
    return;
  }
  wanted_ = order;
  news_ = true;
  stop_work_.store(true);
  changed_.notify_all();
}

void SnapshotRunner::Run() {
  pthread_setname_np(pthread_self(), "snapshot");
  // The job comes first. Should it be refused, the thread runs like the others.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  std::unique_lock<std::mutex> lock(mu_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || news_; });
    if (stopping_) {
      return;
    }
    news_ = false;
    stop_work_.store(false);
    const SnapshotOrder order = wanted_;
    lock.unlock();
    if (order.step != SnapshotStep::kNone) {
      WorkOn(order);
    }
    lock.lock();
  }
}

void SnapshotRunner::WorkOn(const SnapshotOrder& order) {
  SnapshotReport report;
  report.known = order;
  for (int tries = 1; !stop_work_.load(); ++tries) {
    bool over = work_(stop_work_, report, [&] { tell_(report); });
    if (stop_work_.load()) {
      return;  // nobody asks about this one any more
    }
    const bool take = order.step == SnapshotStep::kTake;
    over = over || (take && tries >= options_.takes_max);
    // What is over without having been done or refused ends by another order.
    report.done = report.done || (over && report.error.has_value());
    tell_(report);
    if (over) {
      return;
    }
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait_for(lock, options_.again_after, [this] { return stopping_ || news_; });
  }
}

}  // namespace sj::worker
