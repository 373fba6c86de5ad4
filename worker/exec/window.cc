// SPDX-License-Identifier: Apache-2.0
// Window assignment in 128 bits, so that no time value, however wrong, overflows.
#include "worker/exec/window.h"

#include <algorithm>

namespace sj::worker::exec {
namespace {

constexpr int64_t kSizeMax = int64_t{1000} * 365 * 86'400'000;  // a thousand years
constexpr int64_t kWindowsMax = 10'000;                         // that hold one row

int64_t Clamp(types::Int128 v) {
  // Two below the ends: end - 1 and end + 1 stay representable everywhere.
  constexpr types::Int128 kLeast = INT64_MIN + 2;
  constexpr types::Int128 kMost = INT64_MAX - 2;
  return static_cast<int64_t>(std::clamp(v, kLeast, kMost));
}

}  // namespace

base::Result<WindowAssigner> WindowAssigner::Make(const plan::WindowSpec& spec) {
  if (spec.kind == plan::WindowKind::kSession) {
    return base::InvalidArgument("make window: SESSION windows are not supported");
  }
  WindowAssigner out;
  out.size_ = spec.size_ms;
  out.slide_ = spec.kind == plan::WindowKind::kTumble ? spec.size_ms : spec.slide_ms;
  out.offset_ = spec.offset_ms;
  if (out.size_ <= 0 || out.slide_ <= 0 || out.size_ > kSizeMax || out.slide_ > kSizeMax) {
    return base::InvalidArgument("make window: size and slide must be between 1 ms and 1000 years");
  }
  if (out.windows_max() > kWindowsMax) {
    return base::InvalidArgument("make window: a row would fall into more than 10000 windows");
  }
  out.cached_end_ = 0;
  out.cached_start_ = INT64_MAX - out.slide_;  // holds no real time
  out.cached_end_ = out.LastEndSlow(out.cached_start_);
  return out;
}

int64_t WindowAssigner::LastEndSlow(int64_t time) const {
  types::Int128 shifted = static_cast<types::Int128>(time) - offset_;
  types::Int128 rest = shifted % slide_;
  if (rest < 0) {
    rest += slide_;
  }
  types::Int128 start = static_cast<types::Int128>(time) - rest;
  int64_t end = Clamp(start + size_);
  if (start > INT64_MIN && start + slide_ < INT64_MAX) {
    cached_start_ = static_cast<int64_t>(start);
    cached_end_ = end;
  }
  return end;
}

}  // namespace sj::worker::exec
