// SPDX-License-Identifier: Apache-2.0
// Sources, sinks and exchange topics against a real broker (SJ_TEST_KAFKA=host:port; skipped
// without): bounded reads over control records, offsets out of range, startup modes, bad records.
#include <gtest/gtest.h>

#include <future>
#include <map>

#include "worker/connect/exchange.h"
#include "worker/connect/kafka/admin.h"
#include "worker/connect/kafka/metadata.h"
#include "worker/connect/kafka/testing/real_kafka.h"

namespace sj::worker::connect::kafka {
namespace {

using base::ErrorKind;
using std::chrono::milliseconds;
using testing::MakeTopic;
using testing::PlainRecord;
using testing::ReadAll;
using testing::SeenRecord;
using testing::UniqueName;
using testing::WritePlain;

std::string Json(int64_t id, const std::string& name = "n") {
  return "{\"id\":" + std::to_string(id) + ",\"name\":\"" + name + "\"}";
}

struct ReadResult {
  std::vector<int64_t> ids;
  std::map<int, int64_t> next;  // partition -> next offset
  std::map<int, bool> finished;
  base::Status status;
};

class KafkaIt : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::Brokers().empty()) {
      GTEST_SKIP() << "SJ_TEST_KAFKA names no broker";
    }
    job_ = UniqueName("job");
  }
  std::unique_ptr<Source> Open(const std::string& topic, const testing::Options& more) {
    auto source = MakeSource(testing::Table(topic, more), testing::Context(job_));
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    return source.ok() ? std::move(source).value() : nullptr;
  }
  // Reads until every partition is finished, an error, or five seconds have passed.
  ReadResult Read(Source* source, const std::vector<PartitionStart>& starts,
                  CommitLog* log = nullptr) {
    ReadResult result;
    auto reader = source->OpenReader(starts, {0, 1}, log);
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    size_t finished = 0;
    for (Deadline deadline(milliseconds(5000)); finished < starts.size() && !deadline.passed();) {
      SourceBatch batch;
      auto polled = (*reader)->Poll(100, milliseconds(50), 1, &batch);
      if (!polled.ok()) {
        result.status = polled.status();
        return result;
      }
      if (!*polled) {
        continue;
      }
      for (size_t row = 0; row < batch.rows.rows; ++row) {
        result.ids.push_back(batch.rows.columns[0].ints[row]);
      }
      result.next[batch.partition] = batch.next_offset;
      result.finished[batch.partition] = batch.finished;
      finished += batch.finished ? 1 : 0;
    }
    std::sort(result.ids.begin(), result.ids.end());
    return result;
  }
  ReadResult ReadBounded(const std::string& topic, testing::Options more, int partitions = 1) {
    more.emplace_back("scan.bounded.mode", "latest-offset");
    std::unique_ptr<Source> source = Open(topic, more);
    std::vector<int> all;
    for (int p = 0; p < partitions; ++p) {
      all.push_back(p);
    }
    auto starts = source->ResolveStart(all);
    if (!starts.ok()) {
      return {.ids = {}, .next = {}, .finished = {}, .status = starts.status()};
    }
    return Read(source.get(), *starts);
  }

  std::string job_;
};

TEST_F(KafkaIt, BoundedReadEndsBehindControlRecordsAndAbortedOnes) {
  std::string topic = MakeTopic("bounded", 3);
  KafkaCommitLog log(testing::LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  auto write = [&](types::Epoch epoch, int partition, int64_t id) {
    std::string value = Json(id);
    OutputRecord record;
    record.topic = topic;
    record.partition = partition;
    record.value = value;
    ASSERT_TRUE(log.Produce(epoch, record).ok());
  };
  for (int id = 0; id < 10; ++id) {
    write(1, id % 2, id);
  }
  ASSERT_TRUE(log.Commit(1, {}).ok());
  write(2, 0, 100);  // aborted by Close: the log ends with records nobody may see
  ASSERT_TRUE(log.Flush(2).ok());
  log.Close();
  ReadResult result = ReadBounded(topic, {{"scan.startup.mode", "earliest-offset"}}, 3);
  ASSERT_TRUE(result.status.ok()) << result.status.ToString();
  EXPECT_EQ(result.ids, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(result.finished, (std::map<int, bool>{{0, true}, {1, true}, {2, true}}));
  EXPECT_EQ(result.next[0], 8);  // 5 records, a commit marker, the aborted record, its marker
}

TEST_F(KafkaIt, AnOffsetOutsideTheLogIsAnErrorAndNothingIsSkipped) {
  std::string topic = MakeTopic("range", 1);
  WritePlain(topic, {{0, Json(1)}, {0, Json(2)}, {0, Json(3)}});
  std::unique_ptr<Source> source = Open(topic, {});
  ReadResult beyond = Read(source.get(), {{.partition = 0, .offset = 50, .end_offset = {}}});
  EXPECT_EQ(beyond.status.kind(), ErrorKind::kNotFound) << beyond.status.ToString();
  EXPECT_NE(beyond.status.message().find("offset 50"), std::string::npos);
  auto exchange = MakeExchangeLog({}, testing::Context(job_));
  types::TableSpec table = testing::Table(topic, {});
  exchange = MakeExchangeLog({&table}, testing::Context(job_));
  ASSERT_TRUE((*exchange)->Trim({{{topic, 0}, 2}}).ok());
  ReadResult below = Read(source.get(), {{.partition = 0, .offset = 0, .end_offset = {}}});
  EXPECT_EQ(below.status.kind(), ErrorKind::kNotFound) << below.status.ToString();
  EXPECT_TRUE(below.ids.empty());
}

TEST_F(KafkaIt, AMissingTopicIsSaid) {
  ReadResult result = ReadBounded("no-such-topic", {{"scan.startup.mode", "earliest-offset"}});
  EXPECT_EQ(result.status.kind(), ErrorKind::kNotFound) << result.status.ToString();
  auto sink = MakeSink(testing::Table("no-such-topic", {}), testing::Context(job_));
  ASSERT_TRUE(sink.ok());
  EXPECT_EQ((*sink)->Check().kind(), ErrorKind::kNotFound);
}

// Of several brokers one may not have heard of a topic that was just made.
TEST_F(KafkaIt, ATopicThatAppearsWhileItIsAskedForIsFound) {
  std::string topic = UniqueName("late");
  auto client = Client::Make(testing::TestCluster(), Role::kMetadata, {{"group.id", job_}});
  ASSERT_TRUE(client.ok());
  auto asked = std::async(std::launch::async, [&] { return CountPartitions(**client, topic); });
  EXPECT_EQ(asked.wait_for(milliseconds(500)), std::future_status::timeout);
  ASSERT_TRUE(CreateTopics(**client, {topic}, 3).ok());
  base::Result<int> count = asked.get();
  ASSERT_TRUE(count.ok()) << count.status().ToString();
  EXPECT_EQ(*count, 3);
}

TEST_F(KafkaIt, StartupModes) {
  std::string topic = MakeTopic("startup", 1);
  WritePlain(topic, {{0, Json(1), 1000}, {0, Json(2), 2000}, {0, Json(3), 3000}});
  using Ids = std::vector<int64_t>;
  auto ids = [&](testing::Options options) { return ReadBounded(topic, std::move(options)).ids; };
  EXPECT_EQ(ids({{"scan.startup.mode", "earliest-offset"}}), (Ids{1, 2, 3}));
  EXPECT_EQ(ids({{"scan.startup.mode", "latest-offset"}}), (Ids{}));
  EXPECT_EQ(ids({{"scan.startup.mode", "timestamp"}, {"scan.startup.timestamp-millis", "1500"}}),
            (Ids{2, 3}));
  EXPECT_EQ(ids({{"scan.startup.mode", "timestamp"}, {"scan.startup.timestamp-millis", "9000"}}),
            (Ids{}));
  EXPECT_EQ(ids({{"scan.startup.mode", "specific-offsets"},
                 {"scan.startup.specific-offsets", "partition:0,offset:2"}}),
            (Ids{3}));
  EXPECT_EQ(ids({}), (Ids{1, 2, 3}));
  EXPECT_EQ(ids({{"properties.auto.offset.reset", "latest"}}), (Ids{}));
  ReadResult none = ReadBounded(topic, {{"properties.auto.offset.reset", "none"}});
  EXPECT_EQ(none.status.kind(), ErrorKind::kInvalidArgument);
  // A group that another engine has committed to.
  KafkaCommitLog log(testing::LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  ASSERT_TRUE(log.Commit(1, {{{topic, 0}, 1, "m"}}).ok());
  log.Close();
  EXPECT_EQ(ids({{"properties.group.id", "sjtest." + job_}}), (Ids{2, 3}));
}

TEST_F(KafkaIt, BadRecordsFollowThePolicy) {
  std::string topic = MakeTopic("bad", 1);
  WritePlain(topic, {{0, Json(1)}, {0, "{\"id\":\"x\"}"}, {0, "not json"}, {0, Json(4)}});
  testing::Options earliest = {{"scan.startup.mode", "earliest-offset"}};
  ReadResult fail = ReadBounded(topic, earliest);
  EXPECT_EQ(fail.status.kind(), ErrorKind::kCorrupt);
  EXPECT_NE(fail.status.message().find("offset 1"), std::string::npos) << fail.status.ToString();
  EXPECT_NE(fail.status.message().find("column \"id\""), std::string::npos);
  testing::Options skip = earliest;
  skip.emplace_back("bad-records.policy", "skip");
  EXPECT_EQ(ReadBounded(topic, skip).ids, (std::vector<int64_t>{1, 4}));

  std::string dead = MakeTopic("dead", 1);
  testing::Options letters = earliest;
  letters.insert(letters.end(), {{"bad-records.policy", "dead-letter"},
                                 {"bad-records.topic", dead},
                                 {"scan.bounded.mode", "latest-offset"}});
  std::unique_ptr<Source> source = Open(topic, letters);
  KafkaCommitLog log(testing::LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  auto starts = source->ResolveStart({0});
  EXPECT_EQ(Read(source.get(), *starts, &log).ids, (std::vector<int64_t>{1, 4}));
  ASSERT_TRUE(log.Commit(1, {{{topic, 0}, 4, "m"}}).ok());
  std::vector<SeenRecord> seen = ReadAll(dead, 1);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].value, "not json");
  EXPECT_NE(seen[1].key.find("\"offset\":2"), std::string::npos) << seen[1].key;
  EXPECT_EQ(source->stats().bad_records.load(), 2u);
  EXPECT_EQ(source->stats().dead_lettered.load(), 2u);
}

TEST_F(KafkaIt, UpsertSinkWritesKeysAndTombstones) {
  std::string topic = MakeTopic("upsert", 4);
  types::TableSpec table =
      testing::Table(topic, {{"connector", "upsert-kafka"}, {"key.format", "json"}});
  table.primary_key = {"id"};
  auto sink = MakeSink(table, testing::Context(job_));
  ASSERT_TRUE(sink.ok()) << sink.status().ToString();
  ASSERT_TRUE((*sink)->Check().ok());
  KafkaCommitLog log(testing::LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  auto writer = (*sink)->OpenWriter(&log);
  ASSERT_TRUE(writer.ok());
  types::Batch batch = types::Batch::ForSchema(table.schema);
  using types::RowKind;
  for (RowKind kind :
       {RowKind::kInsert, RowKind::kUpdateBefore, RowKind::kUpdateAfter, RowKind::kDelete}) {
    batch.columns[0].AppendInt64(7);
    batch.columns[1].AppendString("v" + std::to_string(static_cast<int>(kind)));
    batch.kinds.push_back(kind);
    ++batch.rows;
  }
  ASSERT_TRUE((*writer)->Write(batch, 1).ok());
  ASSERT_TRUE(log.Commit(1, {}).ok());
  std::vector<SeenRecord> seen = ReadAll(topic, 4);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].key, "{\"id\":7}");
  EXPECT_EQ(seen[0].value, "{\"id\":7,\"name\":\"v0\"}");
  EXPECT_EQ(seen[1].value, "{\"id\":7,\"name\":\"v2\"}");
  EXPECT_TRUE(seen[2].tombstone);
}

TEST_F(KafkaIt, AppendSinkRefusesChangesAndSpreadsRowsWithoutKeys) {
  std::string topic = MakeTopic("append", 3);
  types::TableSpec table = testing::Table(topic, {});
  auto sink = MakeSink(table, testing::Context(job_));
  ASSERT_TRUE(sink.ok());
  KafkaCommitLog log(testing::LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  auto writer = (*sink)->OpenWriter(&log);
  ASSERT_TRUE(writer.ok()) << writer.status().ToString();
  types::Batch batch = types::Batch::ForSchema(table.schema);
  for (int i = 0; i < 9; ++i) {
    batch.columns[0].AppendInt64(i);
    batch.columns[1].AppendNull();
    ++batch.rows;
  }
  ASSERT_TRUE((*writer)->Write(batch, 1).ok());
  batch.kinds.assign(9, types::RowKind::kDelete);
  EXPECT_EQ((*writer)->Write(batch, 1).kind(), ErrorKind::kInvalidArgument);
  ASSERT_TRUE(log.Commit(1, {}).ok());
  std::map<int, int> by_partition;
  for (const SeenRecord& record : ReadAll(topic, 3)) {
    ++by_partition[record.partition];
    EXPECT_TRUE(record.key.empty());
  }
  EXPECT_EQ(by_partition, (std::map<int, int>{{0, 3}, {1, 3}, {2, 3}}));
}

// Hashes of Kafka's own UtilsTest: -973932308, -790332482, 479470107.
TEST_F(KafkaIt, KeysGoWhereTheJavaClientSendsThem) {
  std::string topic = MakeTopic("murmur", 4);
  KafkaCommitLog log(testing::LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  std::map<std::string, int> expected = {{"21", 0}, {"foobar", 2}, {"abc", 3}};
  for (const auto& [key, partition] : expected) {
    OutputRecord record;
    record.topic = topic;
    record.key = key;
    record.has_key = true;
    record.value = "v";
    record.timestamp_ms = 1234;
    ASSERT_TRUE(log.Produce(1, record).ok());
  }
  ASSERT_TRUE(log.Commit(1, {}).ok());
  std::map<std::string, int> seen;
  for (const SeenRecord& record : ReadAll(topic, 4)) {
    seen[record.key] = record.partition;
  }
  EXPECT_EQ(seen, expected);
}

TEST_F(KafkaIt, ExchangeTopicsAreMadeReadToTheirEndAndTrimmed) {
  types::TableSpec table = testing::Table("unused", {});
  auto exchange = MakeExchangeLog({&table}, testing::Context(job_));
  ASSERT_TRUE(exchange.ok()) << exchange.status().ToString();
  std::string topic = ExchangeTopic(testing::Context(job_), 3);
  ASSERT_TRUE((*exchange)->EnsureTopics({topic}, 2).ok());
  ASSERT_TRUE((*exchange)->EnsureTopics({topic}, 2).ok());
  EXPECT_EQ((*exchange)->EnsureTopics({topic}, 3).kind(), ErrorKind::kInvalidArgument);
  KafkaCommitLog log(testing::LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  for (int epoch = 1; epoch <= 3; ++epoch) {
    for (int i = 0; i < 4; ++i) {
      std::string value = std::to_string(epoch * 10 + i);
      OutputRecord record;
      record.topic = topic;
      record.partition = i % 2;
      record.value = value;
      ASSERT_TRUE(log.Produce(epoch, record).ok());
    }
    ASSERT_TRUE(log.Commit(epoch, {{{topic, 0}, epoch, "m"}}).ok());
  }
  // 6 records and 3 markers; the broker writes the last marker after Commit has returned.
  auto end = (*exchange)->StableEnd({topic, 1});
  for (Deadline deadline(milliseconds(5000)); end.ok() && *end < 9 && !deadline.passed();) {
    end = (*exchange)->StableEnd({topic, 1});
  }
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(*end, 9);
  auto reader = (*exchange)->OpenReader({{{topic, 0}, 0}, {{topic, 1}, 0}});
  ASSERT_TRUE(reader.ok());
  std::vector<std::string> values[2];
  for (Deadline deadline(milliseconds(5000));
       (*reader)->Position({topic, 1}) < *end && !deadline.passed();) {
    auto read = (*reader)->Poll(3, milliseconds(100), [&](const ExchangeRecord& record) {
      EXPECT_EQ(*record.topic, topic);
      values[record.partition].emplace_back(record.value);
      return base::OkStatus();
    });
    ASSERT_TRUE(read.ok());
  }
  EXPECT_EQ((*reader)->Position({topic, 1}), *end);
  EXPECT_EQ(values[1], (std::vector<std::string>{"11", "13", "21", "23", "31", "33"}));
  ASSERT_TRUE((*exchange)->Trim({{{topic, 1}, 4}}).ok());
  EXPECT_EQ(*(*exchange)->Earliest({topic, 1}), 4);
  EXPECT_TRUE((*exchange)->DeleteTopics({topic, "never-made"}).ok());
}

TEST_F(KafkaIt, DatagenCommitsItsPositionsInKafka) {
  types::TableSpec kafka = testing::Table("unused", {});
  types::TableSpec datagen;
  datagen.name = "gen";
  datagen.schema.fields = {{"id", types::DataType::Of(types::TypeKind::kBigint)}};
  datagen.options = {{.key = "connector", .value = "datagen", .key_pos = {}, .value_pos = {}}};
  auto source = MakeSource(datagen, testing::Context(job_));
  ASSERT_TRUE(source.ok());
  for (int64_t offset : {100, 200}) {
    auto log = MakeKafkaCommitLog({&kafka, &datagen}, testing::Context(job_));
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    ASSERT_TRUE((*log)->Fence({}).ok());
    types::InputPartition id{(*source)->topic(), 0};
    ASSERT_TRUE((*log)->Commit(1, {{id, offset, "m"}}).ok());
    EXPECT_EQ((*(*log)->ReadCommitted({id}))[0].offset, offset);
  }
}

}  // namespace
}  // namespace sj::worker::connect::kafka
