// SPDX-License-Identifier: Apache-2.0
// Reading from librdkafka's mock broker: batches, turns, wake-up. It proves nothing about
// transactions; those are in the integration tests.
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#include <map>
#include <set>

#include "worker/connect/connector.h"
#include "worker/connect/kafka/errors.h"
#include "worker/connect/kafka/handle.h"

namespace sj::worker::connect::kafka {
namespace {

using std::chrono::milliseconds;
using MockHandle = std::unique_ptr<rd_kafka_mock_cluster_t, Deleter<rd_kafka_mock_cluster_destroy>>;

class ReaderMockTest : public ::testing::Test {
 protected:
  static constexpr int kPartitions = 3;

  void SetUp() override {
    char error[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "client.id", "mock", error, sizeof error);
    host_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error));
    ASSERT_NE(host_, nullptr) << error;
    mock_.reset(rd_kafka_mock_cluster_new(host_.get(), 1));
    rd_kafka_mock_topic_create(mock_.get(), "t", kPartitions, 1);
    conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(mock_.get()),
                      error, sizeof error);
    rd_kafka_conf_set(conf, "linger.ms", "1", error, sizeof error);
    producer_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error));
    ASSERT_NE(producer_, nullptr) << error;
  }
  void TearDown() override {
    reader_.reset();
    source_.reset();
    producer_.reset();
    mock_.reset();
    host_.reset();
  }
  void Write(int partition, int64_t id) {
    std::string value =
        "{\"id\":" + std::to_string(id) + ",\"name\":\"n" + std::to_string(id) + "\"}";
    ASSERT_EQ(
        rd_kafka_producev(producer_.get(), RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_VALUE(value.data(), value.size()), RD_KAFKA_V_END),
        RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void Flush() { ASSERT_EQ(rd_kafka_flush(producer_.get(), 10'000), 0); }
  void OpenReader(bool bounded, std::vector<int> columns = {0, 1}) {
    types::TableSpec table;
    table.name = "t";
    table.schema.fields = {{"id", types::DataType::Of(types::TypeKind::kBigint)},
                           {"name", types::DataType::Of(types::TypeKind::kString)}};
    auto add = [&table](const std::string& key, const std::string& value) {
      table.options.push_back({.key = key, .value = value, .key_pos = {}, .value_pos = {}});
    };
    add("connector", "kafka");
    add("topic", "t");
    add("format", "json");
    add("properties.bootstrap.servers", rd_kafka_mock_cluster_bootstraps(mock_.get()));
    add("scan.startup.mode", "earliest-offset");
    add("scan.bounded.mode", bounded ? "latest-offset" : "unbounded");
    ConnectContext context;
    context.job_id = "mock";
    auto source = MakeSource(table, context);
    ASSERT_TRUE(source.ok()) << source.status().ToString();
    source_ = std::move(source).value();
    auto count = source_->PartitionCount();
    ASSERT_TRUE(count.ok()) << count.status().ToString();
    ASSERT_EQ(*count, kPartitions);
    auto starts = source_->ResolveStart({0, 1, 2});
    ASSERT_TRUE(starts.ok()) << starts.status().ToString();
    auto reader = source_->OpenReader(*starts, columns, nullptr);
    ASSERT_TRUE(reader.ok());
    reader_ = std::move(reader).value();
  }

  RkHandle host_;
  MockHandle mock_;
  RkHandle producer_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<SourceReader> reader_;
};

TEST_F(ReaderMockTest, ReadsEveryRecordOnceInOrderAndEnds) {
  constexpr int kRecords = 3000;
  for (int i = 0; i < kRecords; ++i) {
    Write(i % 2, i);  // partition 2 stays empty
  }
  Flush();
  OpenReader(true);
  std::map<int, std::vector<int64_t>> ids;
  std::map<int, int64_t> next;
  int finished = 0;
  while (finished < kPartitions) {
    SourceBatch batch;
    auto polled = reader_->Poll(64, milliseconds(1000), 1, &batch);
    ASSERT_TRUE(polled.ok()) << polled.status().ToString();
    if (!*polled) {
      continue;
    }
    ASSERT_LE(batch.rows.rows, 64u);
    ASSERT_EQ(batch.rows.columns.size(), 2u);
    for (size_t row = 0; row < batch.rows.rows; ++row) {
      int64_t id = batch.rows.columns[0].ints[row];
      ids[batch.partition].push_back(id);
      ASSERT_EQ(batch.rows.columns[1].strings[row].view(), "n" + std::to_string(id));
    }
    next[batch.partition] = batch.next_offset;
    finished += batch.finished ? 1 : 0;
  }
  for (int p = 0; p < 2; ++p) {
    ASSERT_EQ(ids[p].size(), static_cast<size_t>(kRecords / 2));
    EXPECT_TRUE(std::is_sorted(ids[p].begin(), ids[p].end()));
    EXPECT_EQ(next[p], kRecords / 2);
  }
  EXPECT_TRUE(ids[2].empty());
  EXPECT_EQ(source_->stats().records.load(), static_cast<uint64_t>(kRecords));
}

TEST_F(ReaderMockTest, PartitionsTakeTurns) {
  for (int i = 0; i < 600; ++i) {
    Write(i % kPartitions, i);
  }
  Flush();
  OpenReader(true, {0});
  // Wait until all three have something, then look at the order of the batches.
  std::vector<int> order;
  int finished = 0;
  while (finished < kPartitions) {
    SourceBatch batch;
    auto polled = reader_->Poll(10, milliseconds(1000), 1, &batch);
    ASSERT_TRUE(polled.ok());
    if (*polled && batch.rows.rows > 0) {
      order.push_back(batch.partition);
    }
    finished += *polled && batch.finished ? 1 : 0;
  }
  // What arrives at once is served in turns: no partition gets more than a fill's worth in a row.
  std::set<int> in_first_batches(order.begin(), order.end());
  EXPECT_EQ(in_first_batches.size(), 3u);
}

TEST_F(ReaderMockTest, TheDescriptorWakesAndStaysUntilAllIsTaken) {
  OpenReader(false, {0});
  auto readable = [&](int wait_ms) {
    pollfd descriptor{reader_->wake_fd(), POLLIN, 0};
    return ::poll(&descriptor, 1, wait_ms) == 1;
  };
  auto rows_now = [&] {
    SourceBatch batch;
    auto polled = reader_->Poll(2, milliseconds(0), 1, &batch);
    EXPECT_TRUE(polled.ok());
    return polled.ok() && *polled ? batch.rows.rows : 0;
  };
  for (int i = 0; i < 5; ++i) {
    Write(0, i);
  }
  Flush();
  size_t rows = 0;
  while (rows < 5) {
    ASSERT_TRUE(readable(10'000)) << "after " << rows << " rows";
    rows += rows_now();
  }
  EXPECT_EQ(rows, 5u);
  EXPECT_EQ(reader_->Lag().size(), 3u);
}

TEST(ErrorsTest, CodesBecomeKinds) {
  using base::ErrorKind;
  EXPECT_EQ(FromCode(RD_KAFKA_RESP_ERR__FENCED, "x").kind(), ErrorKind::kFenced);
  EXPECT_EQ(FromCode(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "x").kind(),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(FromCode(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "x").kind(), ErrorKind::kNotFound);
  EXPECT_EQ(FromCode(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, "x").kind(), ErrorKind::kNotFound);
  EXPECT_EQ(FromCode(RD_KAFKA_RESP_ERR__TIMED_OUT, "x").kind(), ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace sj::worker::connect::kafka
