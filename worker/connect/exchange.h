// SPDX-License-Identifier: Apache-2.0
// ExchangeLog: the internal Kafka topics that carry keyed rows between workers, one topic a keyed
// edge, one partition a shard. Written through CommitLog::Produce inside the worker's transaction,
// read read_committed. The payload is the runtime's (worker/runtime/exchange_message.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/connector.h"
#include "worker/types/ids.h"

namespace sj::worker::connect {

// "<prefix>.<job>.x<edge>"
std::string ExchangeTopic(const ConnectContext& context, int edge);

struct ExchangeRecord {
  const std::string* topic = nullptr;
  int partition = 0;
  int64_t offset = 0;
  std::string_view value;     // valid during the call
  std::string_view key = {};  // the same; empty: none
};

struct ExchangeStart {
  types::InputPartition partition;
  int64_t offset = 0;  // concrete
};

// Owned by one task thread.
class ExchangeReader {
 public:
  virtual ~ExchangeReader() = default;
  // Hands up to records_max records to `take`, waiting at most `wait` for the first. The number
  // read.
  virtual base::Result<int> Poll(
      int records_max, std::chrono::milliseconds wait,
      const std::function<base::Status(const ExchangeRecord&)>& take) = 0;
  // Next offset to be read of a partition, control records included: reaches the stable end.
  virtual int64_t Position(const types::InputPartition& partition) = 0;
  // Another worker reads this partition from now on: Poll gives nothing more of it.
  virtual void Drop(const types::InputPartition& partition) = 0;
  virtual int wake_fd() const = 0;
};

// Thread-safe.
class ExchangeLog {
 public:
  virtual ~ExchangeLog() = default;
  // Makes the topics that are missing (retention off, partitions as asked) and waits until they can
  // be used; kInvalidArgument when one exists with another partition count.
  virtual base::Status EnsureTopics(const std::vector<std::string>& topics, int partitions) = 0;
  virtual base::Result<int64_t> Earliest(const types::InputPartition& partition) = 0;
  // The last stable offset now. A transaction whose commit has just returned may still hold it for
  // some milliseconds; one whose producer has been fenced does not.
  virtual base::Result<int64_t> StableEnd(const types::InputPartition& partition) = 0;
  // The end of the log now, records of open transactions included: behind everything that any
  // worker's broker has acknowledged.
  virtual base::Result<int64_t> End(const types::InputPartition& partition) = 0;
  virtual base::Result<std::unique_ptr<ExchangeReader>> OpenReader(
      const std::vector<ExchangeStart>& starts) = 0;
  // Deletes records before the offsets: they are in committed checkpoints. Best effort.
  virtual base::Status Trim(const std::vector<ExchangeStart>& before) = 0;
  virtual base::Status DeleteTopics(const std::vector<std::string>& topics) = 0;
};

base::Result<std::unique_ptr<ExchangeLog>> MakeExchangeLog(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context);

}  // namespace sj::worker::connect
