// SPDX-License-Identifier: Apache-2.0
// What can go wrong in a simulated run, how likely each is in this run, and how often it happened.
// Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sj::simulation {

enum class Fault : uint8_t {
  kWorkerCrash,  // at any moment
  kCrashAtCall,  // while a request of the worker is under way
  kZombie,       // paused until its successor may run, then resumed
  kNodeLost,     // the pod is replaced while the process goes on
  kCutControl,   // worker and operator
  kCutKafka,
  kCutStore,
  kRequestLost,
  kAnswerLost,
  kSlow,             // a leg takes seconds
  kStoreAnswerLost,  // PUT carried out, answer lost
  kStoreSlow,
  kCommitTwice,    // EndTxn arrives again later
  kCommitUnknown,  // EndTxn carried out or not, no answer
  kOperatorCrash,  // between two writes too
  kTwoLeaders,
  kNoLeader,
  kStaleStore,  // the informer stands still
  kStaleList,   // a new process begins with an old list
  kApiConflict,
  kApiError,
  kApiAnswerLost,
  kEdit,  // replicas, spec, suspend, resume: no fault, but counted
  kCount,
};
inline constexpr int kFaults = static_cast<int>(Fault::kCount);
std::string_view ToString(Fault fault);

// Probability of each fault at each chance it has.
struct FaultPlan {
  std::array<double, kFaults> p{};
  double& operator[](Fault fault) { return p[static_cast<int>(fault)]; }
};

struct FaultCounts {
  std::array<uint64_t, kFaults> n{};
  uint64_t& operator[](Fault fault) { return n[static_cast<int>(fault)]; }
  void Add(const FaultCounts& other);
  uint64_t total() const;
  std::string ToString() const;
};

}  // namespace sj::simulation
