// SPDX-License-Identifier: Apache-2.0
// Questions to the cluster about topics, each bounded in time. Functions over a Client of role
// kMetadata (read_committed: "end" is the last stable offset). Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/connect/kafka/client.h"

namespace sj::worker::connect::kafka {

// kNotFound when the topic does not exist, said after three seconds: of several brokers one may not
// have heard of a new topic yet.
base::Result<int> CountPartitions(const Client& client, const std::string& topic);

// Every topic the user may describe.
base::Result<std::vector<std::string>> ListTopics(const Client& client);

struct LogRange {
  int64_t begin = 0;  // first offset kept
  int64_t end = 0;    // last stable offset: first one not yet readable
};
base::Result<LogRange> ReadLogRange(const Client& client, const std::string& topic, int partition);

// First offset with a timestamp >= millis, by partition in the order given; -1 where there is none.
base::Result<std::vector<int64_t>> OffsetsAtTime(const Client& client, const std::string& topic,
                                                 const std::vector<int>& partitions,
                                                 int64_t millis);

}  // namespace sj::worker::connect::kafka
