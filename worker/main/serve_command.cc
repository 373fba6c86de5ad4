// SPDX-License-Identifier: Apache-2.0
// serve: a pod of a StreamJob. Registers with the operator, runs its share of one generation after
// another, reports. A manifest that cannot be run is reported too: the pod stays and says why,
// because a crash loop says less. Of a deleted job the first worker stays longest and cleans up.
#include <cstdio>

#include "api/base/log.h"
#include "api/v1alpha1/stream_job_json.h"
#include "worker/control/control_client.h"
#include "worker/control/status_server.h"
#include "worker/main/clean_up.h"
#include "worker/main/commands.h"
#include "worker/main/exit_codes.h"
#include "worker/main/snapshot_runner.h"
#include "worker/main/spec_check.h"
#include "worker/main/stop_signal.h"
#include "worker/runtime/remains_remover.h"
#include "worker/runtime/run_context.h"
#include "worker/runtime/supervisor.h"

namespace sj::worker {
namespace {

using runtime::JobPhase;
using runtime::JobStatus;
using runtime::RunStage;

constexpr base::Millis kReportWithin{3'000};
constexpr base::Millis kPoll{50};
constexpr base::Millis kForever = std::chrono::hours(24 * 3650);
// A namespace that is deleted may end this process before the operator sees that the job goes too.
constexpr base::Millis kWordWithin{3'000};
constexpr base::Millis kRetryPartitions{2'000};
constexpr base::Millis kLookAgain{10'000};  // at an edit that the outside keeps from fitting

// Waits until the flag is set, at most so long.
void WaitFor(const std::atomic<bool>& flag, base::Millis at_most) {
  std::mutex mu;
  std::condition_variable never;
  std::unique_lock<std::mutex> lock(mu);
  const base::MonoTime end = base::RealClock().Mono() + at_most;
  while (!flag.load() && base::RealClock().Mono() < end) {
    never.wait_for(lock, kPoll);
  }
}

class Server {
 public:
  Server(const ServeOptions& options, const std::atomic<bool>& term)
      : options_(options), term_(term) {}

  int Run();

 private:
  base::Status Open();
  base::Status Prepare(const v1alpha1::StreamJob& job);
  void StartSnapshots(const v1alpha1::StreamJob& job);
  void ReportError(RunStage stage, const base::Status& status);
  bool AskPartitions();
  void RunGenerations();
  // Runs one generation. True: go on with the next.
  bool RunGeneration(const sj::control::Assignment& assignment);
  void OnCommand(sj::control::Command command);
  void OnCleanup(const sj::control::CleanupOrder& order);
  void EndCleanly();
  std::optional<sj::control::WorkerError> RemoveRemains(const sj::control::Remains& what,
                                                        int ordinals,
                                                        sj::control::CleanupReport& report);

  const ServeOptions& options_;
  const std::atomic<bool>& term_;
  std::atomic<bool> drain_{false};     // asked by the operator
  std::atomic<bool> stop_run_{false};  // drain or termination: what the runtime sees
  std::atomic<bool> leave_{false};     // no further generation: termination, or the job is deleted
  runtime::StatusBoard board_;
  std::unique_ptr<base::HttpServer> http_;
  std::unique_ptr<control::ControlClient> client_;
  runtime::JobConfig config_;
  std::map<std::string, int> partitions_;
  base::Status unfit_;  // why the manifest cannot be run
  std::unique_ptr<runtime::RemainsRemover> remover_;
  int exit_code_ = kExitOk;
  std::mutex mu_;
  runtime::JobConfig running_;  // guarded by mu_: of the generation that runs
  // After the client, which they tell.
  std::unique_ptr<SpecChecker> checker_;
  std::unique_ptr<SnapshotRunner> snapshots_;  // ordinal 0 only
};

void Server::ReportError(RunStage stage, const base::Status& status) {
  base::LogError("job cannot run",
                 {{"reason", ReasonOf(stage, status)}, {"error", status.ToString()}});
  board_.Update([&](JobStatus& s) {
    s.phase = JobPhase::kFailed;
    s.stage = stage;
    s.error = status;
    s.failed_at = base::RealClock().Wall();
  });
  client_->Nudge();
}

void Server::OnCommand(sj::control::Command command) {
  if (command != sj::control::Command::kNone && !drain_.exchange(true)) {
    base::LogInfo("asked to drain", {});
    stop_run_.store(true);
  }
}

void Server::OnCleanup(const sj::control::CleanupOrder& order) {
  if (MustStay(order) && !leave_.exchange(true)) {
    base::LogInfo("asked to clean up after the others", {{"ordinals", order.ordinals}});
    stop_run_.store(true);
  }
}

base::Status Server::Open() {
  SJ_ASSIGN_OR_RETURN(v1alpha1::StreamJob job, ReadJobFile(options_.manifest));
  control::ControlOptions control;
  control.url = options_.control_url;
  control.ca_file = options_.control_ca;
  control.token_file = options_.token_file;
  control.job = {job.metadata.namespace_name, job.metadata.name, job.metadata.uid};
  control.ordinal = options_.ordinal;
  control.spec_hash = v1alpha1::SpecHash(job.spec);
  control.worker_version = STREAMJOB_VERSION;
  SJ_ASSIGN_OR_RETURN(client_, control::ControlClient::Make(control, &board_, &base::RealClock()));
  SJ_ASSIGN_OR_RETURN(http_,
                      control::StartStatusServer(options_.listen.address, options_.listen.port,
                                                 job.metadata.name, &board_));
  base::Status status = Prepare(job);
  if (status.ok()) {
    checker_ = std::make_unique<SpecChecker>(
        [running = RunningSpec{config_.plan, config_.shards}, setup = options_.setup](
            const sj::control::SpecCheck& check) { return LookAtSpec(check, running, setup); },
        [this](const sj::control::SpecVerdict& verdict) { client_->SetVerdict(verdict); },
        kLookAgain);
    client_->OnCheck(
        [this](std::optional<sj::control::SpecCheck> check) { checker_->Ask(std::move(check)); });
  }
  if (status.ok() && options_.ordinal == 0) {
    StartSnapshots(job);
  }
  client_->OnCleanup([this](const sj::control::CleanupOrder& order) { OnCleanup(order); });
  client_->Start([this](sj::control::Command command) { OnCommand(command); });
  unfit_ = status;
  if (job.metadata.uid.empty()) {
    unfit_ = base::InvalidArgument("the manifest has no metadata.uid");
  }
  if (!status.ok()) {
    ReportError(RunStage::kPlan, status);
  }
  return status;
}

void Server::StartSnapshots(const v1alpha1::StreamJob& job) {
  const auto config = [this] {
    std::lock_guard<std::mutex> lock(mu_);
    return running_;
  };
  const auto confirm = [this](int64_t generation) { return client_->Confirm(generation); };
  running_ = config_;
  snapshots_ = std::make_unique<SnapshotRunner>(
      SnapshotRunner::Options{},
      RealSnapshotWork(config, {job.metadata.namespace_name, job.metadata.name, job.spec.sql},
                       confirm),
      [this](const sj::control::SnapshotReport& report) { client_->SetSnapshot(report); });
  client_->OnSnapshot([this](const sj::control::SnapshotOrder& order) { snapshots_->Ask(order); });
}

base::Status Server::Prepare(const v1alpha1::StreamJob& job) {
  SJ_ASSIGN_OR_RETURN(config_, MakeConfig(job, options_.setup));
  config_.ordinal = options_.ordinal;
  config_.connect.ordinal = options_.ordinal;
  return CheckConnectors(config_);
}

bool Server::AskPartitions() {
  while (!leave_.load()) {
    auto counts = runtime::AskPartitions(config_);
    if (counts.ok()) {
      partitions_ = *counts;
      board_.Update([](JobStatus& s) {
        s.phase = JobPhase::kStarting;
        s.error = base::OkStatus();
      });
      return true;
    }
    ReportError(RunStage::kConnect, counts.status());
    WaitFor(leave_, kRetryPartitions);
  }
  return false;
}

bool Server::RunGeneration(const sj::control::Assignment& assignment) {
  config_.generation = assignment.generation;
  config_.replicas = assignment.replicas;
  config_.shards = assignment.shards;
  config_.max_parallelism = assignment.max_parallelism;
  config_.partitions = assignment.partitions;
  config_.fence_ordinals = assignment.fence_ordinals;
  config_.committed_partitions = assignment.committed_partitions;
  config_.hand_over = assignment.hand_over_from > 0;
  config_.restore_from.reset();
  if (assignment.restore_from) {
    config_.restore_from = {assignment.restore_from->location, assignment.restore_from->manifest,
                            assignment.restore_from->sha256};
  }
  {
    std::lock_guard<std::mutex> lock(mu_);
    running_ = config_;
  }
  drain_.store(false);
  stop_run_.store(leave_.load());
  client_->SetGeneration(assignment.generation);
  runtime::JobHooks hooks;
  hooks.check_generation = [this] { return client_->AwaitStart(config_.generation, stop_run_); };
  hooks.confirm_generation = [this] { return client_->Confirm(config_.generation); };
  hooks.on_stage = [this](RunStage) { client_->Nudge(); };
  hooks.generation_floor = [this] { return client_->generation_floor(); };
  hooks.hand_over = [this] { return client_->HandOver(); };
  auto outcome = runtime::RunJob(config_, hooks, base::RealClock(), runtime::RestartPolicy{},
                                 &board_, stop_run_);
  if (!outcome.ok()) {
    exit_code_ = outcome.status().kind() == base::ErrorKind::kFenced ? kExitFenced : kExitFailed;
    client_->WaitReported(JobPhase::kFailed, kReportWithin);
    return false;
  }
  if (*outcome == runtime::Outcome::kRejoin) {
    client_->WaitReported(JobPhase::kFailed, kReportWithin);
    return !term_.load();
  }
  JobPhase last =
      *outcome == runtime::Outcome::kCompleted ? JobPhase::kCompleted : JobPhase::kStopped;
  client_->WaitReported(last, kReportWithin);
  base::LogInfo("generation ended",
                {{"generation", config_.generation}, {"phase", ToString(last)}});
  if (last == JobPhase::kCompleted) {
    WaitFor(leave_, kForever);
    return false;
  }
  return !leave_.load();
}

void Server::RunGenerations() {
  while (!leave_.load() && AskPartitions()) {
    auto assignment = client_->Register(config_.plan.state_hash, partitions_, leave_);
    if (!assignment.ok()) {
      return;
    }
    base::LogInfo("assigned", {{"generation", assignment->generation},
                               {"replicas", assignment->replicas},
                               {"ordinal", options_.ordinal}});
    if (!RunGeneration(*assignment)) {
      return;
    }
    WaitFor(leave_, kPoll);
  }
}

std::optional<sj::control::WorkerError> Server::RemoveRemains(const sj::control::Remains& what,
                                                              int ordinals,
                                                              sj::control::CleanupReport& report) {
  if (!unfit_.ok()) {
    return sj::control::ToWorkerError(unfit_, ReasonOf(RunStage::kPlan, unfit_));
  }
  if (remover_ == nullptr) {
    remover_ = std::make_unique<runtime::RemainsRemover>(config_, runtime::RealConnectors());
  }
  const runtime::RemainsGone& gone = remover_->gone();
  const auto note = [&] {
    report.removed = {gone.checkpoints, gone.exchange_topics, gone.consumer_group};
    report.objects = gone.objects;
    report.topics = gone.topics;
    report.error.reset();
    client_->SetCleanup(report);
  };
  const base::Status status = remover_->Remove(
      {what.checkpoints, what.exchange_topics, what.consumer_group, ordinals}, note);
  if (status.ok()) {
    return std::nullopt;
  }
  base::LogWarn("what the job leaves could not be removed", {{"error", status.ToString()}});
  return sj::control::ToWorkerError(status, ReasonOf(remover_->stage(), status));
}

// The engine has stopped. A process that is to end waits a moment for word if it has to expect
// some.
void Server::EndCleanly() {
  const sj::control::CleanupOrder order = client_->cleanup_order();
  if (term_.load() && order.step == sj::control::CleanupStep::kNotice) {
    client_->AwaitOtherOrder(order, kWordWithin);
  }
  if (!MustStay(client_->cleanup_order())) {
    return;
  }
  CleanUpParts parts;
  parts.order = [this] { return client_->cleanup_order(); };
  parts.await_other = [this](const sj::control::CleanupOrder& known, base::Millis at_most) {
    client_->AwaitOtherOrder(known, at_most);
  };
  parts.confirm = [this] { return client_->ConfirmRemoval(); };
  parts.remove = [this](const sj::control::Remains& what, int ordinals,
                        sj::control::CleanupReport& report) {
    return RemoveRemains(what, ordinals, report);
  };
  parts.tell = [this](const sj::control::CleanupReport& report) { client_->SetCleanup(report); };
  CleanUp(parts, term_);
  client_->WaitCleanupReported(kReportWithin);
}

int Server::Run() {
  const base::Status status = Open();
  if (client_ == nullptr || http_ == nullptr) {
    std::fprintf(stderr, "error: %s\n", status.message().c_str());
    return kExitUsage;
  }
  // The runtime watches one flag; this thread folds the signal into it.
  std::atomic<bool> ended{false};
  std::thread watch([&] {
    while (!ended.load()) {
      WaitFor(term_, kPoll);
      if (term_.load()) {
        stop_run_.store(true);
        leave_.store(true);
        return;
      }
    }
  });
  if (status.ok()) {
    RunGenerations();
  } else {
    WaitFor(leave_, kForever);
  }
  if (exit_code_ == kExitOk) {
    EndCleanly();
  }
  ended.store(true);
  watch.join();
  client_->Stop();
  return exit_code_;
}

}  // namespace

int ServeCommand(const ServeOptions& options) {
  const std::atomic<bool>& term = InstallStopSignal();
  return Server(options, term).Run();
}

}  // namespace sj::worker
