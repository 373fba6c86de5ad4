// SPDX-License-Identifier: Apache-2.0
// Identities the whole worker uses: input partitions, epochs, generations. Values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace sj::worker::types {

using Epoch = int64_t;       // 1, 2, ... within one incarnation chain of a worker; 0: none yet
using Generation = int64_t;  // number of the assignment, held in the StreamJob's status

// One partition of a topic the job reads: a source partition or an exchange partition (a shard).
struct InputPartition {
  std::string topic;
  int partition = 0;
  auto operator<=>(const InputPartition&) const = default;
};

}  // namespace sj::worker::types
