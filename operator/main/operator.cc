// SPDX-License-Identifier: Apache-2.0
// Order matters: the store's handler is registered before a reflector runs, servers start before
// the election, and on the way down nothing new is taken before the running reconciles have ended.
#include "operator/main/operator.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

#include "api/base/http_server.h"
#include "api/base/log.h"
#include "operator/kube/reflector.h"
#include "operator/main/process_metrics.h"
#include "operator/reconcile/control_service.h"
#include "operator/reconcile/job_controller.h"
#include "operator/resources/names.h"
#include "operator/runtime/leader.h"

namespace sj::op::main {
namespace {

using base::Millis;
using base::Status;
using runtime::Change;
using runtime::Priority;

constexpr Millis kHousekeeping{10'000};
// Housekeepings. A burst of handshakes, 39 KiB each, or of jobs leaves the heap full of holes.
constexpr int kTrimEvery = 3;
constexpr int kResyncEvery = 360;  // housekeepings: an hour
// The workers of the registry, and a second connection of each for a moment.
constexpr int kControlConnectionsMax = 40'000;
constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

std::vector<kube::Resource> ChildResources() {
  return {kube::kStatefulSets, kube::kServices,        kube::kConfigMaps,
          kube::kPods,         kube::kServiceAccounts, kube::kPodDisruptionBudgets};
}

// What no reconcile reads: the bulk of most objects.
void Prune(kube::Json& object) {
  auto meta = object.find("metadata");
  if (meta == object.end() || !meta->is_object()) {
    return;
  }
  auto annotations = meta->find("annotations");
  if (annotations != meta->end() && annotations->is_object()) {
    annotations->erase(kLastApplied);
  }
}

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Watch {
  kube::Resource resource;
  std::unique_ptr<runtime::StoreSink> sink;
  std::unique_ptr<kube::Reflector> reflector;
};

}  // namespace

struct Operator::State {
  State(OperatorOptions o, OperatorParts p)
      : options(std::move(o)),
        parts(p),
        queue({.name = "streamjob"}, parts.clock, &parts.metrics),
        events({.instance = options.instance}, parts.client, parts.clock, &parts.metrics),
        job_metrics(&parts.metrics),
        registry(
            {}, parts.clock,
            [this](const kube::ObjectKey& key) { Enqueue(key, Priority::kChange); },
            &parts.metrics),
        snapshots({parts.client, store, events, parts.clock, [this] { return SnapshotsSynced(); },
                   !options.watch_label.empty()}),
        controller({parts.client, store, registry, events, job_metrics, parts.clock, &snapshots},
                   Settings()),
        control(
            {}, parts.client, registry, [this] { return IsLeader(); }, parts.clock, &parts.metrics),
        loop(
            {.name = "streamjob", .workers = options.workers}, queue,
            [this](const kube::ObjectKey& key) { return Reconcile(key); }, &parts.metrics),
        process(parts.metrics, parts.clock) {}

  const OperatorOptions options;
  const OperatorParts parts;
  std::string control_ca;  // owned by the constructing, then by the housekeeping thread

  runtime::Store store;
  runtime::WorkQueue queue;
  runtime::EventRecorder events;
  reconcile::JobMetrics job_metrics;
  reconcile::WorkerRegistry registry;
  reconcile::SnapshotController snapshots;
  reconcile::JobController controller;
  reconcile::ControlService control;
  runtime::ControlLoop loop;
  std::vector<Watch> watches;  // constant after Start
  std::unique_ptr<runtime::LeaderElector> elector;
  std::unique_ptr<base::HttpServer> http_server, control_server;

  std::mutex metrics_mu;
  ProcessMetrics process;  // guarded by metrics_mu

  std::atomic<bool> leading{false};
  std::atomic<bool> stopped{false};
  std::mutex mu;
  std::condition_variable wake;
  bool stopping = false;    // guarded by mu
  bool start_loop = false;  // guarded by mu: leadership began, the caches may not be complete yet
  std::thread housekeeper;

  bool IsLeader() const { return leading && (elector == nullptr || elector->IsLeader()); }

  decide::Settings Settings() {
    decide::Settings settings = options.config.settings;
    if (!options.config.ca_file.empty()) {
      control_ca = ReadWhole(options.config.ca_file);
    }
    settings.worker.control_ca = control_ca;
    return settings;
  }

  void Enqueue(const kube::ObjectKey& key, Priority priority) {
    if (leading) {
      queue.Add(key, priority);
    }
  }

  void EnqueueAll(Priority priority) {
    for (const kube::ObjectKey& key : store.Keys(kube::kStreamJobs)) {
      Enqueue(key, priority);
    }
  }

  base::Result<runtime::Outcome> Reconcile(const kube::ObjectKey& key) {
    if (!IsLeader()) {
      return base::Conflict("reconcile without the lease");  // comes again, should it be renewed
    }
    return controller.Reconcile(key);
  }

  // A cluster whose CRDs are older has no such resource, and a role may not allow it: jobs do not
  // wait for it.
  bool SnapshotsSynced() const {
    return std::all_of(watches.begin(), watches.end(), [](const Watch& watch) {
      return !(watch.resource == kube::kStreamJobSnapshots) || watch.reflector->synced();
    });
  }

  void OnChange(const Change& change) {
    const bool resync = change.type == Change::Type::kResync;
    if (change.resource == kube::kStreamJobSnapshots) {
      if (const auto key = snapshots.Note(change)) {
        Enqueue(*key, resync ? Priority::kResync : Priority::kChange);
      }
      return;
    }
    if (const auto key = reconcile::JobOf(change, store)) {
      Enqueue(*key, resync ? Priority::kResync : Priority::kChange);
    }
  }

  void AddWatch(const kube::Resource& resource, const std::string& ns, std::string selector) {
    kube::ReflectorOptions reflector;
    reflector.resource = resource;
    reflector.ns = ns;
    reflector.label_selector = std::move(selector);
    reflector.prune = Prune;
    Watch watch{resource, std::make_unique<runtime::StoreSink>(store, resource, ns), nullptr};
    watch.reflector = std::make_unique<kube::Reflector>(std::move(reflector), parts.client,
                                                        *watch.sink, parts.clock);
    watches.push_back(std::move(watch));
  }

  void AddWatches() {
    std::vector<std::string> namespaces = options.config.watch_namespaces;
    if (namespaces.empty()) {
      namespaces.emplace_back();
    }
    const std::string managed =
        "app.kubernetes.io/managed-by=" + std::string(resources::kManagedBy);
    for (const std::string& ns : namespaces) {
      AddWatch(kube::kStreamJobs, ns, options.watch_label);
      AddWatch(kube::kStreamJobSnapshots, ns, "");
      for (const kube::Resource& resource : ChildResources()) {
        AddWatch(resource, ns, managed);
      }
    }
  }

  // Names of the resources whose first list is not complete.
  std::string Unsynced() const {
    std::string names;
    for (const Watch& watch : watches) {
      if (!watch.reflector->synced() && !(watch.resource == kube::kStreamJobSnapshots)) {
        names += (names.empty() ? "" : ", ") + std::string(watch.resource.plural);
      }
    }
    return names;
  }

  void BeginLeading() {
    {
      std::lock_guard lock(mu);
      start_loop = true;
    }
    wake.notify_all();
  }

  void LoseLeading() {
    leading = false;
    if (!stopped) {
      parts.on_lost();
    }
  }

  // Deciding on half a cache would see children as missing: the loop waits for the first lists.
  void StartLoop() {
    controller.StartLeading();
    leading = true;
    EnqueueAll(Priority::kChange);
    loop.Start();
    base::LogInfo("reconciling", {{"jobs", uint64_t{store.Count(kube::kStreamJobs).objects}}});
  }

  void CheckCa() {
    if (options.config.ca_file.empty()) {
      return;
    }
    std::string now = ReadWhole(options.config.ca_file);
    if (now.empty() || now == control_ca) {
      return;
    }
    control_ca = std::move(now);
    decide::Settings settings = options.config.settings;
    settings.worker.control_ca = control_ca;
    controller.SetSettings(std::move(settings));
    base::LogInfo("CA of the control endpoint has changed");
    EnqueueAll(Priority::kResync);
  }

  void Housekeep() {
    constexpr Millis kSyncPoll{20};
    bool started = false;
    bool trimmed = false;
    int rounds = 0;
    std::unique_lock lock(mu);
    while (!stopping) {
      const bool synced = Unsynced().empty();
      if (synced && !trimmed) {
        malloc_trim(0);  // the lists are packed now, their text and trees are gone
        trimmed = true;
      }
      if (start_loop && synced && !started) {
        started = true;
        lock.unlock();
        StartLoop();
        lock.lock();
      }
      const bool waiting = !synced || (start_loop && !started);
      const bool woken = wake.wait_for(lock, waiting ? kSyncPoll : kHousekeeping, [&] {
        return stopping || (start_loop && !started && synced);
      });
      if (waiting || woken) {
        continue;
      }
      ++rounds;
      lock.unlock();
      CheckCa();
      if (rounds % kResyncEvery == 0) {
        EnqueueAll(Priority::kResync);
      }
      if (rounds % kTrimEvery == 0) {
        malloc_trim(0);
      }
      lock.lock();
    }
  }

  std::string MetricsText() {
    std::lock_guard lock(metrics_mu);
    queue.UpdateMetrics();
    process.Update();
    return parts.metrics.Text();
  }

  void OnHttp(const base::ServerRequest& request, const base::Responder& responder) {
    base::ServerResponse response;
    if (request.method != "GET" && request.method != "HEAD") {
      response.status = 405;
    } else if (request.path == "/healthz") {
      response.body = "ok\n";
    } else if (request.path == "/readyz") {
      const std::string missing = stopped ? "the operator stops" : Unsynced();
      response.status = missing.empty() ? 200 : 503;
      response.body = missing.empty() ? "ok\n" : "not ready: " + missing + "\n";
    } else if (request.path == "/metrics") {
      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
      response.body = MetricsText();
    } else {
      response.status = 404;
    }
    responder.Answer(std::move(response));
  }

  Status StartServers() {
    base::HttpServerOptions http;
    http.address = options.config.http.address;
    http.port = options.config.http.port;
    http.connections_max = 64;
    auto started = base::StartHttpServer(
        http, [this](const base::ServerRequest& request, const base::Responder& responder) {
          OnHttp(request, responder);
        });
    if (!started.ok()) {
      return started.status().WithContext("health endpoint");
    }
    http_server = *std::move(started);
    base::HttpServerOptions tls;
    tls.address = options.config.control.address;
    tls.port = options.config.control.port;
    tls.connections_max = kControlConnectionsMax;
    if (options.control_tls) {
      tls.tls_cert_file = options.config.cert_file;
      tls.tls_key_file = options.config.key_file;
    }
    started = base::StartHttpServer(
        tls, [this](const base::ServerRequest& request, const base::Responder& responder) {
          control.Handle(request, responder);
        });
    if (!started.ok()) {
      return started.status().WithContext("control endpoint");
    }
    control_server = *std::move(started);
    return {};
  }

  void StartElection() {
    if (!options.leader_elect) {
      BeginLeading();
      return;
    }
    runtime::LeaderOptions leader;
    leader.ns = options.lease_namespace;
    leader.lease_name = options.config.lease_name;
    leader.identity = options.identity;
    leader.lease_duration = options.config.lease_duration;
    leader.renew_deadline = options.config.renew_deadline;
    leader.retry_period = options.config.retry_period;
    elector = std::make_unique<runtime::LeaderElector>(
        std::move(leader),
        runtime::LeaderCallbacks{[this] { BeginLeading(); }, [this] { LoseLeading(); }},
        parts.lease_client, parts.clock, &parts.metrics);
    elector->Start();
  }

  void StopHousekeeping() {
    {
      std::lock_guard lock(mu);
      stopping = true;
    }
    wake.notify_all();
    if (housekeeper.joinable()) {
      housekeeper.join();
    }
  }
};

Operator::Operator(OperatorOptions options, OperatorParts parts)
    : state_(std::make_unique<State>(std::move(options), std::move(parts))) {
}

Operator::~Operator() {
  Stop(false);
}

Status Operator::Start() {
  State& state = *state_;
  state.store.OnChange([&state](const Change& change) { state.OnChange(change); });
  state.AddWatches();
  SJ_RETURN_IF_ERROR(state.StartServers());
  state.control.Start();
  state.events.Start();
  for (const Watch& watch : state.watches) {
    watch.reflector->Start();
  }
  state.housekeeper = std::thread([&state] { state.Housekeep(); });
  state.StartElection();
  return {};
}

void Operator::Stop(bool release) {
  State& state = *state_;
  if (state.stopped.exchange(true)) {
    return;
  }
  state.StopHousekeeping();
  state.loop.Stop();
  if (state.elector != nullptr) {
    state.elector->Stop(release);
  }
  const bool led = state.leading.exchange(false);
  if (led) {
    state.controller.StopLeading();
  }
  state.control.Stop();
  if (state.control_server != nullptr) {
    state.control_server->Stop();
  }
  for (const Watch& watch : state.watches) {
    watch.reflector->Stop();
  }
  state.events.Stop();
  if (state.http_server != nullptr) {
    state.http_server->Stop();
  }
}

bool Operator::Ready() const {
  return !state_->stopped && state_->Unsynced().empty();
}

bool Operator::Leading() const {
  return state_->IsLeader();
}

uint16_t Operator::control_port() const {
  return state_->control_server->port();
}

uint16_t Operator::http_port() const {
  return state_->http_server->port();
}

}  // namespace sj::op::main
