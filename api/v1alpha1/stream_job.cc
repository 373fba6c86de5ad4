// SPDX-License-Identifier: Apache-2.0
// Conditions and names of StreamJob.
#include "api/v1alpha1/stream_job.h"

#include <algorithm>

#include "api/v1alpha1/stream_job_fields.h"

namespace sj::v1alpha1 {

std::string_view ToString(Phase phase) {
  return base::NameOf(phase);
}
std::string_view ToString(WorkerLogLevel level) {
  return base::NameOf(level);
}
std::string_view ToString(ChangeVerdict verdict) {
  return base::NameOf(verdict);
}
std::string_view ToString(CleanupState state) {
  return base::NameOf(state);
}

const Condition* FindCondition(const StreamJobStatus& status, std::string_view type) {
  const auto at = std::find_if(status.conditions.begin(), status.conditions.end(),
                               [&](const Condition& c) { return c.type == type; });
  return at == status.conditions.end() ? nullptr : &*at;
}

void SetCondition(StreamJobStatus& status, Condition condition, base::WallTime now) {
  condition.last_transition_time = now;
  for (Condition& existing : status.conditions) {
    if (existing.type == condition.type) {
      if (existing.status == condition.status) {
        condition.last_transition_time = existing.last_transition_time;
      }
      existing = std::move(condition);
      return;
    }
  }
  status.conditions.push_back(std::move(condition));
}

void RemoveCondition(StreamJobStatus& status, std::string_view type) {
  std::erase_if(status.conditions, [&](const Condition& c) { return c.type == type; });
}

}  // namespace sj::v1alpha1
