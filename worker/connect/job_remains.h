// SPDX-License-Identifier: Apache-2.0
// JobRemains: what a job keeps of its own on its Kafka cluster, to be taken away after its
// deletion. Only names that hold the job's id are touched, never a topic of its SQL. Every call may
// be repeated, by another process too, and is bounded in time. Owned by one thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/connector.h"

namespace sj::worker::connect {

class JobRemains {
 public:
  virtual ~JobRemains() = default;
  // Takes over, and releases, the transactional ids of ordinals 0 to ordinals - 1: whoever had them
  // commits no more, what it left open is aborted. Before anything is deleted: a commit that comes
  // later would make the group anew.
  virtual base::Status Fence(int ordinals) = 0;
  // The group with all its offsets; ok when there is none.
  virtual base::Status DeleteGroup() = 0;
  // Exchange and position topics, of former plans too, until none is listed any more. How many.
  virtual base::Result<int> DeleteTopics() = 0;
};

// nullptr: no table is on Kafka. kInvalidArgument as MakeKafkaCommitLog, and for an empty job id.
base::Result<std::unique_ptr<JobRemains>> MakeJobRemains(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context);

// An exchange or position topic of exactly this job.
bool IsJobTopic(const ConnectContext& context, std::string_view topic);

}  // namespace sj::worker::connect
