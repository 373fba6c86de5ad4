// SPDX-License-Identifier: Apache-2.0
// What is stuck is told once and at its limit; what returns, and what waits in slices, never is.
#include "api/base/watchdog.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

namespace sj::base {
namespace {

using std::chrono::seconds;

struct Bench {
  std::vector<std::string> told;
  Watchdog watchdog{[this](const std::string& what, seconds) { told.push_back(what); }};
  void Ticks(int count) {
    for (int i = 0; i < count; ++i) {
      watchdog.Tick();
    }
  }
};

TEST(Watchdog, TellsACallThatDoesNotReturnOnce) {
  Bench bench;
  WatchedCall call("commit", seconds(60), bench.watchdog);
  bench.Ticks(59);
  EXPECT_TRUE(bench.told.empty());
  bench.Ticks(1);
  EXPECT_EQ(bench.told, std::vector<std::string>{"commit"});
  bench.Ticks(100);
  EXPECT_EQ(bench.told.size(), 1u);
}

TEST(Watchdog, ManySlicesAreNotOneLongCall) {
  Bench bench;
  for (int slice = 0; slice < 1000; ++slice) {
    WatchedCall call("commit", seconds(60), bench.watchdog);
    bench.Ticks(5);
  }
  EXPECT_TRUE(bench.told.empty());
}

TEST(Watchdog, NoLimitBelowTheStallOfALostBroker) {
  Bench bench;
  WatchedCall call("flush", seconds(1), bench.watchdog);
  bench.Ticks(static_cast<int>(kWatchdogMin.count()) - 1);
  EXPECT_TRUE(bench.told.empty());
  bench.Ticks(1);
  EXPECT_EQ(bench.told.size(), 1u);
}

TEST(Watchdog, TellsTheOneThatIsStuck) {
  Bench bench;
  WatchedCall stuck("close", seconds(20), bench.watchdog);
  bench.Ticks(10);
  WatchedCall young("flush", seconds(20), bench.watchdog);
  bench.Ticks(10);
  EXPECT_EQ(bench.told, std::vector<std::string>{"close"});
}

TEST(WatchdogDeathTest, TheProcessEndsWithItsOwnCode) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        WatchedCall call("commit", kWatchdogMin);
        std::mutex mu;
        std::condition_variable never;
        std::unique_lock<std::mutex> lock(mu);
        for (int i = 0; i < 100; ++i) {
          Watchdog::OfProcess().Tick();
        }
        never.wait(lock, [] { return false; });
      },
      ::testing::ExitedWithCode(kExitStuck), "does not return");
}

}  // namespace
}  // namespace sj::base
