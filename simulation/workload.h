// SPDX-License-Identifier: Apache-2.0
// Workload: the SQL of the simulated job, its input as a seed makes it, and what must come out,
// computed here without the engine. One table is counted per key and window over a keyed edge; the
// other is copied, each partition's records numbered, so that order shows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "simulation/world.h"
#include "worker/plan/physical.h"

namespace sj::simulation {

inline constexpr int kEventPartitions = 3;
inline constexpr int kLogPartitions = 2;
inline constexpr const char* kEvents = "ev";
inline constexpr const char* kLog = "log";
inline constexpr const char* kCounts = "counts";
inline constexpr const char* kCopy = "copy";

const char* JobSql();
// Planned once for the process.
const worker::plan::PhysicalPlan& JobPlan();

struct InputRecord {
  std::string topic;
  int partition = 0;
  std::string value;
};

class Workload {
 public:
  Workload(World* world, int events, int logs);
  // In the order in which they are to be appended.
  const std::vector<InputRecord>& records() const { return records_; }
  // Behind everything: moves time on until every window is over.
  std::vector<InputRecord> Last() const;

  // What is wrong with the committed output: repeated, never to come, out of order; "" when nothing
  // is. With `complete`, what is missing too.
  std::string Check(const std::vector<std::string>& counts, const std::vector<std::string>& copy,
                    bool complete) const;

 private:
  std::vector<InputRecord> records_;
  std::map<std::string, int> expected_counts_;  // row -> times
  std::vector<int> expected_logs_;              // by partition: how many
};

}  // namespace sj::simulation
