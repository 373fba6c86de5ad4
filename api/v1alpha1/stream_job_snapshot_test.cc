// SPDX-License-Identifier: Apache-2.0
#include "api/v1alpha1/stream_job_snapshot.h"

#include <gtest/gtest.h>

namespace sj::v1alpha1 {
namespace {

base::Json Object(const std::string& yaml) {
  return *base::ParseYaml(yaml);
}

TEST(StreamJobSnapshot, ReadsWhatTheUserWrote) {
  const ReadSnapshotResult read = ReadSnapshot(Object(R"(
metadata: {name: before-upgrade, namespace: shop, uid: s-1}
spec: {jobRef: {name: orders}, onDelete: Delete, grants: [{namespace: lab}]}
status: {phase: Completed, epoch: 7, newer: field}
)"));
  ASSERT_TRUE(read.findings.empty()) << JoinFindings(read.findings);
  EXPECT_EQ(read.snapshot.spec.job_ref.name, "orders");
  EXPECT_EQ(read.snapshot.spec.on_delete, OnDelete::kDelete);
  EXPECT_EQ(read.snapshot.status.phase, SnapshotPhase::kCompleted);
  EXPECT_EQ(read.snapshot.status.epoch, 7);
  EXPECT_TRUE(Grants(read.snapshot, "shop"));
  EXPECT_TRUE(Grants(read.snapshot, "lab"));
  EXPECT_FALSE(Grants(read.snapshot, "la"));
  EXPECT_FALSE(Grants(read.snapshot, ""));
}

TEST(StreamJobSnapshot, SaysWhatItCannotRead) {
  EXPECT_FALSE(ReadSnapshot(Object("spec: {jobRef: {}}")).findings.empty());
  EXPECT_FALSE(ReadSnapshot(Object("metadata: {name: a}")).findings.empty());
  EXPECT_FALSE(
      ReadSnapshot(Object("spec: {jobRef: {name: a}, ondelete: Delete}")).findings.empty());
  EXPECT_FALSE(ReadSnapshot(base::Json::array()).findings.empty());
}

TEST(StreamJobSnapshot, WritesNoMoreThanTheSchemaTakes) {
  StreamJobSnapshotStatus status;
  status.phase = SnapshotPhase::kFailed;
  status.message = std::string(10'000, 'x');
  EXPECT_EQ(SnapshotStatusToJson(status)["message"].get<std::string>().size(), 4096u);
}

}  // namespace
}  // namespace sj::v1alpha1
