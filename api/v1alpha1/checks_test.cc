// SPDX-License-Identifier: Apache-2.0
// Each check: a manifest in, a reason out.
#include "api/v1alpha1/checks.h"

#include <gtest/gtest.h>

#include "api/v1alpha1/effective.h"

namespace sj::v1alpha1 {
namespace {

StreamJob Good() {
  StreamJob job;
  job.metadata.name = "purchases";
  job.spec.sql = "INSERT INTO a SELECT 1";
  job.spec.checkpoint.location = "s3://bucket/prefix";
  return job;
}

Findings Check(const StreamJob& job, const Policy& policy = {}) {
  const EffectiveSpec effective = Effective(job.spec, {});
  return Validate({job, effective, policy});
}

// The reason and field of the only finding, or how many there are.
std::string Reason(const std::function<void(StreamJob&)>& spoil, const Policy& policy = {}) {
  StreamJob job = Good();
  spoil(job);
  const Findings findings = Check(job, policy);
  if (findings.size() != 1) {
    return std::to_string(findings.size()) + " findings: " + JoinFindings(findings);
  }
  EXPECT_TRUE(findings[0].message.starts_with(findings[0].field + ": ")) << findings[0].message;
  return findings[0].reason + " " + findings[0].field;
}

TEST(Checks, AGoodJobHasNoFindings) {
  EXPECT_EQ(JoinFindings(Check(Good())), "");
}

TEST(Checks, NameAndSql) {
  EXPECT_EQ(Reason([](auto& j) { j.metadata.name = std::string(46, 'a'); }),
            "InvalidName metadata.name");
  EXPECT_EQ(Reason([](auto& j) { j.metadata.name = "a.b"; }), "InvalidName metadata.name");
  EXPECT_EQ(Reason([](auto& j) { j.spec.sql = ""; }), "InvalidSql spec.sql");
  EXPECT_EQ(Reason([](auto& j) { j.spec.sql_from = SqlFrom{{"a", "b"}}; }), "InvalidSql spec.sql");
  EXPECT_EQ(Reason([](auto& j) { j.spec.sql = std::string(300'000, ' '); }), "InvalidSql spec.sql");
}

TEST(Checks, Snapshots) {
  EXPECT_EQ(Reason([](auto& j) { j.spec.snapshots.every = base::Millis(1'000); }),
            "InvalidSnapshots spec.snapshots.every");
  EXPECT_EQ(Reason([](auto& j) { j.spec.snapshots.retain.count = 0; }),
            "InvalidSnapshots spec.snapshots.retain.count");
  EXPECT_EQ(Reason([](auto& j) { j.spec.snapshots.retain.age = base::Millis(0); }),
            "InvalidSnapshots spec.snapshots.retain.age");
  EXPECT_EQ(Reason([](auto& j) { j.spec.restore_from.emplace(); }),
            "InvalidRestore spec.restoreFrom.snapshot.name");
  StreamJob job = Good();
  job.spec.snapshots = {base::Millis(3'600'000), {24, base::Millis(86'400'000)}};
  job.spec.restore_from = RestoreFrom{{"nightly", "shop"}};
  EXPECT_EQ(JoinFindings(Check(job)), "");
}

TEST(Checks, Sizes) {
  EXPECT_EQ(Reason([](auto& j) { j.spec.replicas = -1; }), "InvalidReplicas spec.replicas");
  EXPECT_EQ(Reason([](auto& j) { j.spec.replicas = 0; }), "0 findings: ");
  EXPECT_EQ(Reason([](auto& j) { j.spec.replicas = 9; }, {{}, {}, 8}),
            "InvalidReplicas spec.replicas");
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.max_parallelism = 4;
              j.spec.replicas = 5;
            }),
            "InvalidReplicas spec.replicas");
  EXPECT_EQ(Reason([](auto& j) { j.spec.shards = 12; }), "InvalidParallelism spec.shards");
  EXPECT_EQ(Reason([](auto& j) { j.spec.shards = 256; }), "InvalidParallelism spec.shards");
  EXPECT_EQ(Reason([](auto& j) { j.spec.max_parallelism = 40'000; }),
            "InvalidParallelism spec.maxParallelism");
}

TEST(Checks, Checkpoint) {
  EXPECT_EQ(Reason([](auto& j) { j.spec.checkpoint.interval = base::Millis(50); }),
            "InvalidCheckpoint spec.checkpoint.interval");
  EXPECT_EQ(Reason([](auto& j) { j.spec.checkpoint.retain = 0; }),
            "InvalidCheckpoint spec.checkpoint.retain");
  for (const char* location : {"", "s3://", "s3://b//p", "s3://b/../x", "http://x", "s3://b/p q",
                               "s3://b/./x", "/var/lib", "file://relative"}) {
    EXPECT_EQ(Reason([&](auto& j) { j.spec.checkpoint.location = location; }),
              "InvalidCheckpoint spec.checkpoint.location")
        << location;
  }
  EXPECT_EQ(Reason([](auto& j) { j.spec.checkpoint.location = "file:///tmp/x"; }),
            "InvalidCheckpoint spec.checkpoint.location");
  EXPECT_EQ(
      Reason([](auto& j) { j.spec.checkpoint.location = "file:///tmp/x/"; }, {{}, {}, 8, true}),
      "0 findings: ");
}

TEST(Checks, AddressesNoManifestMayName) {
  for (const char* endpoint : {"http://169.254.169.254", "http://127.0.0.1:9000",
                               "https://localhost", "http://[fd00:ec2::254]:80"}) {
    EXPECT_EQ(Reason([&](auto& j) { j.spec.checkpoint.endpoint = endpoint; }),
              "ForbiddenAddress spec.checkpoint.endpoint")
        << endpoint;
  }
  for (const char* endpoint : {"s3:9000", "http://user@host", "http://a/b", "http://a:b"}) {
    EXPECT_EQ(Reason([&](auto& j) { j.spec.checkpoint.endpoint = endpoint; }),
              "InvalidCheckpoint spec.checkpoint.endpoint")
        << endpoint;
  }
  EXPECT_EQ(Reason([](auto& j) { j.spec.checkpoint.endpoint = "http://s3.store.svc:9000/"; }),
            "0 findings: ");
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.connections = {{"m", KafkaConnection{"kafka:9092,127.0.0.1:9092", {}, {}}}};
            }),
            "ForbiddenAddress spec.connections[m].kafka.bootstrapServers");
}

TEST(Checks, Connections) {
  const KafkaConnection kafka{"a:9092,b:9092", {}, {{"linger.ms", "5"}}};
  EXPECT_EQ(Reason([&](auto& j) {
              j.spec.connections = {{"m", kafka}, {"n", kafka}};
            }),
            "0 findings: ");
  EXPECT_EQ(Reason([&](auto& j) {
              j.spec.connections = {{"m", kafka}, {"m", kafka}};
            }),
            "InvalidConnection spec.connections[m]");
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.connections = {{"m", std::nullopt}};
            }),
            "InvalidConnection spec.connections[m]");
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.connections = {{"m", KafkaConnection{"a", {}, {}}}};
            }),
            "InvalidConnection spec.connections[m].kafka.bootstrapServers");
  for (const char* property :
       {"plugin.library.paths", "ssl.ca.location", "sasl.kerberos.kinit.cmd", "group.id",
        "transactional.id", "enable.ssl.certificate.verification", "debug", "isolation.level"}) {
    EXPECT_EQ(Reason([&](auto& j) {
                j.spec.connections = {{"m", KafkaConnection{"a:1", {}, {{property, "x"}}}}};
              }),
              "ForbiddenProperty spec.connections[m].kafka.properties")
        << property;
  }
}

TEST(Checks, Pods) {
  EXPECT_EQ(Reason([](auto& j) { j.spec.worker.image = "evil"; }, {{"good"}, {}}),
            "ForbiddenImage spec.worker.image");
  EXPECT_EQ(Reason([](auto& j) { j.spec.worker.image = "good"; }, {{"good"}, {}}), "0 findings: ");
  EXPECT_EQ(Reason([](auto& j) { j.spec.worker.priority_class_name = "system-node-critical"; }),
            "ForbiddenPriorityClass spec.worker.priorityClassName");
  for (const char* key : {"streamjob.io/job", "app.kubernetes.io/name", "k8s.io/x"}) {
    EXPECT_EQ(Reason([&](auto& j) {
                j.spec.worker.labels = {{key, "x"}};
              }),
              "ReservedKey spec.worker.labels");
  }
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.worker.annotations = {{"notk8s.io/x", "x"}};
            }),
            "0 findings: ");
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.worker.resources.limits = {{"nvidia.com/gpu", "1"}};
            }),
            "InvalidResources spec.worker.resources.limits");
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.worker.resources.requests = {{"cpu", "1 core"}};
            }),
            "InvalidResources spec.worker.resources.requests");
  EXPECT_EQ(Reason([](auto& j) { j.spec.worker.threads = 0; }),
            "InvalidResources spec.worker.threads");
}

TEST(Checks, Autoscaling) {
  EXPECT_EQ(Reason([](auto& j) {
              j.spec.autoscaling.min_replicas = 5;
              j.spec.autoscaling.max_replicas = 4;
            }),
            "InvalidAutoscaling spec.autoscaling");
  EXPECT_EQ(Reason([](auto& j) { j.spec.autoscaling.target_utilization = "1.5"; }),
            "InvalidAutoscaling spec.autoscaling.targetUtilization");
  EXPECT_EQ(Reason([](auto& j) { j.spec.autoscaling.scale_up_after = base::Millis(999); }),
            "InvalidAutoscaling spec.autoscaling.scaleUpAfter");
  EXPECT_EQ(Reason([](auto& j) { j.spec.autoscaling.catch_up = base::Millis(0); }),
            "InvalidAutoscaling spec.autoscaling.catchUp");
}

TEST(Checks, AutoscalingSchedules) {
  const auto reason = [](const std::vector<AutoscalingSchedule>& schedules) {
    return Reason([&](auto& j) {
      j.spec.autoscaling.max_replicas = 8;
      j.spec.autoscaling.schedules = schedules;
    });
  };
  EXPECT_EQ(reason({{"day", {Weekday::kMon}, "07:30", "23:59", 2, {}}}), "0 findings: ");
  const std::string first = "InvalidAutoscaling spec.autoscaling.schedules[0]";
  for (const char* bad : {"24:00", "7:30", "07:60", "07-30", "", "aa:bb", "07:30 "}) {
    EXPECT_EQ(reason({{"", {}, bad, "09:00", 2, 4}}), first) << bad;
    EXPECT_EQ(reason({{"", {}, "09:00", bad, 2, 4}}), first) << bad;
  }
  EXPECT_EQ(reason({{"", {}, "07:30", "09:00", 9, {}}}), first);
  EXPECT_EQ(reason({{"", {}, "07:30", "09:00", 0, {}}}), first);
  EXPECT_EQ(reason({{"", {}, "07:30", "09:00", {}, 5'000}}), first);
  EXPECT_EQ(reason(std::vector<AutoscalingSchedule>(17, {"", {}, "07:30", "09:00", 2, 4})),
            "InvalidAutoscaling spec.autoscaling.schedules");
}

TEST(Checks, MaxParallelismIsFixedForLife) {
  EffectiveSpec before;
  EffectiveSpec after = before;
  EXPECT_TRUE(ValidateChange(before, after).empty());
  after.max_parallelism = 256;
  EXPECT_EQ(ValidateChange(before, after)[0].reason, "ImmutableField");
}

}  // namespace
}  // namespace sj::v1alpha1
