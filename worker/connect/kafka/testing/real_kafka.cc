// SPDX-License-Identifier: Apache-2.0
// Helpers over a real broker; every failure ends the test program.
#include "worker/connect/kafka/testing/real_kafka.h"

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdlib>

#include "api/base/check.h"
#include "worker/connect/kafka/admin.h"
#include "worker/connect/kafka/fetcher.h"
#include "worker/connect/kafka/metadata.h"

namespace sj::worker::connect::kafka::testing {
namespace {

std::unique_ptr<Client> MetadataClient(const std::string& isolation = "read_committed") {
  auto client = Client::Make(TestCluster(), Role::kMetadata,
                             {{"group.id", "streamjob-test"}, {"isolation.level", isolation}});
  SJ_CHECK(client.ok());
  return std::move(client).value();
}

// The stable end. A commit returns before the broker has written its markers, so the stable end is
// given some seconds to reach the high watermark; a transaction still open after that is left out.
int64_t SettledEnd(const std::string& topic, int partition) {
  std::unique_ptr<Client> all = MetadataClient("read_uncommitted");
  auto high = ReadLogRange(*all, topic, partition);
  SJ_CHECK(high.ok());
  std::unique_ptr<Client> client = MetadataClient();
  Deadline deadline(milliseconds(5'000));
  for (;;) {
    auto stable = ReadLogRange(*client, topic, partition);
    SJ_CHECK(stable.ok());
    if (stable->end >= high->end || deadline.passed()) {
      return stable->end;
    }
  }
}

}  // namespace

std::string Brokers() {
  const char* brokers = std::getenv("SJ_TEST_KAFKA");
  return brokers == nullptr ? "" : brokers;
}

std::string UniqueName(const std::string& what) {
  static std::atomic<int> counter{0};
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return fmt::format("{}-{}-{}", what,
                     std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                     counter.fetch_add(1));
}

Cluster TestCluster() {
  Cluster cluster;
  cluster.bootstrap_servers = Brokers();
  return cluster;
}

std::string MakeTopic(const std::string& what, int partitions) {
  std::string topic = UniqueName(what);
  std::unique_ptr<Client> client = MetadataClient();
  base::Status made = CreateTopics(*client, {topic}, partitions);
  SJ_CHECK(made.ok());
  Deadline deadline(milliseconds(20'000));
  for (int p = 0; p < partitions; ++p) {
    while (!ReadLogRange(*client, topic, p).ok()) {
      SJ_CHECK(!deadline.passed());
    }
  }
  return topic;
}

void WritePlain(const std::string& topic, const std::vector<PlainRecord>& records) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[256];
  rd_kafka_conf_set(conf, "bootstrap.servers", Brokers().c_str(), error, sizeof error);
  rd_kafka_conf_set(conf, "linger.ms", "5", error, sizeof error);
  RkHandle rk(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error));
  SJ_CHECK(rk != nullptr);
  for (const PlainRecord& record : records) {
    int64_t timestamp = record.timestamp_ms < 0 ? 0 : record.timestamp_ms;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        rk.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
        RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_END);
    SJ_CHECK(code == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  SJ_CHECK(rd_kafka_flush(rk.get(), 20'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

CommitLogOptions LogOptions(const std::string& job, int ordinal) {
  CommitLogOptions options;
  options.cluster = TestCluster();
  options.id_prefix = "sjtest";
  options.job_id = job;
  options.ordinal = ordinal;
  return options;
}

types::TableSpec Table(const std::string& topic, const Options& more) {
  types::TableSpec table;
  table.name = "t";
  table.schema.fields = {{"id", types::DataType::Of(types::TypeKind::kBigint)},
                         {"name", types::DataType::Of(types::TypeKind::kString)}};
  auto add = [&table](const std::string& key, const std::string& value) {
    table.options.push_back({.key = key, .value = value, .key_pos = {}, .value_pos = {}});
  };
  add("topic", topic);
  add("properties.bootstrap.servers", Brokers());
  add("format", "json");
  bool named = false;
  for (const auto& [key, value] : more) {
    add(key, value);
    named = named || key == "connector";
  }
  if (!named) {
    add("connector", "kafka");
  }
  return table;
}

ConnectContext Context(const std::string& job) {
  ConnectContext context;
  context.job_id = job;
  context.id_prefix = "sjtest";
  return context;
}

std::vector<SeenRecord> ReadAll(const std::string& topic, int partitions) {
  std::vector<ExchangeStart> starts;
  std::vector<int64_t> ends;
  {
    std::unique_ptr<Client> client = MetadataClient();
    for (int p = 0; p < partitions; ++p) {
      auto range = ReadLogRange(*client, topic, p);
      SJ_CHECK(range.ok());
      starts.push_back({{topic, p}, range->begin});
      ends.push_back(SettledEnd(topic, p));
    }
  }
  auto made = Fetcher::Make(
      {.cluster = TestCluster(), .group = "streamjob-test", .prefetch_bytes = 8 << 20}, starts);
  SJ_CHECK(made.ok());
  Fetcher& fetcher = **made;
  std::vector<SeenRecord> out;
  Deadline deadline(milliseconds(30'000));
  auto done = [&] {
    for (const FetchPartition& partition : fetcher.partitions()) {
      if (partition.position < ends[static_cast<size_t>(partition.id.partition)]) {
        return false;
      }
    }
    return true;
  };
  while (!done()) {
    SJ_CHECK(!deadline.passed());
    SJ_CHECK(fetcher.Fill(1000, milliseconds(100)).ok());
    while (FetchPartition* partition = fetcher.NextPending()) {
      MessageHandle message = fetcher.Take(partition);
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        continue;
      }
      SeenRecord seen{.partition = message->partition,
                      .offset = message->offset,
                      .key = {},
                      .value = {},
                      .tombstone = message->payload == nullptr};
      seen.key.assign(static_cast<const char*>(message->key), message->key_len);
      seen.value.assign(static_cast<const char*>(message->payload), message->len);
      out.push_back(std::move(seen));
    }
  }
  return out;
}

}  // namespace sj::worker::connect::kafka::testing
