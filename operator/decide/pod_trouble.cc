// SPDX-License-Identifier: Apache-2.0
// See pod_trouble.h.
#include "operator/decide/pod_trouble.h"

#include <fmt/format.h>

#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using base::Json;
using resources::Find;
using resources::List;
using resources::Number;
using resources::Text;

constexpr size_t kMessageMax = 200;

// Words of the cluster, in one line of bounded length.
std::string OneLine(std::string text) {
  for (char& c : text) {
    c = c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
  }
  if (text.size() > kMessageMax) {
    text.resize(kMessageMax);
    text += "...";
  }
  return text;
}

std::string Detail(const std::string& message) {
  return message.empty() ? "" : fmt::format(": {}", OneLine(message));
}

std::optional<PodTrouble> Scheduling(const Json& pod, const std::string& name) {
  for (const Json& condition : List(pod, {"status", "conditions"})) {
    if (Text(condition, {"type"}) == "PodScheduled" && Text(condition, {"status"}) == "False" &&
        Text(condition, {"reason"}) == "Unschedulable") {
      return PodTrouble{"Unschedulable", fmt::format("pod {} cannot be scheduled{}", name,
                                                     Detail(Text(condition, {"message"})))};
    }
  }
  return std::nullopt;
}

std::string Restarts(int64_t count) {
  return fmt::format("{} restart{}", count, count == 1 ? "" : "s");
}

std::optional<PodTrouble> Crash(const Json& status, const std::string& where) {
  const Json* last = Find(status, {"lastState", "terminated"});
  if (last == nullptr) {
    last = Find(status, {"state", "terminated"});
  }
  if (last == nullptr) {
    return std::nullopt;
  }
  const int64_t restarts = Number(status, {"restartCount"});
  if (Text(*last, {"reason"}) == "OOMKilled") {
    return PodTrouble{"OOMKilled", fmt::format("{} was killed for exceeding its memory limit ({})",
                                               where, Restarts(restarts))};
  }
  return PodTrouble{"CrashLoopBackOff",
                    fmt::format("{} exits with code {} ({}){}", where, Number(*last, {"exitCode"}),
                                Restarts(restarts), Detail(Text(*last, {"message"})))};
}

bool IsStartReason(const std::string& reason) {
  return reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing";
}

std::optional<PodTrouble> ContainerTrouble(const Json& status, const std::string& pod_name) {
  const std::string where = fmt::format("container {} of pod {}", Text(status, {"name"}), pod_name);
  const std::string& reason = Text(status, {"state", "waiting", "reason"});
  if (reason == "CrashLoopBackOff" || Find(status, {"state", "terminated"}) != nullptr) {
    return Crash(status, where);
  }
  if (IsStartReason(reason)) {
    return std::nullopt;
  }
  return PodTrouble{reason, fmt::format("{} cannot start{}", where,
                                        Detail(Text(status, {"state", "waiting", "message"})))};
}

}  // namespace

std::optional<PodTrouble> TroubleOf(const Json& pod) {
  const std::string& name = Text(pod, {"metadata", "name"});
  if (Find(pod, {"metadata", "deletionTimestamp"}) != nullptr) {
    return std::nullopt;
  }
  const std::string& reason = Text(pod, {"status", "reason"});
  if (Text(pod, {"status", "phase"}) == "Failed" && !reason.empty()) {
    return PodTrouble{
        reason, fmt::format("pod {} failed{}", name, Detail(Text(pod, {"status", "message"})))};
  }
  for (const Json& status : List(pod, {"status", "containerStatuses"})) {
    if (std::optional<PodTrouble> trouble = ContainerTrouble(status, name)) {
      return trouble;
    }
  }
  return Scheduling(pod, name);
}

int64_t RestartsOf(const Json& pod) {
  int64_t restarts = 0;
  for (const Json& status : List(pod, {"status", "containerStatuses"})) {
    restarts += Number(status, {"restartCount"});
  }
  return restarts;
}

bool PodReady(const Json& pod) {
  for (const Json& condition : List(pod, {"status", "conditions"})) {
    if (Text(condition, {"type"}) == "Ready") {
      return Text(condition, {"status"}) == "True";
    }
  }
  return false;
}

}  // namespace sj::op::decide
