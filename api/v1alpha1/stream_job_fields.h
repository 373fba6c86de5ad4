// SPDX-License-Identifier: Apache-2.0
// The field lists of StreamJob: the one place that ties C++ members to JSON names. The CRD's schema
// must know exactly these (crd_schema_test.cc). Included by this folder's sources and tests only.
#pragma once

#include <array>
#include <span>

#include "api/base/json_fields.h"
#include "api/v1alpha1/restore_fields.h"
#include "api/v1alpha1/stream_job.h"

namespace sj::v1alpha1 {

inline std::span<const base::EnumName<DesiredState>> EnumNames(DesiredState) {
  static constexpr std::array<base::EnumName<DesiredState>, 2> kNames{
      {{DesiredState::kRunning, "Running"}, {DesiredState::kSuspended, "Suspended"}}};
  return kNames;
}

inline std::span<const base::EnumName<WorkerLogLevel>> EnumNames(WorkerLogLevel) {
  static constexpr std::array<base::EnumName<WorkerLogLevel>, 4> kNames{
      {{WorkerLogLevel::kDebug, "debug"},
       {WorkerLogLevel::kInfo, "info"},
       {WorkerLogLevel::kWarn, "warn"},
       {WorkerLogLevel::kError, "error"}}};
  return kNames;
}

inline std::span<const base::EnumName<AutoscalingMode>> EnumNames(AutoscalingMode) {
  static constexpr std::array<base::EnumName<AutoscalingMode>, 2> kNames{
      {{AutoscalingMode::kAuto, "Auto"}, {AutoscalingMode::kAdvise, "Advise"}}};
  return kNames;
}

inline std::span<const base::EnumName<Weekday>> EnumNames(Weekday) {
  static constexpr std::array<base::EnumName<Weekday>, 7> kNames{{{Weekday::kMon, "Mon"},
                                                                  {Weekday::kTue, "Tue"},
                                                                  {Weekday::kWed, "Wed"},
                                                                  {Weekday::kThu, "Thu"},
                                                                  {Weekday::kFri, "Fri"},
                                                                  {Weekday::kSat, "Sat"},
                                                                  {Weekday::kSun, "Sun"}}};
  return kNames;
}

inline std::span<const base::EnumName<RollbackMode>> EnumNames(RollbackMode) {
  static constexpr std::array<base::EnumName<RollbackMode>, 2> kNames{
      {{RollbackMode::kAuto, "Auto"}, {RollbackMode::kOff, "Off"}}};
  return kNames;
}

inline std::span<const base::EnumName<IncompatibleState>> EnumNames(IncompatibleState) {
  static constexpr std::array<base::EnumName<IncompatibleState>, 2> kNames{
      {{IncompatibleState::kRefuse, "Refuse"}, {IncompatibleState::kDiscard, "Discard"}}};
  return kNames;
}

inline std::span<const base::EnumName<ChangeVerdict>> EnumNames(ChangeVerdict) {
  static constexpr std::array<base::EnumName<ChangeVerdict>, 4> kNames{
      {{ChangeVerdict::kChecking, "Checking"},
       {ChangeVerdict::kAccepted, "Accepted"},
       {ChangeVerdict::kRefused, "Refused"},
       {ChangeVerdict::kUnchecked, "Unchecked"}}};
  return kNames;
}

inline std::span<const base::EnumName<OnDelete>> EnumNames(OnDelete) {
  static constexpr std::array<base::EnumName<OnDelete>, 2> kNames{
      {{OnDelete::kRetain, "Retain"}, {OnDelete::kDelete, "Delete"}}};
  return kNames;
}

inline std::span<const base::EnumName<CleanupState>> EnumNames(CleanupState) {
  static constexpr std::array<base::EnumName<CleanupState>, 4> kNames{
      {{CleanupState::kWaiting, "Waiting"},
       {CleanupState::kRemoving, "Removing"},
       {CleanupState::kRemoved, "Removed"},
       {CleanupState::kGaveUp, "GaveUp"}}};
  return kNames;
}

inline std::span<const base::EnumName<Phase>> EnumNames(Phase) {
  static constexpr std::array<base::EnumName<Phase>, 9> kNames{{{Phase::kPending, "Pending"},
                                                                {Phase::kStarting, "Starting"},
                                                                {Phase::kRunning, "Running"},
                                                                {Phase::kSuspending, "Suspending"},
                                                                {Phase::kSuspended, "Suspended"},
                                                                {Phase::kCompleted, "Completed"},
                                                                {Phase::kFailing, "Failing"},
                                                                {Phase::kFailed, "Failed"},
                                                                {Phase::kDeleting, "Deleting"}}};
  return kNames;
}

inline std::span<const base::EnumName<ConditionStatus>> EnumNames(ConditionStatus) {
  static constexpr std::array<base::EnumName<ConditionStatus>, 3> kNames{
      {{ConditionStatus::kTrue, "True"},
       {ConditionStatus::kFalse, "False"},
       {ConditionStatus::kUnknown, "Unknown"}}};
  return kNames;
}

inline std::span<const base::EnumName<GenerationStep>> EnumNames(GenerationStep) {
  static constexpr std::array<base::EnumName<GenerationStep>, 2> kNames{
      {{GenerationStep::kPrepare, "Prepare"}, {GenerationStep::kStarted, "Started"}}};
  return kNames;
}

template <typename V>
void Fields(V& v, ObjectMeta& s) {
  v("name", s.name);
  v("namespace", s.namespace_name);
  v("uid", s.uid);
  v("resourceVersion", s.resource_version);
  v("generation", s.generation);
  v("creationTimestamp", s.creation_timestamp);
  v("deletionTimestamp", s.deletion_timestamp);
  v("finalizers", s.finalizers);
  v("labels", s.labels);
  v("annotations", s.annotations);
}

template <typename V>
void Fields(V& v, ConfigMapKeyRef& s) {
  v("name", s.name, Need::kRequired);
  v("key", s.key, Need::kRequired);
}

template <typename V>
void Fields(V& v, SqlFrom& s) {
  v("configMapKeyRef", s.config_map_key_ref, Need::kRequired);
}

template <typename V>
void Fields(V& v, SecretRef& s) {
  v("name", s.name, Need::kRequired);
}

template <typename V>
void Fields(V& v, CheckpointSpec& s) {
  v("interval", s.interval);
  v("location", s.location);
  v("endpoint", s.endpoint);
  v("region", s.region);
  v("secretRef", s.secret_ref);
  v("pathStyle", s.path_style);
  v("retain", s.retain);
}

template <typename V>
void Fields(V& v, KafkaConnection& s) {
  v("bootstrapServers", s.bootstrap_servers, Need::kRequired);
  v("secretRef", s.secret_ref);
  v("properties", s.properties);
}

template <typename V>
void Fields(V& v, Connection& s) {
  v("name", s.name, Need::kRequired);
  v("kafka", s.kafka);
}

template <typename V>
void Fields(V& v, Resources& s) {
  v.Quantities("requests", s.requests);
  v.Quantities("limits", s.limits);
}

template <typename V>
void Fields(V& v, Toleration& s) {
  v("key", s.key);
  v("operator", s.op);
  v("value", s.value);
  v("effect", s.effect);
  v("tolerationSeconds", s.toleration_seconds);
}

template <typename V>
void Fields(V& v, TopologySpreadConstraint& s) {
  v("maxSkew", s.max_skew, Need::kRequired);
  v("topologyKey", s.topology_key, Need::kRequired);
  v("whenUnsatisfiable", s.when_unsatisfiable, Need::kRequired);
  v("minDomains", s.min_domains);
  v("labelSelector", s.label_selector);
}

template <typename V>
void Fields(V& v, WorkerSpec& s) {
  v("image", s.image);
  v("resources", s.resources);
  v("nodeSelector", s.node_selector);
  v("tolerations", s.tolerations);
  v("affinity", s.affinity);
  v("topologySpreadConstraints", s.topology_spread_constraints);
  v("labels", s.labels);
  v("annotations", s.annotations);
  v("logLevel", s.log_level);
  v("threads", s.threads);
  v("priorityClassName", s.priority_class_name);
}

template <typename V>
void Fields(V& v, AutoscalingSchedule& s) {
  v("name", s.name);
  v("days", s.days);
  v("start", s.start, Need::kRequired);
  v("end", s.end, Need::kRequired);
  v("minReplicas", s.min_replicas);
  v("maxReplicas", s.max_replicas);
}

template <typename V>
void Fields(V& v, AutoscalingSpec& s) {
  v("enabled", s.enabled);
  v("minReplicas", s.min_replicas);
  v("maxReplicas", s.max_replicas);
  v("targetUtilization", s.target_utilization);
  v("catchUp", s.catch_up);
  v("mode", s.mode);
  v("scaleUpAfter", s.scale_up_after);
  v("scaleDownAfter", s.scale_down_after);
  v("schedules", s.schedules);
}

template <typename V>
void Fields(V& v, RolloutSpec& s) {
  v("rollback", s.rollback);
  v("stableAfter", s.stable_after);
  v("onIncompatibleState", s.on_incompatible_state);
}

template <typename V>
void Fields(V& v, DeletionPolicy& s) {
  v("checkpoints", s.checkpoints);
  v("exchangeTopics", s.exchange_topics);
  v("consumerGroup", s.consumer_group);
}

template <typename V>
void Fields(V& v, StreamJobSpec& s) {
  v("sql", s.sql);
  v("sqlFrom", s.sql_from);
  v("replicas", s.replicas);
  v("state", s.state);
  v("maxParallelism", s.max_parallelism);
  v("shards", s.shards);
  v("checkpoint", s.checkpoint);
  v("connections", s.connections);
  v("worker", s.worker);
  v("autoscaling", s.autoscaling);
  v("rollout", s.rollout);
  v("restartNonce", s.restart_nonce);
  v("deletionPolicy", s.deletion_policy);
  v("snapshots", s.snapshots);
  v("restoreFrom", s.restore_from);
}

template <typename V>
void Fields(V& v, Condition& s) {
  v("type", s.type, Need::kRequired);
  v("status", s.status, Need::kRequired);
  v("reason", s.reason);
  v("message", s.message);
  v("observedGeneration", s.observed_generation);
  v("lastTransitionTime", s.last_transition_time);
}

template <typename V>
void Fields(V& v, HandOverFrom& s) {
  v("number", s.number);
  v("replicas", s.replicas);
}

template <typename V>
void Fields(V& v, GenerationStatus& s) {
  v("number", s.number);
  v("step", s.step);
  v("planHash", s.plan_hash);
  v("specHash", s.spec_hash);
  v("replicas", s.replicas);
  v("partitions", s.partitions);
  v("committedPartitions", s.committed_partitions);
  v("shards", s.shards);
  v("ordinalsUsed", s.ordinals_used);
  v("startedAt", s.started_at);
  v("handOver", s.hand_over);
}

template <typename V>
void Fields(V& v, CleanupStatus& s) {
  v("state", s.state);
  v("message", s.message);
  v("since", s.since);
}

template <typename V>
void Fields(V& v, CheckpointStatus& s) {
  v("lastCompletedEpoch", s.last_completed_epoch);
  v("lastCompletedTime", s.last_completed_time);
  v("durationMs", s.duration_ms);
  v("sizeBytes", s.size_bytes);
  v("location", s.location);
  v("consecutiveFailures", s.consecutive_failures);
}

template <typename V>
void Fields(V& v, LagStatus& s) {
  v("records", s.records);
  v("sampledAt", s.sampled_at);
}

template <typename V>
void Fields(V& v, AutoscalingInputs& s) {
  v("readRate", s.read_rate);
  v("arrivalRate", s.arrival_rate);
  v("lagRecords", s.lag_records);
  v("lagSeconds", s.lag_seconds);
  v("busyPercent", s.busy_percent);
  v("busiestPercent", s.busiest_percent);
  v("backPressurePercent", s.back_pressure_percent);
  v("blockedPartitions", s.blocked_partitions);
  v("hotPartition", s.hot_partition);
}

template <typename V>
void Fields(V& v, AutoscalingTerms& s) {
  v("capacity", s.capacity);
  v("headroom", s.headroom);
  v("catchUp", s.catch_up);
  v("rescale", s.rescale);
  v("required", s.required);
  v("rescaleMs", s.rescale_ms);
  v("rescaleMeasured", s.rescale_measured);
}

template <typename V>
void Fields(V& v, ScaleEvent& s) {
  v("time", s.time);
  v("from", s.from);
  v("to", s.to);
  v("reason", s.reason);
  v("applied", s.applied);
  v("pauseMs", s.pause_ms);
  v("capacity", s.capacity);
  v("expected", s.expected);
}

template <typename V>
void Fields(V& v, AutoscalingStatus& s) {
  v("mode", s.mode);
  v("decision", s.decision);
  v("current", s.current);
  v("recommended", s.recommended);
  v("minReplicas", s.min_replicas);
  v("maxReplicas", s.max_replicas);
  v("veto", s.veto);
  v("message", s.message);
  v("inputs", s.inputs);
  v("terms", s.terms);
  v("nextEligibleTime", s.next_eligible_time);
  v("observedTime", s.observed_time);
  v("history", s.history);
}

template <typename V>
void Fields(V& v, LastError& s) {
  v("time", s.time);
  v("worker", s.worker);
  v("message", s.message);
}

template <typename V>
void Fields(V& v, ChangeStatus& s) {
  v("specHash", s.spec_hash);
  v("class", s.change_class);
  v("verdict", s.verdict);
  v("reason", s.reason);
  v("message", s.message);
  v("since", s.since);
}

template <typename V>
void Fields(V& v, StableStatus& s) {
  v("specHash", s.spec_hash);
  v("generation", s.generation);
  v("since", s.since);
}

template <typename V>
void Fields(V& v, TrialStatus& s) {
  v("generation", s.generation);
  v("since", s.since);
  v("epoch", s.epoch);
  v("lagRecords", s.lag_records);
  v("restarts", s.restarts);
}

template <typename V>
void Fields(V& v, RollbackStatus& s) {
  v("specHash", s.spec_hash);
  v("stableHash", s.stable_hash);
  v("generation", s.generation);
  v("reason", s.reason);
  v("message", s.message);
  v("since", s.since);
}

template <typename V>
void Fields(V& v, EffectiveCheckpoint& s) {
  v("interval", s.interval);
  v("location", s.location);
  v("endpoint", s.endpoint);
  v("region", s.region);
  v("secretName", s.secret_name);
  v("pathStyle", s.path_style);
  v("retain", s.retain);
}

template <typename V>
void Fields(V& v, EffectiveAutoscaling& s) {
  v("enabled", s.enabled);
  v("minReplicas", s.min_replicas);
  v("maxReplicas", s.max_replicas);
  v("targetUtilization", s.target_utilization);
  v("catchUp", s.catch_up);
  v("mode", s.mode);
  v("scaleUpAfter", s.scale_up_after);
  v("scaleDownAfter", s.scale_down_after);
  v("schedules", s.schedules);
}

template <typename V>
void Fields(V& v, EffectiveRollout& s) {
  v("rollback", s.rollback);
  v("stableAfter", s.stable_after);
  v("onIncompatibleState", s.on_incompatible_state);
}

template <typename V>
void Fields(V& v, EffectiveSpec& s) {
  v("replicas", s.replicas);
  v("state", s.state);
  v("maxParallelism", s.max_parallelism);
  v("shards", s.shards);
  v("checkpoint", s.checkpoint);
  v("image", s.image);
  v("resources", s.resources);
  v("threads", s.threads);
  v("logLevel", s.log_level);
  v("autoscaling", s.autoscaling);
  v("rollout", s.rollout);
  v("checkpointsOnDelete", s.checkpoints_on_delete);
  v("exchangeTopicsOnDelete", s.exchange_topics_on_delete);
  v("consumerGroupOnDelete", s.consumer_group_on_delete);
}

template <typename V>
void Fields(V& v, StreamJobStatus& s) {
  v("observedGeneration", s.observed_generation);
  v("phase", s.phase);
  v("conditions", s.conditions);
  v("generation", s.generation);
  v("checkpoint", s.checkpoint);
  v("lag", s.lag);
  v("autoscaling", s.autoscaling);
  v("restarts", s.restarts);
  v("replicas", s.replicas);
  v("readyReplicas", s.ready_replicas);
  v("selector", s.selector);
  v("effective", s.effective);
  v("lastError", s.last_error);
  v("change", s.change);
  v("stable", s.stable);
  v("trial", s.trial);
  v("rollback", s.rollback);
  v("cleanup", s.cleanup);
  v("restoredFrom", s.restored_from);
}

}  // namespace sj::v1alpha1
