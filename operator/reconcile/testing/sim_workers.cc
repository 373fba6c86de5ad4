// SPDX-License-Identifier: Apache-2.0
// See sim_workers.h.
#include "operator/reconcile/testing/sim_workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "api/v1alpha1/stream_job_json.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile::testing {

using control::Command;
using control::WorkerPhase;
using kube::Json;

struct SimWorkers::Talk {
  WorkerRegistry& leader;
  const SimSurroundings& around;
  int ordinal;
  SimWorker& worker;
};

void SimWorkers::Start(int ordinal, const Json& pod, const std::string& job_uid) {
  if (uid_ != job_uid) {
    uid_ = job_uid;  // another job of the same name: its ids are others
    fenced_at_.clear();
    epoch_ = 0;
  }
  SimWorker worker;
  worker.job_uid = job_uid;
  worker.incarnation = fmt::format("run-{}", ++started_);
  worker.spec_hash = resources::Annotation(pod, resources::kSpecHashAnnotation);
  workers_[ordinal] = worker;
  silent_.erase(ordinal);
}

void SimWorkers::Retain(const std::set<int>& ordinals) {
  std::erase_if(workers_, [&](const auto& entry) { return !ordinals.contains(entry.first); });
}

void SimWorkers::Kill(int ordinal) {
  auto it = workers_.find(ordinal);
  if (it == workers_.end()) {
    return;
  }
  SimWorker again;
  again.job_uid = it->second.job_uid;
  again.incarnation = fmt::format("run-{}", ++started_);
  again.spec_hash = it->second.spec_hash;
  it->second = again;
}

void SimWorkers::Break(int ordinal) {
  Kill(ordinal);
  broken_.insert(ordinal);
}

void SimWorkers::Step(WorkerRegistry& leader, const SimSurroundings& around, unsigned which) {
  for (auto& [ordinal, worker] : workers_) {
    if ((which >> ordinal & 1u) != 0 && !broken_.contains(ordinal) && !silent_.contains(ordinal)) {
      StepOne({leader, around, ordinal, worker});
    }
  }
}

void SimWorkers::StepOne(Talk talk) {
  SimWorker& worker = talk.worker;
  if (worker.phase == WorkerPhase::kRunning) {
    if (fenced_at_[talk.ordinal] > worker.assignment->generation) {
      Kill(talk.ordinal);  // fenced: the process ends and comes back
      return;
    }
    worker.epoch = input || worker.epoch == 0 || OnTrial(talk.around) ? ++epoch_ : worker.epoch;
    worker.phase = end_of_input ? WorkerPhase::kCompleted : worker.phase;
  }
  Beat(talk);
  if (worker.phase == WorkerPhase::kStarting || worker.phase == WorkerPhase::kStopped) {
    AskForWork(talk);
  }
  if (worker.cleanup.known.step == control::CleanupStep::kBegin) {
    CleanUp(talk);
  }
}

bool SimWorkers::OnTrial(const SimSurroundings& around) {
  if (looked_at_ != around.kube.version()) {
    looked_at_ = around.kube.version();
    const std::optional<Json> job = around.kube.Find(kube::kStreamJobs, key_);
    on_trial_ = job && kube::FindPath(*job, {"status", "trial"}) != nullptr;
  }
  return on_trial_;
}

control::WorkerRef SimWorkers::RefOf(const Talk& talk) const {
  return {{key_.ns, key_.name, talk.worker.job_uid}, talk.ordinal, talk.worker.incarnation};
}

void SimWorkers::AskForWork(Talk talk) {
  SimWorker& worker = talk.worker;
  control::RegisterRequest request;
  request.worker = RefOf(talk);
  request.spec_hash = worker.spec_hash;
  request.plan_hash = "plan-" + worker.spec_hash;
  request.partitions = {{"events", 8}};
  const auto response = talk.leader.Register(request);
  const int64_t had = worker.assignment ? worker.assignment->generation : 0;
  if (!response.ok() || !response->assignment ||
      (response->assignment->generation <= had && worker.phase != WorkerPhase::kStopped)) {
    return;
  }
  worker.assignment = response->assignment;
  worker.known = std::max(worker.known, response->assignment->generation);
  worker.known_started = std::max(worker.known_started, response->started_generation);
  const int64_t generation = worker.assignment->generation;
  fenced_at_[talk.ordinal] = std::max(fenced_at_[talk.ordinal], generation);
  for (int gone : worker.assignment->fence_ordinals) {
    fenced_at_[gone] = std::max(fenced_at_[gone], generation);
  }
  worker.phase = WorkerPhase::kFenced;
}

void SimWorkers::Beat(Talk talk) {
  SimWorker& worker = talk.worker;
  control::HeartbeatRequest beat;
  beat.worker = RefOf(talk);
  beat.sequence = ++worker.sequence;
  beat.phase = worker.phase;
  beat.generation = worker.assignment ? worker.assignment->generation : 0;
  beat.epoch = worker.epoch;
  if (worker.epoch > 0) {
    beat.last_epoch_time = talk.around.clock.Wall();
  }
  if (worker.phase == WorkerPhase::kRunning && worker.epoch > 0) {
    beat.oldest_generation = beat.generation;
  }
  beat.lag_records = 0;
  beat.known_generation = worker.known;
  beat.known_started_generation = worker.known_started;
  beat.known_command = worker.known_command;
  beat.known_check = worker.known_check;
  beat.verdict = worker.verdict;
  beat.cleanup = worker.cleanup;
  if (add_to_beat) {
    add_to_beat(talk.ordinal, worker, beat);
  }
  std::optional<control::HeartbeatResponse> response;
  PendingPoll poll{[&](const control::HeartbeatResponse& r) { response = r; },
                   [] { return false; }};
  if (talk.leader.Heartbeat(beat, poll).ok() && response) {
    Take(*response, talk);
  }
}

void SimWorkers::Take(const control::HeartbeatResponse& response, Talk talk) {
  SimWorker& worker = talk.worker;
  worker.known = std::max(worker.known, response.generation);
  worker.known_started = std::max(worker.known_started, response.started_generation);
  worker.known_command = response.command;
  Judge(response, worker);
  worker.cleanup.known = response.cleanup.value_or(control::CleanupOrder{});
  const bool active = worker.phase == WorkerPhase::kRunning || worker.phase == WorkerPhase::kFenced;
  const bool replaced = worker.assignment && worker.known > worker.assignment->generation;
  if (active && (response.command == Command::kDrain || replaced)) {
    worker.phase = WorkerPhase::kStopped;
  } else if (worker.phase == WorkerPhase::kFenced &&
             worker.known_started >= worker.assignment->generation) {
    StartIfCurrent(talk);
  }
}

// The next beat answers a pre-flight question.
void SimWorkers::Judge(const control::HeartbeatResponse& response, SimWorker& worker) const {
  const std::string asked = response.check ? response.check->spec_hash : "";
  if (asked == worker.known_check) {
    return;
  }
  worker.known_check = asked;
  worker.verdict.reset();
  if (!asked.empty()) {
    worker.verdict = control::SpecVerdict{asked, !refuse_edits, refuse_edits ? "SqlInvalid" : "",
                                          "as the test says"};
  }
}

// One thing a step, so that a fault may come between: what the quorum read allows, once the engine
// has stopped, with every id ever used fenced for good.
void SimWorkers::CleanUp(Talk talk) {
  SimWorker& worker = talk.worker;
  const std::optional<Json> job = talk.around.kube.Find(kube::kStreamJobs, key_);
  if (worker.phase == WorkerPhase::kRunning || !job || kube::UidOf(*job) != worker.job_uid) {
    return;
  }
  const control::GenerationResponse now =
      decide::AnswerGeneration(v1alpha1::ReadStreamJob(*job).job);
  if (!now.remove) {
    talk.around.violations.push_back("a job that is not deleted was to be cleaned up");
    return;
  }
  for (const auto& [other, at] : fenced_at_) {
    if (other >= worker.cleanup.known.ordinals) {
      talk.around.violations.push_back(fmt::format("ordinal {} would not be fenced", other));
    }
  }
  for (auto& [other, at] : fenced_at_) {
    at = std::numeric_limits<int64_t>::max();
  }
  for (const auto& [other, process] : workers_) {
    if (other != talk.ordinal) {
      talk.around.violations.push_back(fmt::format("cleaned up beside worker {}", other));
    }
  }
  const control::Remains left = control::Without(
      control::Both(*now.remove, worker.cleanup.known.remove), worker.cleanup.removed);
  if (left.consumer_group || left.exchange_topics) {
    worker.cleanup.removed.consumer_group |= left.consumer_group;
    worker.cleanup.removed.exchange_topics |= left.exchange_topics;
  } else if (left.checkpoints) {
    worker.cleanup.removed.checkpoints = true;
    cleaned_.insert(worker.job_uid);
  }
}

// The generation check from a quorum read, then the invariant.
void SimWorkers::StartIfCurrent(Talk talk) {
  SimWorker& worker = talk.worker;
  const std::optional<Json> job = talk.around.kube.Find(kube::kStreamJobs, key_);
  if (!job || kube::UidOf(*job) != worker.job_uid) {
    return;
  }
  const control::GenerationResponse now =
      decide::AnswerGeneration(v1alpha1::ReadStreamJob(*job).job);
  const int64_t mine = worker.assignment->generation;
  if (now.generation != mine || now.started_generation < mine) {
    worker.phase = WorkerPhase::kStopped;
    return;
  }
  if (fenced_at_[talk.ordinal] > mine) {
    Kill(talk.ordinal);
    return;
  }
  worker.phase = WorkerPhase::kRunning;
  for (const auto& [other, at] : fenced_at_) {
    if (at < mine) {
      talk.around.violations.push_back(
          fmt::format("worker {} runs generation {} while the ids of ordinal {} are at {}",
                      talk.ordinal, mine, other, at));
    }
  }
}

std::string SimWorkers::Phases() const {
  std::string text;
  for (const auto& [ordinal, worker] : workers_) {
    text += fmt::format("{}:{} ", ordinal, control::ToString(worker.phase));
  }
  return text;
}

std::string SimWorkers::Describe() const {
  std::string text;
  for (const auto& [ordinal, worker] : workers_) {
    text += fmt::format("worker {} {} {}\n", ordinal, control::ToString(worker.phase),
                        worker.spec_hash);
  }
  return text;
}

}  // namespace sj::op::reconcile::testing
