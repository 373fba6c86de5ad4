// SPDX-License-Identifier: Apache-2.0
// The field lists of the messages, and their text. Names in JSON are the members' names in camel
// case; durations are integers with the suffix Ms; times are RFC 3339.
#include "api/control/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "api/base/http_client.h"
#include "api/base/json_fields.h"

namespace sj::control {
namespace {

constexpr size_t kErrorMessageMax = 1024;
constexpr base::JsonLimits kLimits{kMessageBytesMax, 16};

}  // namespace

using base::EnumName;
using base::Need;

std::span<const EnumName<WorkerPhase>> EnumNames(WorkerPhase) {
  static constexpr std::array<EnumName<WorkerPhase>, 8> kNames{
      {{WorkerPhase::kStarting, "Starting"},
       {WorkerPhase::kFenced, "Fenced"},
       {WorkerPhase::kRestoring, "Restoring"},
       {WorkerPhase::kRunning, "Running"},
       {WorkerPhase::kDraining, "Draining"},
       {WorkerPhase::kStopped, "Stopped"},
       {WorkerPhase::kCompleted, "Completed"},
       {WorkerPhase::kFailed, "Failed"}}};
  return kNames;
}
std::span<const EnumName<ErrorClass>> EnumNames(ErrorClass) {
  static constexpr std::array<EnumName<ErrorClass>, 4> kNames{{{ErrorClass::kUser, "user"},
                                                               {ErrorClass::kExternal, "external"},
                                                               {ErrorClass::kInternal, "internal"},
                                                               {ErrorClass::kFenced, "fenced"}}};
  return kNames;
}
std::span<const EnumName<Command>> EnumNames(Command) {
  static constexpr std::array<EnumName<Command>, 3> kNames{
      {{Command::kNone, "none"}, {Command::kDrain, "drain"}, {Command::kStop, "stop"}}};
  return kNames;
}

std::span<const EnumName<CleanupStep>> EnumNames(CleanupStep) {
  static constexpr std::array<EnumName<CleanupStep>, 4> kNames{{{CleanupStep::kNone, "none"},
                                                                {CleanupStep::kNotice, "notice"},
                                                                {CleanupStep::kStay, "stay"},
                                                                {CleanupStep::kBegin, "begin"}}};
  return kNames;
}

std::span<const EnumName<SnapshotStep>> EnumNames(SnapshotStep) {
  static constexpr std::array<EnumName<SnapshotStep>, 3> kNames{
      {{SnapshotStep::kNone, "none"},
       {SnapshotStep::kTake, "take"},
       {SnapshotStep::kRemove, "remove"}}};
  return kNames;
}

template <typename V>
void Fields(V& v, JobRef& s) {
  v("namespace", s.namespace_name);
  v("name", s.name);
  v("uid", s.uid, Need::kRequired);
}
template <typename V>
void Fields(V& v, WorkerRef& s) {
  v("job", s.job, Need::kRequired);
  v("ordinal", s.ordinal, Need::kRequired);
  v("incarnation", s.incarnation, Need::kRequired);
}
template <typename V>
void Fields(V& v, RestoreSource& s) {
  v("location", s.location, Need::kRequired);
  v("manifest", s.manifest, Need::kRequired);
  v("sha256", s.sha256, Need::kRequired);
}
template <typename V>
void Fields(V& v, Assignment& s) {
  v("generation", s.generation, Need::kRequired);
  v("replicas", s.replicas, Need::kRequired);
  v("shards", s.shards, Need::kRequired);
  v("maxParallelism", s.max_parallelism, Need::kRequired);
  v("partitions", s.partitions);
  v("fenceOrdinals", s.fence_ordinals);
  v("stateHash", s.state_hash);
  v("committedPartitions", s.committed_partitions);
  v("handOverFrom", s.hand_over_from);
  v("handOverReplicas", s.hand_over_replicas);
  v("restoreFrom", s.restore_from);
}
template <typename V>
void Fields(V& v, RegisterRequest& s) {
  v("protocol", s.protocol, Need::kRequired);
  v("worker", s.worker, Need::kRequired);
  v("workerVersion", s.worker_version);
  v("specHash", s.spec_hash);
  v("planHash", s.plan_hash);
  v("partitions", s.partitions);
}
template <typename V>
void Fields(V& v, RegisterResponse& s) {
  v("protocol", s.protocol, Need::kRequired);
  v("assignment", s.assignment);
  v("startedGeneration", s.started_generation);
  v("waitReason", s.wait_reason);
  v.Ms("retryAfterMs", s.retry_after);
}
template <typename V>
void Fields(V& v, WorkerError& s) {
  v("class", s.error_class);
  v("reason", s.reason);
  v("message", s.message);
}
template <typename V>
void Fields(V& v, PartitionLoad& s) {
  v("topic", s.topic);
  v("partition", s.partition);
  v("lag", s.lag);
  v("arrivalRate", s.arrival_rate);
}
template <typename V>
void Fields(V& v, InputReport& s) {
  v("threads", s.threads);
  v("keyed", s.keyed);
  v("partitions", s.partitions);
  v("busiestRatio", s.busiest_ratio);
  v("backPressureRatio", s.back_pressure_ratio);
  v("lagTimeMs", s.lag_time_ms);
  v("blockedPartitions", s.blocked_partitions);
  v.Ms("blockedForMs", s.blocked_for);
  v("unstableRecords", s.unstable_records);
  v("hottest", s.hottest);
}
template <typename V>
void Fields(V& v, SpecCheck& s) {
  v("specHash", s.spec_hash, Need::kRequired);
  v("manifest", s.manifest);
}
template <typename V>
void Fields(V& v, SpecVerdict& s) {
  v("specHash", s.spec_hash, Need::kRequired);
  v("fits", s.fits, Need::kRequired);
  v("reason", s.reason);
  v("message", s.message);
}
template <typename V>
void Fields(V& v, Remains& s) {
  v("checkpoints", s.checkpoints);
  v("exchangeTopics", s.exchange_topics);
  v("consumerGroup", s.consumer_group);
}
template <typename V>
void Fields(V& v, CleanupOrder& s) {
  v("step", s.step);
  v("remove", s.remove);
  v("ordinals", s.ordinals);
}
template <typename V>
void Fields(V& v, CleanupReport& s) {
  v("known", s.known);
  v("removed", s.removed);
  v("objects", s.objects);
  v("topics", s.topics);
  v("error", s.error);
}
template <typename V>
void Fields(V& v, SnapshotOrder& s) {
  v("step", s.step);
  v("name", s.name);
  v("uid", s.uid);
  v("generation", s.generation);
  v("replicas", s.replicas);
}
template <typename V>
void Fields(V& v, SnapshotResult& s) {
  v("source", s.source, Need::kRequired);
  v("objects", s.objects);
  v("bytes", s.bytes);
  v("rows", s.rows);
  v("epoch", s.epoch);
  v("takenAt", s.taken_at);
  v("stateHash", s.state_hash);
}
template <typename V>
void Fields(V& v, SnapshotReport& s) {
  v("known", s.known);
  v("round", s.round);
  v("objects", s.objects);
  v("done", s.done);
  v("result", s.result);
  v("error", s.error);
}
template <typename V>
void Fields(V& v, HandOverReport& s) {
  v("generation", s.generation);
  v("toGive", s.to_give);
  v("gave", s.gave);
  v("toTake", s.to_take);
  v("took", s.took);
  v("prefetched", s.prefetched);
}
template <typename V>
void Fields(V& v, HeartbeatRequest& s) {
  v("protocol", s.protocol, Need::kRequired);
  v("worker", s.worker, Need::kRequired);
  v("sequence", s.sequence);
  v("phase", s.phase, Need::kRequired);
  v("generation", s.generation, Need::kRequired);
  v("epoch", s.epoch);
  v("lastEpochTime", s.last_epoch_time);
  v.Ms("lastEpochDurationMs", s.last_epoch_duration);
  v("lastEpochBytes", s.last_epoch_bytes);
  v("oldestGeneration", s.oldest_generation);
  v("consecutiveEpochFailures", s.consecutive_epoch_failures);
  v("lagRecords", s.lag_records);
  v("watermark", s.watermark);
  v("stateBytes", s.state_bytes);
  v("restarts", s.restarts);
  v("recordsIn", s.records_in);
  v("recordsOut", s.records_out);
  v("busyRatio", s.busy_ratio);
  v("input", s.input);
  v("partitions", s.partitions);
  v("error", s.error);
  v("verdict", s.verdict);
  v("knownCheck", s.known_check);
  v("cleanup", s.cleanup);
  v("handsOver", s.hands_over);
  v("snapshot", s.snapshot);
  v("handOver", s.hand_over);
  v.Ms("holdMs", s.hold);
  v("knownGeneration", s.known_generation);
  v("knownStartedGeneration", s.known_started_generation);
  v("knownCommand", s.known_command);
}
template <typename V>
void Fields(V& v, HeartbeatResponse& s) {
  v("protocol", s.protocol, Need::kRequired);
  v("generation", s.generation, Need::kRequired);
  v("startedGeneration", s.started_generation, Need::kRequired);
  v("assignment", s.assignment);
  v("command", s.command);
  v("generationFloor", s.generation_floor);
  v("check", s.check);
  v("cleanup", s.cleanup);
  v("snapshot", s.snapshot);
}
template <typename V>
void Fields(V& v, GenerationResponse& s) {
  v("protocol", s.protocol, Need::kRequired);
  v("generation", s.generation, Need::kRequired);
  v("startedGeneration", s.started_generation, Need::kRequired);
  v("specHash", s.spec_hash);
  v("remove", s.remove);
}

namespace {

template <typename T>
std::string EncodeMessage(const T& message) {
  return base::DumpJson(base::FieldWriter::Struct(message));
}

base::Status CheckCleanup(const std::optional<CleanupOrder>& order) {
  const bool too_few = order && order->step == CleanupStep::kBegin && order->ordinals < 1;
  return too_few ? base::InvalidArgument("control message: cleanup.ordinals: must be at least 1")
                 : base::OkStatus();
}
base::Status CheckSnapshot(const std::optional<SnapshotOrder>& order) {
  if (!order || order->step == SnapshotStep::kNone) {
    return base::OkStatus();
  }
  const bool take = order->step == SnapshotStep::kTake;
  if (order->uid.empty() || order->name.empty() ||
      (take && (order->generation < 1 || order->replicas < 1))) {
    return base::InvalidArgument("control message: snapshot: name, uid or numbers are missing");
  }
  return base::OkStatus();
}
// Numbers no share can be computed from are refused here, at the border.
base::Status CheckAssignment(const std::optional<Assignment>& assignment) {
  if (!assignment) {
    return base::OkStatus();
  }
  const Assignment& a = *assignment;
  const bool counts_ok = std::all_of(a.partitions.begin(), a.partitions.end(),
                                     [](const auto& entry) { return entry.second >= 0; });
  const bool hand_over_ok =
      a.hand_over_from == 0 || (a.hand_over_from < a.generation && a.hand_over_replicas >= 1);
  if (!hand_over_ok || a.generation < 1 || a.replicas < 1 || a.shards < 1 ||
      a.max_parallelism < a.shards || !counts_ok) {
    return base::InvalidArgument("control message: assignment: the numbers make no assignment");
  }
  return base::OkStatus();
}
base::Status CheckWorker(const WorkerRef& worker) {
  if (worker.ordinal < 0) {
    return base::InvalidArgument("control message: worker.ordinal: must not be negative");
  }
  if (worker.job.uid.empty() || worker.incarnation.empty()) {
    return base::InvalidArgument("control message: worker: uid and incarnation must not be empty");
  }
  return base::OkStatus();
}
base::Status CheckMessage(const RegisterRequest& m) {
  return CheckWorker(m.worker);
}
base::Status CheckMessage(const RegisterResponse& m) {
  return CheckAssignment(m.assignment);
}
base::Status CheckMessage(const HeartbeatRequest& m) {
  return CheckWorker(m.worker);
}
base::Status CheckMessage(const HeartbeatResponse& m) {
  SJ_RETURN_IF_ERROR(CheckCleanup(m.cleanup));
  SJ_RETURN_IF_ERROR(CheckSnapshot(m.snapshot));
  return CheckAssignment(m.assignment);
}
base::Status CheckMessage(const GenerationResponse&) {
  return base::OkStatus();
}

template <typename T>
base::Result<T> DecodeMessage(std::string_view text) {
  SJ_ASSIGN_OR_RETURN(const base::Json json, base::ParseJson(text, kLimits));
  T message;
  std::vector<base::FieldProblem> problems;
  base::FieldReader::Struct(json, "", base::UnknownFields::kIgnore, problems, message);
  if (!problems.empty()) {
    return base::InvalidArgument("control message: " + problems.front().message);
  }
  if (message.protocol < 1 || message.protocol > kProtocolVersion + 1) {
    return base::InvalidArgument(
        fmt::format("control message: protocol {} is not understood; this is protocol {}",
                    message.protocol, kProtocolVersion));
  }
  SJ_RETURN_IF_ERROR(CheckMessage(message));
  return message;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<std::string> UrlDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const bool whole = i + 2 < text.size();
    const int high = whole ? HexDigit(text[i + 1]) : -1;
    const int low = whole ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

}  // namespace

Remains Both(const Remains& a, const Remains& b) {
  return {a.checkpoints && b.checkpoints, a.exchange_topics && b.exchange_topics,
          a.consumer_group && b.consumer_group};
}

Remains Without(const Remains& a, const Remains& b) {
  return {a.checkpoints && !b.checkpoints, a.exchange_topics && !b.exchange_topics,
          a.consumer_group && !b.consumer_group};
}

std::string_view ToString(WorkerPhase phase) {
  return base::NameOf(phase);
}

WorkerError ToWorkerError(const base::Status& status, std::string_view reason) {
  WorkerError error;
  if (status.ok()) {
    return error;
  }
  if (status.kind() == base::ErrorKind::kFenced) {
    error.error_class = ErrorClass::kFenced;
  } else if (status.fault() == base::Fault::kUser) {
    error.error_class = ErrorClass::kUser;
  } else if (status.fault() == base::Fault::kExternal) {
    error.error_class = ErrorClass::kExternal;
  }
  error.reason = std::string(reason);
  error.message = status.message().substr(0, kErrorMessageMax);
  return error;
}

std::string GenerationTarget(const JobRef& job) {
  return fmt::format("{}?namespace={}&job={}&uid={}", kGenerationPath,
                     base::UrlEncode(job.namespace_name), base::UrlEncode(job.name),
                     base::UrlEncode(job.uid));
}

base::Result<JobRef> ParseGenerationQuery(std::string_view query) {
  JobRef job;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto value = UrlDecode(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) {
      return base::InvalidArgument("generation query: bad percent-encoding");
    }
    const std::string_view name = pair.substr(0, equals);
    if (name == "namespace") {
      job.namespace_name = *value;
    } else if (name == "job") {
      job.name = *value;
    } else if (name == "uid") {
      job.uid = *value;
    }
  }
  if (job.namespace_name.empty() || job.name.empty() || job.uid.empty()) {
    return base::InvalidArgument("generation query: namespace, job and uid are required");
  }
  return job;
}

std::string Encode(const RegisterRequest& message) {
  return EncodeMessage(message);
}
std::string Encode(const RegisterResponse& message) {
  return EncodeMessage(message);
}
std::string Encode(const HeartbeatRequest& message) {
  return EncodeMessage(message);
}
std::string Encode(const HeartbeatResponse& message) {
  return EncodeMessage(message);
}
std::string Encode(const GenerationResponse& message) {
  return EncodeMessage(message);
}
base::Result<RegisterRequest> DecodeRegisterRequest(std::string_view text) {
  return DecodeMessage<RegisterRequest>(text);
}
base::Result<RegisterResponse> DecodeRegisterResponse(std::string_view text) {
  return DecodeMessage<RegisterResponse>(text);
}
base::Result<HeartbeatRequest> DecodeHeartbeatRequest(std::string_view text) {
  return DecodeMessage<HeartbeatRequest>(text);
}
base::Result<HeartbeatResponse> DecodeHeartbeatResponse(std::string_view text) {
  return DecodeMessage<HeartbeatResponse>(text);
}
base::Result<GenerationResponse> DecodeGenerationResponse(std::string_view text) {
  return DecodeMessage<GenerationResponse>(text);
}

}  // namespace sj::control
