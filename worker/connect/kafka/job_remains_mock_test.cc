// SPDX-License-Identifier: Apache-2.0
// Listing topics from librdkafka's mock broker, which knows no admin calls: those are in the
// integration tests.
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>

#include "worker/connect/kafka/handle.h"
#include "worker/connect/kafka/job_remains.h"
#include "worker/connect/kafka/metadata.h"

namespace sj::worker::connect::kafka {
namespace {

using MockHandle = std::unique_ptr<rd_kafka_mock_cluster_t, Deleter<rd_kafka_mock_cluster_destroy>>;

class JobRemainsMockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char error[256];
    host_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof error));
    ASSERT_NE(host_, nullptr) << error;
    mock_.reset(rd_kafka_mock_cluster_new(host_.get(), 1));
    cluster_.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(mock_.get());
    context_.job_id = "uid-1";
  }
  void TearDown() override {
    mock_.reset();
    host_.reset();
  }

  RkHandle host_;
  MockHandle mock_;
  Cluster cluster_;
  ConnectContext context_;
};

TEST_F(JobRemainsMockTest, EveryTopicIsListed) {
  for (const char* topic : {"a", "streamjob.uid-1.x0", "streamjob.uid-2.x0"}) {
    rd_kafka_mock_topic_create(mock_.get(), topic, 1, 1);
  }
  auto client = Client::Make(cluster_, Role::kMetadata, {{"group.id", "g"}});
  ASSERT_TRUE(client.ok()) << client.status().ToString();
  auto topics = ListTopics(**client);
  ASSERT_TRUE(topics.ok()) << topics.status().ToString();
  std::sort(topics->begin(), topics->end());
  EXPECT_EQ(*topics, (std::vector<std::string>{"a", "streamjob.uid-1.x0", "streamjob.uid-2.x0"}));
}

// Nothing of the job is there, so nothing is asked to go: the mock would answer such a call never.
TEST_F(JobRemainsMockTest, OtherTopicsAreLeftAlone) {
  for (const char* topic : {"a", "streamjob.uid-10.x0", "streamjob.uid-1.mine"}) {
    rd_kafka_mock_topic_create(mock_.get(), topic, 1, 1);
  }
  KafkaJobRemains remains(cluster_, context_);
  const auto deleted = remains.DeleteTopics();
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_EQ(*deleted, 0);
}

// Both ids of every ordinal are taken over, as at the start of a generation.
TEST_F(JobRemainsMockTest, FencesEveryOrdinal) {
  KafkaJobRemains remains(cluster_, context_);
  EXPECT_TRUE(remains.Fence(3).ok());
}

}  // namespace
}  // namespace sj::worker::connect::kafka
