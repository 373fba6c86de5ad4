// SPDX-License-Identifier: Apache-2.0
#include "api/v1alpha1/change_class.h"

#include <gtest/gtest.h>

#include <set>

#include "api/v1alpha1/stream_job_json.h"

namespace sj::v1alpha1 {
namespace {

using base::Json;

// A spec with something in every top-level field.
StreamJobSpec FullSpec() {
  StreamJobSpec spec;
  spec.sql = "s";
  spec.sql_from = SqlFrom{{"m", "k"}};
  spec.replicas = 1;
  spec.state = DesiredState::kRunning;
  spec.max_parallelism = 128;
  spec.shards = 16;
  spec.checkpoint.location = "s3://a/b";
  spec.connections.push_back({"main", KafkaConnection{"k:9092", {}, {}}});
  spec.worker.threads = 1;
  spec.autoscaling.enabled = true;
  spec.rollout.rollback = RollbackMode::kOff;
  spec.restart_nonce = 1;
  spec.deletion_policy.checkpoints = OnDelete::kRetain;
  spec.snapshots.every = base::Millis(3'600'000);
  spec.restore_from = RestoreFrom{{"kept", "shop"}};
  return spec;
}

TEST(ChangeClass, EveryFieldHasOne) {
  std::set<std::string_view> known;
  for (const FieldClass& entry : FieldClasses()) {
    EXPECT_TRUE(known.insert(entry.field).second) << entry.field << " twice";
  }
  const Json spec = SpecToJson(FullSpec());
  EXPECT_EQ(spec.size(), known.size());
  for (const auto& [field, value] : spec.items()) {
    EXPECT_TRUE(known.contains(field)) << field;
  }
}

// The hash that restarts workers must see exactly the fields the table calls restart or refused.
TEST(ChangeClass, AgreesWithTheSpecHash) {
  const StreamJobSpec full = FullSpec();
  const Json json = SpecToJson(full);
  for (const FieldClass& entry : FieldClasses()) {
    Json without = json;
    without.erase(std::string(entry.field));
    const auto read = ReadStreamJob({{"spec", without}});
    const bool restarts =
        entry.change == ChangeClass::kRestart || entry.change == ChangeClass::kRefused;
    EXPECT_EQ(SpecHash(read.job.spec) != SpecHash(full), restarts) << entry.field;
  }
}

TEST(ChangeClass, TheStrongestFieldDecides) {
  const SpecChange change = CompareSpecs({{"replicas", 1}, {"worker", {{"threads", 1}}}},
                                         {{"replicas", 2}, {"worker", {{"threads", 2}}}});
  EXPECT_EQ(change.change, ChangeClass::kRestart);
  EXPECT_EQ(change.fields, (std::vector<std::string>{"replicas", "worker.threads"}));
  EXPECT_EQ(CompareSpecs({{"replicas", 1}}, {{"replicas", 2}}).change, ChangeClass::kRescale);
  EXPECT_EQ(CompareSpecs({{"state", "Running"}}, {{"state", "Suspended"}}).change,
            ChangeClass::kIgnore);
  EXPECT_EQ(CompareSpecs({{"a", 1}}, {{"a", 1}}).fields.size(), 0u);
}

TEST(ChangeClass, UnknownFieldsRestart) {
  EXPECT_EQ(ClassOf("newField.x"), ChangeClass::kRestart);
  EXPECT_EQ(ClassOf("stateful"), ChangeClass::kRestart);  // no prefix match inside a word
}

}  // namespace
}  // namespace sj::v1alpha1
