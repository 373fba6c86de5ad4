// SPDX-License-Identifier: Apache-2.0
// What a deleted job leaves: fenced first, then removed part by part, whatever fails on the way.
#include "worker/runtime/remains_remover.h"

#include <gtest/gtest.h>

#include "worker/plan/physical.h"
#include "worker/store/testing/faulty_store.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::runtime {
namespace {

using store::testing::FaultyStore;
using store::testing::MemoryStore;

// A cluster's view of one job; the n-th call fails.
struct Outside {
  std::vector<std::string> calls;
  int fail_at = 0;
  bool on_kafka = true;
  bool store_away = false;
  MemoryStore objects;

  base::Status Call(const std::string& call) {
    calls.push_back(call);
    return static_cast<int>(calls.size()) == fail_at ? base::Unavailable("made to fail")
                                                     : base::OkStatus();
  }
};

class FakeRemains final : public connect::JobRemains {
 public:
  explicit FakeRemains(Outside& outside) : outside_(outside) {}
  base::Status Fence(int ordinals) override {
    return outside_.Call("fence " + std::to_string(ordinals));
  }
  base::Status DeleteGroup() override { return outside_.Call("group"); }
  base::Result<int> DeleteTopics() override {
    SJ_RETURN_IF_ERROR(outside_.Call("topics"));
    return 2;
  }

 private:
  Outside& outside_;
};

class RemainsRemoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.job_uid = config_.connect.job_id = "uid-1";
    config_.store.location = "s3://b/p";
    for (const char* key : {"uid-1/g1/0/7-abc", "uid-1/g1/1/7-abc", "uid-2/g1/0/7-abc"}) {
      ASSERT_TRUE(outside_.objects.Put(key, "x").ok());
    }
  }
  Connectors Ends() {
    Connectors ends;
    ends.job_remains = [this](const UsedTables&, const connect::ConnectContext& context)
        -> base::Result<std::unique_ptr<connect::JobRemains>> {
      EXPECT_EQ(context.job_id, "uid-1");
      if (!outside_.on_kafka) {
        return std::unique_ptr<connect::JobRemains>();
      }
      return std::unique_ptr<connect::JobRemains>(std::make_unique<FakeRemains>(outside_));
    };
    ends.object_store = [this](const store::ObjectStoreOptions& options)
        -> base::Result<std::unique_ptr<store::ObjectStore>> {
      EXPECT_EQ(options.location, "s3://b/p");
      if (outside_.store_away) {
        return base::Unavailable("no route");
      }
      return std::unique_ptr<store::ObjectStore>(std::make_unique<FaultyStore>(&outside_.objects));
    };
    return ends;
  }
  static RemainsAsked All(int ordinals) { return {true, true, true, ordinals}; }

  Outside outside_;
  JobConfig config_;
  int parts_ = 0;
};

TEST_F(RemainsRemoverTest, FencesFirstAndTakesEverything) {
  RemainsRemover remover(config_, Ends());
  ASSERT_TRUE(remover.Remove(All(3), [&] { ++parts_; }).ok());
  EXPECT_EQ(outside_.calls, (std::vector<std::string>{"fence 3", "group", "topics"}));
  EXPECT_EQ(outside_.objects.size(), 1u);
  EXPECT_TRUE(remover.gone().checkpoints && remover.gone().exchange_topics &&
              remover.gone().consumer_group);
  EXPECT_EQ(remover.gone().objects, 2);
  EXPECT_EQ(remover.gone().topics, 2);
  EXPECT_EQ(parts_, 3);
}

TEST_F(RemainsRemoverTest, TakesOnlyWhatIsAsked) {
  RemainsRemover remover(config_, Ends());
  ASSERT_TRUE(remover.Remove({false, true, false, 1}, [&] { ++parts_; }).ok());
  EXPECT_EQ(outside_.calls, (std::vector<std::string>{"fence 1", "topics"}));
  EXPECT_EQ(outside_.objects.size(), 3u);
  EXPECT_FALSE(remover.gone().checkpoints || remover.gone().consumer_group);
  EXPECT_EQ(parts_, 1);
}

// A worker that is not fenced could commit, and make the group anew.
TEST_F(RemainsRemoverTest, DeletesNothingUnfenced) {
  outside_.fail_at = 1;
  RemainsRemover remover(config_, Ends());
  EXPECT_FALSE(remover.Remove(All(2), [&] { ++parts_; }).ok());
  EXPECT_EQ(ReasonOf(remover.stage(), base::Unavailable("x")), "KafkaUnreachable");
  EXPECT_EQ(outside_.calls, std::vector<std::string>{"fence 2"});
  EXPECT_EQ(outside_.objects.size(), 3u);
  EXPECT_EQ(parts_, 0);
}

TEST_F(RemainsRemoverTest, OneFailureLeavesTheRestToBeTaken) {
  for (int n = 1; n <= 3; ++n) {
    outside_.calls.clear();
    outside_.fail_at = n;
    RemainsRemover remover(config_, Ends());
    EXPECT_FALSE(remover.Remove(All(2), [] {}).ok()) << n;
    EXPECT_EQ(remover.gone().checkpoints, n > 1);
    ASSERT_TRUE(remover.Remove(All(2), [] {}).ok()) << n;
    // What was done is not done again.
    EXPECT_EQ(outside_.calls.size(), 4u) << n;
    EXPECT_EQ(remover.gone().topics, 2) << n;
  }
}

TEST_F(RemainsRemoverTest, StoreAwayIsSaidAndTriedAgain) {
  outside_.store_away = true;
  RemainsRemover remover(config_, Ends());
  const base::Status away = remover.Remove(All(1), [&] { ++parts_; });
  EXPECT_EQ(ReasonOf(remover.stage(), away), "CheckpointStoreUnreachable");
  EXPECT_TRUE(remover.gone().consumer_group && remover.gone().exchange_topics);
  EXPECT_EQ(parts_, 2);
  outside_.store_away = false;
  ASSERT_TRUE(remover.Remove(All(1), [] {}).ok());
  EXPECT_EQ(outside_.objects.size(), 1u);
}

// Another process after a crash, anywhere: everything again, and the same end.
TEST_F(RemainsRemoverTest, ANewProcessEndsTheSame) {
  for (int n = 1; n <= 3; ++n) {
    outside_.calls.clear();
    outside_.fail_at = n;
    EXPECT_FALSE(RemainsRemover(config_, Ends()).Remove(All(2), [] {}).ok());
    outside_.fail_at = 0;
    RemainsRemover next(config_, Ends());
    ASSERT_TRUE(next.Remove(All(2), [] {}).ok());
    EXPECT_TRUE(next.gone().checkpoints && next.gone().consumer_group);
    EXPECT_EQ(outside_.objects.size(), 1u);
  }
}

TEST_F(RemainsRemoverTest, MoreOrdinalsAreFencedAfterwards) {
  RemainsRemover remover(config_, Ends());
  ASSERT_TRUE(remover.Remove({false, false, true, 2}, [] {}).ok());
  ASSERT_TRUE(remover.Remove({false, true, true, 4}, [] {}).ok());
  EXPECT_EQ(outside_.calls, (std::vector<std::string>{"fence 2", "group", "fence 4", "topics"}));
}

TEST_F(RemainsRemoverTest, WithoutKafkaOnlyObjectsAreLeft) {
  outside_.on_kafka = false;
  RemainsRemover remover(config_, Ends());
  ASSERT_TRUE(remover.Remove(All(1), [&] { ++parts_; }).ok());
  EXPECT_TRUE(outside_.calls.empty());
  EXPECT_EQ(outside_.objects.size(), 1u);
  EXPECT_EQ(parts_, 3);
}

TEST(UsedTables, LeavesOutWhatNobodyReads) {
  const auto plan = plan::PlanSql(R"(
    CREATE TABLE a (id BIGINT) WITH ('connector' = 'datagen');
    CREATE TABLE b (id BIGINT) WITH ('connector' = 'datagen');
    CREATE TABLE c (id BIGINT) WITH ('connector' = 'blackhole');
    INSERT INTO c SELECT id FROM a;)");
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  std::vector<std::string> names;
  for (const types::TableSpec* table : UsedTablesOf(*plan)) {
    names.push_back(table->name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "c"}));
}

}  // namespace
}  // namespace sj::worker::runtime
