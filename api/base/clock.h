// SPDX-License-Identifier: Apache-2.0
// Time as an argument: code that needs "now" takes a Clock, so that tests and simulation own time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "api/base/status.h"

namespace sj::base {

using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Millis>;  // since the Unix epoch, UTC
using MonoTime = std::chrono::steady_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Wall() const = 0;
  virtual MonoTime Mono() const = 0;
};

// The machine's clocks; one object for the process, alive for ever.
const Clock& RealClock();

// Moves only when told. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(Millis(1'700'000'000'000)));
  WallTime Wall() const override;
  MonoTime Mono() const override;
  void Advance(Millis by);

 private:
  struct State;
  // Shared with nobody; a pointer only to keep <mutex> out of this header.
  std::unique_ptr<State> state_;

 public:
  ~ManualClock() override;
};

// RFC 3339 in UTC with seconds ("2026-01-02T03:04:05Z") or milliseconds when `millis`.
std::string FormatTime(WallTime t, bool millis = false);
Result<WallTime> ParseTime(std::string_view text);

// Durations as users write them in manifests: "500ms", "1s", "2m", "1h30m". Errors:
// kInvalidArgument.
Result<Millis> ParseDuration(std::string_view text);
std::string FormatDuration(Millis d);

}  // namespace sj::base
