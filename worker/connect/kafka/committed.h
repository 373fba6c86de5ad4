// SPDX-License-Identifier: Apache-2.0
// Reading of committed offsets with their metadata, stable ones only. Pure functions over the
// network; each call makes and closes its own client.
#pragma once

#include <string>
#include <vector>

#include "worker/connect/commit_log.h"
#include "worker/connect/committed_reader.h"
#include "worker/connect/kafka/client.h"

namespace sj::worker::connect::kafka {

// In the order of `partitions`; kNoOffset where nothing was committed. Waits, at most `total`, for
// transactions that hold offsets of the group. Errors: kUnavailable on time-out, kInvalidArgument
// for rights and credentials. One request asks for all of them, and as long as one is unstable the
// client asks for all of them again.
base::Result<std::vector<CommittedPosition>> ReadCommittedPositions(
    const Cluster& cluster, const std::string& group,
    const std::vector<types::InputPartition>& partitions, milliseconds total);

class KafkaCommittedReader final : public CommittedReader {
 public:
  KafkaCommittedReader(Cluster cluster, std::string group)
      : cluster_(std::move(cluster)), group_(std::move(group)) {}
  base::Result<std::vector<CommittedPosition>> Read(
      const std::vector<types::InputPartition>& partitions) override {
    return ReadCommittedPositions(cluster_, group_, partitions, milliseconds(60'000));
  }

 private:
  const Cluster cluster_;
  const std::string group_;
};

}  // namespace sj::worker::connect::kafka
