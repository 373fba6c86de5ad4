// SPDX-License-Identifier: Apache-2.0
// Snapshots of a job under load, over a simulated Kafka, and another job that starts from one: what
// the first job had committed at the cut and what the second one commits is together exactly the
// output of a run without any of it. SJ_SIM_SECONDS sets how long the seeded part runs, SJ_SIM_SEED
// repeats one seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "worker/runtime/testing/sim_cluster.h"
#include "worker/state/testing/temp_dir.h"

namespace sj::worker::runtime {
namespace {

using testing::SimCluster;
namespace fs = std::filesystem;

// One keyed edge, and two: then rows of windows and watermarks of shards are in flight too.
enum class Query { kOneEdge, kTwoEdges };

constexpr const char* kSource = R"(
CREATE TABLE ev (k STRING, v INT, t TIMESTAMP(3), WATERMARK FOR t AS t)
  WITH ('connector' = 'kafka', 'topic' = 'ev', 'format' = 'json');
)";
constexpr const char* kOneEdgeSql = R"(
CREATE TABLE agg (k STRING, w TIMESTAMP(3), n BIGINT, s INT)
  WITH ('connector' = 'kafka', 'topic' = 'agg', 'format' = 'json');
INSERT INTO agg SELECT k, TUMBLE_START(t, INTERVAL '1' SECOND), COUNT(*), SUM(v)
  FROM ev GROUP BY k, TUMBLE(t, INTERVAL '1' SECOND);
)";
constexpr const char* kTwoEdgesSql = R"(
CREATE TABLE agg (n BIGINT, w TIMESTAMP(3), c BIGINT, s INT)
  WITH ('connector' = 'kafka', 'topic' = 'agg', 'format' = 'json');
CREATE VIEW per_second AS
  SELECT k, COUNT(*) AS n, SUM(v) AS s, TUMBLE_ROWTIME(t, INTERVAL '1' SECOND) AS rt
  FROM ev GROUP BY k, TUMBLE(t, INTERVAL '1' SECOND);
INSERT INTO agg SELECT n, TUMBLE_START(rt, INTERVAL '3' SECOND), COUNT(*), SUM(s)
  FROM per_second GROUP BY n, TUMBLE(rt, INTERVAL '3' SECOND);
)";

std::string SqlOf(Query query) {
  return std::string(kSource) + (query == Query::kOneEdge ? kOneEdgeSql : kTwoEdgesSql);
}

constexpr int kPartitions = 8;
constexpr int kKeys = 11;
constexpr int kRecords = 1'200;

std::string RecordOf(int i, int p) {
  const int ms = i * 190 + p;
  char text[128];
  std::snprintf(text, sizeof text, R"({"k":"k%d","v":%d,"t":"2026-01-01 00:%02d:%02d.%03d"})",
                (i * 3 + p) % kKeys, i, ms / 60000, ms / 1000 % 60, ms % 1000);
  return text;
}

void LoadInput(SimCluster* cluster) {
  ASSERT_TRUE(cluster->Plan().ok());
  cluster->kafka().CreateTopic("ev", kPartitions);
  cluster->kafka().CreateTopic("agg", 1);
  for (int i = 0; i < kRecords; ++i) {
    for (int p = 0; p < kPartitions; ++p) {
      cluster->kafka().Append("ev", p, RecordOf(i, p));
    }
  }
}

std::string RowOf(const std::string& key, int second, int count, int sum) {
  char text[128];
  std::snprintf(text, sizeof text, "+I|%s|2026-01-01 00:%02d:%02d|%d|%d", key.c_str(), second / 60,
                second % 60, count, sum);
  return text;
}

std::vector<std::string> Expected(Query query) {
  std::map<std::pair<int, int>, std::pair<int, int>> seconds;  // (second, key) -> count, sum
  for (int i = 0; i < kRecords; ++i) {
    for (int p = 0; p < kPartitions; ++p) {
      auto& cell = seconds[{(i * 190 + p) / 1000, (i * 3 + p) % kKeys}];
      cell.first += 1;
      cell.second += i;
    }
  }
  std::vector<std::string> rows;
  std::map<std::pair<int, int>, std::pair<int, int>> windows;  // (window, n) -> count, sum
  for (const auto& [id, cell] : seconds) {
    if (query == Query::kOneEdge) {
      rows.push_back(RowOf("k" + std::to_string(id.second), id.first, cell.first, cell.second));
    }
    auto& window = windows[{id.first / 3 * 3, cell.first}];
    window.first += 1;
    window.second += cell.second;
  }
  for (const auto& [id, window] : windows) {
    if (query == Query::kTwoEdges) {
      rows.push_back(RowOf(std::to_string(id.second), id.first, window.first, window.second));
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

::testing::AssertionResult Fine(const base::Status& status) {
  return status.ok() ? ::testing::AssertionSuccess()
                     : ::testing::AssertionFailure() << status.ToString();
}

// The cut's output so far, and the fork's, sorted.
std::vector<std::string> Together(std::vector<std::string> rows, SimCluster* fork) {
  for (std::string& row : fork->kafka().Committed("agg")) {
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

SimCluster::Options ForkOptions(const SnapshotTaken& taken, const std::string& checkpoints) {
  SimCluster::Options options;
  options.shards = 16;
  options.gate_step = 20;
  options.job_uid = "fork";
  options.checkpoints = checkpoints;
  options.restore_from = taken.ref;
  return options;
}

const std::string kSql = SqlOf(Query::kOneEdge);

class SnapshotTest : public ::testing::Test {
 protected:
  SnapshotTest() : first_(kSql) {
    LoadInput(&first_);
    options_.shards = 16;
    options_.checkpoints = dir_.file("checkpoints");
  }
  void Begin(int replicas, int epochs) {
    first_.LetIn(kRecords - 20);
    ASSERT_TRUE(Fine(first_.Start(replicas, options_)));
    ASSERT_TRUE(Fine(first_.RunEpochs(epochs)));
  }
  SnapshotTaken Take(const std::string& uid = "s1") {
    auto taken = first_.TakeSnapshot(uid, nullptr);
    EXPECT_TRUE(Fine(taken.status()));
    at_cut_ = first_.kafka().CommittedAtFetch("agg");
    return taken.ok() ? *taken : SnapshotTaken{};
  }

  state::testing::TempDir dir_;
  SimCluster first_;
  SimCluster::Options options_;
  std::vector<std::string> at_cut_;
};

TEST_F(SnapshotTest, AForkGoesOnFromTheCut) {
  Begin(3, 12);
  const SnapshotTaken taken = Take();
  EXPECT_GT(taken.epoch, 0);
  EXPECT_GT(taken.objects, 0);
  ASSERT_TRUE(Fine(first_.Finish()));
  std::vector<std::string> all = first_.kafka().Committed("agg");
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, Expected(Query::kOneEdge)) << "the snapshot disturbed the job";
  // Nothing of the first job is left but the snapshot.
  fs::remove_all(dir_.file("checkpoints") + "/sim");
  SimCluster fork(kSql);
  LoadInput(&fork);
  fork.LetIn(kRecords);
  ASSERT_TRUE(Fine(fork.Start(2, ForkOptions(taken, dir_.file("checkpoints")))));
  fs::remove_all(dir_.file("checkpoints") + "/snapshots");  // all of it is the fork's by now
  ASSERT_TRUE(Fine(fork.Finish()));
  EXPECT_EQ(Together(at_cut_, &fork), Expected(Query::kOneEdge));
}

TEST_F(SnapshotTest, AForkElsewhereReadsTheSnapshotsLocation) {
  Begin(2, 8);
  const SnapshotTaken taken = Take();
  SimCluster fork(kSql);
  LoadInput(&fork);
  fork.LetIn(kRecords);
  ASSERT_TRUE(Fine(fork.Start(3, ForkOptions(taken, dir_.file("elsewhere")))));
  ASSERT_TRUE(Fine(fork.Finish()));
  EXPECT_EQ(Together(at_cut_, &fork), Expected(Query::kOneEdge));
}

// Rows in flight are taken in the first epoch: when its commit fails, again.
TEST_F(SnapshotTest, AForkThatCrashesAtItsStart) {
  Begin(3, 10);
  const SnapshotTaken taken = Take();
  for (int at : {1, 2, 3, 5, 8, 13, 21, 34}) {
    SimCluster fork(kSql);
    LoadInput(&fork);
    fork.LetIn(kRecords);
    fork.kafka().FailAt(at);
    ASSERT_TRUE(Fine(fork.Start(2, ForkOptions(taken, dir_.file("fork" + std::to_string(at))))));
    ASSERT_TRUE(Fine(fork.Finish()));
    ASSERT_EQ(Together(at_cut_, &fork), Expected(Query::kOneEdge)) << "operation " << at;
  }
}

TEST_F(SnapshotTest, ATakerThatWasKilledGoesOn) {
  Begin(2, 6);
  std::atomic<bool> stop{false};
  auto killed = first_.TakeSnapshot("s1", [&](SnapshotTaker::Parts* parts) {
    parts->stop = &stop;
    parts->on_progress = [&](const SnapshotProgress& progress) {
      stop.store(progress.objects >= 1);
    };
  });
  EXPECT_EQ(killed.status().kind(), base::ErrorKind::kCancelled);
  const SnapshotTaken taken = Take();
  int64_t objects = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(dir_.file("checkpoints") + "/snapshots/sim/snap/s1")) {
    objects +=
        entry.is_regular_file() && entry.path().string().find("/objects/") != std::string::npos;
  }
  EXPECT_EQ(objects, taken.objects) << "what the first one copied and nobody needs was not removed";
}

// A transaction that stands open on an exchange topic when the ends are read, and is given up
// before the rows are.
class OpenUntilRead final : public connect::ExchangeLog {
 public:
  OpenUntilRead(std::unique_ptr<connect::ExchangeLog> below, testing::SimKafka* kafka)
      : below_(std::move(below)), kafka_(kafka) {}
  base::Status EnsureTopics(const std::vector<std::string>& topics, int partitions) override {
    return below_->EnsureTopics(topics, partitions);
  }
  base::Result<int64_t> Earliest(const types::InputPartition& partition) override {
    return below_->Earliest(partition);
  }
  base::Result<int64_t> StableEnd(const types::InputPartition& partition) override {
    return below_->StableEnd(partition);
  }
  base::Result<int64_t> End(const types::InputPartition& partition) override {
    return below_->End(partition);
  }
  base::Result<std::unique_ptr<connect::ExchangeReader>> OpenReader(
      const std::vector<connect::ExchangeStart>& starts) override {
    kafka_->AbortOpen();
    return below_->OpenReader(starts);
  }
  base::Status Trim(const std::vector<connect::ExchangeStart>& before) override {
    return below_->Trim(before);
  }
  base::Status DeleteTopics(const std::vector<std::string>& topics) override {
    return below_->DeleteTopics(topics);
  }

 private:
  std::unique_ptr<connect::ExchangeLog> below_;
  testing::SimKafka* kafka_;
};

TEST_F(SnapshotTest, RowsBehindAnOpenTransactionAreInTheCut) {
  Begin(2, 4);
  first_.kafka().LeaveOpen({first_.ExchangeTopic(0), 3});
  ASSERT_TRUE(Fine(first_.RunEpochs(6)));
  auto taken = first_.TakeSnapshot("s1", [&](SnapshotTaker::Parts* parts) {
    const auto open = parts->connectors.exchange_log;
    parts->connectors.exchange_log = [this, open](const UsedTables& tables,
                                                  const connect::ConnectContext& context)
        -> base::Result<std::unique_ptr<connect::ExchangeLog>> {
      SJ_ASSIGN_OR_RETURN(auto below, open(tables, context));
      return std::unique_ptr<connect::ExchangeLog>(
          std::make_unique<OpenUntilRead>(std::move(below), &first_.kafka()));
    };
  });
  ASSERT_TRUE(Fine(taken.status()));
  EXPECT_GT(taken->rows, 0u);
  at_cut_ = first_.kafka().CommittedAtFetch("agg");
  SimCluster fork(kSql);
  LoadInput(&fork);
  fork.LetIn(kRecords);
  ASSERT_TRUE(Fine(fork.Start(3, ForkOptions(*taken, dir_.file("checkpoints")))));
  ASSERT_TRUE(Fine(fork.Finish()));
  EXPECT_EQ(Together(at_cut_, &fork), Expected(Query::kOneEdge));
}

TEST_F(SnapshotTest, GivesUpWhenObjectsKeepVanishing) {
  Begin(2, 6);
  auto taken = first_.TakeSnapshot("s1", [&](SnapshotTaker::Parts* parts) {
    const auto open = parts->connectors.object_store;
    parts->connectors.object_store = [open](const store::ObjectStoreOptions& options)
        -> base::Result<std::unique_ptr<store::ObjectStore>> {
      class Vanishing final : public store::ObjectStore {
       public:
        explicit Vanishing(std::unique_ptr<store::ObjectStore> below) : below_(std::move(below)) {}
        base::Status Put(const std::string& key, std::string_view bytes) override {
          return below_->Put(key, bytes);
        }
        base::Status Copy(const std::string&, const std::string&) override {
          return base::NotFound("collected");
        }
        base::Result<std::string> Get(const std::string& key) override { return below_->Get(key); }
        base::Result<std::string> GetRange(const std::string& key, uint64_t offset,
                                           uint64_t length) override {
          return below_->GetRange(key, offset, length);
        }
        base::Result<std::string> GetTail(const std::string& key, uint64_t length) override {
          return below_->GetTail(key, length);
        }
        base::Result<std::vector<store::ObjectInfo>> List(const std::string& prefix) override {
          return below_->List(prefix);
        }
        base::Status Delete(const std::string& key) override { return below_->Delete(key); }
        std::string Describe() const override { return below_->Describe(); }

       private:
        std::unique_ptr<store::ObjectStore> below_;
      };
      SJ_ASSIGN_OR_RETURN(auto below, open(options));
      return std::unique_ptr<store::ObjectStore>(std::make_unique<Vanishing>(std::move(below)));
    };
  });
  EXPECT_EQ(taken.status().kind(), base::ErrorKind::kExhausted) << taken.status().ToString();
}

TEST_F(SnapshotTest, EndsWhenTheGenerationIsReplaced) {
  Begin(2, 4);
  auto taken = first_.TakeSnapshot("s1", [](SnapshotTaker::Parts* parts) {
    parts->confirm = [] { return base::Cancelled("replaced"); };
  });
  EXPECT_EQ(taken.status().kind(), base::ErrorKind::kCancelled);
}

void RunSeed(unsigned seed) {
  const Query query = seed % 2 == 1 ? Query::kOneEdge : Query::kTwoEdges;
  const std::string sql = SqlOf(query);
  const std::vector<std::string> expected = Expected(query);
  std::mt19937 random(seed);
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  state::testing::TempDir dir;
  SimCluster first(sql);
  LoadInput(&first);
  SimCluster::Options options;
  options.shards = 16;
  options.threads = 1 + pick(2);
  options.checkpoints = dir.file("checkpoints");
  options.gate_step = 1 + pick(4);
  first.LetIn(kRecords - 10);
  ASSERT_TRUE(Fine(first.Start(1 + pick(4), options)));
  // A second snapshot, of another moment, of another set of workers or of a restarted one.
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(Fine(first.RunEpochs(pick(15))));
    auto taken = first.TakeSnapshot("s" + std::to_string(round), nullptr);
    ASSERT_TRUE(Fine(taken.status()));
    const std::vector<std::string> at_cut = first.kafka().CommittedAtFetch("agg");
    SimCluster fork(sql);
    LoadInput(&fork);
    fork.LetIn(kRecords);
    SimCluster::Options fork_options = ForkOptions(*taken, dir.file("checkpoints"));
    fork_options.job_uid = "fork" + std::to_string(round);
    fork_options.threads = 1 + pick(2);
    fork.kafka().FailAt(pick(2) * pick(60));
    ASSERT_TRUE(Fine(fork.Start(1 + pick(4), fork_options)));
    ASSERT_TRUE(Fine(fork.Finish()));
    ASSERT_EQ(Together(at_cut, &fork), expected) << "round " << round;
    if (round == 0 && pick(2) == 0) {
      ASSERT_TRUE(Fine(first.Rescale(1 + pick(4), {})));
    } else if (round == 0) {
      first.kafka().FailAt(1 + pick(30));
    }
  }
}

TEST(SnapshotSeeds, AForkIsExactWheneverTheCutIs) {
  const char* one = std::getenv("SJ_SIM_SEED");
  const char* seconds = std::getenv("SJ_SIM_SECONDS");
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 6);
  for (unsigned seed = one != nullptr ? static_cast<unsigned>(std::atoi(one)) : 1;; ++seed) {
    SCOPED_TRACE("SJ_SIM_SEED=" + std::to_string(seed));
    RunSeed(seed);
    if (one != nullptr || ::testing::Test::HasFatalFailure() ||
        std::chrono::steady_clock::now() > end) {
      break;
    }
  }
}

}  // namespace
}  // namespace sj::worker::runtime
