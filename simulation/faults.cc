// SPDX-License-Identifier: Apache-2.0
// Names and sums.
#include "simulation/faults.h"

namespace sj::simulation {
namespace {

constexpr std::array<std::string_view, kFaults> kNames = {
    "worker crash",    "crash during a call",
    "zombie",          "node lost",
    "control cut",     "kafka cut",
    "store cut",       "request lost",
    "answer lost",     "slow",
    "put answer lost", "slow put",
    "commit twice",    "commit unknown",
    "operator crash",  "two leaders",
    "no leader",       "stale informer",
    "stale list",      "409",
    "api error",       "api answer lost",
    "edits",
};

}  // namespace

std::string_view ToString(Fault fault) {
  return kNames[static_cast<int>(fault)];
}

void FaultCounts::Add(const FaultCounts& other) {
  for (int i = 0; i < kFaults; ++i) {
    n[i] += other.n[i];
  }
}

uint64_t FaultCounts::total() const {
  uint64_t sum = 0;
  for (uint64_t count : n) {
    sum += count;
  }
  return sum;
}

std::string FaultCounts::ToString() const {
  std::string text;
  for (int i = 0; i < kFaults; ++i) {
    text += (i == 0 ? "" : ", ") + std::string(kNames[i]) + " " + std::to_string(n[i]);
  }
  return text;
}

}  // namespace sj::simulation
