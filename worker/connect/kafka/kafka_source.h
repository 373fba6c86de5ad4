// SPDX-License-Identifier: Apache-2.0
// KafkaSource: a table read from one Kafka topic. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "worker/connect/connector.h"
#include "worker/connect/kafka/client.h"
#include "worker/connect/kafka/kafka_options.h"

namespace sj::worker::connect::kafka {

class KafkaSource final : public Source {
 public:
  KafkaSource(KafkaOptions options, types::Schema schema, const ConnectContext& context,
              const base::Clock& clock);

  const std::string& topic() const override { return options_.topic; }
  base::Result<int> PartitionCount() override;
  base::Result<std::vector<PartitionStart>> ResolveStart(
      const std::vector<int>& partitions) override;
  base::Result<std::vector<PartitionStart>> ResolveBeginning(
      const std::vector<int>& partitions) override;
  base::Result<std::unique_ptr<SourceReader>> OpenReader(const std::vector<PartitionStart>& starts,
                                                         const std::vector<int>& columns,
                                                         CommitLog* log) override;
  std::chrono::milliseconds idle_timeout() const override { return options_.idle_timeout; }
  bool bounded() const override { return options_.bounded != BoundedMode::kUnbounded; }
  ConnectorStats& stats() override { return stats_; }

 private:
  base::Result<Client*> Metadata();
  base::Status ResolveStartOf(const std::vector<int>& partitions, std::vector<int64_t>* out);
  base::Result<std::vector<PartitionStart>> WithEnds(const std::vector<int>& partitions,
                                                     const std::vector<int64_t>& offsets);
  base::Status ResolveEndOf(const std::vector<int>& partitions,
                            std::vector<PartitionStart>* starts);
  base::Status GroupOffsets(const std::vector<int>& partitions, std::vector<int64_t>* out);
  base::Status AtEdge(const std::vector<int>& partitions, bool end, std::vector<int64_t>* out);

  const KafkaOptions options_;
  const types::Schema schema_;
  const std::string group_;
  const int task_threads_;
  const base::Clock& clock_;
  ConnectorStats stats_;
  std::mutex mu_;
  std::unique_ptr<Client> metadata_;  // guarded by mu_; made on first use
};

// kInvalidArgument, with the position in the SQL.
base::Result<std::unique_ptr<Source>> MakeKafkaSource(const types::TableSpec& table,
                                                      const ConnectContext& context);

}  // namespace sj::worker::connect::kafka
