// SPDX-License-Identifier: Apache-2.0
// What becomes of a key after each way a reconcile can end.
#include "operator/runtime/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace sj::op::runtime {
namespace {

const ObjectKey kA{"ns", "a"};
const ObjectKey kB{"ns", "b"};

class LoopTest : public ::testing::Test {
 protected:
  // Runs kA once with this ending.
  void RunWith(Reconcile reconcile) {
    reconcile_ = std::move(reconcile);
    queue_.Add(kA);
    EXPECT_TRUE(loop_.RunOne());
  }

  base::ManualClock clock_;
  base::MetricRegistry metrics_;
  WorkQueue queue_{{}, clock_, nullptr};
  Reconcile reconcile_;
  ControlLoop loop_{
      {}, queue_, [this](const ObjectKey& key) { return reconcile_(key); }, &metrics_};
};

TEST_F(LoopTest, DoneRestsUntilAChange) {
  queue_.AddRateLimited(kA);
  RunWith([](const ObjectKey&) { return Outcome::Done(); });
  EXPECT_EQ(queue_.Failures(kA), 0);
  EXPECT_EQ(queue_.NextDue(), std::nullopt);
}

TEST_F(LoopTest, AfterComesAgainInTime) {
  RunWith([](const ObjectKey&) { return Outcome::After(Millis(7'000)); });
  EXPECT_EQ(*queue_.NextDue() - clock_.Mono(), Millis(7'000));
}

TEST_F(LoopTest, ErrorsBackOffPerKey) {
  for (int i = 0; i < 3; ++i) {
    RunWith([](const ObjectKey&) { return base::Unavailable("no"); });
  }
  EXPECT_EQ(queue_.Failures(kA), 3);
  EXPECT_EQ(queue_.Failures(kB), 0);
  EXPECT_EQ(*queue_.NextDue() - clock_.Mono(), Millis(20));
}

TEST_F(LoopTest, NeverErrorsWaitForAChange) {
  RunWith([](const ObjectKey&) { return base::InvalidArgument("the user's fault"); });
  EXPECT_EQ(queue_.NextDue(), std::nullopt);
  EXPECT_NE(metrics_.Text().find("controller_runtime_terminal_reconcile_errors_total{"
                                 "controller=\"streamjob\"} 1"),
            std::string::npos);
}

TEST_F(LoopTest, ExceptionsAreCountedAndOthersGoOn) {
  int b_runs = 0;
  reconcile_ = [&](const ObjectKey& key) -> Result<Outcome> {
    if (key == kA) {
      throw std::runtime_error("poison");
    }
    ++b_runs;
    return Outcome::Done();
  };
  queue_.Add(kA);
  queue_.Add(kB);
  EXPECT_TRUE(loop_.RunOne());
  EXPECT_TRUE(loop_.RunOne());
  EXPECT_FALSE(loop_.RunOne());
  EXPECT_EQ(b_runs, 1);
  EXPECT_EQ(queue_.Failures(kA), 1);
  EXPECT_NE(
      metrics_.Text().find("controller_runtime_reconcile_panics_total{controller=\"streamjob\"} 1"),
      std::string::npos);
}

TEST(LoopThreadTest, AHangingKeyDoesNotBlockOthersAndStopWaits) {
  WorkQueue queue({}, base::RealClock(), nullptr);
  std::atomic<bool> release{false};
  std::atomic<bool> a_ended{false};
  std::atomic<int> b_runs{0};
  ControlLoop loop(
      {.workers = 2}, queue,
      [&](const ObjectKey& key) -> Result<Outcome> {
        if (key == kA) {
          while (!release) {
            std::this_thread::yield();
          }
          a_ended = true;
        } else {
          ++b_runs;
        }
        return Outcome::Done();
      },
      nullptr);
  loop.Start();
  queue.Add(kA);
  while (queue.running() == 0) {
    std::this_thread::yield();
  }
  for (int i = 1; i <= 3; ++i) {
    queue.Add(kB);
    while (b_runs < i) {
      std::this_thread::yield();
    }
  }
  EXPECT_FALSE(a_ended);
  release = true;
  loop.Stop();
  EXPECT_TRUE(a_ended);
}

}  // namespace
}  // namespace sj::op::runtime
