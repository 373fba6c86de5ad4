// SPDX-License-Identifier: Apache-2.0
// One key: reconcile, then one of forget, delay, back-off; then Done. Always Done.
#include "operator/runtime/loop.h"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "api/base/log.h"

namespace sj::op::runtime {
namespace {

struct Metrics {
  base::Counter success, requeue_after, error, errors, terminal, panics;
  base::Gauge active;
  base::Histogram time;
};

Metrics MakeMetrics(base::MetricRegistry& registry, const LoopOptions& options) {
  const std::string prefix = "controller_runtime_";
  const std::string& name = options.name;
  auto total = [&](const std::string& result) {
    return registry.AddCounter(prefix + "reconcile_total", "Reconciles by result.",
                               {{"controller", name}, {"result", result}});
  };
  auto counter = [&](const std::string& what, const std::string& help) {
    return registry.AddCounter(prefix + what, help, {{"controller", name}});
  };
  registry
      .AddGauge(prefix + "max_concurrent_reconciles", "Reconciles that may run at once.",
                {{"controller", name}})
      .Set(options.workers);
  return {total("success"),
          total("requeue_after"),
          total("error"),
          counter("reconcile_errors_total", "Reconciles that failed."),
          counter("terminal_reconcile_errors_total",
                  "Reconciles that failed and are not tried again by themselves."),
          counter("reconcile_panics_total", "Reconciles that an exception ended."),
          registry.AddGauge(prefix + "active_workers", "Reconciles running now.",
                            {{"controller", name}}),
          registry.AddHistogram(prefix + "reconcile_time_seconds", "Seconds per reconcile.",
                                {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60},
                                {{"controller", name}})};
}

}  // namespace

struct ControlLoop::State {
  State(LoopOptions o, WorkQueue& q, Reconcile r, base::MetricRegistry* registry)
      : options(std::move(o)), queue(q), reconcile(std::move(r)) {
    if (registry != nullptr) {
      metrics = MakeMetrics(*registry, options);
    }
  }

  const LoopOptions options;
  WorkQueue& queue;
  const Reconcile reconcile;
  std::optional<Metrics> metrics;
  std::mutex mu;
  int active = 0;  // guarded by mu
  std::vector<std::thread> threads;

  void SetActive(int by) {
    std::lock_guard lock(mu);
    active += by;
    if (metrics) {
      metrics->active.Set(active);
    }
  }

  // The last barrier: an object that breaks our code must not take the other objects down.
  Result<Outcome> Guarded(const ObjectKey& key) {
    std::string what;
    try {
      return reconcile(key);
    } catch (const std::exception& e) {
      what = e.what();
    }
    if (metrics) {
      metrics->panics.Add();
    }
    return base::Internal("reconcile ended by an exception: " + what);
  }

  void OnSuccess(const ObjectKey& key, const Outcome& outcome) {
    queue.Forget(key);
    if (outcome.requeue_after) {
      queue.AddAfter(key, *outcome.requeue_after);
    }
    if (metrics) {
      (outcome.requeue_after ? metrics->requeue_after : metrics->success).Add();
    }
  }

  void OnError(const ObjectKey& key, const Status& status) {
    const bool conflict = status.kind() == base::ErrorKind::kConflict;
    const bool terminal = status.retry() == base::Retry::kNever;
    if (metrics) {
      metrics->error.Add();
      metrics->errors.Add();
      if (terminal) {
        metrics->terminal.Add();
      }
    }
    if (terminal) {
      queue.Forget(key);
    } else {
      queue.AddRateLimited(key);
    }
    if (conflict || status.kind() == base::ErrorKind::kCancelled) {
      return;
    }
    const auto level =
        status.fault() == base::Fault::kInternal ? base::LogLevel::kError : base::LogLevel::kWarn;
    base::Log(level, "reconcile failed",
              {{"namespace", key.ns}, {"name", key.name}, {"error", status.ToString()}});
  }

  void Run(const ObjectKey& key) {
    const auto start = std::chrono::steady_clock::now();
    SetActive(1);
    const Result<Outcome> result = Guarded(key);
    SetActive(-1);
    if (metrics) {
      const auto took = std::chrono::steady_clock::now() - start;
      metrics->time.Observe(std::chrono::duration<double>(took).count());
    }
    if (result.ok()) {
      OnSuccess(key, *result);
    } else {
      OnError(key, result.status());
    }
    queue.Done(key);
  }
};

ControlLoop::ControlLoop(LoopOptions options, WorkQueue& queue, Reconcile reconcile,
                         base::MetricRegistry* metrics)
    : state_(std::make_unique<State>(std::move(options), queue, std::move(reconcile), metrics)) {
}

ControlLoop::~ControlLoop() {
  Stop();
}

void ControlLoop::Start() {
  for (int i = 0; i < state_->options.workers; ++i) {
    state_->threads.emplace_back([this] {
      while (auto key = state_->queue.Get()) {
        state_->Run(*key);
      }
    });
  }
}

void ControlLoop::Stop() {
  state_->queue.ShutDown();
  for (std::thread& thread : state_->threads) {
    thread.join();
  }
  state_->threads.clear();
}

bool ControlLoop::RunOne() {
  const auto key = state_->queue.TryGet();
  if (!key) {
    return false;
  }
  state_->Run(*key);
  return true;
}

}  // namespace sj::op::runtime
