// SPDX-License-Identifier: Apache-2.0
// The name under which a source without a Kafka topic commits its positions. When the job's commit
// log is Kafka, a topic of this name is made, empty for ever: brokers keep offsets of existing
// topics only.
#pragma once

#include <string>

#include "worker/connect/connector.h"

namespace sj::worker::connect {

// "<prefix>.<job>.source.<table>"; characters Kafka does not allow become '_'.
std::string PositionTopic(const ConnectContext& context, const types::TableSpec& table);

}  // namespace sj::worker::connect
