// SPDX-License-Identifier: Apache-2.0
// RunSeed: one simulated run from its number. The same number gives the same run, event for event.
#pragma once

#include <string>
#include <vector>

#include "simulation/faults.h"

namespace sj::simulation {

struct SeedResult {
  uint64_t seed = 0;
  std::string violation;  // empty: every promise was kept
  FaultCounts counts;
  uint64_t fingerprint = 0;  // of all events
  uint64_t commits = 0;
  int64_t generations = 0;
  int64_t hand_overs = 0;   // generations begun as such
  int64_t handed_over = 0;  // of them, to the end
  uint64_t deleted = 0;     // objects
  double simulated_seconds = 0;
  std::vector<std::string> log;  // when asked for
};

struct RunOptions {
  bool log = false;
  bool hand_over = false;  // changes of replicas are handed over between running workers
};

// Uses one scratch directory for the process, on a memory file system when there is one; removed at
// its end. Not thread-safe.
SeedResult RunSeed(uint64_t seed, const RunOptions& options);

}  // namespace sj::simulation
