// SPDX-License-Identifier: Apache-2.0
// Watchdog: ends the process when a call that has to return does not. For calls into libraries that
// are made in slices of a few seconds, or end threads: what hangs there can neither be cancelled
// nor gone on from, and a process that stands still for ever is worse than one that starts again.
// Waiting that is meant (a broker that is away for an hour) is made of many watched calls and never
// ends anything.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sj::base {

inline constexpr int kExitStuck = 4;
inline constexpr std::chrono::seconds kWatchdogDefault{60};
// The loss of one of three brokers stalls a call for 10 to 15 s: limits below are raised to this.
inline constexpr std::chrono::seconds kWatchdogMin{15};

// Thread-safe.
class Watchdog {
 public:
  // Told once for each call that outlives its limit, by the thread that ticks.
  using OnStuck = std::function<void(const std::string& what, std::chrono::seconds limit)>;
  explicit Watchdog(OnStuck on_stuck);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // A second of the process's own life has passed. Counted, not read from a clock: a process that
  // was stopped or swapped out has not been stuck in a call meanwhile.
  void Tick();

  // The one of this process: ticks by itself from its first use, logs what is stuck and ends the
  // process with kExitStuck.
  static Watchdog& OfProcess();

 private:
  friend class WatchedCall;
  struct State;
  std::unique_ptr<State> state_;
};

// The time between its making and its end is watched.
class WatchedCall {
 public:
  explicit WatchedCall(std::string_view what, std::chrono::seconds limit = kWatchdogDefault,
                       Watchdog& watchdog = Watchdog::OfProcess());
  ~WatchedCall();
  WatchedCall(const WatchedCall&) = delete;
  WatchedCall& operator=(const WatchedCall&) = delete;

 private:
  Watchdog& watchdog_;
  uint64_t number_ = 0;
};

}  // namespace sj::base
