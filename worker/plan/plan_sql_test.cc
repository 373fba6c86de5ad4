// SPDX-License-Identifier: Apache-2.0
// PlanSql as a whole: the two statements of the mission, what the state hash covers, and that any
// text is refused or planned in bounded time and stack.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "worker/plan/physical.h"

namespace sj::worker::plan {
namespace {

using types::TypeKind;

constexpr std::string_view kEvents =
    "CREATE TABLE user_events (user_id STRING, event_type STRING, product_id STRING, amount "
    "DECIMAL(10,2), event_time TIMESTAMP(3), WATERMARK FOR event_time AS event_time - INTERVAL '5' "
    "SECOND) WITH ('connector'='kafka','topic'='user-events','properties.bootstrap.servers'='…',"
    "'format'='json','scan.startup.mode'='earliest-offset');\n";
constexpr std::string_view kSink =
    "CREATE TABLE out1 (u STRING, w TIMESTAMP(3), n BIGINT, s DECIMAL(38,2)) WITH "
    "('connector'='print');\n";
constexpr std::string_view kQuery =
    "INSERT INTO out1 SELECT user_id, TUMBLE_START(event_time, INTERVAL '1' MINUTE) AS "
    "window_start, COUNT(*) AS event_count, SUM(amount) AS total_amount FROM user_events WHERE "
    "event_type = 'purchase' GROUP BY user_id, TUMBLE(event_time, INTERVAL '1' MINUTE);\n";

std::string Job(std::string_view query) {
  return fmt::format("{}{}{}", kEvents, kSink, query);
}

PhysicalPlan MustPlan(const std::string& sql) {
  base::Result<PhysicalPlan> plan = PlanSql(sql);
  EXPECT_TRUE(plan.ok()) << plan.status().message();
  return plan.ok() ? std::move(plan).value() : PhysicalPlan();
}

TEST(PlanSql, CutsTheMissionsQueryAtItsKeyedEdge) {
  const PhysicalPlan plan = MustPlan(Job(kQuery));
  ASSERT_EQ(plan.fragments.size(), 2u);
  const Fragment& source = plan.fragments[0];
  EXPECT_EQ(source.input, InputKind::kSource);
  EXPECT_EQ(source.columns, (std::vector<int>{0, 1, 3, 4}));  // product_id is not decoded
  ASSERT_EQ(source.ops.size(), 5u);
  EXPECT_EQ(source.heads, std::vector<int>{0});
  const OpKind kinds[] = {OpKind::kWatermark, OpKind::kFilter, OpKind::kProject,
                          OpKind::kLocalWindow, OpKind::kSendEdge};
  for (size_t i = 0; i < source.ops.size(); ++i) {
    EXPECT_EQ(source.ops[i].kind, kinds[i]);
  }
  EXPECT_EQ(source.input_schema.rowtime, 3);
  const WindowAggregate& local = source.ops[3].aggregate;
  EXPECT_EQ(local.window.size_ms, 60'000);
  EXPECT_EQ(local.window.time_column, 2);
  EXPECT_EQ(local.keys, std::vector<int>{0});
  ASSERT_EQ(local.calls.size(), 2u);
  EXPECT_EQ(local.calls[0].argument, -1);
  EXPECT_EQ(local.calls[1].type.ToString(), "DECIMAL(38, 2)");
  const Fragment& keyed = plan.fragments[1];
  ASSERT_EQ(keyed.ops.size(), 3u);
  EXPECT_EQ(keyed.ops[0].kind, OpKind::kGlobalWindow);
  EXPECT_EQ(keyed.ops[0].id, 1);
  EXPECT_EQ(keyed.ops[2].kind, OpKind::kSink);
  EXPECT_EQ(plan.edges[0].keys, std::vector<int>{0});
  EXPECT_EQ(plan.tables[0].Option("properties.bootstrap.servers"), "…");
}

TEST(PlanSql, SameTextSamePlan) {
  EXPECT_EQ(MustPlan(Job(kQuery)).Explain(), MustPlan(Job(kQuery)).Explain());
}

TEST(PlanSql, ScansNoTableThatNobodyReads) {
  const PhysicalPlan plan =
      MustPlan(Job(std::string(kQuery) + "CREATE TABLE unused (a INT) WITH ('connector'='kafka')"));
  EXPECT_EQ(plan.tables.size(), 2u);
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(StateHash, StaysWhenStateKeepsItsMeaning) {
  const std::string job = Job(kQuery);
  const std::string hash = MustPlan(job).state_hash;
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"event_type = 'purchase'", "event_type = 'view'"},
           {"GROUP BY user_id, TUMBLE(event_time, INTERVAL '1' MINUTE)",
            "GROUP BY user_id, TUMBLE(event_time, INTERVAL '60' SECOND) HAVING COUNT(*) > 1"},
           {"COUNT(*) AS event_count", "COUNT(*) + 1 AS event_count"},
           {"product_id STRING", "product_id BIGINT"},
           {"'…'", "'kafka:9092'"}}) {
    EXPECT_EQ(MustPlan(Replaced(job, from, to)).state_hash, hash) << to;
  }
}

TEST(StateHash, MovesWhenStateChangesItsMeaning) {
  const std::string job = Job(kQuery);
  const std::string hash = MustPlan(job).state_hash;
  std::string hour = job;
  for (int i = 0; i < 2; ++i) {
    hour = Replaced(hour, "INTERVAL '1' MINUTE", "INTERVAL '1' HOUR");
  }
  EXPECT_NE(MustPlan(hour).state_hash, hash);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"'user-events'", "'other-events'"},
           {"SUM(amount)", "MAX(amount)"},
           {"SUM(amount)", "SUM(amount + 1)"},
           {"COUNT(*)", "COUNT(*) FILTER (WHERE amount > 1)"},
           {"GROUP BY user_id,", "GROUP BY user_id, product_id,"}}) {
    EXPECT_NE(MustPlan(Replaced(job, from, to)).state_hash, hash) << to;
  }
}

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) {
    out += text;
  }
  return out;
}

// Planned or refused, but soon and without overrunning the stack.
void ExpectBounded(const std::string& sql, std::string_view what) {
  const auto begin = std::chrono::steady_clock::now();
  const base::Result<PhysicalPlan> plan = PlanSql(sql);
  const auto taken = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(taken, std::chrono::seconds(20)) << what;
  if (!plan.ok()) {
    EXPECT_EQ(plan.status().kind(), base::ErrorKind::kInvalidArgument) << what;
  }
}

TEST(Bounded, DeepNesting) {
  constexpr int kDeep = 10'000;
  const std::string select = "INSERT INTO out1 SELECT ";
  for (const auto& [open, close] :
       std::vector<std::pair<std::string, std::string>>{{"(", ")"},
                                                        {"CASE WHEN TRUE THEN ", " ELSE 1 END"},
                                                        {"NOT ", ""},
                                                        {"- ", ""},
                                                        {"1 + ", ""},
                                                        {"(SELECT ", ")"},
                                                        {"UPPER(", ")"},
                                                        {"CAST(", " AS INT)"},
                                                        {"a[", "]"},
                                                        {"x OR (x AND ", ")"}}) {
    const base::Result<PhysicalPlan> plan =
        PlanSql(Job(select + Repeat(open, kDeep) + "1" + Repeat(close, kDeep)));
    ASSERT_FALSE(plan.ok()) << open;
  }
  EXPECT_NE(PlanSql(Job(select + Repeat("(", kDeep))).status().message().find("200 levels deep"),
            std::string::npos);
  ExpectBounded(Job(select + "1 FROM " + Repeat("(SELECT 1 FROM ", kDeep)), "subqueries");
  ExpectBounded("CREATE TABLE t (a " + Repeat("ARRAY<", kDeep), "types");
  ExpectBounded(Job(select + "1" + Repeat(" + 1", 200'000) + " FROM user_events"), "sum");
  ExpectBounded(Job(select + "1 FROM user_events" + Repeat(" JOIN t ON TRUE", 50'000)), "joins");
}

TEST(Bounded, LongLists) {
  const std::string select = "INSERT INTO out1 SELECT ";
  ExpectBounded(Job(select + Repeat("user_id, ", 100'000) + "1 FROM user_events"), "items");
  ExpectBounded(Job(select + Repeat("user_id, ", 9'000) + "1 FROM user_events"), "accepted items");
  ExpectBounded("CREATE TABLE t (" + Repeat("c INT, ", 100'000) + "d INT)", "columns");
  ExpectBounded(Job(select + "user_id IN (" + Repeat("'a', ", 9'000) + "'b') FROM user_events"),
                "in");
  ExpectBounded(Job(select + "TRUE" + Repeat(" AND user_id = 'x'", 9'000) + " FROM user_events"),
                "and");
  ExpectBounded(Repeat("INSERT INTO t SELECT * FROM v;", 30'000), "inserts");
}

TEST(Bounded, Garbage) {
  constexpr size_t kSize = 1u << 20;
  for (const std::string_view piece : {"(", "'", "`", "a.", "1 ", "SELECT ", "/*", "--", ";", "\n",
                                       "CREATE TABLE t ", "\xff", "\xc3\xa4", "x=>", "+1 "}) {
    std::string text;
    while (text.size() + piece.size() <= kSize) {
      text += piece;
    }
    ExpectBounded(text, piece);
    ExpectBounded(Job("INSERT INTO out1 SELECT " + text.substr(0, kSize / 2)), piece);
  }
  EXPECT_FALSE(PlanSql(std::string(kSize + 1, ' ')).ok());
}

// Each view doubles what it reads: without a bound the last would be 2^60 columns or terms.
TEST(Bounded, ViewsThatMultiply) {
  std::string wide = "CREATE VIEW v0 AS SELECT user_id FROM user_events;\n";
  std::string tall = "CREATE VIEW v0 AS SELECT amount AS a FROM user_events;\n";
  for (int i = 1; i <= 60; ++i) {
    wide += fmt::format("CREATE VIEW v{} AS SELECT *, * FROM v{};\n", i, i - 1);
    tall += fmt::format("CREATE VIEW v{} AS SELECT a + a AS a FROM v{} WHERE a > 0;\n", i, i - 1);
  }
  ExpectBounded(Job(wide + "INSERT INTO out1 SELECT * FROM v60"), "columns");
  ExpectBounded(Job(tall + "INSERT INTO out1 (n) SELECT 1 FROM v60"), "terms");
  std::string filters = "CREATE VIEW v0 AS SELECT amount AS a FROM user_events;\n";
  for (int i = 1; i < 190; ++i) {
    filters +=
        fmt::format("CREATE VIEW v{} AS SELECT a + 1 AS a FROM v{} WHERE a > {};\n", i, i - 1, i);
  }
  ExpectBounded(Job(filters + Repeat("INSERT INTO out1 (n) SELECT 1 FROM v189;\n", 1'000)),
                "filters");
  std::string deep = "CREATE VIEW v0 AS SELECT user_id FROM user_events;\n";
  for (int i = 1; i <= 5'000; ++i) {
    deep += fmt::format("CREATE VIEW v{} AS SELECT * FROM v{};\n", i, i - 1);
  }
  const base::Result<PhysicalPlan> plan =
      PlanSql(Job(deep + "INSERT INTO out1 (u) SELECT * FROM v5000"));
  ASSERT_FALSE(plan.ok());
  EXPECT_NE(plan.status().message().find("nested more than"), std::string::npos);
  std::string between = "amount";
  for (int i = 0; i < 60; ++i) {
    between = "(" + between + " BETWEEN 1 AND 2) IS TRUE AND TRUE";
  }
  ExpectBounded(Job("INSERT INTO out1 (n) SELECT 1 FROM user_events WHERE " + between), "between");
}

TEST(PlanSql, RefusesTextThatIsNotUtf8) {
  const base::Result<PhysicalPlan> plan = PlanSql("SET 'a' = '\xed\xa0\x80'");
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().message(), "1:12: text is not valid UTF-8");
}

}  // namespace
}  // namespace sj::worker::plan
