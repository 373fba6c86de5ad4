// SPDX-License-Identifier: Apache-2.0
// A key is in at most one of: ready, running. Besides that it may have a delay (drop on take) and,
// while running, a note that it has to come again.
#include "operator/runtime/queue.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <unordered_map>

namespace sj::op::runtime {
namespace {

using base::MonoTime;

// After so many changes in a row a waiting resync gets its turn.
constexpr int kChangesInARowMax = 16;
// 2^20 times backoff_min is above every sensible backoff_max.
constexpr int kDoublingsMax = 20;

double Seconds(MonoTime::duration time) {
  return std::chrono::duration<double>(time).count();
}

struct Metrics {
  base::Counter adds, retries;
  base::Gauge depth, unfinished, longest;
  base::Histogram waited, worked;
};

Metrics MakeMetrics(base::MetricRegistry& registry, const std::string& name) {
  const base::MetricLabels labels = {{"name", name}, {"controller", name}};
  const std::vector<double> buckets = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};
  return {registry.AddCounter("workqueue_adds_total", "Keys added to the queue.", labels),
          registry.AddCounter("workqueue_retries_total", "Keys added after a failure.", labels),
          registry.AddGauge("workqueue_depth", "Keys ready to run.", labels),
          registry.AddGauge("workqueue_unfinished_work_seconds",
                            "Seconds of work in progress, summed over running keys.", labels),
          registry.AddGauge("workqueue_longest_running_processor_seconds",
                            "Seconds the longest running key has been running.", labels),
          registry.AddHistogram("workqueue_queue_duration_seconds",
                                "Seconds a key waits before it runs.", buckets, labels),
          registry.AddHistogram("workqueue_work_duration_seconds", "Seconds a key runs.", buckets,
                                labels)};
}

}  // namespace

struct WorkQueue::State {
  State(QueueOptions o, const base::Clock& c, base::MetricRegistry* registry)
      : options(std::move(o)), clock(c) {
    if (registry != nullptr) {
      metrics = MakeMetrics(*registry, options.name);
    }
  }

  struct Ready {
    Priority priority;
    uint64_t order;
    MonoTime since;
  };
  struct Running {
    MonoTime since;
    std::optional<Priority> again;
  };
  struct Delay {
    MonoTime due;
    Priority priority;
  };

  const QueueOptions options;
  const base::Clock& clock;
  std::optional<Metrics> metrics;

  mutable std::mutex mu;
  std::condition_variable wake;
  // All below guarded by mu.
  bool shut_down = false;
  uint64_t next_order = 0;
  int changes_in_a_row = 0;
  std::unordered_map<ObjectKey, Ready> ready;
  std::set<std::tuple<uint64_t, ObjectKey>> changes, resyncs;
  std::unordered_map<ObjectKey, Running> running;
  std::unordered_map<ObjectKey, Delay> delays;
  std::set<std::tuple<MonoTime, ObjectKey>> due;
  std::unordered_map<ObjectKey, int> failures;

  std::set<std::tuple<uint64_t, ObjectKey>>& Lane(Priority priority) {
    return priority == Priority::kChange ? changes : resyncs;
  }

  bool Full(const ObjectKey& key) const {
    const size_t held = ready.size() + delays.size();
    return held >= options.items_max && !ready.contains(key) && !delays.contains(key);
  }

  void MakeReady(const ObjectKey& key, Priority priority) {
    auto it = running.find(key);
    if (it != running.end()) {
      it->second.again = std::max(it->second.again.value_or(Priority::kResync), priority);
      return;
    }
    auto [entry, added] = ready.try_emplace(key, Ready{priority, next_order, clock.Mono()});
    if (added) {
      Lane(priority).emplace(next_order++, key);
    } else if (entry->second.priority < priority) {
      resyncs.erase({entry->second.order, key});
      entry->second.priority = priority;
      changes.emplace(entry->second.order, key);
    }
    SetDepth();
    wake.notify_one();
  }

  void DropDelay(const ObjectKey& key) {
    auto it = delays.find(key);
    if (it != delays.end()) {
      due.erase({it->second.due, key});
      delays.erase(it);
    }
  }

  // Moves keys whose time has come to the ready ones.
  void Promote() {
    const MonoTime now = clock.Mono();
    while (!due.empty() && std::get<0>(*due.begin()) <= now) {
      const ObjectKey key = std::get<1>(*due.begin());
      const Priority priority = delays.at(key).priority;
      DropDelay(key);
      MakeReady(key, priority);
    }
  }

  std::optional<ObjectKey> Take() {
    Promote();
    if (shut_down || ready.empty()) {
      return std::nullopt;
    }
    const bool resync =
        changes.empty() || (changes_in_a_row >= kChangesInARowMax && !resyncs.empty());
    changes_in_a_row = resync ? 0 : changes_in_a_row + 1;
    auto& lane = resync ? resyncs : changes;
    const ObjectKey key = std::get<1>(*lane.begin());
    lane.erase(lane.begin());
    const MonoTime now = clock.Mono();
    if (metrics) {
      metrics->waited.Observe(Seconds(now - ready.at(key).since));
    }
    ready.erase(key);
    DropDelay(key);
    running.emplace(key, Running{now, std::nullopt});
    SetDepth();
    return key;
  }

  void SetDepth() const {
    if (metrics) {
      metrics->depth.Set(static_cast<double>(ready.size()));
    }
  }
};

WorkQueue::WorkQueue(QueueOptions options, const base::Clock& clock, base::MetricRegistry* metrics)
    : state_(std::make_unique<State>(std::move(options), clock, metrics)) {
}

WorkQueue::~WorkQueue() {
  ShutDown();
}

bool WorkQueue::Add(const ObjectKey& key, Priority priority) {
  std::lock_guard lock(state_->mu);
  if (state_->shut_down || state_->Full(key)) {
    return false;
  }
  if (state_->metrics) {
    state_->metrics->adds.Add();
  }
  state_->MakeReady(key, priority);
  return true;
}

bool WorkQueue::AddAfter(const ObjectKey& key, Millis delay, Priority priority) {
  if (delay <= Millis(0)) {
    return Add(key, priority);
  }
  std::lock_guard lock(state_->mu);
  if (state_->shut_down || state_->Full(key)) {
    return false;
  }
  const MonoTime due = state_->clock.Mono() + delay;
  auto [it, added] = state_->delays.try_emplace(key, State::Delay{due, priority});
  if (!added && it->second.due <= due) {
    return true;
  }
  state_->due.erase({it->second.due, key});
  it->second = {due, std::max(it->second.priority, priority)};
  state_->due.emplace(due, key);
  state_->wake.notify_one();
  return true;
}

bool WorkQueue::AddRateLimited(const ObjectKey& key) {
  Millis delay;
  {
    std::lock_guard lock(state_->mu);
    int& failures = state_->failures[key];
    const int doublings = std::min(failures++, kDoublingsMax);
    delay = std::min(state_->options.backoff_min * (int64_t{1} << doublings),
                     state_->options.backoff_max);
    if (state_->metrics) {
      state_->metrics->retries.Add();
    }
  }
  return AddAfter(key, delay);
}

void WorkQueue::Forget(const ObjectKey& key) {
  std::lock_guard lock(state_->mu);
  state_->failures.erase(key);
}

int WorkQueue::Failures(const ObjectKey& key) const {
  std::lock_guard lock(state_->mu);
  auto it = state_->failures.find(key);
  return it == state_->failures.end() ? 0 : it->second;
}

std::optional<ObjectKey> WorkQueue::Get() {
  std::unique_lock lock(state_->mu);
  while (!state_->shut_down) {
    if (auto key = state_->Take()) {
      return key;
    }
    if (state_->due.empty()) {
      state_->wake.wait(lock);
    } else {
      // A copy: another thread may take the entry out while this one waits.
      const auto next = std::get<0>(*state_->due.begin());
      state_->wake.wait_until(lock, next);
    }
  }
  return std::nullopt;
}

std::optional<ObjectKey> WorkQueue::TryGet() {
  std::lock_guard lock(state_->mu);
  return state_->Take();
}

void WorkQueue::Done(const ObjectKey& key) {
  std::lock_guard lock(state_->mu);
  auto it = state_->running.find(key);
  if (it == state_->running.end()) {
    return;
  }
  if (state_->metrics) {
    state_->metrics->worked.Observe(Seconds(state_->clock.Mono() - it->second.since));
  }
  const std::optional<Priority> again = it->second.again;
  state_->running.erase(it);
  if (again && !state_->shut_down) {
    state_->MakeReady(key, *again);
  }
}

void WorkQueue::ShutDown() {
  std::lock_guard lock(state_->mu);
  state_->shut_down = true;
  state_->wake.notify_all();
}

size_t WorkQueue::depth() const {
  std::lock_guard lock(state_->mu);
  return state_->ready.size();
}

size_t WorkQueue::delayed() const {
  std::lock_guard lock(state_->mu);
  return state_->delays.size();
}

size_t WorkQueue::running() const {
  std::lock_guard lock(state_->mu);
  return state_->running.size();
}

std::optional<MonoTime> WorkQueue::NextDue() const {
  std::lock_guard lock(state_->mu);
  if (state_->due.empty()) {
    return std::nullopt;
  }
  return std::get<0>(*state_->due.begin());
}

void WorkQueue::UpdateMetrics() {
  std::lock_guard lock(state_->mu);
  if (!state_->metrics) {
    return;
  }
  double sum = 0;
  double longest = 0;
  const MonoTime now = state_->clock.Mono();
  for (const auto& [key, running] : state_->running) {
    const double seconds = Seconds(now - running.since);
    sum += seconds;
    longest = std::max(longest, seconds);
  }
  state_->metrics->unfinished.Set(sum);
  state_->metrics->longest.Set(longest);
}

}  // namespace sj::op::runtime
