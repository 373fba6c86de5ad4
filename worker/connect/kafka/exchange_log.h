// SPDX-License-Identifier: Apache-2.0
// KafkaExchangeLog: exchange topics on the job's Kafka cluster. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/connect/exchange.h"
#include "worker/connect/kafka/client.h"

namespace sj::worker::connect::kafka {

class KafkaExchangeLog final : public ExchangeLog {
 public:
  KafkaExchangeLog(Cluster cluster, std::string group, int task_threads);

  base::Status EnsureTopics(const std::vector<std::string>& topics, int partitions) override;
  base::Result<int64_t> Earliest(const types::InputPartition& partition) override;
  base::Result<int64_t> StableEnd(const types::InputPartition& partition) override;
  base::Result<int64_t> End(const types::InputPartition& partition) override;
  base::Result<std::unique_ptr<ExchangeReader>> OpenReader(
      const std::vector<ExchangeStart>& starts) override;
  base::Status Trim(const std::vector<ExchangeStart>& before) override;
  base::Status DeleteTopics(const std::vector<std::string>& topics) override;

 private:
  base::Result<Client*> Metadata();
  base::Result<Client*> Uncommitted();

  const Cluster cluster_;
  const std::string group_;
  const int task_threads_;
  std::mutex mu_;
  std::unique_ptr<Client> metadata_;     // guarded by mu_; made on first use
  std::unique_ptr<Client> uncommitted_;  // guarded by mu_; made on first use
};

}  // namespace sj::worker::connect::kafka
