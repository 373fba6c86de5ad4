// SPDX-License-Identifier: Apache-2.0
// Options of all connectors: what is accepted, what is refused and where, and that the reference
// page names exactly the options the code knows. No network.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "api/base/testing/source_dir.h"
#include "worker/connect/blackhole/blackhole_sink.h"
#include "worker/connect/connector.h"
#include "worker/connect/exchange.h"
#include "worker/connect/generator/datagen_source.h"
#include "worker/connect/job_remains.h"
#include "worker/connect/json/json_options.h"
#include "worker/connect/kafka/cluster.h"
#include "worker/connect/kafka/kafka_options.h"
#include "worker/connect/position_topic.h"
#include "worker/connect/print/print_sink.h"

namespace sj::worker::connect {
namespace {

using base::ErrorKind;
using ::testing::HasSubstr;
using types::DataType;
using types::TypeKind;
using Options = std::vector<std::pair<std::string, std::string>>;

types::TableSpec Table(const Options& options) {
  types::TableSpec table;
  table.name = "t";
  table.pos = {1, 1};
  table.schema.fields = {{"id", DataType::Of(TypeKind::kBigint)},
                         {"name", DataType::Of(TypeKind::kString)}};
  int line = 2;
  for (const auto& [key, value] : options) {
    table.options.push_back({key, value, {line, 3}, {line, 20}});
    ++line;
  }
  return table;
}

types::TableSpec Kafka(const Options& more) {
  Options options = {{"connector", "kafka"},
                     {"topic", "a"},
                     {"properties.bootstrap.servers", "localhost:9092"},
                     {"format", "json"}};
  options.insert(options.end(), more.begin(), more.end());
  return Table(options);
}

std::string Refusal(const types::TableSpec& table, const ConnectContext& context = {}) {
  auto source = MakeSource(table, context);
  if (source.ok()) {
    return "accepted";
  }
  EXPECT_EQ(source.status().kind(), ErrorKind::kInvalidArgument);
  return source.status().message();
}

TEST(KafkaOptionsTest, TheShortTableIsAccepted) {
  EXPECT_EQ(Refusal(Kafka({{"scan.startup.mode", "earliest-offset"}})), "accepted");
  EXPECT_EQ(Refusal(Kafka({{"properties.group.id", "g"}, {"scan.parallelism", "4"}})), "accepted");
}

TEST(KafkaOptionsTest, RefusalsSayWhereAndWhatToDo) {
  EXPECT_THAT(Refusal(Kafka({{"scan.startup.mod", "x"}})),
              HasSubstr("6:3: table \"t\": option \"scan.startup.mod\": is not known to this"
                        " connector. Did you mean \"scan.startup.mode\"?"));
  EXPECT_THAT(Refusal(Kafka({{"scan.startup.mode", "earliest"}})), HasSubstr("earliest-offset"));
  EXPECT_THAT(Refusal(Kafka({{"properties.sasl.jaas.config", "x"}})),
              HasSubstr("SQL holds no credentials"));
  EXPECT_THAT(Refusal(Kafka({{"properties.isolation.level", "read_uncommitted"}})),
              HasSubstr("read_committed"));
  EXPECT_THAT(Refusal(Kafka({{"topic-pattern", "a.*"}})), HasSubstr("topic-pattern"));
  EXPECT_THAT(Refusal(Kafka({{"json.nope", "1"}})), HasSubstr("json.nope"));
  EXPECT_THAT(Refusal(Kafka({{"bad-records.policy", "dead-letter"}})),
              HasSubstr("bad-records.topic"));
  EXPECT_THAT(Refusal(Kafka({{"scan.startup.mode", "timestamp"}})),
              HasSubstr("scan.startup.timestamp-millis"));
  EXPECT_THAT(Refusal(Kafka({{"properties.linger.ms", "5000"}})), HasSubstr("0 to 1000"));
  EXPECT_THAT(Refusal(Table({{"connector", "nope"}})), HasSubstr("kafka, datagen"));
  EXPECT_THAT(Refusal(Table({{"connector", "kafka"}, {"topic", "a"}, {"format", "json"}})),
              HasSubstr("spec.connections"));
}

// Each of these could load code, read a file, weaken TLS, or break exactly-once.
TEST(KafkaOptionsTest, DangerousPropertiesNeverReachTheLibrary) {
  for (const char* name :
       {"plugin.library.paths", "ssl.engine.location", "ssl.providers", "sasl.kerberos.kinit.cmd",
        "ssl.ca.location", "ssl.key.location", "ssl.keystore.location", "sasl.password",
        "sasl.oauthbearer.token.endpoint.url", "enable.ssl.certificate.verification",
        "ssl.endpoint.identification.algorithm", "debug", "transactional.id", "check.crcs",
        "enable.auto.offset.store", "message.timeout.ms", "socket.timeout.ms", "log_level"}) {
    EXPECT_NE(Refusal(Kafka({{std::string("properties.") + name, "x"}})), "accepted") << name;
    ConnectContext context;
    context.connections = {{"main", "b:9092", "", {{name, "x"}}}};
    EXPECT_NE(Refusal(Table({{"connector", "kafka"}, {"topic", "a"}, {"format", "json"}}), context),
              "accepted")
        << name;
  }
  EXPECT_THAT(Refusal(Table({{"connector", "kafka"},
                             {"topic", "a"},
                             {"format", "json"},
                             {"properties.bootstrap.servers", "169.254.169.254:80"}})),
              HasSubstr("metadata address"));
}

TEST(KafkaOptionsTest, ScramNeedsANewerLibrary) {
  EXPECT_FALSE(kafka::CheckMechanism("SCRAM-SHA-512", 0x020002ff).ok());
  EXPECT_TRUE(kafka::CheckMechanism("SCRAM-SHA-512", 0x020601ff).ok());
  EXPECT_TRUE(kafka::CheckMechanism("PLAIN", 0x020002ff).ok());
}

TEST(KafkaOptionsTest, ConnectionsAreFoundByNameOrAlone) {
  ConnectContext context;
  context.connections = {{"main", "b:9092", "", {}}};
  types::TableSpec table = Table({{"connector", "kafka"}, {"topic", "a"}, {"format", "json"}});
  EXPECT_EQ(Refusal(table, context), "accepted");
  context.connections.push_back({"other", "c:9092", "", {}});
  EXPECT_THAT(Refusal(table, context), HasSubstr("spec.connections"));
  types::TableSpec named =
      Table({{"connector", "kafka"}, {"topic", "a"}, {"format", "json"}, {"connection", "other"}});
  auto cluster = kafka::ResolveCluster(named, context);
  ASSERT_TRUE(cluster.ok());
  EXPECT_EQ(cluster->bootstrap_servers, "c:9092");
  named.options.back().value = "third";
  EXPECT_THAT(Refusal(named, context), HasSubstr("\"third\""));
}

TEST(KafkaOptionsTest, OneTransactionCannotSpanTwoClusters) {
  types::TableSpec a = Kafka({});
  types::TableSpec b = Kafka({});
  b.options[2].value = "elsewhere:9092";
  EXPECT_TRUE(MakeKafkaCommitLog({&a, &a}, {}).ok());
  EXPECT_EQ(MakeKafkaCommitLog({&a, &b}, {}).status().kind(), ErrorKind::kInvalidArgument);
  types::TableSpec print = Table({{"connector", "print"}});
  auto none = MakeKafkaCommitLog({&print}, {});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, nullptr);
}

TEST(KafkaOptionsTest, SinksCheckTheirKeys) {
  auto refusal = [](const types::TableSpec& table) {
    auto sink = MakeSink(table, {});
    return sink.ok() ? "accepted" : sink.status().message();
  };
  EXPECT_EQ(refusal(Kafka({{"key.format", "raw"}, {"key.fields", "name"}})), "accepted");
  EXPECT_THAT(refusal(Kafka({{"key.format", "raw"}, {"key.fields", "id;name"}})),
              HasSubstr("exactly one"));
  EXPECT_THAT(refusal(Kafka({{"key.format", "json"}, {"key.fields", "nope"}})), HasSubstr("nope"));
  types::TableSpec upsert = Kafka({{"key.format", "json"}});
  upsert.options[0].value = "upsert-kafka";
  EXPECT_THAT(refusal(upsert), HasSubstr("PRIMARY KEY"));
  upsert.primary_key = {"id"};
  EXPECT_EQ(refusal(upsert), "accepted");
  types::TableSpec append = Kafka({});
  append.primary_key = {"id"};
  EXPECT_THAT(refusal(append), HasSubstr("upsert-kafka"));
}

TEST(KafkaOptionsTest, SpecificOffsets) {
  auto offsets = kafka::ParseSpecificOffsets("partition:0,offset:42;partition:1,offset:300");
  ASSERT_TRUE(offsets.has_value());
  EXPECT_EQ(*offsets, (std::map<int, int64_t>{{0, 42}, {1, 300}}));
  for (const char* bad : {"", "0:42", "partition:0", "partition:0,offset:-1",
                          "partition:0,offset:1;partition:0,offset:2", "offset:1,partition:0"}) {
    EXPECT_FALSE(kafka::ParseSpecificOffsets(bad).has_value()) << bad;
  }
}

TEST(OptionsTest, DurationsAsFlinkSpellsThem) {
  using std::chrono::milliseconds;
  EXPECT_EQ(ParseOptionDuration("5 s"), milliseconds(5000));
  EXPECT_EQ(ParseOptionDuration("1min"), milliseconds(60'000));
  EXPECT_EQ(ParseOptionDuration("250"), milliseconds(250));
  EXPECT_EQ(ParseOptionDuration("1 d"), milliseconds(86'400'000));
  EXPECT_FALSE(ParseOptionDuration("-1 s").has_value());
  EXPECT_FALSE(ParseOptionDuration("5 parsecs").has_value());
  EXPECT_FALSE(ParseOptionDuration("99999999999999999 d").has_value());
}

TEST(PositionTopicTest, IsALegalTopicName) {
  ConnectContext context;
  context.job_id = "job";
  types::TableSpec table;
  table.name = "a b\xc3\xa9";
  EXPECT_EQ(PositionTopic(context, table), "streamjob.job.source.a_b__");
  EXPECT_EQ(ExchangeTopic(context, 2), "streamjob.job.x2");
}

// First cells in backquotes of the tables below a heading, up to the next heading of its level.
std::set<std::string> Documented(const std::string& heading) {
  std::ifstream in(base::testing::SourceDir() + "/docs/reference/connectors.md");
  std::set<std::string> out;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) {
      inside = line.substr(line.find(' ') + 1) == heading;
    }
    if (inside && line.starts_with("| `")) {
      out.insert(line.substr(3, line.find('`', 3) - 3));
    }
  }
  return out;
}

std::set<std::string> Known(std::span<const OptionRule> rules) {
  std::set<std::string> out;
  for (const OptionRule& rule : rules) {
    out.emplace(rule.key);
  }
  return out;
}

TEST(ReferencePageTest, NamesExactlyTheOptionsOfTheCode) {
  EXPECT_EQ(Documented("kafka and upsert-kafka"), Known(kafka::KafkaOptionRules()));
  EXPECT_EQ(Documented("json"), Known(json::JsonOptionRules()));
  EXPECT_EQ(Documented("datagen"), Known(generator::DatagenOptionRules()));
  EXPECT_EQ(Documented("print"), Known(print::PrintOptionRules()));
  EXPECT_EQ(Documented("blackhole"), Known(blackhole::BlackholeOptionRules()));
  std::set<std::string> properties;
  for (const kafka::PropertyRule& rule : kafka::PropertyRules()) {
    properties.emplace(rule.name);
  }
  EXPECT_EQ(Documented("Client properties"), properties);
}

TEST(JobRemains, KnowsItsOwnTopicsAndNoOthers) {
  ConnectContext context;
  context.job_id = "uid-1";
  EXPECT_TRUE(IsJobTopic(context, ExchangeTopic(context, 0)));
  EXPECT_TRUE(IsJobTopic(context, ExchangeTopic(context, 12)));
  types::TableSpec table;
  table.name = "my table";
  EXPECT_TRUE(IsJobTopic(context, PositionTopic(context, table)));
  for (const char* other :
       {"", "x0", "streamjob", "streamjob.uid-1", "streamjob.uid-1.", "streamjob.uid-1.x",
        "streamjob.uid-1.xyz", "streamjob.uid-1.x1a", "streamjob.uid-1.results",
        "streamjob.uid-10.x0", "streamjob.uid-2.x0", "other.uid-1.x0", "a.streamjob.uid-1.x0"}) {
    EXPECT_FALSE(IsJobTopic(context, other)) << other;
  }
  context.job_id.clear();
  EXPECT_FALSE(IsJobTopic(context, "streamjob..x0"));
}

TEST(JobRemains, AreOnKafkaOrNowhere) {
  ConnectContext context;
  EXPECT_EQ(MakeJobRemains({}, context).status().kind(), ErrorKind::kInvalidArgument);
  context.job_id = "uid-1";
  const auto none = MakeJobRemains({}, context);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, nullptr);
  const types::TableSpec table = Kafka({});
  const auto some = MakeJobRemains({&table}, context);
  ASSERT_TRUE(some.ok()) << some.status().ToString();
  EXPECT_NE(*some, nullptr);
}

}  // namespace
}  // namespace sj::worker::connect
