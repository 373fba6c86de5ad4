// SPDX-License-Identifier: Apache-2.0
// What every commit log demands of the positions it is given. Pure.
#pragma once

#include <vector>

#include "worker/connect/commit_log.h"

namespace sj::worker::connect {

// kInvalidArgument unless every offset is concrete and every metadata is printable ASCII shorter
// than kCommitMetadataBytesMax: a logical offset is silently dropped by Kafka clients, and zero
// bytes in metadata are corrupted by librdkafka before 2.6.1.
base::Status CheckPositions(const std::vector<CommittedPosition>& positions);

}  // namespace sj::worker::connect
