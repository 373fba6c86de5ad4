// SPDX-License-Identifier: Apache-2.0
#include "worker/main/snapshot_runner.h"

#include <gtest/gtest.h>

#include <vector>

namespace sj::worker {
namespace {

using sj::control::SnapshotOrder;
using sj::control::SnapshotReport;
using sj::control::SnapshotStep;
using sj::control::WorkerError;

const SnapshotOrder kFirst{SnapshotStep::kTake, "a", "s-1", 3, 2};
const SnapshotOrder kSecond{SnapshotStep::kTake, "b", "s-2", 3, 2};
const SnapshotOrder kRemove{SnapshotStep::kRemove, "a", "s-1", 0, 0};

// Collects what is told, and waits for it.
class Told {
 public:
  void Add(const SnapshotReport& report) {
    std::lock_guard<std::mutex> lock(mu_);
    reports_.push_back(report);
    changed_.notify_all();
  }
  SnapshotReport AwaitDone() {
    std::unique_lock<std::mutex> lock(mu_);
    const bool done = changed_.wait_for(lock, std::chrono::seconds(10), [this] {
      return !reports_.empty() && reports_.back().done;
    });
    EXPECT_TRUE(done);
    return done ? reports_.back() : SnapshotReport{};
  }
  std::vector<SnapshotReport> all() {
    std::lock_guard<std::mutex> lock(mu_);
    return reports_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<SnapshotReport> reports_;
};

SnapshotRunner::Options Quick() {
  return {base::Millis(1), 3};
}

TEST(SnapshotRunner, TellsProgressAndResult) {
  Told told;
  SnapshotRunner runner(
      Quick(),
      [](const std::atomic<bool>&, SnapshotReport& report, const std::function<void()>& tell) {
        report.objects = 5;
        tell();
        report.done = true;
        report.result.emplace().objects = 9;
        return true;
      },
      [&](const SnapshotReport& report) { told.Add(report); });
  runner.Ask({});
  runner.Ask(kFirst);
  const SnapshotReport done = told.AwaitDone();
  EXPECT_EQ(done.known, kFirst);
  EXPECT_EQ(done.result->objects, 9);
  EXPECT_EQ(told.all().front().objects, 5);
  EXPECT_FALSE(told.all().front().done);
}

TEST(SnapshotRunner, GivesUpTakingAfterSomeTriesButNotRemoving) {
  Told told;
  std::atomic<int> tries{0};
  SnapshotRunner runner(
      Quick(),
      [&](const std::atomic<bool>&, SnapshotReport& report, const std::function<void()>&) {
        ++tries;
        if (report.known.step == SnapshotStep::kRemove && tries >= 10) {
          report.error.reset();
          report.done = true;
          return true;
        }
        report.error = WorkerError{};
        return false;
      },
      [&](const SnapshotReport& report) { told.Add(report); });
  runner.Ask(kFirst);
  EXPECT_TRUE(told.AwaitDone().error.has_value());
  EXPECT_EQ(tries, 3);
  runner.Ask(kRemove);
  while (told.all().back().known != kRemove) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(told.AwaitDone().error.has_value());
  EXPECT_EQ(tries, 10);
}

TEST(SnapshotRunner, AnotherOrderEndsTheWork) {
  Told told;
  std::atomic<int> begun{0};
  SnapshotRunner runner(
      Quick(),
      [&](const std::atomic<bool>& stop, SnapshotReport& report, const std::function<void()>&) {
        ++begun;
        while (report.known == kFirst && !stop.load()) {
          std::this_thread::yield();
        }
        report.done = true;
        return true;
      },
      [&](const SnapshotReport& report) { told.Add(report); });
  runner.Ask(kFirst);
  while (begun == 0) {
    std::this_thread::yield();
  }
  runner.Ask(kSecond);
  EXPECT_EQ(told.AwaitDone().known, kSecond);
  EXPECT_EQ(told.all().size(), 1u) << "a report of what nobody asks for";
}

}  // namespace
}  // namespace sj::worker
