// SPDX-License-Identifier: Apache-2.0
// The list-watch cycle. State::version is empty when a list is needed.
#include "operator/kube/reflector.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "api/base/backoff.h"
#include "api/base/log.h"

namespace sj::op::kube {
namespace {

using base::Millis;
using base::MonoTime;

// A watch that lived so long, or told of a change, proves the server well: the back-off starts
// anew. Without that a load balancer that cuts each connection after a minute costs half of every
// minute.
constexpr std::chrono::seconds kHealthy{30};
// Streaming lists that failed in a row before we list the plain way, and watches that failed in a
// row without one event before we believe that our version is what the server cannot serve.
constexpr int kStreamFailuresMax = 2;
constexpr int kWatchFailuresMax = 5;

uint64_t Seed(uint64_t wanted) {
  return wanted != 0 ? wanted : std::random_device()();
}

}  // namespace

struct Reflector::State {
  State(ReflectorOptions o, KubeClient& c, ObjectSink& s, const base::Clock& k)
      : options(std::move(o)),
        client(c),
        sink(s),
        clock(k),
        random(Seed(options.seed)),
        backoff({options.backoff_min, options.backoff_max, 2.0, 0.5}, Seed(options.seed)),
        streaming(options.streaming_list) {}

  const ReflectorOptions options;
  KubeClient& client;
  ObjectSink& sink;
  const base::Clock& clock;

  // Owned by the stepping thread.
  std::mt19937_64 random;
  base::Backoff backoff;
  bool streaming;
  bool told = false;  // this step's watch had an event
  int stream_failures = 0;
  int watch_failures = 0;
  std::string version;

  std::atomic<bool> synced{false};
  base::HttpCancel cancel;
  std::mutex mu;
  std::condition_variable wake;
  bool stopping = false;  // guarded by mu
  std::thread thread;

  void Put(Json object) {
    if (options.prune) {
      options.prune(object);
    }
    sink.Put(std::move(object));
  }

  WatchOptions MakeWatch() {
    std::uniform_int_distribution<int64_t> seconds(options.watch_min.count(),
                                                   options.watch_max.count());
    WatchOptions watch;
    watch.ns = options.ns;
    watch.label_selector = options.label_selector;
    watch.resource_version = version;
    watch.timeout = std::chrono::seconds(seconds(random));
    watch.silence_max = options.silence_max;
    return watch;
  }

  void OnEvent(WatchEvent event) {
    watch_failures = 0;
    told = true;
    // The version moves on only once the sink has the event.
    std::string seen = ResourceVersionOf(event.object);
    switch (event.type) {
      case WatchEvent::Type::kAdded:
      case WatchEvent::Type::kModified:
        Put(std::move(event.object));
        break;
      case WatchEvent::Type::kDeleted:
        sink.Remove(std::move(event.object));
        break;
      case WatchEvent::Type::kBookmark:
        break;
    }
    if (!seen.empty()) {
      version = std::move(seen);
    }
  }

  Status List() {
    ListOptions list;
    list.ns = options.ns;
    list.label_selector = options.label_selector;
    list.on_item = [this](Json object) { Put(std::move(object)); };
    sink.BeginList();
    SJ_ASSIGN_OR_RETURN(const ListResult result, client.List(options.resource, list));
    sink.EndList(result.resource_version);
    version = result.resource_version;
    synced = true;
    return {};
  }

  Status Watch() {
    SJ_ASSIGN_OR_RETURN(const WatchEnd end, client.Watch(
                                                options.resource, MakeWatch(),
                                                [this](WatchEvent event) {
                                                  OnEvent(std::move(event));
                                                  return true;
                                                },
                                                &cancel));
    if (end != WatchEnd::kClosed) {
      version.clear();
    }
    return {};
  }

  // A watch whose first part is the list. kUnsupported turns streaming off for good.
  Status StreamList() {
    WatchOptions watch = MakeWatch();
    watch.send_initial_events = true;
    bool listed = false;
    sink.BeginList();
    auto on_event = [&](WatchEvent event) {
      if (!listed && event.initial_end) {
        listed = true;
        version = ResourceVersionOf(event.object);
        sink.EndList(version);
        synced = true;
      } else if (listed) {
        OnEvent(std::move(event));
      } else if (event.type == WatchEvent::Type::kAdded ||
                 event.type == WatchEvent::Type::kModified) {
        Put(std::move(event.object));
      } else if (event.type == WatchEvent::Type::kDeleted) {
        sink.Remove(std::move(event.object));
      }
      return true;
    };
    SJ_ASSIGN_OR_RETURN(const WatchEnd end,
                        client.Watch(options.resource, watch, on_event, &cancel));
    if (end == WatchEnd::kUnsupported) {
      streaming = false;
    }
    if (end == WatchEnd::kExpired) {
      version.clear();
    }
    if (!listed && end != WatchEnd::kUnsupported) {
      return base::Unavailable("watch ended before its initial events did");
    }
    return {};
  }

  Status Cycle() {
    if (version.empty() && streaming) {
      const Status status = StreamList();
      stream_failures = status.ok() ? 0 : stream_failures + 1;
      streaming = streaming && stream_failures < kStreamFailuresMax;
      if (streaming || !status.ok()) {
        return status;
      }
    }
    if (version.empty()) {
      SJ_RETURN_IF_ERROR(List());
    }
    const MonoTime start = clock.Mono();
    const Status status = Watch();
    // A server whose etcd tells no progress sends no bookmarks on a quiet resource: a silent watch
    // is begun again from its version, and says nothing against that version.
    const bool silent = clock.Mono() - start >= options.silence_max;
    if (!status.ok() && silent && status.kind() == base::ErrorKind::kUnavailable) {
      base::LogDebug("watch was silent", {{"resource", options.resource.plural}});
      return {};
    }
    watch_failures = status.ok() ? 0 : watch_failures + 1;
    if (watch_failures >= kWatchFailuresMax) {
      watch_failures = 0;
      version.clear();
    }
    return status;
  }

  void Run(Reflector& self) {
    while (true) {
      const Millis wait = self.Step();
      std::unique_lock lock(mu);
      if (wake.wait_for(lock, wait, [this] { return stopping; })) {
        return;
      }
    }
  }
};

Reflector::Reflector(ReflectorOptions options, KubeClient& client, ObjectSink& sink,
                     const base::Clock& clock)
    : state_(std::make_unique<State>(std::move(options), client, sink, clock)) {
}

Reflector::~Reflector() {
  Stop();
}

void Reflector::Start() {
  state_->thread = std::thread([this] { state_->Run(*this); });
}

void Reflector::Stop() {
  {
    std::lock_guard lock(state_->mu);
    state_->stopping = true;
  }
  state_->cancel.Cancel();
  state_->wake.notify_all();
  if (state_->thread.joinable()) {
    state_->thread.join();
  }
}

Millis Reflector::Step(Status* status) {
  State& state = *state_;
  const MonoTime start = state.clock.Mono();
  state.told = false;
  const Status result = state.Cycle();
  if (status != nullptr) {
    *status = result;
  }
  if (state.told || state.clock.Mono() - start >= kHealthy) {
    state.backoff.Reset();
  }
  if (!result.ok() && result.kind() != base::ErrorKind::kCancelled) {
    base::LogWarn("watch failed", {{"resource", state.options.resource.plural},
                                   {"namespace", state.options.ns},
                                   {"error", result.ToString()}});
  }
  // A server that ends watches at once, without an error, is given the same pause.
  return state.backoff.Next();
}

bool Reflector::synced() const {
  return state_->synced;
}

}  // namespace sj::op::kube
