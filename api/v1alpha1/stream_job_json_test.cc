// SPDX-License-Identifier: Apache-2.0
// Reading strictly, writing deterministically, and what a finding says.
#include "api/v1alpha1/stream_job_json.h"

#include <gtest/gtest.h>

namespace sj::v1alpha1 {
namespace {

using base::Json;

constexpr std::string_view kFull = R"(
apiVersion: streamjob.io/v1alpha1
kind: StreamJob
metadata:
  name: j
  namespace: shop
  uid: u-1
  resourceVersion: "12"
  generation: 3
  deletionTimestamp: "2026-01-02T03:04:05Z"
  finalizers: [streamjob.io/cleanup]
  annotations: {a: b}
  managedFields: [{manager: kubectl}]
spec:
  sql: INSERT INTO t SELECT 1
  replicas: 2
  state: Suspended
  maxParallelism: 64
  shards: 8
  checkpoint: {interval: 1500ms, location: s3://b/p, endpoint: 'http://s3:9000',
               region: r, secretRef: {name: s}, pathStyle: true, retain: 5}
  connections:
    - {name: main, kafka: {bootstrapServers: 'kafka:9092', secretRef: {name: k},
                           properties: {linger.ms: "5"}}}
  worker:
    image: i
    resources: {requests: {cpu: 2, memory: 1Gi}, limits: {memory: 1Gi}}
    nodeSelector: {disk: ssd}
    tolerations: [{key: k, operator: Exists, effect: NoSchedule, tolerationSeconds: 30}]
    affinity: {nodeAffinity: {x: [1, 2]}}
    topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
    labels: {team: a}
    annotations: {note: b}
    logLevel: debug
    threads: 3
    priorityClassName: high
  autoscaling: {enabled: true, minReplicas: 1, maxReplicas: 8,
                targetUtilization: "0.7", catchUp: 10m, mode: Advise}
  rollout: {rollback: Auto, stableAfter: 2m, onIncompatibleState: Refuse}
  restartNonce: 7
  deletionPolicy: {checkpoints: Delete, exchangeTopics: Delete, consumerGroup: Retain}
  snapshots: {every: 6h, retain: {count: 7, age: 5h}}
  restoreFrom: {snapshot: {name: kept, namespace: bank}}
)";

Json Yaml(std::string_view text) {
  const auto json = base::ParseYaml(text);
  EXPECT_TRUE(json.ok()) << json.status().ToString();
  return *json;
}

std::string FindingsOf(const std::string& spec) {
  return JoinFindings(ReadStreamJob(Yaml("spec: " + spec)).findings);
}

TEST(StreamJobJson, ReadsEveryField) {
  const auto job = ParseStreamJob(Yaml(kFull));
  ASSERT_TRUE(job.ok()) << job.status().ToString();
  EXPECT_EQ(job->metadata.namespace_name, "shop");
  EXPECT_EQ(job->metadata.generation, 3);
  EXPECT_TRUE(job->metadata.deletion_timestamp.has_value());
  EXPECT_EQ(job->spec.checkpoint.interval, base::Millis(1500));
  EXPECT_EQ(job->spec.checkpoint.secret_ref->name, "s");
  EXPECT_EQ(job->spec.connections[0].kafka->properties.at("linger.ms"), "5");
  EXPECT_EQ(job->spec.worker.resources.requests.at("cpu"), "2");
  EXPECT_EQ(job->spec.worker.tolerations[0].op, "Exists");
  EXPECT_EQ(job->spec.worker.affinity.text, R"({"nodeAffinity":{"x":[1,2]}})");
  EXPECT_EQ(job->spec.autoscaling.mode, AutoscalingMode::kAdvise);
  EXPECT_EQ(job->spec.restart_nonce, 7);
}

TEST(StreamJobJson, SpecSurvivesTheRoundTrip) {
  const Json full = Yaml(kFull);
  const auto job = ParseStreamJob(full);
  Json expected = full["spec"];
  expected["worker"]["resources"]["requests"]["cpu"] = "2";
  expected["checkpoint"]["interval"] = "1s500ms";
  EXPECT_EQ(base::DumpJson(SpecToJson(job->spec)), base::DumpJson(expected));
}

TEST(StreamJobJson, FindingsNameThePath) {
  EXPECT_EQ(FindingsOf("{sql: a, relicas: 2}"), "spec.relicas: unknown field");
  EXPECT_EQ(FindingsOf("{replicas: two}"), "spec.replicas: expected an integer, found \"two\"");
  EXPECT_EQ(FindingsOf("{replicas: 99999999999}"), "spec.replicas: the number is too large");
  EXPECT_EQ(FindingsOf("{replicas: 1.5}"), "spec.replicas: expected an integer, found a number");
  EXPECT_EQ(FindingsOf("{checkpoint: {interval: 5}}"),
            "spec.checkpoint.interval: expected a duration such as \"1s\", found a number");
  EXPECT_EQ(FindingsOf("{state: Paused}"),
            "spec.state: expected one of Running, Suspended, found \"Paused\"");
  EXPECT_EQ(FindingsOf("{deletionPolicy: {consumerGroup: Remove}}"),
            "spec.deletionPolicy.consumerGroup: expected one of Retain, Delete, found \"Remove\"");
  EXPECT_EQ(FindingsOf("{connections: [{kafka: {bootstrapServers: a, topic: x}}]}"),
            "spec.connections[0].name: is required; "
            "spec.connections[0].kafka.topic: unknown field");
  EXPECT_EQ(FindingsOf("[]"), "spec: expected an object, found a list");
  EXPECT_EQ(FindingsOf("{worker: {affinity: x}}"),
            "spec.worker.affinity: expected an object, found \"x\"");
  EXPECT_EQ(FindingsOf("{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1}"),
            "spec.a: unknown field; spec.b: unknown field; spec.c: unknown field; "
            "spec.d: unknown field; spec.e: unknown field; and 2 more");
}

TEST(StreamJobJson, WrongKindAndUnknownTopLevel) {
  EXPECT_EQ(JoinFindings(ReadStreamJob(Yaml("{kind: Job, specs: {}}")).findings),
            "kind: expected \"StreamJob\"; specs: unknown field");
  EXPECT_FALSE(ParseStreamJob(Json(3)).ok());
}

TEST(StreamJobJson, ABadSpecStillGivesMetadataAndStatus) {
  const ReadStreamJobResult read = ReadStreamJob(
      Yaml("{metadata: {name: j, uid: u}, spec: {nope: 1}, status: {observedGeneration: 4}}"));
  EXPECT_EQ(read.findings.size(), 1u);
  EXPECT_EQ(read.job.metadata.uid, "u");
  EXPECT_EQ(read.job.status.observed_generation, 4);
}

TEST(StreamJobJson, StatusFromANewerVersionIsTolerated) {
  const auto job = ParseStreamJob(
      Yaml("{status: {phase: Hibernating, future: 1, generation: {number: 3, mode: x}}}"));
  ASSERT_TRUE(job.ok()) << job.status().ToString();
  EXPECT_EQ(job->status.generation->number, 3);
}

StreamJobStatus FullStatus() {
  StreamJobStatus status;
  status.observed_generation = 2;
  status.phase = Phase::kRunning;
  SetCondition(status, {"Ready", ConditionStatus::kTrue, "Running", "all good", 2, {}},
               base::WallTime(base::Millis(1'767'323'045'000)));
  status.generation = GenerationStatus{5,
                                       GenerationStep::kStarted,
                                       "p",
                                       "s",
                                       2,
                                       {{"t", 6}},
                                       16,
                                       3,
                                       base::WallTime(base::Millis(1'767'323'045'000))};
  status.checkpoint = CheckpointStatus{9, std::nullopt, 12, 3456, "s3://b/p", 0};
  status.lag = LagStatus{0, std::nullopt};
  status.effective = EffectiveSpec{};
  status.last_error = LastError{std::nullopt, "j-worker-0", "boom"};
  return status;
}

TEST(StreamJobJson, StatusSurvivesTheRoundTrip) {
  const Json json = StatusToJson(FullStatus());
  EXPECT_EQ(json["conditions"][0]["lastTransitionTime"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(json["lag"]["records"], 0);
  EXPECT_EQ(json["generation"]["partitions"]["t"], 6);
  Json object = Json::object();
  object["status"] = json;
  EXPECT_EQ(base::DumpJson(StatusToJson(ParseStreamJob(object)->status)), base::DumpJson(json));
}

// The schema of the version before drops what it does not know. What is read back must not look
// changed, or each look would write the status again.
TEST(StreamJobJson, AnOlderSchemaMakesNoDifferenceToAStatus) {
  const Json written = StatusToJson(FullStatus());
  Json object = Json::object();
  object["status"] = written;
  object["status"]["effective"].erase("exchangeTopicsOnDelete");
  object["status"]["effective"].erase("consumerGroupOnDelete");
  EXPECT_EQ(base::DumpJson(StatusToJson(ParseStreamJob(object)->status)), base::DumpJson(written));
}

TEST(StreamJobJson, StatusTextsAreCutToTheSchema) {
  StreamJobStatus status;
  SetCondition(status,
               {"Ready", ConditionStatus::kFalse, "R", std::string(4095, 'x') + "\u00e4y", 1, {}},
               {});
  const std::string message = StatusToJson(status)["conditions"][0]["message"];
  EXPECT_EQ(message, std::string(4095, 'x'));
}

TEST(StreamJobJson, SpecHashIgnoresWhatNeedsNoRestart) {
  StreamJobSpec spec;
  spec.sql = "a";
  const std::string hash = SpecHash(spec);
  EXPECT_EQ(hash.size(), 16u);
  StreamJobSpec scaled = spec;
  scaled.replicas = 9;
  scaled.state = DesiredState::kSuspended;
  scaled.autoscaling.enabled = true;
  EXPECT_EQ(SpecHash(scaled), hash);
  StreamJobSpec restarted = spec;
  restarted.restart_nonce = 1;
  EXPECT_NE(SpecHash(restarted), hash);
  StreamJobSpec changed = spec;
  changed.sql = "b";
  EXPECT_NE(SpecHash(changed), hash);
}

// The stored status has to tell them apart too: the operator reads back what it wrote.
TEST(Status, NothingCommittedIsNotUnknown) {
  for (const std::optional<std::map<std::string, int>>& committed :
       {std::optional<std::map<std::string, int>>(),
        std::make_optional(std::map<std::string, int>()),
        std::make_optional(std::map<std::string, int>{{"a", 4}})}) {
    StreamJobStatus status;
    status.generation.emplace().committed_partitions = committed;
    Json object = Yaml(kFull);
    object["status"] = StatusToJson(status);
    const StreamJobStatus read = ReadStreamJob(object).job.status;
    ASSERT_TRUE(read.generation.has_value());
    EXPECT_EQ(read.generation->committed_partitions, committed);
  }
}

TEST(Conditions, TransitionTimeMovesOnlyWithTheStatus) {
  StreamJobStatus status;
  const base::WallTime t1(base::Millis(1000));
  const base::WallTime t2(base::Millis(2000));
  SetCondition(status, {"Ready", ConditionStatus::kFalse, "A", "", 1, {}}, t1);
  SetCondition(status, {"Ready", ConditionStatus::kFalse, "B", "", 2, {}}, t2);
  EXPECT_EQ(FindCondition(status, kReady)->last_transition_time, t1);
  EXPECT_EQ(FindCondition(status, kReady)->reason, "B");
  SetCondition(status, {"Ready", ConditionStatus::kTrue, "C", "", 2, {}}, t2);
  EXPECT_EQ(FindCondition(status, kReady)->last_transition_time, t2);
  RemoveCondition(status, kReady);
  EXPECT_EQ(FindCondition(status, kReady), nullptr);
}

}  // namespace
}  // namespace sj::v1alpha1
