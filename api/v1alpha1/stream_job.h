// SPDX-License-Identifier: Apache-2.0
// StreamJob, group streamjob.io, version v1alpha1: the custom resource as plain data. What the user
// left out is nullopt or empty here; `Effective` (effective.h) fills it in. JSON is read and
// written by stream_job_json.h; crds/bases/streamjobs.yaml knows the same fields (a test compares
// them). Thread-compatible values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/clock.h"

namespace sj::v1alpha1 {

inline constexpr std::string_view kGroup = "streamjob.io";
inline constexpr std::string_view kVersion = "v1alpha1";
inline constexpr std::string_view kApiVersion = "streamjob.io/v1alpha1";
inline constexpr std::string_view kKind = "StreamJob";
inline constexpr std::string_view kPlural = "streamjobs";

using StringMap = std::map<std::string, std::string>;

// The part of metadata the product reads. It never writes any of it but finalizers.
struct ObjectMeta {
  std::string name;
  std::string namespace_name;
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;
  std::optional<base::WallTime> creation_timestamp;
  std::optional<base::WallTime> deletion_timestamp;
  std::vector<std::string> finalizers;
  StringMap labels;
  StringMap annotations;
};

// A JSON object handed on as the user wrote it (compact text); empty: absent.
struct RawObject {
  static constexpr bool kRawJson = true;
  std::string text;
};

struct ConfigMapKeyRef {
  std::string name;
  std::string key;
};
struct SqlFrom {
  ConfigMapKeyRef config_map_key_ref;
};
// A Secret of the job's own namespace. Its content is mounted in the workers, never read by us.
struct SecretRef {
  std::string name;
};

enum class DesiredState : uint8_t { kRunning, kSuspended };

struct CheckpointSpec {
  std::optional<base::Millis> interval;
  std::string location;  // "s3://bucket/prefix" or "file:///path" (one process only)
  std::string endpoint;  // S3 endpoint URL; empty: the region's
  std::string region;
  std::optional<SecretRef> secret_ref;
  std::optional<bool> path_style;
  std::optional<int> retain;  // completed epochs kept besides the last one
};

struct KafkaConnection {
  std::string bootstrap_servers;
  std::optional<SecretRef> secret_ref;
  StringMap properties;  // librdkafka names, allow-listed (checks.h)
};
struct Connection {
  std::string name;  // SQL refers to it by 'connection' = '<name>'
  std::optional<KafkaConnection> kafka;
};

// Quantities stay the user's strings ("500m", "1Gi").
struct Resources {
  StringMap requests;
  StringMap limits;
};
struct Toleration {
  std::string key;
  std::string op;  // "operator": Exists or Equal
  std::string value;
  std::string effect;
  std::optional<int64_t> toleration_seconds;
};
struct TopologySpreadConstraint {
  int max_skew = 1;
  std::string topology_key;
  std::string when_unsatisfiable;
  std::optional<int> min_domains;
  RawObject label_selector;  // empty: the job's workers
};
enum class WorkerLogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

// The only knobs of the pods: an allow list. No containers, volumes, security context or env.
struct WorkerSpec {
  std::string image;  // only from the operator's list
  Resources resources;
  StringMap node_selector;
  std::vector<Toleration> tolerations;
  RawObject affinity;
  std::vector<TopologySpreadConstraint> topology_spread_constraints;
  StringMap labels;
  StringMap annotations;
  std::optional<WorkerLogLevel> log_level;
  std::optional<int> threads;       // task threads; left out: the CPU limit
  std::string priority_class_name;  // only from the operator's list
};

enum class AutoscalingMode : uint8_t { kAuto, kAdvise };
enum class Weekday : uint8_t { kMon, kTue, kWed, kThu, kFri, kSat, kSun };
// Other bounds at certain hours, in UTC. The first schedule that matches the time rules.
struct AutoscalingSchedule {
  std::string name;
  std::vector<Weekday> days;  // on which it starts; empty: every day
  std::string start;          // "HH:MM"
  std::string end;            // "HH:MM"; not after `start`: of the next day
  std::optional<int> min_replicas;
  std::optional<int> max_replicas;
  bool operator==(const AutoscalingSchedule&) const = default;
};
struct AutoscalingSpec {
  std::optional<bool> enabled;
  std::optional<int> min_replicas;
  std::optional<int> max_replicas;
  std::string target_utilization;  // decimal text, "0.7"
  std::optional<base::Millis> catch_up;
  std::optional<AutoscalingMode> mode;
  std::optional<base::Millis> scale_up_after;
  std::optional<base::Millis> scale_down_after;
  std::vector<AutoscalingSchedule> schedules;
};

enum class RollbackMode : uint8_t { kAuto, kOff };
enum class IncompatibleState : uint8_t { kRefuse, kDiscard };
struct RolloutSpec {
  std::optional<RollbackMode> rollback;
  std::optional<base::Millis> stable_after;
  std::optional<IncompatibleState> on_incompatible_state;
};

// What becomes of what lies outside Kubernetes when the job is deleted; left out: it stays.
enum class OnDelete : uint8_t { kRetain, kDelete };
struct DeletionPolicy {
  std::optional<OnDelete> checkpoints;
  std::optional<OnDelete> exchange_topics;
  std::optional<OnDelete> consumer_group;
};

// Snapshots that the operator makes by itself, and how long it keeps those.
struct SnapshotRetain {
  std::optional<int> count;         // the newest completed ones
  std::optional<base::Millis> age;  // older ones go, but never the last one
};
struct SnapshotsSpec {
  std::optional<base::Millis> every;  // left out: none are made
  SnapshotRetain retain;              // both left out: kSnapshotsKept are kept
};
inline constexpr int kSnapshotsKept = 7;

// Where a new job begins. Read before its first generation, and never again.
struct SnapshotName {
  std::string name;
  std::string namespace_name;  // empty: the job's own
};
struct RestoreFrom {
  SnapshotName snapshot;
};

struct StreamJobSpec {
  std::string sql;  // exactly one of sql and sql_from
  std::optional<SqlFrom> sql_from;
  std::optional<int> replicas;
  std::optional<DesiredState> state;
  std::optional<int> max_parallelism;
  std::optional<int> shards;
  CheckpointSpec checkpoint;
  std::vector<Connection> connections;
  WorkerSpec worker;
  AutoscalingSpec autoscaling;
  RolloutSpec rollout;
  std::optional<int64_t> restart_nonce;
  DeletionPolicy deletion_policy;
  SnapshotsSpec snapshots;
  std::optional<RestoreFrom> restore_from;
};

// One word for a column. Decisions use conditions.
enum class Phase : uint8_t {
  kPending,
  kStarting,
  kRunning,
  kSuspending,
  kSuspended,
  kCompleted,
  kFailing,
  kFailed,
  kDeleting,
};
std::string_view ToString(Phase phase);
std::string_view ToString(WorkerLogLevel level);

enum class ConditionStatus : uint8_t { kTrue, kFalse, kUnknown };

inline constexpr std::string_view kReady = "Ready";
inline constexpr std::string_view kReconciling = "Reconciling";
inline constexpr std::string_view kStalled = "Stalled";
inline constexpr std::string_view kCheckpointHealthy = "CheckpointHealthy";
inline constexpr std::string_view kSpecValid = "SpecValid";
// Present only while true, as Reconciling and Stalled are:
inline constexpr std::string_view kRolledBack = "RolledBack";
inline constexpr std::string_view kPaused = "Paused";

// Annotations of a StreamJob. Pause: the value is the reason, for people; while it is set the
// operator begins nothing new. Until: RFC 3339, when the pause ends by itself.
inline constexpr std::string_view kPauseAnnotation = "streamjob.io/pause-reconcile";
inline constexpr std::string_view kPauseUntilAnnotation = "streamjob.io/pause-until";

struct Condition {
  std::string type;
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;  // CamelCase
  std::string message;
  int64_t observed_generation = 0;
  base::WallTime last_transition_time{};  // moves only with `status`
};

enum class GenerationStep : uint8_t { kPrepare, kStarted };

// The generation that goes on while it is handed over.
struct HandOverFrom {
  int64_t number = 0;
  int replicas = 0;
};

// The assignment in force, written under an optimistic lock: see api/control/README.md.
struct GenerationStatus {
  int64_t number = 0;
  GenerationStep step = GenerationStep::kPrepare;
  std::string plan_hash;
  std::string spec_hash;  // what the workers of this generation were started with
  int replicas = 0;
  std::map<std::string, int> partitions;  // source topic -> partition count
  int shards = 0;
  int ordinals_used = 0;  // highest replica count ever used: the ids to fence lie below it
  std::optional<base::WallTime> started_at;
  // Of `partitions`, how many some epoch has committed; empty before every worker committed once.
  // Absent: nobody knows, the status was lost or is of an operator that did not keep it.
  std::optional<std::map<std::string, int>> committed_partitions = {};
  std::optional<HandOverFrom> hand_over = {};  // absent: it is complete, or there was none
};

enum class ChangeVerdict : uint8_t {
  kChecking,   // a running worker was asked
  kAccepted,   // it fits: the workers may be stopped for it
  kRefused,    // it does not: what runs goes on
  kUnchecked,  // nobody could be asked, or the answer did not bind
};
std::string_view ToString(ChangeVerdict verdict);
// An edit of the user's that is not in force yet.
struct ChangeStatus {
  std::string spec_hash;
  std::string change_class;  // "restart", "state-incompatible"
  ChangeVerdict verdict = ChangeVerdict::kChecking;
  std::string reason;  // CamelCase, when refused
  std::string message;
  std::optional<base::WallTime> since;  // of the verdict
};
// The last spec that has proven itself: where a rollback goes.
struct StableStatus {
  std::string spec_hash;
  int64_t generation = 0;
  std::optional<base::WallTime> since;
};
// A spec on its way to being stable; begins anew after a restart or when the lag has grown.
struct TrialStatus {
  int64_t generation = 0;
  std::optional<base::WallTime> since;
  int64_t epoch = 0;
  std::optional<int64_t> lag_records;
  int64_t restarts = 0;
};
// The user's spec did not become ready; the stable one runs instead until the user writes another.
struct RollbackStatus {
  std::string spec_hash;    // that failed
  std::string stable_hash;  // that runs
  int64_t generation = 0;   // that failed
  std::string reason;
  std::string message;
  std::optional<base::WallTime> since;
};

enum class CleanupState : uint8_t {
  kWaiting,   // for the workers to stop
  kRemoving,  // the last worker is at it
  kRemoved,
  kGaveUp,  // something stays: see the message
};
std::string_view ToString(CleanupState state);
// What the deletion removes outside Kubernetes, and how far that is. Absent: nothing.
struct CleanupStatus {
  CleanupState state = CleanupState::kWaiting;
  std::string message;
  std::optional<base::WallTime> since;  // of the state
};

// The snapshot this job began with, as it was found before the first generation.
struct RestoredFrom {
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::string location;
  std::string manifest;  // its name below the location
  std::string sha256;    // of the manifest
  std::optional<base::WallTime> time;
};

struct CheckpointStatus {
  int64_t last_completed_epoch = 0;
  std::optional<base::WallTime> last_completed_time;
  int64_t duration_ms = 0;
  int64_t size_bytes = 0;
  std::string location;
  int consecutive_failures = 0;
};
// Absent in the status while unknown: unknown is never zero.
struct LagStatus {
  int64_t records = 0;
  std::optional<base::WallTime> sampled_at;
};

// What the autoscaler saw: means over its window, rounded. Rates are records per second.
struct AutoscalingInputs {
  int64_t read_rate = 0;
  int64_t arrival_rate = 0;  // what is read and what the lag grows by
  std::optional<int64_t> lag_records;
  std::optional<int64_t> lag_seconds;  // age of the oldest record not yet read, about
  int busy_percent = 0;
  int busiest_percent = 0;  // of the busiest task thread
  int back_pressure_percent = 0;
  int blocked_partitions = 0;  // wait at an open transaction
  std::string hot_partition;   // "topic/3": holds most of the lag
};
// What it made of that, in records per second unless named otherwise.
struct AutoscalingTerms {
  int64_t capacity = 0;  // of the workers there are
  int64_t headroom = 0;  // arrivals over the target utilisation
  int64_t catch_up = 0;  // the lag, gone within catchUp
  int64_t rescale = 0;   // what a rescale's pause adds to that
  int64_t required = 0;
  int64_t rescale_ms = 0;  // the pause: measured, or assumed before the first one
  bool rescale_measured = false;
};
struct ScaleEvent {
  std::optional<base::WallTime> time;
  int from = 0;
  int to = 0;
  std::string reason;    // CamelCase
  bool applied = false;  // false: advised only
  int64_t pause_ms = 0;  // of the switch it caused; 0: not measured
  int64_t capacity = 0;  // of `from` workers, records/s
  int64_t expected = 0;  // of `to` workers
};
inline constexpr size_t kScaleEventsMax = 50;
struct AutoscalingStatus {
  AutoscalingMode mode = AutoscalingMode::kAuto;
  int decision = 0;      // workers wanted, unless spec.replicas says otherwise
  int current = 0;       // of the generation in force
  int recommended = 0;   // what Advise would have Auto do
  int min_replicas = 0;  // the bounds in force now
  int max_replicas = 0;
  std::string veto;     // CamelCase: why nothing changes; empty: nothing has to
  std::string message;  // the same, and every number that matters, in words
  std::optional<AutoscalingInputs> inputs;
  std::optional<AutoscalingTerms> terms;
  std::optional<base::WallTime> next_eligible_time;
  std::optional<base::WallTime> observed_time;
  std::vector<ScaleEvent> history;  // oldest first, of 24 h
};
struct LastError {
  std::optional<base::WallTime> time;
  std::string worker;
  std::string message;
};

// Every knob with its value in force, because the CRD has no defaults.
struct EffectiveCheckpoint {
  base::Millis interval{};
  std::string location;
  std::string endpoint;
  std::string region;
  std::string secret_name;
  bool path_style = false;
  int retain = 0;
};
struct EffectiveAutoscaling {
  bool enabled = false;
  int min_replicas = 1;
  int max_replicas = 1;
  std::string target_utilization;
  base::Millis catch_up{};
  AutoscalingMode mode = AutoscalingMode::kAuto;
  base::Millis scale_up_after{};
  base::Millis scale_down_after{};
  std::vector<AutoscalingSchedule> schedules;
};
struct EffectiveRollout {
  RollbackMode rollback = RollbackMode::kAuto;
  base::Millis stable_after{};
  IncompatibleState on_incompatible_state = IncompatibleState::kRefuse;
};
struct EffectiveSpec {
  int replicas = 1;
  DesiredState state = DesiredState::kRunning;
  int max_parallelism = 128;
  int shards = 16;
  EffectiveCheckpoint checkpoint;
  std::string image;
  Resources resources;
  int threads = 1;
  WorkerLogLevel log_level = WorkerLogLevel::kInfo;
  EffectiveAutoscaling autoscaling;
  EffectiveRollout rollout;
  OnDelete checkpoints_on_delete = OnDelete::kRetain;
  OnDelete exchange_topics_on_delete = OnDelete::kRetain;
  OnDelete consumer_group_on_delete = OnDelete::kRetain;
};

struct StreamJobStatus {
  int64_t observed_generation = 0;
  std::optional<Phase> phase;
  std::vector<Condition> conditions;
  std::optional<GenerationStatus> generation;
  std::optional<CheckpointStatus> checkpoint;
  std::optional<LagStatus> lag;
  std::optional<AutoscalingStatus> autoscaling;  // absent: not enabled
  int64_t restarts = 0;
  int replicas = 0;
  int ready_replicas = 0;
  std::string selector;  // of the scale subresource
  std::optional<EffectiveSpec> effective;
  std::optional<LastError> last_error;
  std::optional<ChangeStatus> change;
  std::optional<StableStatus> stable;
  std::optional<TrialStatus> trial;
  std::optional<RollbackStatus> rollback;
  std::optional<CleanupStatus> cleanup;
  std::optional<RestoredFrom> restored_from;
};

struct StreamJob {
  ObjectMeta metadata;
  StreamJobSpec spec;
  StreamJobStatus status;
};

// The condition of that type, or null. The pointer lives as long as `status` is not changed.
const Condition* FindCondition(const StreamJobStatus& status, std::string_view type);
// Adds or replaces the condition of that type. last_transition_time moves to `now` only when its
// status changes.
void SetCondition(StreamJobStatus& status, Condition condition, base::WallTime now);
// Removes the condition of that type (Reconciling and Stalled are present only while true).
void RemoveCondition(StreamJobStatus& status, std::string_view type);

}  // namespace sj::v1alpha1
