// SPDX-License-Identifier: Apache-2.0
// streamjob-operator: flags, clients, signals, exit codes. The main thread waits for a signal; a
// lost lease is one as well. Whatever happens, the process ends within ten seconds of it.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include "api/base/hash.h"
#include "api/base/log.h"
#include "operator/kube/config.h"
#include "operator/kube/http_kube_client.h"
#include "operator/main/operator.h"
#include "operator/main/options.h"

namespace sj::op::main {
namespace {

using base::Millis;
using base::Result;
using base::Status;

constexpr int kExitOk = 0;
constexpr int kExitCannotStart = 2;
constexpr int kExitLostLease = 3;
constexpr int kExitStopTookTooLong = 4;

constexpr int kLostSignal = SIGUSR2;
constexpr Millis kCallsCutAfter{5'000};  // of stopping: calls to the API server are cut
constexpr Millis kExitForcedAfter{9'500};

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

Result<kube::ClientConfig> Config(const Options& options) {
  if (!options.kubeconfig.empty()) {
    return kube::LoadKubeconfig(options.kubeconfig, options.context);
  }
  auto config = kube::InClusterConfig(Environment);
  if (!config.ok()) {
    return config.status().WithContext("no --kubeconfig, and");
  }
  return config;
}

Result<std::unique_ptr<kube::HttpKubeClient>> Connect(const kube::ClientConfig& config,
                                                      Millis call_timeout,
                                                      base::MetricRegistry& metrics) {
  SJ_ASSIGN_OR_RETURN(auto http, base::MakeHttpClient(config.http));
  kube::HttpKubeOptions options;
  options.call_timeout = call_timeout;
  const size_t scheme = config.http.base_url.find("://");
  options.host = config.http.base_url.substr(scheme == std::string::npos ? 0 : scheme + 3);
  return std::make_unique<kube::HttpKubeClient>(std::move(http), std::move(options),
                                                base::RealClock(), &metrics);
}

// Ends what hangs: after a while the calls of `client`, after a while more the process.
class StopWatchdog {
 public:
  explicit StopWatchdog(kube::HttpKubeClient& client)
      : thread_([this, &client] {
          if (!DoneWithin(kCallsCutAfter)) {
            client.Shutdown();
          }
          if (!DoneWithin(kExitForcedAfter - kCallsCutAfter)) {
            base::LogError("did not stop in time");
            std::_Exit(kExitStopTookTooLong);
          }
        }) {}
  ~StopWatchdog() {
    {
      std::lock_guard lock(mu_);
      done_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  bool DoneWithin(Millis time) {
    std::unique_lock lock(mu_);
    return wake_.wait_for(lock, time, [this] { return done_; });
  }

  std::mutex mu_;
  std::condition_variable wake_;
  bool done_ = false;  // guarded by mu_
  std::thread thread_;
};

// Blocks the signals we wait for, here and in every thread started later.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, kLostSignal}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

OperatorOptions MakeOptions(const Options& from, const std::string& own_namespace) {
  OperatorOptions options;
  options.config = from.config;
  const std::string pod = Environment("POD_NAME");
  options.instance = pod.empty() ? HostName() : pod;
  options.identity = options.instance + "_" + base::RandomHex(8);
  options.lease_namespace = from.lease_namespace.empty() ? own_namespace : from.lease_namespace;
  options.watch_label = from.watch_label;
  options.leader_elect = from.leader_elect;
  options.workers = from.workers;
  return options;
}

int Fail(const Status& status) {
  base::LogError("cannot start", {{"error", status.ToString()}});
  return kExitCannotStart;
}

int Run(const Options& options) {
  base::SetLog(options.config.log_level, options.config.log_format);
  const sigset_t signals = BlockSignals();
  auto config = Config(options);
  if (!config.ok()) {
    return Fail(config.status());
  }
  base::MetricRegistry metrics;
  auto client = Connect(*config, Millis(10'000), metrics);
  auto lease_client = Connect(*config, options.config.renew_deadline / 2, metrics);
  if (!client.ok() || !lease_client.ok()) {
    return Fail(client.ok() ? lease_client.status() : client.status());
  }
  const pid_t self = getpid();
  OperatorParts parts{**client, **lease_client, base::RealClock(), metrics,
                      [self] { kill(self, kLostSignal); }};
  Operator op(MakeOptions(options, config->ns), parts);
  const Status started = op.Start();
  if (!started.ok()) {
    return Fail(started);
  }
  base::LogInfo("started", {{"version", SJ_VERSION},
                            {"control_port", int{op.control_port()}},
                            {"http_port", int{op.http_port()}}});
  int received = 0;
  sigwait(&signals, &received);
  const bool lost = received == kLostSignal;
  base::LogInfo("stopping", {{"reason", lost ? "the lease is lost" : "signal"}});
  StopWatchdog watchdog(**client);
  if (lost) {
    (*client)->Shutdown();  // not one more write without the lease
  }
  op.Stop(!lost);
  base::LogInfo("stopped");
  return lost ? kExitLostLease : kExitOk;
}

}  // namespace
}  // namespace sj::op::main

int main(int argc, char** argv) {
  // A few dozen threads that are mostly idle: two arenas keep the heap small.
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 256 << 10);
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  const sj::op::main::Parsed parsed = sj::op::main::ParseCommandLine(argc, argv);
  if (!parsed.options) {
    std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  return sj::op::main::Run(*parsed.options);
}
