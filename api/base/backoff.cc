// SPDX-License-Identifier: Apache-2.0
// Back-off arithmetic, kept in doubles so that the factor may be fractional.
#include "api/base/backoff.h"

#include <algorithm>

namespace sj::base {

Backoff::Backoff(BackoffOptions options, uint64_t seed)
    : options_(options), random_(seed), current_ms_(static_cast<double>(options.first.count())) {
}

Millis Backoff::Next() {
  const double bound = static_cast<double>(options_.max.count());
  const double full = std::min(current_ms_, bound);
  current_ms_ = std::min(current_ms_ * std::max(options_.factor, 1.0), bound);
  attempts_ = std::min(attempts_ + 1, 1'000'000);
  const double jitter = std::clamp(options_.jitter, 0.0, 1.0);
  std::uniform_real_distribution<double> part(1.0 - jitter, 1.0);
  return Millis(static_cast<int64_t>(full * part(random_)));
}

void Backoff::Reset() {
  current_ms_ = static_cast<double>(options_.first.count());
  attempts_ = 0;
}

}  // namespace sj::base
