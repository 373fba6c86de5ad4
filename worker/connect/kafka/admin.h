// SPDX-License-Identifier: Apache-2.0
// Admin calls, each bounded in time: topics, groups and the deletion of old records. Functions over
// a Client. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "worker/connect/exchange.h"
#include "worker/connect/kafka/client.h"

namespace sj::worker::connect::kafka {

// Makes the topics with the broker's replication factor, kept for ever; a topic that exists is no
// error. kInvalidArgument when the user lacks the right or a policy forbids it.
base::Status CreateTopics(const Client& client, const std::vector<std::string>& topics,
                          int partitions);
// A group that does not exist is no error; kUnavailable while it has members.
base::Status DeleteGroup(const Client& client, const std::string& group);
// A topic that does not exist is no error.
base::Status DeleteTopics(const Client& client, const std::vector<std::string>& topics);
base::Status DeleteRecordsBefore(const Client& client, const std::vector<ExchangeStart>& before);

}  // namespace sj::worker::connect::kafka
