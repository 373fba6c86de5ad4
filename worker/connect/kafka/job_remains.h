// SPDX-License-Identifier: Apache-2.0
// KafkaJobRemains: a job's transactional ids, consumer group and own topics, taken away by admin
// calls. Owned by one thread.
#pragma once

#include <memory>
#include <string>

#include "worker/connect/job_remains.h"
#include "worker/connect/kafka/client.h"

namespace sj::worker::connect::kafka {

class KafkaJobRemains final : public JobRemains {
 public:
  KafkaJobRemains(Cluster cluster, ConnectContext context);

  base::Status Fence(int ordinals) override;
  base::Status DeleteGroup() override;
  base::Result<int> DeleteTopics() override;

 private:
  base::Result<Client*> Admin();

  const Cluster cluster_;
  const ConnectContext context_;
  const std::string group_;
  std::unique_ptr<Client> admin_;  // made on first use
};

}  // namespace sj::worker::connect::kafka
