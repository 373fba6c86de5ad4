// SPDX-License-Identifier: Apache-2.0
// The commit protocol under failure, over a simulated Kafka: the n-th operation of the commit log
// fails (before it reached the broker, or after, with the answer lost), workers are cut off at
// seeded moments, and the committed output must always be what a plain recomputation says.
// SJ_SIM_SECONDS sets how long the seeded part runs, SJ_SIM_SEED repeats one seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "worker/runtime/testing/sim_job.h"

namespace sj::worker::runtime {
namespace {

using testing::SimJob;

constexpr const char* kSql = R"(
CREATE TABLE ev (k STRING, v INT, t TIMESTAMP(3), WATERMARK FOR t AS t - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'ev', 'format' = 'json');
CREATE TABLE agg (k STRING, w TIMESTAMP(3), n BIGINT, s INT)
  WITH ('connector' = 'kafka', 'topic' = 'agg', 'format' = 'json');
INSERT INTO agg SELECT k, TUMBLE_START(t, INTERVAL '10' SECOND), COUNT(*), SUM(v)
  FROM ev GROUP BY k, TUMBLE(t, INTERVAL '10' SECOND);
)";

constexpr int kPartitions = 4;
// What the operator says was committed before.
const std::map<std::string, int> kNothing;
const std::map<std::string, int> kAll = {{"ev", kPartitions}};

// Seeded events, out of order by less than the watermark's delay, and what must come out.
struct Workload {
  std::vector<std::pair<int, std::string>> events;
  std::vector<std::string> expected;
};

Workload MakeWorkload(uint64_t seed, int events) {
  std::mt19937_64 random(seed);
  Workload load;
  std::map<std::pair<int, int>, std::pair<int, int>> windows;  // (window, key) -> count, sum
  for (int i = 0; i < events; ++i) {
    int ms = i * 97 + static_cast<int>(random() % 900);
    int key = static_cast<int>(random() % 7);
    int value = static_cast<int>(random() % 100);
    char text[128];
    std::snprintf(text, sizeof text, R"({"k":"k%d","v":%d,"t":"2026-01-01 00:%02d:%02d.%03d"})",
                  key, value, ms / 60000, ms / 1000 % 60, ms % 1000);
    load.events.push_back({static_cast<int>(random() % kPartitions), text});
    auto& cell = windows[{ms / 10000, key}];
    cell.first += 1;
    cell.second += value;
  }
  for (const auto& [id, cell] : windows) {
    char text[128];
    int second = id.first * 10;
    std::snprintf(text, sizeof text, "+I|k%d|2026-01-01 00:%02d:%02d|%d|%d", id.second, second / 60,
                  second % 60, cell.first, cell.second);
    load.expected.push_back(text);
  }
  std::sort(load.expected.begin(), load.expected.end());
  return load;
}

void Load(const Workload& load, SimJob* job) {
  ASSERT_TRUE(job->Plan().ok());
  job->kafka().CreateTopic("ev", kPartitions);
  job->kafka().CreateTopic("agg", 1);
  for (const auto& [partition, value] : load.events) {
    job->kafka().Append("ev", partition, value);
  }
}

std::vector<std::string> Sorted(std::vector<std::string> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST(Simulation, NoFailureIsTheExpectedOutput) {
  Workload load = MakeWorkload(1, 200);
  SimJob job(kSql);
  Load(load, &job);
  base::Status status = job.RunToEnd({2, 2, 1});
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(Sorted(job.kafka().Committed("agg")), load.expected);
}

// Fails operation 1, 2, 3, ... until a run passes without the failure being reached.
TEST(Simulation, NthCommitLogOperationFails) {
  Workload load = MakeWorkload(2, 60);
  for (int64_t n = 1; n < 400; ++n) {
    SimJob job(kSql);
    Load(load, &job);
    job.kafka().FailAt(n);
    base::Status status = job.RunToEnd({1, 1, 0});
    ASSERT_TRUE(status.ok()) << "n=" << n << " " << status.ToString();
    ASSERT_EQ(Sorted(job.kafka().Committed("agg")), load.expected) << "n=" << n;
    if (job.kafka().operations() < n) {
      return;
    }
  }
}

// The same with three task threads and rows enough that threads are always in the middle of sending
// to each other: what keeps an epoch's rows apart is only the markers between threads.
TEST(Simulation, NthCommitLogOperationFailsBetweenThreads) {
  Workload load = MakeWorkload(3, 3000);
  for (int64_t n = 20; n < 600; n += 29) {
    SimJob job(kSql);
    Load(load, &job);
    job.kafka().FailAt(n);
    base::Status status = job.RunToEnd({1, 3, 0});
    ASSERT_TRUE(status.ok()) << "n=" << n << " " << status.ToString();
    ASSERT_EQ(Sorted(job.kafka().Committed("agg")), load.expected) << "n=" << n;
    if (job.kafka().operations() < n) {
      return;
    }
  }
}

std::string Event(int minute, int i) {
  char text[96];
  std::snprintf(text, sizeof text, R"({"k":"k%d","v":1,"t":"2026-01-01 00:%02d:%02d.000"})", i % 3,
                minute, i);
  return text;
}

// What comes out of forty events of each of the first two minutes.
std::vector<std::string> TwoMinutes() {
  std::vector<std::string> expected;
  for (int minute : {1, 2}) {
    for (int second = 0; second < 40; second += 10) {
      for (int key = 0; key < 3; ++key) {
        int count = second % 3 == key ? 4 : 3;
        char text[96];
        std::snprintf(text, sizeof text, "+I|k%d|2026-01-01 00:%02d:%02d|%d|%d", key, minute,
                      second, count, count);
        expected.push_back(text);
      }
    }
  }
  return Sorted(std::move(expected));
}

// A source topic gets more partitions than the job has ever known: they are read from their
// beginning, once, whoever owns them then.
TEST(Simulation, AddedPartitionsAreReadFromTheirBeginning) {
  for (int replicas : {1, 2, 3}) {
    SimJob job(kSql);
    ASSERT_TRUE(job.Plan().ok());
    job.kafka().CreateTopic("ev", 2);
    job.kafka().CreateTopic("agg", 1);
    for (int i = 0; i < 40; ++i) {
      job.kafka().Append("ev", i % 2, Event(1, i));
    }
    job.kafka().SetGate(5);
    base::Status status = job.RunToGate({2, 1, 0}, "ev", false);
    ASSERT_TRUE(status.ok()) << status.ToString();
    job.kafka().CreateTopic("ev", 5);
    for (int i = 0; i < 40; ++i) {
      job.kafka().Append("ev", 2 + i % 3, Event(2, i));
    }
    job.kafka().SetGate(-1);
    status = job.RunToEnd({replicas, 1, 0});
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(Sorted(job.kafka().Committed("agg")), TwoMinutes()) << replicas << " workers";
  }
}

// More workers than partitions and shards: those that own nothing run, commit nothing and do no
// harm, whether they were there from the beginning, come later or go again.
TEST(Simulation, WorkersWithoutWorkDoNoHarm) {
  constexpr int kTooMany = 2 * kPartitions + 1;
  const std::pair<int, int> kRescales[] = {{kTooMany, 1}, {2, kTooMany}, {kTooMany, kTooMany}};
  for (const auto& [before, after] : kRescales) {
    for (const bool crash : {false, true}) {
      Workload load = MakeWorkload(5, 200);
      SimJob job(kSql);
      Load(load, &job);
      job.kafka().SetGate(12);
      base::Status status = job.RunToGate({before, 1, crash ? 1 : 0}, "ev", crash);
      ASSERT_TRUE(status.ok()) << status.ToString();
      job.kafka().SetGate(-1);
      status = job.RunToEnd({after, 2, 0});
      ASSERT_TRUE(status.ok()) << before << " then " << after << ": " << status.ToString();
      EXPECT_EQ(Sorted(job.kafka().Committed("agg")), load.expected) << before << " then " << after;
    }
  }
}

// Positions of partitions that were known are gone: nothing may be read again.
TEST(Simulation, LostPositionsAreRefused) {
  for (int partition : {0, 3}) {
    SimJob job(kSql);
    Workload load = MakeWorkload(4, 60);
    Load(load, &job);
    job.kafka().SetGate(5);
    ASSERT_TRUE(job.RunToGate({1, 1, 0}, "ev", false).ok());
    job.kafka().ForgetOffset({"ev", partition});
    job.kafka().SetGate(-1);
    base::Status status = job.RunToEnd({1, 1, 1});
    EXPECT_EQ(status.kind(), base::ErrorKind::kCorrupt) << status.ToString();
  }
}

// The operator remembers that all was committed once: also a worker that finds nothing at all knows
// that it was lost.
TEST(Simulation, LostPositionsOfAWholeJobAreRefused) {
  SimJob job(kSql);
  Workload load = MakeWorkload(4, 60);
  Load(load, &job);
  job.kafka().SetGate(5);
  ASSERT_TRUE(job.RunToGate({1, 1, 0, kNothing}, "ev", false).ok());
  job.kafka().ForgetOffsets();
  job.kafka().SetGate(-1);
  base::Status status = job.RunToEnd({1, 1, 1, kAll});
  EXPECT_EQ(status.kind(), base::ErrorKind::kCorrupt) << status.ToString();
}

// One of two workers commits, the other never comes up, then the job is rescaled: what the second
// would have owned is started afresh by whoever owns it then.
TEST(Simulation, AWorkerThatNeverCommittedIsNoLoss) {
  for (int replicas : {1, 2, 3}) {
    SimJob job(kSql);
    ASSERT_TRUE(job.Plan().ok());
    job.kafka().CreateTopic("ev", kPartitions);
    job.kafka().CreateTopic("agg", 1);
    for (int i = 0; i < 40; ++i) {
      job.kafka().Append("ev", i % 2, Event(1, i));
    }
    SimJob::Phase half{.replicas = 2, .committed = kNothing, .only = 0};
    base::Status status = job.RunToGate(half, "ev", false);
    ASSERT_TRUE(status.ok()) << status.ToString();
    for (int i = 0; i < 40; ++i) {
      job.kafka().Append("ev", 2 + i % 2, Event(2, i));
    }
    status = job.RunToEnd({replicas, 1, 0, kNothing});
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(Sorted(job.kafka().Committed("agg")), TwoMinutes()) << replicas << " workers";
  }
}

// Random parallelism, random cuts, until the input is used up.
void RunSeed(uint64_t seed) {
  std::mt19937_64 random(seed);
  Workload load = MakeWorkload(seed, 120);
  SimJob job(kSql);
  Load(load, &job);
  int64_t gate = 0;
  while (gate < 20) {
    gate += 4 + static_cast<int64_t>(random() % 8);
    job.kafka().SetGate(gate);
    SimJob::Phase phase{1 + static_cast<int>(random() % 3), 1 + static_cast<int>(random() % 2), 0};
    bool crash = random() % 3 != 0;
    job.kafka().FailAt(random() % 2 == 0 ? 1 + static_cast<int64_t>(random() % 60) : 0);
    phase.attempts_max = crash ? 3 : 0;
    base::Status status = job.RunToGate(phase, "ev", crash);
    ASSERT_TRUE(status.ok() || crash) << "seed " << seed << ": " << status.ToString();
  }
  job.kafka().SetGate(-1);
  job.kafka().FailAt(0);
  base::Status status = job.RunToEnd({1 + static_cast<int>(random() % 3), 1, 0});
  ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status.ToString();
  ASSERT_EQ(Sorted(job.kafka().Committed("agg")), load.expected) << "seed " << seed;
}

TEST(Simulation, SeededCutsAndRescales) {
  if (const char* one = std::getenv("SJ_SIM_SEED")) {
    RunSeed(std::strtoull(one, nullptr, 10));
    return;
  }
  const char* text = std::getenv("SJ_SIM_SECONDS");
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(text ? std::atoi(text) : 20);
  uint64_t seed = 1;
  for (; std::chrono::steady_clock::now() < end; ++seed) {
    RunSeed(seed);
    if (HasFatalFailure()) {
      return;
    }
  }
  RecordProperty("seeds", static_cast<int>(seed - 1));
  std::printf("%d seeds\n", static_cast<int>(seed - 1));
}

}  // namespace
}  // namespace sj::worker::runtime
