// SPDX-License-Identifier: Apache-2.0
// The last thing a worker does for a deleted job: to stay while it is asked to, to remove what it
// is told to once it is told to begin, and to say how far it is. What fails is tried again until
// nobody asks any more; the operator keeps the time.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "api/base/status.h"
#include "api/control/messages.h"

namespace sj::worker {

// The operator and the outside, as functions.
struct CleanUpParts {
  std::function<sj::control::CleanupOrder()> order;  // as told last
  // Waits until another one is told, at most so long.
  std::function<void(const sj::control::CleanupOrder& known, base::Millis at_most)> await_other;
  // What may be removed at this moment, from a quorum read of the job.
  std::function<base::Result<sj::control::Remains>()> confirm;
  // Removes what is in `what`, notes it in the report and calls `tell` after each part. What went
  // wrong, or nothing. Begun with a stopped engine only.
  std::function<std::optional<sj::control::WorkerError>(
      const sj::control::Remains& what, int ordinals, sj::control::CleanupReport& report)>
      remove;
  std::function<void(const sj::control::CleanupReport&)> tell;
};

// True when the worker may not end although its engine has stopped.
bool MustStay(const sj::control::CleanupOrder& order);

// Returns when `term` is set and nothing is asked, or nothing asked is left. Until then the process
// would only be started again.
void CleanUp(const CleanUpParts& parts, const std::atomic<bool>& term);

}  // namespace sj::worker
