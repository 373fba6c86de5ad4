// SPDX-License-Identifier: Apache-2.0
#include "operator/resources/children.h"

#include <gtest/gtest.h>

#include "api/v1alpha1/manifest_file.h"
#include "api/v1alpha1/stream_job_json.h"
#include "operator/resources/diff.h"
#include "operator/resources/names.h"

namespace sj::op::resources {
namespace {

class ChildrenTest : public ::testing::Test {
 protected:
  ChildrenTest() {
    job_.metadata.name = "orders";
    job_.metadata.namespace_name = "shop";
    job_.metadata.uid = "uid-1";
    job_.spec.sql = sql_;
    job_.spec.checkpoint.secret_ref = v1alpha1::SecretRef{"s3"};
    job_.spec.checkpoint.location = "s3://bucket/prefix";
    v1alpha1::Connection kafka;
    kafka.name = "main";
    kafka.kafka = v1alpha1::KafkaConnection{"kafka:9092", v1alpha1::SecretRef{"kafka-user"}, {}};
    job_.spec.connections = {kafka};
    settings_.control_url = "https://operator:8443";
    settings_.control_ca = "PEM";
  }

  Blueprint Make() {
    effective_ = v1alpha1::Effective(job_.spec, v1alpha1::Defaults{});
    return {job_, effective_, sql_, settings_};
  }
  Json Pod() { return *Find(BuildStatefulSet(Make(), 2), {"spec", "template", "spec"}); }

  v1alpha1::StreamJob job_;
  std::string sql_ = "INSERT INTO a SELECT * FROM b";
  WorkerSettings settings_;
  v1alpha1::EffectiveSpec effective_;
};

TEST_F(ChildrenTest, PodIsRestricted) {
  const Json pod = Pod();
  EXPECT_FALSE(Flag(pod, {"automountServiceAccountToken"}));
  EXPECT_TRUE(Flag(pod, {"securityContext", "runAsNonRoot"}));
  EXPECT_EQ(Number(pod, {"securityContext", "runAsUser"}), 65532);
  EXPECT_EQ(Text(pod, {"securityContext", "seccompProfile", "type"}), "RuntimeDefault");
  for (const char* host : {"hostNetwork", "hostPID", "hostIPC", "initContainers"}) {
    EXPECT_EQ(Find(pod, {host}), nullptr) << host;
  }
  const Json& container = List(pod, {"containers"})[0];
  EXPECT_TRUE(Flag(container, {"securityContext", "readOnlyRootFilesystem"}));
  EXPECT_EQ(*Find(container, {"securityContext", "allowPrivilegeEscalation"}), false);
  EXPECT_EQ(List(container, {"securityContext", "capabilities", "drop"}), Json::array({"ALL"}));
  for (const Json& volume : List(pod, {"volumes"})) {
    EXPECT_EQ(Find(volume, {"hostPath"}), nullptr);
  }
}

TEST_F(ChildrenTest, TheWorkerLogsAtTheLevelOfTheSpec) {
  for (const char* level : {"info", "debug"}) {
    if (level == std::string("debug")) {
      job_.spec.worker.log_level = v1alpha1::WorkerLogLevel::kDebug;
    }
    const Json pod = Pod();
    const Json& command = List(List(pod, {"containers"})[0], {"command"});
    const auto flag = std::find(command.begin(), command.end(), "--log-level");
    ASSERT_NE(flag, command.end());
    EXPECT_EQ(*(flag + 1), level);
    EXPECT_EQ(*(flag + 2), "serve");  // an option of the program, not of the command
  }
}

TEST_F(ChildrenTest, SecretsAreFilesNeverVariables) {
  const Json pod = Pod();
  const Json& container = List(pod, {"containers"})[0];
  for (const Json& env : List(container, {"env"})) {
    EXPECT_EQ(Find(env, {"valueFrom", "secretKeyRef"}), nullptr);
  }
  EXPECT_EQ(Find(container, {"envFrom"}), nullptr);
  std::vector<std::string> mounted;
  for (const Json& mount : List(container, {"volumeMounts"})) {
    mounted.push_back(Text(mount, {"mountPath"}));
  }
  EXPECT_NE(std::find(mounted.begin(), mounted.end(), "/run/streamjob/secrets/s3"), mounted.end());
  EXPECT_NE(std::find(mounted.begin(), mounted.end(), "/run/streamjob/secrets/kafka-user"),
            mounted.end());
}

TEST_F(ChildrenTest, TokenIsForOurAudienceOnly) {
  const Json pod = Pod();
  for (const Json& volume : List(pod, {"volumes"})) {
    for (const Json& source : List(volume, {"projected", "sources"})) {
      EXPECT_EQ(Text(source, {"serviceAccountToken", "audience"}), "streamjob-control");
      EXPECT_EQ(Number(source, {"serviceAccountToken", "expirationSeconds"}), 3600);
    }
  }
}

TEST_F(ChildrenTest, EverythingBelongsToTheJob) {
  const Blueprint blueprint = Make();
  for (const Json& object :
       {BuildServiceAccount(blueprint), BuildConfigMap(blueprint), BuildService(blueprint),
        BuildPodDisruptionBudget(blueprint), BuildStatefulSet(blueprint, 1)}) {
    EXPECT_EQ(ControllerUid(object), "uid-1") << Text(object, {"kind"});
    EXPECT_EQ(Text(object, {"metadata", "labels", "app.kubernetes.io/managed-by"}), kManagedBy);
    EXPECT_FALSE(Annotation(object, kAppliedAnnotation).empty());
  }
}

TEST_F(ChildrenTest, WorkerReadsTheSameHashFromItsManifest) {
  const Blueprint blueprint = Make();
  const Json map = BuildConfigMap(blueprint);
  auto read = v1alpha1::ReadManifest(Text(map, {"data", "job.yaml"}), "job.yaml");
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(v1alpha1::SpecHash(read->spec), ManifestHash(blueprint));
  EXPECT_EQ(read->metadata.uid, "uid-1");
  EXPECT_EQ(read->spec.sql, sql_);
}

TEST_F(ChildrenTest, HashFollowsWhatWorkersSee) {
  const std::string before = ManifestHash(Make());
  job_.spec.replicas = 7;
  job_.spec.state = v1alpha1::DesiredState::kSuspended;
  EXPECT_EQ(ManifestHash(Make()), before);
  job_.spec.restart_nonce = 1;
  const std::string restarted = ManifestHash(Make());
  EXPECT_NE(restarted, before);
  sql_ += " WHERE x > 1";
  EXPECT_NE(ManifestHash(Make()), restarted);
}

TEST_F(ChildrenTest, RescaleChangesReplicasAndNothingElse) {
  EXPECT_EQ(FirstDifference(BuildStatefulSet(Make(), 2), BuildStatefulSet(Make(), 3)),
            "spec.replicas: 3, want 2");
}

TEST_F(ChildrenTest, AWorkerLeavesADeadNodeSoonUnlessTheUserTolerates) {
  const auto tolerations = [&] { return *Find(Pod(), {"tolerations"}); };
  const auto ours = [](const char* taint) {
    return Json{{"key", taint},
                {"operator", "Exists"},
                {"effect", "NoExecute"},
                {"tolerationSeconds", kNodeLostSeconds}};
  };
  const Json not_ready = ours("node.kubernetes.io/not-ready");
  const Json unreachable = ours("node.kubernetes.io/unreachable");
  EXPECT_EQ(tolerations(), Json::array({not_ready, unreachable}));
  v1alpha1::Toleration mine;
  mine.key = "node.kubernetes.io/unreachable";
  mine.op = "Exists";
  mine.toleration_seconds = 900;
  job_.spec.worker.tolerations = {mine};
  const Json with_mine = tolerations();
  ASSERT_EQ(with_mine.size(), 2u);
  EXPECT_EQ(with_mine[0]["tolerationSeconds"], 900);
  EXPECT_EQ(with_mine[1], not_ready);
  mine = {};
  mine.op = "Exists";  // everything
  job_.spec.worker.tolerations = {mine};
  EXPECT_EQ(tolerations().size(), 1u);
}

TEST_F(ChildrenTest, UsersLabelsCannotReplaceOurs) {
  job_.spec.worker.labels = {{"app.kubernetes.io/component", "x"}, {"team", "shop"}};
  const Json set = BuildStatefulSet(Make(), 1);
  const Json& labels = *Find(set, {"spec", "template", "metadata", "labels"});
  EXPECT_EQ(Text(labels, {"app.kubernetes.io/component"}), "worker");
  EXPECT_EQ(Text(labels, {"team"}), "shop");
}

}  // namespace
}  // namespace sj::op::resources
