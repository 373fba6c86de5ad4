// SPDX-License-Identifier: Apache-2.0
// Rescales by hand-over under load, over a simulated Kafka: the committed output must be what a
// plain recomputation says, whichever operation fails, whoever is cut off, and whoever goes on as a
// zombie. SJ_SIM_SECONDS sets how long the seeded part runs, SJ_SIM_SEED repeats one seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>

#include "worker/runtime/placement.h"
#include "worker/runtime/testing/sim_cluster.h"

namespace sj::worker::runtime {
namespace {

using testing::SimCluster;

// MIN and MAX of a sequence number, and its last value by order of arrival, would show a reordered
// or repeated row; rows behind the watermark would be missing.
constexpr const char* kSql = R"(
CREATE TABLE ev (k STRING, v INT, t TIMESTAMP(3), WATERMARK FOR t AS t)
  WITH ('connector' = 'kafka', 'topic' = 'ev', 'format' = 'json');
CREATE TABLE agg (k STRING, w TIMESTAMP(3), n BIGINT, s INT)
  WITH ('connector' = 'kafka', 'topic' = 'agg', 'format' = 'json');
INSERT INTO agg SELECT k, TUMBLE_START(t, INTERVAL '1' SECOND), COUNT(*), SUM(v)
  FROM ev GROUP BY k, TUMBLE(t, INTERVAL '1' SECOND);
)";

constexpr int kPartitions = 8;
constexpr int kKeys = 11;

// Every partition has the same times, in order and without any slack: the watermark of a partition
// is its last row's time, so a watermark that overtakes a row makes that row late.
std::vector<std::string> LoadInput(SimCluster* cluster, int records) {
  EXPECT_TRUE(cluster->Plan().ok());
  cluster->kafka().CreateTopic("ev", kPartitions);
  cluster->kafka().CreateTopic("agg", 1);
  std::map<std::pair<int, int>, std::pair<int, int>> windows;
  char text[128];
  for (int i = 0; i < records; ++i) {
    for (int p = 0; p < kPartitions; ++p) {
      int ms = i * 190 + p;
      int key = (i * 3 + p) % kKeys;
      std::snprintf(text, sizeof text, R"({"k":"k%d","v":%d,"t":"2026-01-01 00:%02d:%02d.%03d"})",
                    key, i, ms / 60000, ms / 1000 % 60, ms % 1000);
      cluster->kafka().Append("ev", p, text);
      auto& cell = windows[{ms / 1000, key}];
      cell.first += 1;
      cell.second += i;
    }
  }
  std::vector<std::string> expected;
  for (const auto& [id, cell] : windows) {
    std::snprintf(text, sizeof text, "+I|k%d|2026-01-01 00:%02d:%02d|%d|%d", id.second,
                  id.first / 60, id.first % 60, cell.first, cell.second);
    expected.push_back(text);
  }
  std::sort(expected.begin(), expected.end());
  return expected;
}

std::vector<std::string> Output(SimCluster* cluster) {
  std::vector<std::string> rows = cluster->kafka().Committed("agg");
  std::sort(rows.begin(), rows.end());
  return rows;
}

::testing::AssertionResult Fine(const base::Status& status) {
  return status.ok() ? ::testing::AssertionSuccess()
                     : ::testing::AssertionFailure() << status.ToString();
}

TEST(Share, GivesAndTakesAreTheDifferenceOfTheShares) {
  PartitionCounts counts = {{0, 8}, {3, 1}};
  for (int from = 1; from <= 7; ++from) {
    for (int to = 1; to <= 7; ++to) {
      std::vector<int> gives(16), takes(16), part_gives(8), part_takes(8);
      for (int ordinal = 0; ordinal < std::max(from, to); ++ordinal) {
        Ownership now{from, ordinal, 2, 16, 128};
        Ownership next{to, ordinal, 2, 16, 128};
        Share share = ShareOf(now, next, counts);
        UnitSet had = UnitsOf(now, counts);
        UnitSet has = UnitsOf(next, counts);
        for (int s = 0; s < 16; ++s) {
          EXPECT_EQ(share.give.HasShard(s), had.HasShard(s) && !has.HasShard(s));
          gives[s] += share.give.HasShard(s) ? 1 : 0;
          takes[s] += share.take.HasShard(s) ? 1 : 0;
        }
        for (int p = 0; p < 8; ++p) {
          part_gives[p] += share.give.HasPartition(0, p) ? 1 : 0;
          part_takes[p] += share.take.HasPartition(0, p) ? 1 : 0;
        }
        EXPECT_EQ(had.size() - share.give.size() + share.take.size(), has.size());
        if (from == to) {
          EXPECT_TRUE(share.give.empty() && share.take.empty());
        }
      }
      EXPECT_EQ(gives, takes) << from << " to " << to;
      EXPECT_EQ(part_gives, part_takes) << from << " to " << to;
    }
  }
}

TEST(Placement, WhatStaysStaysOnItsThread) {
  PartitionCounts counts = {{0, 8}};
  Ownership one{1, 0, 3, 16, 128};
  Ownership two{2, 0, 3, 16, 128};
  Placement placement(one, counts);
  Share share = ShareOf(one, two, counts);
  Placement after = placement;
  after.Remove(share.give);
  for (int s = 0; s < 16; ++s) {
    EXPECT_EQ(after.ThreadOfShard(s), share.give.HasShard(s) ? -1 : placement.ThreadOfShard(s));
  }
  after.Add(share.give);
  int shards = 0, partitions = 0;
  for (int thread = 0; thread < 3; ++thread) {
    EXPECT_GE(after.ThreadShards(thread).size(), 5u);
    shards += static_cast<int>(after.ThreadShards(thread).size());
    partitions += static_cast<int>(after.ThreadPartitions(0, thread).size());
  }
  EXPECT_EQ(shards, 16);
  EXPECT_EQ(partitions, 8);
  EXPECT_EQ(share.give.ToString(), "shards 8-15; table 0 partitions 4-7");
}

void RunRescales(const std::vector<int>& replicas, int threads) {
  SimCluster cluster(kSql);
  constexpr int kShare = 80;  // of the input, while one rescale is under way
  const int records = kShare * static_cast<int>(replicas.size()) + 5;
  auto expected = LoadInput(&cluster, records);
  SimCluster::Options options;
  options.threads = threads;
  options.shards = 16;
  cluster.LetIn(kShare);
  ASSERT_TRUE(Fine(cluster.Start(replicas[0], options)));
  for (size_t i = 1; i < replicas.size(); ++i) {
    cluster.LetIn(kShare * static_cast<int64_t>(i + 1));
    ASSERT_TRUE(Fine(cluster.Rescale(replicas[i], {})));
  }
  EXPECT_EQ(cluster.handed_over(), static_cast<int>(replicas.size()) - 1);
  ASSERT_TRUE(Fine(cluster.Finish()));
  EXPECT_EQ(Output(&cluster), expected);
}

TEST(HandOver, UpAndDownUnderLoad) {
  RunRescales({1, 4, 2, 7, 3}, 1);
}

TEST(HandOver, UpAndDownUnderLoadWithThreads) {
  RunRescales({1, 4, 2, 7, 3, 1}, 3);
}

// 1 -> 2 -> 1 with one fault. Whatever it hits, both rescales come to an end and the output is
// exact.
void RunSmall(int64_t fail_at, const SimCluster::Disturb& up, const SimCluster::Disturb& down,
              int64_t* operations) {
  SimCluster cluster(kSql);
  auto expected = LoadInput(&cluster, 70);
  SimCluster::Options options;
  cluster.LetIn(10);
  ASSERT_TRUE(Fine(cluster.Start(1, options)));
  cluster.LetIn(35);
  int64_t before = cluster.kafka().operations();
  cluster.kafka().FailAt(fail_at);
  ASSERT_TRUE(Fine(cluster.Rescale(2, up)));
  cluster.LetIn(65);
  ASSERT_TRUE(Fine(cluster.Rescale(1, down)));
  *operations = cluster.kafka().operations() - before;
  ASSERT_TRUE(Fine(cluster.Finish()));
  ASSERT_EQ(Output(&cluster), expected) << "fail_at=" << fail_at;
}

// Every n with SJ_SIM_SECONDS of a minute or more, else some of them.
TEST(HandOver, NthOperationFails) {
  int64_t operations = INT64_MAX;
  int64_t n = 1;
  const char* seconds = std::getenv("SJ_SIM_SECONDS");
  const int64_t step = seconds != nullptr && std::atoi(seconds) >= 60 ? 1 : 3;
  for (; n < operations && n < 2000; n += step) {
    RunSmall(n, {}, {}, &operations);
    if (HasFatalFailure()) {
      FAIL() << "n=" << n;
    }
  }
  std::printf("%d operations\n", static_cast<int>(n));
}

TEST(HandOver, CutsZombiesAndChangedMinds) {
  int64_t operations = 0;
  for (int ordinal = 0; ordinal < 2; ++ordinal) {
    RunSmall(0, {ordinal, -1, false}, {}, &operations);
    RunSmall(0, {}, {ordinal, -1, false}, &operations);
    RunSmall(0, {-1, ordinal, true}, {}, &operations);
    RunSmall(0, {}, {-1, ordinal, true}, &operations);
    RunSmall(0, {1 - ordinal, ordinal, false}, {-1, 1 - ordinal, true}, &operations);
    if (HasFatalFailure()) {
      return;
    }
  }
}

// Lets in so many records of each partition and waits until they are committed.
base::Status CatchUp(SimCluster* cluster, int64_t records) {
  cluster->LetIn(records);
  return cluster->Await([&] {
    return cluster->kafka().Gate() == records &&
           cluster->kafka().WaitCommitted("ev", std::chrono::seconds(0));
  });
}

// Of two workers the first one takes all. Rows that went over the exchange come before those that
// go through memory, however long a transaction of a third one keeps them from being read.
void RunHeldBack(int shard) {
  SimCluster cluster(kSql);
  auto expected = LoadInput(&cluster, 70);
  SimCluster::Options options;
  cluster.LetIn(5);
  ASSERT_TRUE(Fine(cluster.Start(2, options)));
  const std::string exchange = cluster.ExchangeTopic(0);
  cluster.kafka().LeaveOpen({exchange, shard});
  ASSERT_TRUE(Fine(CatchUp(&cluster, 20)));
  ASSERT_TRUE(Fine(cluster.Rescale(1, {})));
  ASSERT_EQ(cluster.handed_over(), 1);

  // A round of the task thread looks at the exchange, then at the sources if it may.
  const int64_t of_exchange = cluster.kafka().Looks(exchange);
  const int64_t of_sources = cluster.kafka().Looks("ev");
  cluster.LetIn(40);
  ASSERT_TRUE(Fine(cluster.Await([&] {
    return cluster.kafka().Gate() == 40 &&
           cluster.kafka().Looks(exchange) > of_exchange + 3 * options.shards;
  })));
  EXPECT_EQ(cluster.kafka().Looks("ev"), of_sources) << "the intake is open";
  cluster.kafka().AbortOpen();
  ASSERT_TRUE(Fine(cluster.Finish()));
  EXPECT_EQ(Output(&cluster), expected);
}

TEST(HandOver, IntakeWaitsForTheExchangeOfTakenShards) {
  RunHeldBack(3);
}

// The former owners of taken sources have written to it.
TEST(HandOver, IntakeWaitsForTheExchangeOfKeptShards) {
  RunHeldBack(0);
}

// Also long after it. A worker that stayed was configured for another share than it has now. One
// that came would wait for release marks, which its own commits have replaced: for ever.
TEST(HandOver, WhoeverFailsAfterItRejoins) {
  SimCluster cluster(kSql);
  auto expected = LoadInput(&cluster, 70);
  cluster.LetIn(20);
  ASSERT_TRUE(Fine(cluster.Start(1, {})));
  ASSERT_TRUE(Fine(cluster.Rescale(2, {})));
  ASSERT_EQ(cluster.handed_over(), 1);
  ASSERT_TRUE(Fine(CatchUp(&cluster, 40)));
  cluster.kafka().Cut(0);
  cluster.kafka().Cut(1);
  ASSERT_TRUE(Fine(cluster.Finish()));
  EXPECT_EQ(cluster.Rejoined(), 2);
  EXPECT_EQ(Output(&cluster), expected);
}

void RunSeed(uint64_t seed) {
  std::mt19937_64 random(seed);
  SimCluster cluster(kSql);
  constexpr int kShare = 30;
  const int records = kShare * 5 + 5;
  auto expected = LoadInput(&cluster, records);
  SimCluster::Options options;
  options.threads = 1 + static_cast<int>(random() % 2);
  options.shards = random() % 2 == 0 ? 4 : 16;
  options.gate_step = 1 + static_cast<int64_t>(random() % 3);
  cluster.LetIn(kShare);
  ASSERT_TRUE(Fine(cluster.Start(1 + static_cast<int>(random() % 3), options)));
  for (int i = 0; i < 4; ++i) {
    cluster.LetIn(kShare * (i + 2));
    SimCluster::Disturb disturb;
    if (random() % 3 == 0) {
      disturb.cut = static_cast<int>(random() % 4);
    }
    if (random() % 2 == 0) {
      disturb.zombie = static_cast<int>(random() % 4);
    }
    disturb.change_mind = random() % 5 == 0;
    cluster.kafka().FailAt(random() % 3 == 0 ? 1 + static_cast<int64_t>(random() % 80) : 0);
    ASSERT_TRUE(Fine(cluster.Rescale(1 + static_cast<int>(random() % 4), disturb)));
  }
  cluster.kafka().FailAt(0);
  ASSERT_TRUE(Fine(cluster.Finish()));
  ASSERT_EQ(Output(&cluster), expected);
}

TEST(HandOver, Seeds) {
  if (const char* one = std::getenv("SJ_SIM_SEED")) {
    RunSeed(std::strtoull(one, nullptr, 10));
    return;
  }
  const char* text = std::getenv("SJ_SIM_SECONDS");
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(text ? std::atoi(text) : 10);
  uint64_t seed = 1;
  for (; std::chrono::steady_clock::now() < end; ++seed) {
    RunSeed(seed);
    if (HasFatalFailure()) {
      FAIL() << "seed " << seed;
    }
  }
  std::printf("%d seeds\n", static_cast<int>(seed - 1));
}

}  // namespace
}  // namespace sj::worker::runtime
