// SPDX-License-Identifier: Apache-2.0
#include "worker/plan/plan_diff.h"

#include <gtest/gtest.h>

namespace sj::worker::plan {
namespace {

constexpr std::string_view kTables =
    "CREATE TABLE events (user_id BIGINT, item STRING, price BIGINT, ts TIMESTAMP(3),"
    " WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)"
    " WITH ('connector' = 'kafka', 'topic' = 'events', 'format' = 'json');"
    "CREATE TABLE more (user_id BIGINT, item STRING, price BIGINT, ts TIMESTAMP(3),"
    " WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)"
    " WITH ('connector' = 'kafka', 'topic' = 'more', 'format' = 'json');"
    "CREATE TABLE out1 (k STRING, n BIGINT) WITH ('connector' = 'blackhole');"
    "CREATE TABLE out2 (k STRING, n BIGINT) WITH ('connector' = 'blackhole');";

PhysicalPlan Plan(const std::string& statements) {
  base::Result<PhysicalPlan> plan = PlanSql(std::string(kTables) + statements);
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  return plan.ok() ? *std::move(plan) : PhysicalPlan();
}

std::string Count(const std::string& key, const std::string& size, const std::string& from = "",
                  const std::string& sink = "out1") {
  return "INSERT INTO " + sink + " SELECT CAST(" + key + " AS STRING), COUNT(*) FROM " +
         (from.empty() ? "events" : from) + " GROUP BY " + key + ", TUMBLE(ts, INTERVAL '" + size +
         "' SECOND);";
}

TEST(PlanDiff, TheSamePlanKeepsItsState) {
  const PlanDiff diff = DiffPlans(Plan(Count("user_id", "10")), Plan(Count("user_id", "10")));
  EXPECT_TRUE(diff.compatible);
  ASSERT_EQ(diff.operators.size(), 1u);
  EXPECT_EQ(diff.operators[0].fate, StateFate::kKept);
  EXPECT_EQ(Summary(diff), "1 stateful operator keeps its state");
  EXPECT_EQ(Describe(diff), "state of operator 1 (TUMBLE window of 10000 ms by user_id): kept\n");
}

TEST(PlanDiff, AnotherKeyOrSizeIsNamed) {
  const PlanDiff key = DiffPlans(Plan(Count("user_id", "10")), Plan(Count("item", "10")));
  EXPECT_FALSE(key.compatible);
  ASSERT_EQ(key.operators.size(), 1u);
  EXPECT_EQ(key.operators[0].fate, StateFate::kIncompatible);
  EXPECT_EQ(key.operators[0].why, "was \"key user_id BIGINT\", is \"key item STRING\"");
  const PlanDiff size = DiffPlans(Plan(Count("item", "10")), Plan(Count("item", "20")));
  EXPECT_FALSE(size.compatible);
  EXPECT_NE(size.operators[0].why.find("size=20000"), std::string::npos);
}

TEST(PlanDiff, OperatorsComeAndGo) {
  const PhysicalPlan one = Plan(Count("item", "10"));
  const PhysicalPlan two = Plan(Count("item", "10") + Count("item", "60", "", "out2"));
  const PlanDiff more = DiffPlans(one, two);
  EXPECT_FALSE(more.compatible);
  ASSERT_EQ(more.operators.size(), 2u);
  EXPECT_EQ(more.operators[0].fate, StateFate::kKept);
  EXPECT_EQ(more.operators[1].fate, StateFate::kNew);
  const PlanDiff fewer = DiffPlans(two, one);
  EXPECT_EQ(fewer.operators[1].fate, StateFate::kDropped);
  EXPECT_EQ(Summary(fewer), "stateful operator 2 (TUMBLE window of 60000 ms by item) is gone");
}

TEST(PlanDiff, SourcesAreNamed) {
  const PlanDiff diff = DiffPlans(Plan(Count("item", "10")), Plan(Count("item", "10", "more")));
  EXPECT_FALSE(diff.compatible);
  ASSERT_EQ(diff.sources_new.size(), 1u);
  ASSERT_EQ(diff.sources_dropped.size(), 1u);
  EXPECT_EQ(diff.sources_new[0], "connector=kafka;topic=more;");
  EXPECT_EQ(diff.operators[0].fate, StateFate::kKept);
  EXPECT_EQ(Summary(diff), "source connector=kafka;topic=more; is new (and 1 more)");
}

TEST(PlanDiff, NoStateIsSaidSo) {
  const std::string copy = "INSERT INTO out1 SELECT item, price FROM events;";
  const PlanDiff diff = DiffPlans(Plan(copy), Plan(copy));
  EXPECT_TRUE(diff.compatible);
  EXPECT_EQ(Summary(diff), "the job has no keyed state");
}

// The diff and the hash a restore compares never disagree.
TEST(PlanDiff, AgreesWithTheHash) {
  const std::vector<PhysicalPlan> plans = [] {
    std::vector<PhysicalPlan> all;
    for (const char* key : {"user_id", "item"}) {
      for (const char* size : {"10", "20"}) {
        for (const char* from : {"events", "more"}) {
          all.push_back(Plan(Count(key, size, from)));
        }
      }
    }
    all.push_back(Plan(Count("item", "10") + Count("item", "60", "", "out2")));
    all.push_back(Plan(Count("item", "60") + Count("item", "10", "", "out2")));
    return all;
  }();
  for (const PhysicalPlan& before : plans) {
    for (const PhysicalPlan& after : plans) {
      const PlanDiff diff = DiffPlans(before, after);
      bool same = diff.sources_new.empty() && diff.sources_dropped.empty();
      for (const OperatorChange& op : diff.operators) {
        same = same && op.fate == StateFate::kKept;
      }
      EXPECT_EQ(diff.compatible, same) << Describe(diff);
      EXPECT_EQ(diff.compatible, before.state_hash == after.state_hash);
    }
  }
}

}  // namespace
}  // namespace sj::worker::plan
