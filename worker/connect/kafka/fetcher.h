// SPDX-License-Identifier: Apache-2.0
// Fetcher: one consumer with a fixed assignment, and its messages by partition. Messages of all
// partitions arrive in one queue; pointers to them are sorted here, their bytes are not copied.
//
// It reads with rd_kafka_consume_batch_queue. That call is known to mix up offsets after pause,
// seek and rebalance; none of them happens here: the assignment is made once, and a partition is
// paused only when nothing more of it is wanted. Positions are counted from the messages
// themselves. Owned by one task thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "worker/connect/connector.h"
#include "worker/connect/exchange.h"
#include "worker/connect/kafka/client.h"

namespace sj::worker::connect::kafka {

using MessageHandle = std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>>;

struct FetchPartition {
  types::InputPartition id;
  int64_t position = 0;         // next offset to hand out; passes control records at the log's end
  bool at_log_end = false;      // position was the last stable offset when we last heard
  int64_t last_record_ms = -1;  // timestamp of the last record handed out, as the reader noted it
  bool done = false;            // nothing more is wanted
  std::deque<MessageHandle> pending;  // in order; a message with err _PARTITION_EOF marks an end
};

class Fetcher {
 public:
  struct Options {
    Cluster cluster;
    std::string group;           // never committed to by this client
    int64_t prefetch_bytes = 0;  // of this fetcher
  };
  // `starts` hold concrete offsets; may be empty: then nothing ever comes.
  static base::Result<std::unique_ptr<Fetcher>> Make(const Options& options,
                                                     const std::vector<ExchangeStart>& starts);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // Takes up to messages_max from the client's queue when nothing is pending, waiting at most
  // `wait` for the first. Errors: kCorrupt when a position is outside the log or a batch is
  // damaged, kNotFound, kInvalidArgument for rights. Passing faults are left to the client.
  base::Status Fill(size_t messages_max, milliseconds wait);
  // The next partition in turn that has pending messages, or nullptr.
  FetchPartition* NextPending();
  // Takes the front message of the partition. REQUIRES: it has one.
  MessageHandle Take(FetchPartition* partition);
  // Call after messages were taken: keeps wake_fd readable while some are left.
  void Rearm();
  // Drops what is pending and stops fetching the partition.
  void Finish(FetchPartition* partition);

  std::deque<FetchPartition>& partitions() { return partitions_; }
  int64_t CachedEnd(const FetchPartition& partition) const;
  // The high watermark as last heard, -1: not yet. With open transactions it is above the last
  // stable offset.
  int64_t CachedLogEnd(const FetchPartition& partition) const;
  int wake_fd() const { return wake_fd_; }

 private:
  Fetcher() = default;
  base::Status Assign(const std::vector<ExchangeStart>& starts);
  base::Status Sort(MessageHandle message);
  base::Status FromMessage(const rd_kafka_message_t& message) const;
  FetchPartition* Find(const rd_kafka_message_t& message);
  void WaitWithoutPartitions(milliseconds wait) const;
  void WakeFetching(size_t taken_bytes, size_t taken);

  std::unique_ptr<Client> client_;
  std::deque<FetchPartition> partitions_;  // addresses stay
  std::vector<rd_kafka_message_t*> inbox_;
  size_t pending_ = 0;
  size_t turn_ = 0;
  bool more_in_queue_ = false;
  size_t prefetch_bytes_ = 0;
  size_t taken_bytes_ = 0;  // since the client's threads were woken last
  PartitionsHandle wake_list_;
  // The partition of the last message: messages come in long runs.
  const rd_kafka_topic_t* last_topic_ = nullptr;
  int last_partition_ = -1;
  FetchPartition* last_found_ = nullptr;
  QueueHandle queue_;
  int wake_fd_ = -1;
};

}  // namespace sj::worker::connect::kafka
