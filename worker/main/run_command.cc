// SPDX-License-Identifier: Apache-2.0
// run, validate, explain and diff: a job on a laptop, in one process.
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "api/base/log.h"
#include "worker/control/status_server.h"
#include "worker/main/commands.h"
#include "worker/main/exit_codes.h"
#include "worker/main/spec_check.h"
#include "worker/main/stop_signal.h"
#include "worker/runtime/supervisor.h"

namespace sj::worker {
namespace {

int Fail(const base::Status& status, int code) {
  std::fprintf(stderr, "error: %s\n", status.message().c_str());
  return code;
}

int ExitCode(const base::Status& status) {
  if (status.kind() == base::ErrorKind::kFenced) {
    return kExitFenced;
  }
  return status.kind() == base::ErrorKind::kInvalidArgument ? kExitUsage : kExitFailed;
}

}  // namespace

base::Result<ListenAddress> ParseListen(const std::string& text) {
  ListenAddress listen;
  if (text.empty()) {
    return listen;
  }
  size_t colon = text.rfind(':');
  const char* end = text.data() + text.size();
  if (colon == std::string::npos ||
      std::from_chars(text.data() + colon + 1, end, listen.port).ptr != end) {
    return base::InvalidArgument("--listen \"" + text + "\": want ADDRESS:PORT");
  }
  listen.address = text.substr(0, colon);
  listen.enabled = true;
  return listen;
}

int ValidateCommand(const std::string& file) {
  auto job = ReadJobFile(file);
  if (!job.ok()) {
    return Fail(job.status(), kExitUsage);
  }
  SetupOptions setup;
  setup.laptop = true;
  setup.data_directory = "unused";
  auto config = MakeConfig(*job, setup);
  base::Status status = config.ok() ? CheckConnectors(*config) : config.status();
  if (!status.ok()) {
    return Fail(status, kExitUsage);
  }
  std::printf("%s: valid\n", file.c_str());
  return kExitOk;
}

int ExplainCommand(const std::string& file) {
  auto job = ReadJobFile(file);
  if (!job.ok()) {
    return Fail(job.status(), kExitUsage);
  }
  auto plan = PlanJob(*job);
  if (!plan.ok()) {
    return Fail(plan.status(), kExitUsage);
  }
  std::fputs(plan->Explain().c_str(), stdout);
  return kExitOk;
}

int DiffCommand(const std::string& before, const std::string& after) {
  auto was = ReadJobFile(before);
  auto is = ReadJobFile(after);
  for (const auto* job : {&was, &is}) {
    if (!job->ok()) {
      return Fail(job->status(), kExitUsage);
    }
  }
  auto diff = DiffJobs(*was, *is);
  if (!diff.ok()) {
    return Fail(diff.status(), kExitUsage);
  }
  std::fputs(Describe(*diff).c_str(), stdout);
  return diff->refused() ? kExitRefused : kExitOk;
}

int RunCommand(const RunOptions& options) {
  const std::atomic<bool>& stop = InstallStopSignal();
  auto job = ReadJobFile(options.file);
  if (!job.ok()) {
    return Fail(job.status(), kExitUsage);
  }
  if (job->spec.restore_from) {
    return Fail(
        base::InvalidArgument("run the job: spec.restoreFrom names a StreamJobSnapshot, and "
                              "those are in a cluster; take the field out to begin with "
                              "empty state"),
        kExitUsage);
  }
  auto config = MakeConfig(*job, options.setup);
  if (!config.ok()) {
    return Fail(config.status(), kExitUsage);
  }
  runtime::StatusBoard board;
  std::unique_ptr<base::HttpServer> server;
  if (options.listen.enabled) {
    auto started = control::StartStatusServer(options.listen.address, options.listen.port,
                                              job->metadata.name, &board);
    if (!started.ok()) {
      return Fail(started.status(), kExitFailed);
    }
    server = std::move(started).value();
    base::LogInfo("listening", {{"port", static_cast<int>(server->port())}});
  }
  runtime::RestartPolicy policy;
  policy.retry_user_errors = std::chrono::milliseconds(0);
  auto outcome =
      runtime::RunJob(*config, runtime::JobHooks{}, base::RealClock(), policy, &board, stop);
  if (options.setup.data_directory.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(config->scratch_directory, ignored);
  }
  return outcome.ok() ? kExitOk : Fail(outcome.status(), ExitCode(outcome.status()));
}

}  // namespace sj::worker
