// SPDX-License-Identifier: Apache-2.0
// Cooperation: an attempt without threads of its own, for deterministic simulation. The task
// threads' rounds and every wait of the attempt happen on the caller's thread, when and in the
// order this interface says; the code that runs is the same. Owned by whoever runs the attempt;
// used on one thread only.
#pragma once

#include <chrono>
#include <functional>

namespace sj::worker::runtime {

class Cooperation {
 public:
  virtual ~Cooperation() = default;
  // The attempt has `tasks` task threads. `step(t)` does one round of t's loop; false: there was
  // nothing to do. To be called from within Wait or from a connector's call, until Ended. Between
  // the end of a task's epoch n and CommitLog::Flush(n), Produce(n + 1) must not block.
  virtual void Began(int tasks, std::function<bool(int)> step) = 0;
  virtual void Ended() = 0;
  // Instead of sleeping; no lock is held. May take longer or shorter than `at_most`.
  virtual void Wait(std::chrono::nanoseconds at_most) = 0;
};

}  // namespace sj::worker::runtime
