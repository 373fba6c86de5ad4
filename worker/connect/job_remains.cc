// SPDX-License-Identifier: Apache-2.0
// The names only; who deletes is in kafka/job_remains.cc.
#include "worker/connect/job_remains.h"

#include <fmt/core.h>

#include <algorithm>

namespace sj::worker::connect {

bool IsJobTopic(const ConnectContext& context, std::string_view topic) {
  const std::string prefix = fmt::format("{}.{}.", context.id_prefix, context.job_id);
  if (context.job_id.empty() || !topic.starts_with(prefix)) {
    return false;
  }
  topic.remove_prefix(prefix.size());
  const bool exchange =
      topic.size() > 1 && topic.front() == 'x' &&
      std::all_of(topic.begin() + 1, topic.end(), [](char c) { return c >= '0' && c <= '9'; });
  return exchange || topic.starts_with("source.");
}

}  // namespace sj::worker::connect
