// SPDX-License-Identifier: Apache-2.0
#include "operator/decide/change_class.h"

#include <gtest/gtest.h>

#include <set>

#include "api/v1alpha1/stream_job_json.h"

namespace sj::op::decide {
namespace {

// A spec with something in every top-level field.
v1alpha1::StreamJobSpec FullSpec() {
  v1alpha1::StreamJobSpec spec;
  spec.sql = "s";
  spec.sql_from = v1alpha1::SqlFrom{{"m", "k"}};
  spec.replicas = 1;
  spec.state = v1alpha1::DesiredState::kRunning;
  spec.max_parallelism = 128;
  spec.shards = 16;
  spec.checkpoint.location = "s3://a/b";
  spec.connections.push_back({"main", v1alpha1::KafkaConnection{"k:9092", {}, {}}});
  spec.worker.threads = 1;
  spec.autoscaling.enabled = true;
  spec.rollout.rollback = v1alpha1::RollbackMode::kOff;
  spec.restart_nonce = 1;
  spec.deletion_policy.checkpoints = v1alpha1::CheckpointDeletion::kRetain;
  return spec;
}

TEST(ChangeClass, EveryFieldHasOne) {
  std::set<std::string_view> known;
  for (const FieldClass& entry : FieldClasses()) {
    EXPECT_TRUE(known.insert(entry.field).second) << entry.field << " twice";
  }
  const Json spec = v1alpha1::SpecToJson(FullSpec());
  EXPECT_EQ(spec.size(), known.size());
  for (const auto& [field, value] : spec.items()) {
    EXPECT_TRUE(known.contains(field)) << field;
  }
}

// The hash that restarts workers must see exactly the fields the table calls restart or refused.
TEST(ChangeClass, AgreesWithTheSpecHash) {
  const v1alpha1::StreamJobSpec full = FullSpec();
  const Json json = v1alpha1::SpecToJson(full);
  for (const FieldClass& entry : FieldClasses()) {
    Json without = json;
    without.erase(std::string(entry.field));
    const auto read = v1alpha1::ReadStreamJob({{"spec", without}});
    const bool restarts =
        entry.change == ChangeClass::kRestart || entry.change == ChangeClass::kRefused;
    EXPECT_EQ(v1alpha1::SpecHash(read.job.spec) != v1alpha1::SpecHash(full), restarts)
        << entry.field;
  }
}

TEST(ChangeClass, TheStrongestFieldDecides) {
  const SpecChange change = Compare({{"replicas", 1}, {"worker", {{"threads", 1}}}},
                                    {{"replicas", 2}, {"worker", {{"threads", 2}}}});
  EXPECT_EQ(change.change, ChangeClass::kRestart);
  EXPECT_EQ(change.fields, (std::vector<std::string>{"replicas", "worker.threads"}));
  EXPECT_EQ(Compare({{"replicas", 1}}, {{"replicas", 2}}).change, ChangeClass::kRescale);
  EXPECT_EQ(Compare({{"state", "Running"}}, {{"state", "Suspended"}}).change, ChangeClass::kIgnore);
  EXPECT_EQ(Compare({{"a", 1}}, {{"a", 1}}).fields.size(), 0u);
}

TEST(ChangeClass, UnknownFieldsRestart) {
  EXPECT_EQ(ClassOf("newField.x"), ChangeClass::kRestart);
  EXPECT_EQ(ClassOf("stateful"), ChangeClass::kRestart);  // no prefix match inside a word
}

}  // namespace
}  // namespace sj::op::decide
