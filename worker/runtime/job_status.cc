// SPDX-License-Identifier: Apache-2.0
// Names of phases, and the reason for an error from where and of what kind it was.
#include "worker/runtime/job_status.h"

namespace sj::worker::runtime {
namespace {

using base::ErrorKind;

std::string_view ConnectReason(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNotFound:
      return "TopicMissing";
    case ErrorKind::kInvalidArgument:
      return "ConnectorRefused";
    case ErrorKind::kCorrupt:
      return "TopicChanged";
    default:
      return "KafkaUnreachable";
  }
}

std::string_view RunReason(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "RecordRefused";
    case ErrorKind::kNotFound:
      return "InputGone";
    case ErrorKind::kCorrupt:
      return "InputCorrupt";
    case ErrorKind::kUnavailable:
    case ErrorKind::kExhausted:
      return "OutsideUnavailable";
    default:
      return "InternalError";
  }
}

}  // namespace

std::string_view ToString(JobPhase phase) {
  constexpr std::string_view kNames[] = {"Starting", "Restoring", "Running", "Draining",
                                         "Stopped",  "Completed", "Failed"};
  return kNames[static_cast<size_t>(phase)];
}

std::string_view ReasonOf(RunStage stage, const base::Status& status) {
  if (status.ok()) {
    return "";
  }
  if (status.kind() == ErrorKind::kFenced) {
    return "Fenced";
  }
  bool refused = status.kind() == ErrorKind::kInvalidArgument;
  switch (stage) {
    case RunStage::kPlan:
      return "SqlInvalid";
    case RunStage::kConnect:
      return ConnectReason(status.kind());
    case RunStage::kFence:
      return refused ? "KafkaAccessDenied" : "KafkaUnreachable";
    case RunStage::kGeneration:
      return "WaitingForGeneration";
    case RunStage::kOffsets:
      return status.kind() == ErrorKind::kCorrupt ? "OffsetsMissing" : "KafkaUnreachable";
    case RunStage::kStore:
      return refused ? "CheckpointStoreRefused" : "CheckpointStoreUnreachable";
    case RunStage::kRestore:
      return refused                                    ? "StateIncompatible"
             : status.kind() == ErrorKind::kUnavailable ? "CheckpointStoreUnreachable"
                                                        : "CheckpointCorrupt";
    case RunStage::kRun:
      return RunReason(status.kind());
  }
  return "InternalError";
}

}  // namespace sj::worker::runtime
