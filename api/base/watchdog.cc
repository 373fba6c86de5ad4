// SPDX-License-Identifier: Apache-2.0
// A map of the calls under way, and one thread that counts their seconds.
#include "api/base/watchdog.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "api/base/log.h"

namespace sj::base {
namespace {

struct Watched {
  std::string what;
  std::chrono::seconds limit{0};
  std::chrono::seconds age{0};
};

[[noreturn]] void EndProcess(const std::string& what, std::chrono::seconds limit) {
  LogError("a call does not return: the process ends",
           {{"call", what}, {"seconds", static_cast<int64_t>(limit.count())}});
  _exit(kExitStuck);  // destructors would wait for the same call
}

[[noreturn]] void TickForEver(Watchdog* watchdog) {
  std::mutex mu;
  std::condition_variable never;
  std::unique_lock<std::mutex> lock(mu);
  for (;;) {
    if (never.wait_for(lock, std::chrono::seconds(1)) == std::cv_status::timeout) {
      watchdog->Tick();
    }
  }
}

}  // namespace

struct Watchdog::State {
  OnStuck on_stuck;
  std::mutex mu;
  uint64_t last = 0;                  // guarded by mu
  std::map<uint64_t, Watched> calls;  // guarded by mu
};

Watchdog::Watchdog(OnStuck on_stuck) : state_(std::make_unique<State>()) {
  state_->on_stuck = std::move(on_stuck);
}

Watchdog::~Watchdog() = default;

void Watchdog::Tick() {
  std::vector<Watched> stuck;
  {
    std::lock_guard lock(state_->mu);
    for (auto& [number, call] : state_->calls) {
      call.age += std::chrono::seconds(1);
      if (call.age == call.limit) {
        stuck.push_back(call);
      }
    }
  }
  for (const Watched& call : stuck) {
    state_->on_stuck(call.what, call.limit);
  }
}

Watchdog& Watchdog::OfProcess() {
  // Alive until the process ends, as is its thread.
  static Watchdog* const watchdog = [] {
    auto made = std::make_unique<Watchdog>(&EndProcess);
    std::thread(&TickForEver, made.get()).detach();
    return made.release();
  }();
  return *watchdog;
}

WatchedCall::WatchedCall(std::string_view what, std::chrono::seconds limit, Watchdog& watchdog)
    : watchdog_(watchdog) {
  std::lock_guard lock(watchdog_.state_->mu);
  number_ = ++watchdog_.state_->last;
  watchdog_.state_->calls[number_] = {std::string(what), std::max(limit, kWatchdogMin),
                                      std::chrono::seconds(0)};
}

WatchedCall::~WatchedCall() {
  std::lock_guard lock(watchdog_.state_->mu);
  watchdog_.state_->calls.erase(number_);
}

}  // namespace sj::base
