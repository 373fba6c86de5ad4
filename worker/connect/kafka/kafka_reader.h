// SPDX-License-Identifier: Apache-2.0
// KafkaReader: messages of its partitions to batches of rows, one partition a batch. A bad record
// (not decodable, too large, its event time absurd) follows the table's policy and is always
// counted. Owned by one task thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "worker/connect/connector.h"
#include "worker/connect/json/decoder.h"
#include "worker/connect/kafka/fetcher.h"
#include "worker/connect/kafka/kafka_options.h"

namespace sj::worker::connect::kafka {

class KafkaReader final : public SourceReader {
 public:
  struct Setup {
    const KafkaOptions* options;  // lives as long as the source
    const types::Schema* schema;
    ConnectorStats* stats;
    const base::Clock* clock;
    std::vector<int> columns;  // wanted, indexes into the schema
    CommitLog* log;            // may be null
  };
  KafkaReader(Setup setup, std::unique_ptr<Fetcher> fetcher,
              const std::vector<PartitionStart>& starts);

  base::Result<bool> Poll(size_t rows_max, std::chrono::milliseconds wait, types::Epoch epoch,
                          SourceBatch* out) override;
  void Drop(int partition) override;
  int wake_fd() const override { return fetcher_->wake_fd(); }
  std::vector<PartitionLag> Lag() override;

 private:
  struct Run {
    FetchPartition* partition;
    std::vector<MessageHandle> messages;
    size_t bytes = 0;
    bool reached_end = false;
  };
  bool PopFinished(SourceBatch* out);
  Run TakeRun(FetchPartition* partition, size_t rows_max);
  base::Status Decode(const Run& run, types::Epoch epoch, SourceBatch* out);
  base::Status Bad(const rd_kafka_message_t& message, types::Epoch epoch,
                   const json::DecodeError& error);
  // What is wrong with the event time of the last row, or an empty text.
  std::string CheckEventTime(const std::vector<types::Column>& columns) const;
  std::shared_ptr<char[]> Buffer(size_t bytes);
  int64_t EndOf(const FetchPartition& partition) const;

  const Setup setup_;
  std::unique_ptr<Fetcher> fetcher_;
  json::Decoder decoder_;
  std::vector<std::pair<int, int64_t>> ends_;  // partition -> first offset not to read
  std::vector<int> finished_at_start_;
  std::set<int> dropped_;
  int rowtime_ = -1;  // index into the wanted columns
  int64_t event_time_limit_ = 0;
  std::shared_ptr<char[]> scratch_;  // reused when no column holds views; shared with nobody
  size_t scratch_bytes_ = 0;
};

}  // namespace sj::worker::connect::kafka
