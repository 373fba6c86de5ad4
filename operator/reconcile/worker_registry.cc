// SPDX-License-Identifier: Apache-2.0
// See worker_registry.h.
#include "operator/reconcile/worker_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

namespace sj::op::reconcile {
namespace {

using base::Result;
using base::Status;
using control::HeartbeatRequest;
using control::HeartbeatResponse;

constexpr base::Millis kForgetAfter{3'600'000};

constexpr size_t kPastMax = 4;

struct Entry {
  decide::WorkerReport report;
  std::string incarnation;
  std::deque<std::string> past;  // incarnations that were replaced, newest first
  std::optional<PendingPoll> poll;
  base::MonoTime poll_until{};
  bool silence_told = false;  // the job was woken because this worker fell silent
  bool late_told = false;     // the same for its epochs; false again when they are in time
};

struct Job {
  kube::ObjectKey key;
  decide::Directive directive;
  std::map<int, Entry> entries;
  std::optional<base::MonoTime> moved_at;  // since when numbers differ from those last looked at
};

// A poll taken out of the registry together with its answer.
struct Answered {
  PendingPoll poll;
  HeartbeatResponse response;
};

void Send(const std::vector<Answered>& answers) {
  for (const Answered& answered : answers) {
    answered.poll.answer(answered.response);
  }
}

// A decision may depend on the difference.
bool Matters(const HeartbeatRequest& before, const HeartbeatRequest& after) {
  return before.phase != after.phase || before.generation != after.generation ||
         before.error != after.error || before.verdict != after.verdict ||
         before.cleanup != after.cleanup || before.snapshot != after.snapshot ||
         before.oldest_generation.has_value() != after.oldest_generation.has_value() ||
         before.hand_over != after.hand_over ||
         before.consecutive_epoch_failures != after.consecutive_epoch_failures ||
         before.last_epoch_time.has_value() != after.last_epoch_time.has_value() ||
         before.lag_records.has_value() != after.lag_records.has_value();
}

// Numbers a status may show have changed.
bool Moved(const HeartbeatRequest& before, const HeartbeatRequest& after) {
  return before.epoch != after.epoch || before.lag_records != after.lag_records;
}

bool Late(const Job& job, const Entry& entry, base::WallTime now) {
  const std::optional<base::WallTime>& last = entry.report.beat.last_epoch_time;
  return job.directive.late_after > base::Millis(0) && last &&
         now - *last > job.directive.late_after;
}

// The error of an incarnation is remembered until a later one runs.
void KeepError(const HeartbeatRequest& beat, decide::WorkerReport& report) {
  if (beat.phase == control::WorkerPhase::kRunning) {
    report.previous_error.reset();
  } else if (beat.error) {
    report.previous_error = beat.error;
  }
}

// Another process is this ordinal from now on.
void Replace(Entry& entry, const control::WorkerRef& worker) {
  if (!entry.incarnation.empty()) {
    entry.past.push_front(entry.incarnation);
    entry.past.resize(std::min(entry.past.size(), kPastMax));
  }
  entry.incarnation = worker.incarnation;
  decide::WorkerReport& report = entry.report;
  report.spec_hash.clear();
  report.plan_hash.clear();
  report.partitions.clear();
  report.beat = {};
  report.beat.worker = worker;
  report.beat.sequence = -1;  // the first one may be 0
}

HeartbeatResponse AnswerTo(const Job& job, const Entry& entry) {
  HeartbeatResponse response =
      decide::AnswerHeartbeat(job.directive, entry.report.beat, entry.report.spec_hash);
  if (entry.report.ordinal == 0) {  // the one that sweeps
    std::vector<const HeartbeatRequest*> beats;
    for (const auto& [ordinal, other] : job.entries) {
      beats.push_back(&other.report.beat);
    }
    response.generation_floor = decide::GenerationFloor(job.directive, beats);
  }
  return response;
}

bool IsPast(const Entry& entry, const std::string& incarnation) {
  return std::find(entry.past.begin(), entry.past.end(), incarnation) != entry.past.end();
}

}  // namespace

struct WorkerRegistry::State {
  RegistryOptions options;
  const base::Clock& clock;
  std::function<void(const kube::ObjectKey&)> wake;
  std::optional<base::Gauge> workers_gauge;
  mutable std::mutex mu;
  // Guarded by mu:
  std::map<std::string, Job> jobs;  // by UID
  size_t workers = 0;

  Result<Job*> FindJob(const control::JobRef& ref);
  Result<Entry*> FindEntry(const control::WorkerRef& worker);
  void Remove(std::map<std::string, Job>::iterator job, std::vector<Answered>& answers);
  void CountWorkers() const;
  // The jobs that have to be judged anew because of time that went by since the last call.
  std::vector<kube::ObjectKey> NewlyDue();
  // Drops workers that have been silent for so long that they are only history.
  void Prune();
};

// REQUIRES for the members below: mu is held.
Result<Job*> WorkerRegistry::State::FindJob(const control::JobRef& ref) {
  auto it = jobs.find(ref.uid);
  const kube::ObjectKey key{ref.namespace_name, ref.name};
  if (it != jobs.end() && it->second.key == key) {
    return &it->second;
  }
  for (const auto& [uid, job] : jobs) {
    if (job.key == key) {
      return base::NotFound(fmt::format("find job {}: it has another UID now", key.ToString()));
    }
  }
  return base::Unavailable(fmt::format("find job {}: not looked at yet", key.ToString()));
}

Result<Entry*> WorkerRegistry::State::FindEntry(const control::WorkerRef& worker) {
  if (worker.ordinal < 0 || worker.ordinal >= options.ordinals_max) {
    return base::InvalidArgument(fmt::format("worker ordinal {} is out of range", worker.ordinal));
  }
  SJ_ASSIGN_OR_RETURN(Job * job, FindJob(worker.job));
  auto it = job->entries.find(worker.ordinal);
  if (it != job->entries.end()) {
    return &it->second;
  }
  if (workers >= options.workers_max) {
    return base::Exhausted(fmt::format("register worker: {} workers are known already", workers));
  }
  ++workers;
  CountWorkers();
  Entry& entry = job->entries[worker.ordinal];
  entry.report.ordinal = worker.ordinal;
  return &entry;
}

void WorkerRegistry::State::CountWorkers() const {
  if (workers_gauge) {
    workers_gauge->Set(static_cast<double>(workers));
  }
}

void WorkerRegistry::State::Remove(std::map<std::string, Job>::iterator job,
                                   std::vector<Answered>& answers) {
  for (auto& [ordinal, entry] : job->second.entries) {
    if (entry.poll) {
      HeartbeatResponse response;
      response.generation = entry.report.beat.known_generation;
      response.started_generation = entry.report.beat.known_started_generation;
      answers.push_back({std::move(*entry.poll), response});
    }
  }
  workers -= job->second.entries.size();
  CountWorkers();
  jobs.erase(job);
}

WorkerRegistry::WorkerRegistry(RegistryOptions options, const base::Clock& clock,
                               std::function<void(const kube::ObjectKey&)> wake,
                               base::MetricRegistry* metrics)
    : state_(new State{options, clock, std::move(wake), {}, {}, {}, 0}) {
  if (metrics != nullptr) {
    state_->workers_gauge =
        metrics->AddGauge("streamjob_operator_workers", "Workers known to this replica.");
  }
}

WorkerRegistry::~WorkerRegistry() = default;

Result<control::RegisterResponse> WorkerRegistry::Register(
    const control::RegisterRequest& request) {
  std::vector<Answered> answers;
  control::RegisterResponse response;
  kube::ObjectKey key;
  {
    std::lock_guard lock(state_->mu);
    SJ_ASSIGN_OR_RETURN(Entry * entry, state_->FindEntry(request.worker));
    Job& job = state_->jobs.at(request.worker.job.uid);
    if (entry->poll) {  // of the incarnation before: let it go
      answers.push_back({std::move(*entry->poll), {}});
      entry->poll.reset();
    }
    decide::WorkerReport& report = entry->report;
    if (entry->incarnation != request.worker.incarnation) {
      Replace(*entry, request.worker);
    }
    report.spec_hash = request.spec_hash;
    report.plan_hash = request.plan_hash;
    report.partitions = request.partitions;
    report.seen_at = state_->clock.Wall();
    response = decide::AnswerRegister(job.directive, request);
    key = job.key;
  }
  Send(answers);
  state_->wake(key);
  return response;
}

Status WorkerRegistry::Heartbeat(const HeartbeatRequest& request, PendingPoll poll) {
  std::vector<Answered> answers;
  bool matters = false;
  kube::ObjectKey key;
  {
    std::lock_guard lock(state_->mu);
    SJ_ASSIGN_OR_RETURN(Entry * entry, state_->FindEntry(request.worker));
    Job& job = state_->jobs.at(request.worker.job.uid);
    decide::WorkerReport& report = entry->report;
    const base::WallTime now = state_->clock.Wall();
    const bool silent = now - report.seen_at >= state_->options.silent_after;
    const bool other = entry->incarnation != request.worker.incarnation;
    if (other && !silent && IsPast(*entry, request.worker.incarnation)) {
      return base::Conflict(fmt::format("another process is worker {} now", report.ordinal));
    }
    if (other) {
      Replace(*entry, request.worker);
    }
    if (request.sequence <= report.beat.sequence) {
      return base::Conflict(fmt::format("worker {} has reported later already", report.ordinal));
    }
    matters = other || silent || Matters(report.beat, request);
    if (!request.partitions.empty() && request.partitions != report.partitions) {
      report.partitions = request.partitions;
      matters = true;
    }
    if (Moved(report.beat, request) && !job.moved_at) {
      job.moved_at = state_->clock.Mono();
    }
    KeepError(request, report);
    report.beat = request;
    report.seen_at = now;
    entry->silence_told = false;
    if (entry->poll) {
      answers.push_back({std::move(*entry->poll), AnswerTo(job, *entry)});
      entry->poll.reset();
    }
    const HeartbeatResponse response = AnswerTo(job, *entry);
    const base::Millis hold = std::min(request.hold, control::kHoldMax);
    if (decide::NewsFor(request, response) || hold <= base::Millis(0)) {
      answers.push_back({std::move(poll), response});
    } else {
      entry->poll = std::move(poll);
      entry->poll_until = state_->clock.Mono() + hold;
    }
    key = job.key;
  }
  Send(answers);
  if (matters) {
    state_->wake(key);
  }
  return base::OkStatus();
}

void WorkerRegistry::Publish(const kube::ObjectKey& key, const std::string& uid,
                             decide::Directive directive) {
  std::vector<Answered> answers;
  {
    std::lock_guard lock(state_->mu);
    for (auto it = state_->jobs.begin(); it != state_->jobs.end();) {
      auto next = std::next(it);
      if (it->second.key == key && it->first != uid) {
        state_->Remove(it, answers);  // the job was made anew under its old name
      }
      it = next;
    }
    Job& job = state_->jobs[uid];
    job.key = key;
    const bool same = job.directive == directive;
    job.directive = std::move(directive);
    for (auto& [ordinal, entry] : job.entries) {
      if (same || !entry.poll) {
        continue;
      }
      HeartbeatResponse response = AnswerTo(job, entry);
      if (decide::NewsFor(entry.report.beat, response)) {
        answers.push_back({std::move(*entry.poll), std::move(response)});
        entry.poll.reset();
      }
    }
  }
  Send(answers);
}

std::vector<decide::WorkerReport> WorkerRegistry::Reports(const std::string& uid) const {
  std::lock_guard lock(state_->mu);
  std::vector<decide::WorkerReport> reports;
  auto it = state_->jobs.find(uid);
  if (it != state_->jobs.end()) {
    for (const auto& [ordinal, entry] : it->second.entries) {
      reports.push_back(entry.report);
    }
  }
  return reports;
}

void WorkerRegistry::Forget(const kube::ObjectKey& key) {
  std::vector<Answered> answers;
  {
    std::lock_guard lock(state_->mu);
    for (auto it = state_->jobs.begin(); it != state_->jobs.end();) {
      auto next = std::next(it);
      if (it->second.key == key) {
        state_->Remove(it, answers);
      }
      it = next;
    }
  }
  Send(answers);
}

void WorkerRegistry::Clear() {
  std::vector<Answered> answers;
  {
    std::lock_guard lock(state_->mu);
    while (!state_->jobs.empty()) {
      state_->Remove(state_->jobs.begin(), answers);
    }
  }
  Send(answers);
}

void WorkerRegistry::State::Prune() {
  const base::WallTime oldest = clock.Wall() - kForgetAfter;
  for (auto& [uid, job] : jobs) {
    workers -= std::erase_if(job.entries, [&](const auto& item) {
      return !item.second.poll && item.second.report.seen_at < oldest;
    });
  }
  CountWorkers();
}

std::vector<kube::ObjectKey> WorkerRegistry::State::NewlyDue() {
  std::vector<kube::ObjectKey> keys;
  const base::WallTime now = clock.Wall();
  for (auto& [uid, job] : jobs) {
    bool due = job.moved_at && clock.Mono() - *job.moved_at >= options.numbers_after;
    if (due) {
      job.moved_at.reset();
    }
    for (auto& [ordinal, entry] : job.entries) {
      if (!entry.silence_told && now - entry.report.seen_at >= options.silent_after) {
        entry.silence_told = due = true;
      }
      if (entry.late_told != Late(job, entry, now)) {
        entry.late_told = !entry.late_told;
        due = true;
      }
    }
    if (due) {
      keys.push_back(job.key);
    }
  }
  return keys;
}

void WorkerRegistry::Tick() {
  std::vector<Answered> answers;
  std::vector<kube::ObjectKey> due;
  {
    std::lock_guard lock(state_->mu);
    const base::MonoTime now = state_->clock.Mono();
    for (auto& [uid, job] : state_->jobs) {
      for (auto& [ordinal, entry] : job.entries) {
        if (!entry.poll || (now < entry.poll_until && !entry.poll->gone())) {
          continue;
        }
        answers.push_back({std::move(*entry.poll), AnswerTo(job, entry)});
        entry.poll.reset();
      }
    }
    due = state_->NewlyDue();
    state_->Prune();
  }
  Send(answers);
  for (const kube::ObjectKey& key : due) {
    state_->wake(key);
  }
}

size_t WorkerRegistry::workers() const {
  std::lock_guard lock(state_->mu);
  return state_->workers;
}

}  // namespace sj::op::reconcile
