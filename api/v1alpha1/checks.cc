// SPDX-License-Identifier: Apache-2.0
// The list of checks, in the order a reader fixes a manifest: the job itself, its size, its
// checkpoints, its connections, its pods.
#include "api/v1alpha1/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace sj::v1alpha1 {
namespace {

using Outcome = std::optional<Finding>;

constexpr size_t kNameMax = 45;  // "<name>-worker" is a StatefulSet: at most 52
constexpr size_t kSqlBytesMax = 256u << 10;
constexpr int kMaxParallelismMax = 32'768;
constexpr base::Millis kSnapshotsEveryMin = std::chrono::minutes(1);
constexpr base::Millis kSnapshotsEveryMax = std::chrono::hours(24 * 365);
constexpr int kSnapshotsCountMax = 1000;
constexpr base::Millis kIntervalMin{100};
constexpr base::Millis kIntervalMax{3'600'000};
constexpr size_t kLocationMax = 512;
constexpr size_t kSchedulesMax = 16;
constexpr base::Millis kScalingTimeMin{1'000};
constexpr base::Millis kScalingTimeMax{86'400'000};

Outcome Bad(std::string reason, std::string field, std::string_view what) {
  std::string message = fmt::format("{}: {}", field, what);
  return Finding{std::move(reason), std::move(field), std::move(message)};
}

bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// RFC 1123: lower-case letters, digits and '-', not at either end.
bool IsDnsLabel(std::string_view text, size_t max) {
  return !text.empty() && text.size() <= max && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
}

bool IsPowerOfTwo(int n) {
  return n > 0 && (n & (n - 1)) == 0;
}

// One path segment of a location: no empty ones, no "." or "..".
bool IsSegment(std::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return IsLower(c) || IsDigit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
                  c == '.';
         });
}

bool AreSegments(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    if (!IsSegment(path.substr(0, slash))) {
      return false;
    }
    if (slash == std::string_view::npos) {
      return true;
    }
    path.remove_prefix(slash + 1);
  }
}

// "host:port" with a host of harmless characters.
bool IsHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon > 253) {
    return false;
  }
  int port = 0;
  const std::string_view digits = text.substr(colon + 1);
  const auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const std::string_view host = text.substr(0, colon);
  return error == std::errc() && at == digits.data() + digits.size() && port > 0 && port < 65'536 &&
         host.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
             "[]:") == std::string_view::npos;
}

// Addresses no manifest may send a worker to: link-local (cloud metadata) and its own host.
bool IsForbiddenHost(std::string_view host, bool laptop) {
  const bool link_local =
      host.starts_with("169.254.") || host.starts_with("[fe80:") || host.starts_with("[fd00:ec2:");
  const bool loopback =
      host == "localhost" || host.starts_with("127.") || host == "[::1]" || host == "0.0.0.0";
  return link_local || (loopback && !laptop);
}

Outcome CheckName(const CheckInput& in) {
  if (!IsDnsLabel(in.job.metadata.name, kNameMax)) {
    return Bad("InvalidName", "metadata.name",
               fmt::format("must be a DNS label of at most {} characters", kNameMax));
  }
  return std::nullopt;
}

Outcome CheckSql(const CheckInput& in) {
  const bool inline_sql = !in.job.spec.sql.empty();
  if (inline_sql == in.job.spec.sql_from.has_value()) {
    return Bad("InvalidSql", "spec.sql", "exactly one of sql and sqlFrom must be set");
  }
  if (in.job.spec.sql.size() > kSqlBytesMax) {
    return Bad("InvalidSql", "spec.sql", fmt::format("is longer than {} bytes", kSqlBytesMax));
  }
  return std::nullopt;
}

Outcome CheckReplicas(const CheckInput& in) {
  const int replicas = in.effective.replicas;
  if (replicas < 1 || replicas > in.policy.replicas_max) {
    return Bad(
        "InvalidReplicas", "spec.replicas",
        fmt::format("must be between 1 and {}, or 0 to suspend the job", in.policy.replicas_max));
  }
  if (replicas > in.effective.max_parallelism) {
    return Bad("InvalidReplicas", "spec.replicas",
               fmt::format("is larger than maxParallelism ({})", in.effective.max_parallelism));
  }
  return std::nullopt;
}

Outcome CheckParallelism(const CheckInput& in) {
  const int groups = in.effective.max_parallelism;
  if (groups < 1 || groups > kMaxParallelismMax) {
    return Bad("InvalidParallelism", "spec.maxParallelism",
               fmt::format("must be between 1 and {}", kMaxParallelismMax));
  }
  if (!IsPowerOfTwo(in.effective.shards) || groups % in.effective.shards != 0) {
    return Bad("InvalidParallelism", "spec.shards",
               fmt::format("must be a power of two that divides maxParallelism ({})", groups));
  }
  return std::nullopt;
}

Outcome CheckInterval(const CheckInput& in) {
  const base::Millis interval = in.effective.checkpoint.interval;
  if (interval < kIntervalMin || interval > kIntervalMax) {
    return Bad("InvalidCheckpoint", "spec.checkpoint.interval",
               fmt::format("must be between {} and {}", base::FormatDuration(kIntervalMin),
                           base::FormatDuration(kIntervalMax)));
  }
  if (in.effective.checkpoint.retain < 1 || in.effective.checkpoint.retain > 100) {
    return Bad("InvalidCheckpoint", "spec.checkpoint.retain", "must be between 1 and 100");
  }
  return std::nullopt;
}

Outcome CheckSnapshots(const CheckInput& in) {
  const SnapshotsSpec& snapshots = in.job.spec.snapshots;
  if (snapshots.every &&
      (*snapshots.every < kSnapshotsEveryMin || *snapshots.every > kSnapshotsEveryMax)) {
    return Bad("InvalidSnapshots", "spec.snapshots.every",
               fmt::format("must be between {} and {}", base::FormatDuration(kSnapshotsEveryMin),
                           base::FormatDuration(kSnapshotsEveryMax)));
  }
  if (snapshots.retain.count &&
      (*snapshots.retain.count < 1 || *snapshots.retain.count > kSnapshotsCountMax)) {
    return Bad("InvalidSnapshots", "spec.snapshots.retain.count",
               fmt::format("must be between 1 and {}", kSnapshotsCountMax));
  }
  if (snapshots.retain.age && *snapshots.retain.age <= base::Millis(0)) {
    return Bad("InvalidSnapshots", "spec.snapshots.retain.age", "must be longer than 0");
  }
  if (in.job.spec.restore_from && in.job.spec.restore_from->snapshot.name.empty()) {
    return Bad("InvalidRestore", "spec.restoreFrom.snapshot.name", "is missing");
  }
  return std::nullopt;
}

Outcome CheckLocation(const CheckInput& in) {
  constexpr std::string_view kField = "spec.checkpoint.location";
  std::string_view location = in.effective.checkpoint.location;
  if (location.empty()) {
    return Bad("InvalidCheckpoint", std::string(kField),
               "is required: the operator has no default location");
  }
  const bool s3 = location.starts_with("s3://");
  const bool file = location.starts_with("file:///");
  std::string_view rest = location.substr(s3 ? 5 : file ? 8 : 0);
  if (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  if ((!s3 && !file) || location.size() > kLocationMax || !AreSegments(rest)) {
    return Bad("InvalidCheckpoint", std::string(kField),
               "must be \"s3://bucket/prefix\" with letters, digits, '.', '_' and '-' only");
  }
  if (file && !in.policy.file_locations) {
    return Bad("InvalidCheckpoint", std::string(kField),
               "file:// holds the state of one machine only; use s3:// in a cluster");
  }
  return std::nullopt;
}

Outcome CheckEndpoint(const CheckInput& in) {
  std::string_view endpoint = in.effective.checkpoint.endpoint;
  if (endpoint.empty()) {
    return std::nullopt;
  }
  const bool https = endpoint.starts_with("https://");
  if (!https && !endpoint.starts_with("http://")) {
    return Bad("InvalidCheckpoint", "spec.checkpoint.endpoint", "must begin with http(s)://");
  }
  std::string host(endpoint.substr(https ? 8 : 7));
  if (host.ends_with('/')) {
    host.pop_back();
  }
  const bool has_port = host.rfind(':') != std::string::npos && !host.ends_with(']');
  if (!IsHostPort(has_port ? host : host + ":443")) {
    return Bad("InvalidCheckpoint", "spec.checkpoint.endpoint", "must be a host with a port");
  }
  if (IsForbiddenHost(has_port ? host.substr(0, host.rfind(':')) : host,
                      in.policy.file_locations)) {
    return Bad("ForbiddenAddress", "spec.checkpoint.endpoint",
               "link-local and loopback addresses are not allowed");
  }
  return std::nullopt;
}

Outcome CheckBootstrap(const std::string& field, std::string_view servers, bool laptop) {
  while (true) {
    const size_t comma = servers.find(',');
    const std::string_view one = servers.substr(0, comma);
    if (!IsHostPort(one)) {
      return Bad("InvalidConnection", field, "must be a list of host:port separated by commas");
    }
    if (IsForbiddenHost(one.substr(0, one.rfind(':')), laptop)) {
      return Bad("ForbiddenAddress", field, "link-local and loopback addresses are not allowed");
    }
    if (comma == std::string_view::npos) {
      return std::nullopt;
    }
    servers.remove_prefix(comma + 1);
  }
}

Outcome CheckConnections(const CheckInput& in) {
  std::set<std::string> names;
  for (const Connection& connection : in.job.spec.connections) {
    const std::string field = fmt::format("spec.connections[{}]", connection.name);
    if (!IsDnsLabel(connection.name, 63)) {
      return Bad("InvalidConnection", "spec.connections", "each name must be a DNS label");
    }
    if (!names.insert(connection.name).second) {
      return Bad("InvalidConnection", field, "the name occurs twice");
    }
    if (!connection.kafka) {
      return Bad("InvalidConnection", field, "kafka is required");
    }
    if (auto bad = CheckBootstrap(field + ".kafka.bootstrapServers",
                                  connection.kafka->bootstrap_servers, in.policy.file_locations)) {
      return bad;
    }
    for (const auto& [name, value] : connection.kafka->properties) {
      if (!KafkaPropertyAllowed(name)) {
        return Bad("ForbiddenProperty", fmt::format("{}.kafka.properties", field),
                   fmt::format("\"{}\" may not be set in a manifest", name.substr(0, 64)));
      }
    }
  }
  return std::nullopt;
}

Outcome CheckImage(const CheckInput& in) {
  const std::string& image = in.job.spec.worker.image;
  const auto& allowed = in.policy.images;
  if (!image.empty() && std::find(allowed.begin(), allowed.end(), image) == allowed.end()) {
    return Bad("ForbiddenImage", "spec.worker.image",
               "is not in the operator's list of allowed images");
  }
  return std::nullopt;
}

Outcome CheckPriorityClass(const CheckInput& in) {
  const std::string& name = in.job.spec.worker.priority_class_name;
  const auto& allowed = in.policy.priority_classes;
  if (!name.empty() && std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
    return Bad("ForbiddenPriorityClass", "spec.worker.priorityClassName",
               "is not in the operator's list of allowed priority classes");
  }
  return std::nullopt;
}

// Label and annotation keys whose domain belongs to Kubernetes or to us.
bool IsReservedKey(std::string_view key) {
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) {
    return false;
  }
  const std::string_view domain = key.substr(0, slash);
  for (const std::string_view owner : {"streamjob.io", "kubernetes.io", "k8s.io"}) {
    if (domain == owner || (domain.size() > owner.size() && domain.ends_with(owner) &&
                            domain[domain.size() - owner.size() - 1] == '.')) {
      return true;
    }
  }
  return false;
}

Outcome CheckPodMetadata(const CheckInput& in) {
  const WorkerSpec& worker = in.job.spec.worker;
  for (const auto& [field, map] : {std::pair("spec.worker.labels", &worker.labels),
                                   {"spec.worker.annotations", &worker.annotations}}) {
    for (const auto& [key, value] : *map) {
      if (IsReservedKey(key)) {
        return Bad("ReservedKey", field, fmt::format("\"{}\" is reserved", key.substr(0, 64)));
      }
    }
  }
  return std::nullopt;
}

bool IsQuantity(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, digits);
  const std::string_view unit = text.substr(digits);
  constexpr std::array<std::string_view, 9> kUnits{"", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"};
  return !number.empty() && number.front() != '.' && number.back() != '.' &&
         std::count(number.begin(), number.end(), '.') <= 1 &&
         std::find(kUnits.begin(), kUnits.end(), unit) != kUnits.end();
}

Outcome CheckResources(const CheckInput& in) {
  const Resources& resources = in.job.spec.worker.resources;
  for (const auto& [field, list] :
       {std::pair("spec.worker.resources.requests", &resources.requests),
        {"spec.worker.resources.limits", &resources.limits}}) {
    for (const auto& [name, quantity] : *list) {
      if (name != "cpu" && name != "memory" && name != "ephemeral-storage") {
        return Bad("InvalidResources", field, "only cpu, memory and ephemeral-storage may be set");
      }
      if (!IsQuantity(quantity)) {
        return Bad("InvalidResources", field,
                   fmt::format("{}: \"{}\" is no quantity such as \"500m\" or \"1Gi\"", name,
                               quantity.substr(0, 32)));
      }
    }
  }
  if (in.effective.threads < 1 || in.effective.threads > 256) {
    return Bad("InvalidResources", "spec.worker.threads", "must be between 1 and 256");
  }
  return std::nullopt;
}

// "HH:MM".
bool IsTimeOfDay(std::string_view text) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) {
    return false;
  }
  return text.substr(0, 2) <= "23" && text[3] <= '5';
}

Outcome CheckSchedules(const CheckInput& in) {
  const EffectiveAutoscaling& scaling = in.effective.autoscaling;
  if (scaling.schedules.size() > kSchedulesMax) {
    return Bad("InvalidAutoscaling", "spec.autoscaling.schedules",
               fmt::format("has more than {} entries", kSchedulesMax));
  }
  for (size_t i = 0; i < scaling.schedules.size(); ++i) {
    const AutoscalingSchedule& schedule = scaling.schedules[i];
    const std::string field = fmt::format("spec.autoscaling.schedules[{}]", i);
    if (!IsTimeOfDay(schedule.start) || !IsTimeOfDay(schedule.end)) {
      return Bad("InvalidAutoscaling", field, "start and end must be UTC times such as \"07:30\"");
    }
    const int low = schedule.min_replicas.value_or(scaling.min_replicas);
    const int high = schedule.max_replicas.value_or(scaling.max_replicas);
    if (low < 1 || high < low || high > in.policy.replicas_max) {
      return Bad("InvalidAutoscaling", field,
                 fmt::format("needs 1 <= minReplicas <= maxReplicas <= {}, here {} and {}",
                             in.policy.replicas_max, low, high));
    }
  }
  return std::nullopt;
}

Outcome CheckAutoscaling(const CheckInput& in) {
  const EffectiveAutoscaling& scaling = in.effective.autoscaling;
  const bool own_maximum = in.job.spec.autoscaling.max_replicas.has_value();
  if (scaling.min_replicas < 1 || scaling.max_replicas < scaling.min_replicas ||
      (own_maximum && scaling.max_replicas > in.policy.replicas_max)) {
    return Bad("InvalidAutoscaling", "spec.autoscaling",
               fmt::format("needs 1 <= minReplicas <= maxReplicas <= {}", in.policy.replicas_max));
  }
  double target = 0;
  const std::string& text = scaling.target_utilization;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), target);
  if (error != std::errc() || at != text.data() + text.size() || !(target >= 0.1) ||
      !(target <= 0.95)) {
    return Bad("InvalidAutoscaling", "spec.autoscaling.targetUtilization",
               "must be a decimal text between \"0.1\" and \"0.95\"");
  }
  for (const auto& [field, value] :
       {std::pair("spec.autoscaling.catchUp", scaling.catch_up),
        {"spec.autoscaling.scaleUpAfter", scaling.scale_up_after},
        {"spec.autoscaling.scaleDownAfter", scaling.scale_down_after}}) {
    if (value < kScalingTimeMin || value > kScalingTimeMax) {
      return Bad("InvalidAutoscaling", field, "must be between 1s and 24h");
    }
  }
  return CheckSchedules(in);
}

constexpr std::array kChecks{
    Check{"name", CheckName},                    // fits into the names of its children
    Check{"sql", CheckSql},                      // there is exactly one text
    Check{"parallelism", CheckParallelism},      // shards are equal ranges of key groups
    Check{"replicas", CheckReplicas},            // every worker can own something
    Check{"interval", CheckInterval},            // epochs are neither a storm nor an hour apart
    Check{"snapshots", CheckSnapshots},          // not more often than one can be taken
    Check{"location", CheckLocation},            // objects stay below the job's prefix
    Check{"endpoint", CheckEndpoint},            // workers are not sent to forbidden addresses
    Check{"connections", CheckConnections},      // unique, well-formed, harmless properties
    Check{"image", CheckImage},                  // only what the administrator allows
    Check{"priorityClass", CheckPriorityClass},  // likewise
    Check{"podMetadata", CheckPodMetadata},      // nothing of Kubernetes' or ours is overwritten
    Check{"resources", CheckResources},          // quantities the API server will accept
    Check{"autoscaling", CheckAutoscaling},      // bounds that can be met
};

}  // namespace

std::span<const Check> SpecChecks() {
  return kChecks;
}

Findings Validate(const CheckInput& input) {
  Findings findings;
  for (const Check& check : SpecChecks()) {
    if (auto finding = check.run(input)) {
      findings.push_back(std::move(*finding));
    }
  }
  return findings;
}

Findings ValidateChange(const EffectiveSpec& before, const EffectiveSpec& after) {
  Findings findings;
  if (before.max_parallelism != after.max_parallelism) {
    findings.push_back(*Bad(
        "ImmutableField", "spec.maxParallelism",
        fmt::format("cannot change after the first start (it is {})", before.max_parallelism)));
  }
  return findings;
}

bool KafkaPropertyAllowed(std::string_view name) {
  static constexpr std::array<std::string_view, 26> kAllowed{
      "security.protocol",
      "sasl.mechanism",
      "sasl.mechanisms",
      "client.rack",
      "broker.address.family",
      "socket.keepalive.enable",
      "socket.timeout.ms",
      "socket.connection.setup.timeout.ms",
      "connections.max.idle.ms",
      "reconnect.backoff.ms",
      "reconnect.backoff.max.ms",
      "metadata.max.age.ms",
      "fetch.min.bytes",
      "fetch.wait.max.ms",
      "fetch.max.bytes",
      "fetch.message.max.bytes",
      "max.partition.fetch.bytes",
      "queued.min.messages",
      "linger.ms",
      "queue.buffering.max.ms",
      "batch.size",
      "batch.num.messages",
      "compression.type",
      "compression.codec",
      "message.max.bytes",
      "request.timeout.ms",
  };
  return std::find(kAllowed.begin(), kAllowed.end(), name) != kAllowed.end();
}

}  // namespace sj::v1alpha1
