// SPDX-License-Identifier: Apache-2.0
// CommittedReader: the committed positions of a running job as a bystander sees them: without a
// transactional id, without fencing anybody. Owned by one thread.
#pragma once

#include <memory>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/commit_log.h"
#include "worker/connect/connector.h"

namespace sj::worker::connect {

class CommittedReader {
 public:
  virtual ~CommittedReader() = default;
  // Stable positions of all `partitions` at one moment: of every transaction either all its
  // positions or none. Waits for transactions that are being ended. Errors as
  // CommitLog::ReadCommitted.
  virtual base::Result<std::vector<CommittedPosition>> Read(
      const std::vector<types::InputPartition>& partitions) = 0;
};

// nullptr: no table is on Kafka. kInvalidArgument as MakeKafkaCommitLog.
base::Result<std::unique_ptr<CommittedReader>> MakeCommittedReader(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context);

}  // namespace sj::worker::connect
