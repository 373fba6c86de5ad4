// SPDX-License-Identifier: Apache-2.0
// Exponential back-off with jitter and a bound. Pure: the caller waits, and the seed decides the
// jitter, so tests and simulation repeat exactly.
#pragma once

#include <cstdint>
#include <random>

#include "api/base/clock.h"

namespace sj::base {

struct BackoffOptions {
  Millis first{200};
  Millis max{30'000};
  double factor = 2.0;  // >= 1
  double jitter = 0.5;  // each delay lies in [(1 - jitter) * d, d]
};

// Thread-compatible.
class Backoff {
 public:
  Backoff(BackoffOptions options, uint64_t seed);
  // The delay before the next attempt; grows until options.max. Never above options.max.
  Millis Next();
  // Call after a success: the next delay is the first one again.
  void Reset();
  int attempts() const { return attempts_; }

 private:
  BackoffOptions options_;
  std::mt19937_64 random_;
  double current_ms_;
  int attempts_ = 0;
};

}  // namespace sj::base
