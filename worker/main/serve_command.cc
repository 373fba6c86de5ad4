// SPDX-License-Identifier: Apache-2.0
// serve: a pod of a StreamJob. Registers with the operator, runs its share of one generation after
// another, reports. A manifest that cannot be run is reported too: the pod stays and says why,
// because a crash loop says less.
#include <cstdio>

#include "api/base/log.h"
#include "api/v1alpha1/stream_job_json.h"
#include "worker/control/control_client.h"
#include "worker/control/status_server.h"
#include "worker/main/commands.h"
#include "worker/main/exit_codes.h"
#include "worker/main/spec_check.h"
#include "worker/main/stop_signal.h"
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
constexpr base::Millis kRetryPartitions{2'000};
constexpr base::Millis kLookAgain{10'000};  // at an edit that the outside keeps from fitting

class Server {
 public:
  Server(const ServeOptions& options, const std::atomic<bool>& term)
      : options_(options), term_(term) {}

  int Run();

 private:
  base::Status Open();
  base::Status Prepare(const v1alpha1::StreamJob& job);
  void ReportError(RunStage stage, const base::Status& status);
  void WaitForTerm(base::Millis at_most);
  bool AskPartitions();
  // Runs one generation. True: go on with the next.
  bool RunGeneration(const sj::control::Assignment& assignment);
  void OnCommand(sj::control::Command command);

  const ServeOptions& options_;
  const std::atomic<bool>& term_;
  std::atomic<bool> drain_{false};     // asked by the operator
  std::atomic<bool> stop_run_{false};  // drain or termination: what the runtime sees
  runtime::StatusBoard board_;
  std::unique_ptr<base::HttpServer> http_;
  std::unique_ptr<control::ControlClient> client_;
  runtime::JobConfig config_;
  std::map<std::string, int> partitions_;
  int exit_code_ = kExitOk;
  // After the client, which it tells.
  std::unique_ptr<SpecChecker> checker_;
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

void Server::WaitForTerm(base::Millis at_most) {
  std::mutex mu;
  std::condition_variable never;
  std::unique_lock<std::mutex> lock(mu);
  base::MonoTime end = base::RealClock().Mono() + at_most;
  while (!term_.load() && base::RealClock().Mono() < end) {
    never.wait_for(lock, kPoll);
  }
}

void Server::OnCommand(sj::control::Command command) {
  if (command != sj::control::Command::kNone && !drain_.exchange(true)) {
    base::LogInfo("asked to drain", {});
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
  client_->Start([this](sj::control::Command command) { OnCommand(command); });
  if (!status.ok()) {
    ReportError(RunStage::kPlan, status);
  }
  return status;
}

base::Status Server::Prepare(const v1alpha1::StreamJob& job) {
  SJ_ASSIGN_OR_RETURN(config_, MakeConfig(job, options_.setup));
  config_.ordinal = options_.ordinal;
  config_.connect.ordinal = options_.ordinal;
  return CheckConnectors(config_);
}

bool Server::AskPartitions() {
  while (!term_.load()) {
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
    WaitForTerm(kRetryPartitions);
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
  drain_.store(false);
  stop_run_.store(term_.load());
  client_->SetGeneration(assignment.generation);
  runtime::JobHooks hooks;
  hooks.check_generation = [this] { return client_->AwaitStart(config_.generation, stop_run_); };
  hooks.confirm_generation = [this] { return client_->Confirm(config_.generation); };
  hooks.on_stage = [this](RunStage) { client_->Nudge(); };
  hooks.generation_floor = [this] { return client_->generation_floor(); };
  auto outcome = runtime::RunJob(config_, hooks, base::RealClock(), runtime::RestartPolicy{},
                                 &board_, stop_run_);
  if (!outcome.ok()) {
    exit_code_ = outcome.status().kind() == base::ErrorKind::kFenced ? kExitFenced : kExitFailed;
    client_->WaitReported(JobPhase::kFailed, kReportWithin);
    return false;
  }
  JobPhase last =
      *outcome == runtime::Outcome::kCompleted ? JobPhase::kCompleted : JobPhase::kStopped;
  client_->WaitReported(last, kReportWithin);
  base::LogInfo("generation ended",
                {{"generation", config_.generation}, {"phase", ToString(last)}});
  if (last == JobPhase::kCompleted) {
    WaitForTerm(kForever);
    return false;
  }
  return !term_.load();
}

int Server::Run() {
  base::Status status = Open();
  if (!status.ok()) {
    if (client_ == nullptr || http_ == nullptr) {
      std::fprintf(stderr, "error: %s\n", status.message().c_str());
      return kExitUsage;
    }
    WaitForTerm(kForever);
    return kExitOk;
  }
  // The runtime watches one flag; this thread folds the signal into it.
  std::atomic<bool> ended{false};
  std::thread watch([&] {
    while (!ended.load()) {
      WaitForTerm(kPoll);
      if (term_.load()) {
        stop_run_.store(true);
        return;
      }
    }
  });
  while (!term_.load() && AskPartitions()) {
    auto assignment = client_->Register(config_.plan.state_hash, partitions_, term_);
    if (!assignment.ok()) {
      break;
    }
    base::LogInfo("assigned", {{"generation", assignment->generation},
                               {"replicas", assignment->replicas},
                               {"ordinal", options_.ordinal}});
    if (!RunGeneration(*assignment)) {
      break;
    }
    WaitForTerm(kPoll);
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
