// SPDX-License-Identifier: Apache-2.0
// The name only; the topic is made by the Kafka commit log.
#include "worker/connect/position_topic.h"

#include <fmt/core.h>

namespace sj::worker::connect {

std::string PositionTopic(const ConnectContext& context, const types::TableSpec& table) {
  std::string name = fmt::format("{}.{}.source.{}", context.id_prefix, context.job_id, table.name);
  for (char& c : name) {
    bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '_' || c == '-';
    c = legal ? c : '_';
  }
  return name;
}

}  // namespace sj::worker::connect
