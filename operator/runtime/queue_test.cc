// SPDX-License-Identifier: Apache-2.0
// The queue by hand and under a seeded random walk with manual time.
#include "operator/runtime/queue.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <thread>

namespace sj::op::runtime {
namespace {

const ObjectKey kA{"ns", "a"};
const ObjectKey kB{"ns", "b"};
const ObjectKey kC{"ns", "c"};

class QueueTest : public ::testing::Test {
 protected:
  base::ManualClock clock_;
  WorkQueue queue_{{.items_max = 8}, clock_, nullptr};
};

TEST_F(QueueTest, AKeyIsInItOnce) {
  EXPECT_TRUE(queue_.Add(kA));
  EXPECT_TRUE(queue_.Add(kA));
  EXPECT_EQ(queue_.depth(), 1u);
  EXPECT_EQ(queue_.TryGet(), kA);
  EXPECT_EQ(queue_.TryGet(), std::nullopt);
}

TEST_F(QueueTest, AKeyNeverRunsTwiceAtOnce) {
  queue_.Add(kA);
  ASSERT_EQ(queue_.TryGet(), kA);
  queue_.Add(kA);
  EXPECT_EQ(queue_.TryGet(), std::nullopt);
  queue_.Done(kA);
  EXPECT_EQ(queue_.TryGet(), kA);
  queue_.Done(kA);
  EXPECT_EQ(queue_.TryGet(), std::nullopt);
}

TEST_F(QueueTest, ChangesOvertakeResyncs) {
  queue_.Add(kA, Priority::kResync);
  queue_.Add(kB, Priority::kResync);
  queue_.Add(kC, Priority::kChange);
  queue_.Add(kB, Priority::kChange);
  EXPECT_EQ(queue_.TryGet(), kB);  // it came before c, and is a change by now
  EXPECT_EQ(queue_.TryGet(), kC);
  EXPECT_EQ(queue_.TryGet(), kA);
}

TEST_F(QueueTest, ResyncsDoNotStarve) {
  queue_.Add(kA, Priority::kResync);
  int taken = 0;
  for (std::optional<ObjectKey> key; key != kA; ++taken) {
    queue_.Add(kB);
    key = queue_.TryGet();
    ASSERT_TRUE(key);
    queue_.Done(*key);
    ASSERT_LT(taken, 50);
  }
}

TEST_F(QueueTest, DelaysKeepTheEarlierTime) {
  queue_.AddAfter(kA, Millis(100));
  queue_.AddAfter(kA, Millis(50));
  queue_.AddAfter(kA, Millis(200));
  EXPECT_EQ(queue_.delayed(), 1u);
  EXPECT_EQ(queue_.TryGet(), std::nullopt);
  clock_.Advance(Millis(50));
  EXPECT_EQ(queue_.TryGet(), kA);
  queue_.Done(kA);
  clock_.Advance(Millis(1000));
  EXPECT_EQ(queue_.TryGet(), std::nullopt);
}

TEST_F(QueueTest, BackOffDoublesIsCappedAndForgotten) {
  Millis before{0};
  for (int i = 0; i < 40; ++i) {
    queue_.AddRateLimited(kA);
    const auto due = queue_.NextDue();
    ASSERT_TRUE(due);
    const Millis wait = std::chrono::duration_cast<Millis>(*due - clock_.Mono());
    EXPECT_GE(wait, before);
    EXPECT_LE(wait, Millis(300'000));
    before = wait;
    clock_.Advance(wait);
    ASSERT_EQ(queue_.TryGet(), kA);
    queue_.Done(kA);
  }
  EXPECT_EQ(before, Millis(300'000));
  EXPECT_EQ(queue_.Failures(kA), 40);
  queue_.Forget(kA);
  queue_.AddRateLimited(kA);
  EXPECT_EQ(*queue_.NextDue() - clock_.Mono(), Millis(5));
}

TEST_F(QueueTest, IsBounded) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(queue_.Add({"ns", std::to_string(i)}));
    EXPECT_TRUE(queue_.AddAfter({"ns", "later" + std::to_string(i)}, Millis(10)));
  }
  EXPECT_FALSE(queue_.Add(kA));
  EXPECT_FALSE(queue_.AddAfter(kA, Millis(10)));
  EXPECT_TRUE(queue_.Add({"ns", "0"}));  // in it already
}

TEST_F(QueueTest, ShutDownEndsEverything) {
  queue_.Add(kA);
  queue_.ShutDown();
  EXPECT_FALSE(queue_.Add(kB));
  EXPECT_EQ(queue_.Get(), std::nullopt);
  EXPECT_EQ(queue_.TryGet(), std::nullopt);
}

TEST(QueueThreadTest, ShutDownWakesWaiters) {
  WorkQueue queue({}, base::RealClock(), nullptr);
  std::thread waiter([&queue] { EXPECT_EQ(queue.Get(), std::nullopt); });
  queue.ShutDown();
  waiter.join();
}

TEST(QueueThreadTest, EveryAddIsServedAndNoKeyOverlaps) {
  WorkQueue queue({}, base::RealClock(), nullptr);
  constexpr int kKeys = 20;
  constexpr int kAdds = 2'000;
  std::array<std::atomic<int>, kKeys> running{};
  std::array<std::atomic<int>, kKeys> added{};
  std::array<std::atomic<int>, kKeys> seen{};
  std::atomic<bool> overlapped{false};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      while (auto key = queue.Get()) {
        const size_t k = std::stoul(key->name);
        overlapped = overlapped || running[k].fetch_add(1) != 0;
        seen[k] = added[k].load();
        running[k].fetch_sub(1);
        queue.Done(*key);
      }
    });
  }
  for (int i = 0; i < kAdds; ++i) {
    const size_t k = static_cast<size_t>(i * 7 % kKeys);
    ++added[k];
    queue.Add({"ns", std::to_string(k)});
  }
  while (queue.depth() + queue.running() > 0) {
    std::this_thread::yield();
  }
  queue.ShutDown();
  for (std::thread& worker : workers) {
    worker.join();
  }
  EXPECT_FALSE(overlapped);
  for (int k = 0; k < kKeys; ++k) {
    EXPECT_EQ(seen[k], added[k]) << k;  // each last add was seen by a run that began after it
  }
}

// Random calls against a model: what is dirty must run, what runs must not run again before Done.
TEST(QueueSeedTest, RandomWalkKeepsTheInvariants) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    base::ManualClock clock;
    WorkQueue queue({}, clock, nullptr);
    std::set<ObjectKey> running;
    std::map<ObjectKey, int> dirty;  // adds not yet followed by a run
    auto key = [&] { return ObjectKey{"ns", std::to_string(random() % 5)}; };
    auto finish = [&](ObjectKey done) {
      running.erase(done);
      queue.Done(done);
    };
    for (int step = 0; step < 300; ++step) {
      const ObjectKey k = key();
      switch (random() % 6) {
        case 0:
          queue.Add(k, random() % 2 == 0 ? Priority::kChange : Priority::kResync);
          ++dirty[k];
          break;
        case 1:
          queue.AddAfter(k, Millis(random() % 100));
          break;
        case 2:
          queue.AddRateLimited(k);
          break;
        case 3:
          clock.Advance(Millis(random() % 200));
          break;
        case 4:
          if (auto taken = queue.TryGet()) {
            ASSERT_TRUE(running.insert(*taken).second) << "runs twice at once";
            dirty.erase(*taken);
          }
          break;
        default:
          if (!running.empty()) {
            finish(*running.begin());
          }
      }
    }
    while (!running.empty()) {
      finish(*running.begin());
    }
    clock.Advance(Millis(3'600'000));
    while (auto taken = queue.TryGet()) {
      dirty.erase(*taken);
      queue.Done(*taken);
    }
    EXPECT_TRUE(dirty.empty());
    EXPECT_EQ(queue.depth() + queue.delayed() + queue.running(), 0u);
  }
}

TEST(QueueMetricsTest, AreNamedAsControllerRuntimeDoes) {
  base::ManualClock clock;
  base::MetricRegistry metrics;
  WorkQueue queue({.name = "streamjob"}, clock, &metrics);
  queue.Add(kA);
  queue.Add(kB);
  ASSERT_TRUE(queue.TryGet());
  clock.Advance(Millis(2'000));
  queue.UpdateMetrics();
  const std::string text = metrics.Text();
  for (const char* line :
       {"workqueue_depth{controller=\"streamjob\",name=\"streamjob\"} 1",
        "workqueue_adds_total{controller=\"streamjob\",name=\"streamjob\"} 2",
        "workqueue_unfinished_work_seconds{controller=\"streamjob\",name=\"streamjob\"} 2",
        "workqueue_longest_running_processor_seconds{controller=\"streamjob\","
        "name=\"streamjob\"} 2"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

}  // namespace
}  // namespace sj::op::runtime
