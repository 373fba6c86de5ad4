// SPDX-License-Identifier: Apache-2.0
// What a deleted job leaves on a real broker (SJ_TEST_KAFKA=host:port; skipped without): fenced,
// deleted, not made anew by a worker that was cut off, and another job's is untouched.
#include <gtest/gtest.h>

#include <algorithm>

#include "worker/connect/exchange.h"
#include "worker/connect/job_remains.h"
#include "worker/connect/kafka/metadata.h"
#include "worker/connect/kafka/testing/real_kafka.h"

namespace sj::worker::connect::kafka {
namespace {

using testing::LogOptions;
using testing::UniqueName;

class JobRemainsIt : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::Brokers().empty()) {
      GTEST_SKIP() << "SJ_TEST_KAFKA names no broker";
    }
    in_ = testing::MakeTopic("in", 1);
    table_ = testing::Table(in_, {});
  }
  // A job of two workers with an exchange topic and committed offsets.
  std::string MakeJob() {
    const std::string job = UniqueName("job");
    auto exchange = MakeExchangeLog({&table_}, testing::Context(job));
    EXPECT_TRUE((*exchange)->EnsureTopics({ExchangeTopic(testing::Context(job), 0)}, 2).ok());
    for (int ordinal = 0; ordinal < 2; ++ordinal) {
      KafkaCommitLog log(LogOptions(job, ordinal));
      EXPECT_TRUE(log.Fence({}).ok());
      EXPECT_TRUE(log.Commit(1, {{{in_, 0}, 17 + ordinal, "m"}}).ok());
    }
    return job;
  }
  std::unique_ptr<JobRemains> Remains(const std::string& job) {
    auto remains = MakeJobRemains({&table_}, testing::Context(job));
    EXPECT_TRUE(remains.ok()) << remains.status().ToString();
    return *std::move(remains);
  }
  int64_t Committed(const std::string& job) {
    KafkaCommitLog log(LogOptions(job, 9));
    EXPECT_TRUE(log.Fence({}).ok());
    auto read = log.ReadCommitted({{in_, 0}});
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    return (*read)[0].offset;
  }
  bool HasTopic(const std::string& job) {
    auto client = Client::Make(testing::TestCluster(), Role::kMetadata, {{"group.id", job}});
    auto topics = ListTopics(**client);
    EXPECT_TRUE(topics.ok()) << topics.status().ToString();
    return std::count(topics->begin(), topics->end(), ExchangeTopic(testing::Context(job), 0)) > 0;
  }

  std::string in_;
  types::TableSpec table_;
};

TEST_F(JobRemainsIt, GroupAndTopicsGoAndAnotherJobsStay) {
  const std::string job = MakeJob();
  const std::string other = MakeJob();
  ASSERT_EQ(Committed(job), 18);
  ASSERT_TRUE(HasTopic(job));
  std::unique_ptr<JobRemains> remains = Remains(job);
  ASSERT_TRUE(remains->Fence(2).ok());
  ASSERT_TRUE(remains->DeleteGroup().ok());
  const auto topics = remains->DeleteTopics();
  ASSERT_TRUE(topics.ok()) << topics.status().ToString();
  EXPECT_EQ(*topics, 1);
  EXPECT_EQ(Committed(job), kNoOffset);
  EXPECT_FALSE(HasTopic(job));
  EXPECT_EQ(Committed(other), 18);
  EXPECT_TRUE(HasTopic(other));
}

TEST_F(JobRemainsIt, ASecondTimeFindsNothingAndIsOk) {
  const std::string job = MakeJob();
  for (int i = 0; i < 2; ++i) {
    std::unique_ptr<JobRemains> remains = Remains(job);
    ASSERT_TRUE(remains->Fence(2).ok());
    EXPECT_TRUE(remains->DeleteGroup().ok());
    const auto topics = remains->DeleteTopics();
    ASSERT_TRUE(topics.ok()) << topics.status().ToString();
    EXPECT_EQ(*topics, i == 0 ? 1 : 0);
  }
}

// It sleeps with a transaction open, and commits when everything is gone: the group stays gone.
TEST_F(JobRemainsIt, AWorkerThatWasCutOffBringsNothingBack) {
  const std::string job = MakeJob();
  KafkaCommitLog zombie(LogOptions(job, 1));
  ASSERT_TRUE(zombie.Fence({}).ok());
  ASSERT_TRUE(zombie.Commit(2, {{{in_, 0}, 20, "m"}}).ok());
  std::unique_ptr<JobRemains> remains = Remains(job);
  ASSERT_TRUE(remains->Fence(2).ok());
  ASSERT_TRUE(remains->DeleteGroup().ok());
  EXPECT_FALSE(zombie.Commit(3, {{{in_, 0}, 21, "m"}}).ok());
  EXPECT_EQ(Committed(job), kNoOffset);
}

}  // namespace
}  // namespace sj::worker::connect::kafka
