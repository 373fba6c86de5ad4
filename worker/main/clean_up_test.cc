// SPDX-License-Identifier: Apache-2.0
// The end of a deleted job's last worker, told step by step by an operator that the test plays.
#include "worker/main/clean_up.h"

#include <gtest/gtest.h>

#include <deque>

namespace sj::worker {
namespace {

using sj::control::CleanupOrder;
using sj::control::CleanupReport;
using sj::control::CleanupStep;
using sj::control::ErrorClass;
using sj::control::Remains;
using sj::control::WorkerError;

constexpr Remains kAll{true, true, true};
const CleanupOrder kStayFor{CleanupStep::kStay, kAll, 3};
const CleanupOrder kBeginWith{CleanupStep::kBegin, kAll, 3};

// Every wait of the worker is a turn of the operator: it tells the next order, and after the last
// one ends the process.
class Operator {
 public:
  explicit Operator(std::deque<CleanupOrder> orders) : orders_(std::move(orders)) {}

  CleanUpParts Parts() {
    CleanUpParts parts;
    parts.order = [this] { return orders_.front(); };
    parts.await_other = [this](const CleanupOrder&, base::Millis) {
      ++waits;
      if (orders_.size() > 1) {
        orders_.pop_front();
      } else {
        term = true;
        end_of_patience_ += left_to_do_ ? 1 : 0;
        if (end_of_patience_ > 3) {
          orders_.front() = CleanupOrder{};  // the job is gone: nobody asks any more
        }
      }
    };
    parts.confirm = [this]() -> base::Result<Remains> {
      if (!allowed.ok()) {
        return allowed.status();
      }
      return *allowed;
    };
    parts.remove = [this](const Remains& what, int ordinals,
                          CleanupReport& report) -> std::optional<WorkerError> {
      asked.push_back(what);
      EXPECT_EQ(orders_.front().step, CleanupStep::kBegin) << "others may still write";
      EXPECT_EQ(ordinals, 3);
      if (fails > 0) {
        --fails;
        report.removed.consumer_group = true;  // so far it came
        left_to_do_ = true;
        return WorkerError{ErrorClass::kExternal, "KafkaUnreachable", "no broker"};
      }
      left_to_do_ = false;
      report.removed = kAll;
      report.objects = 7;
      return std::nullopt;
    };
    parts.tell = [this](const CleanupReport& report) { told.push_back(report); };
    return parts;
  }

  std::atomic<bool> term{false};
  base::Result<Remains> allowed = kAll;
  int fails = 0;
  int waits = 0;
  std::vector<Remains> asked;
  std::vector<CleanupReport> told;

 private:
  std::deque<CleanupOrder> orders_;
  bool left_to_do_ = false;
  int end_of_patience_ = 0;
};

TEST(CleanUp, StaysUntilItIsToBegin) {
  Operator op({kStayFor, kStayFor, kBeginWith});
  CleanUp(op.Parts(), op.term);
  EXPECT_EQ(op.asked, std::vector<Remains>{kAll});
  ASSERT_EQ(op.told.size(), 1u);
  EXPECT_EQ(op.told[0].removed, kAll);
  EXPECT_EQ(op.told[0].objects, 7);
  EXPECT_FALSE(op.told[0].error);
  EXPECT_EQ(op.waits, 3);  // the last for its own end
}

TEST(CleanUp, TriesAgainOnlyForWhatIsLeft) {
  Operator op({kBeginWith, kBeginWith, kBeginWith});
  op.fails = 1;
  CleanUp(op.Parts(), op.term);
  EXPECT_EQ(op.asked, (std::vector<Remains>{kAll, {true, true, false}}));
  ASSERT_EQ(op.told.size(), 2u);
  EXPECT_EQ(op.told[0].error->reason, "KafkaUnreachable");
  EXPECT_TRUE(op.told[0].removed.consumer_group);
  EXPECT_FALSE(op.told[1].error);
}

// A process that is being ended goes on as long as it is asked to; its pod's grace ends it.
TEST(CleanUp, GoesOnAfterTermination) {
  Operator op({kStayFor, kBeginWith});
  op.term = true;
  CleanUp(op.Parts(), op.term);
  EXPECT_EQ(op.asked.size(), 1u);
  EXPECT_EQ(op.told.back().removed, kAll);
}

TEST(CleanUp, EndsWhenNobodyAsksAnyMore) {
  Operator op({kBeginWith});
  op.fails = 1'000;
  CleanUp(op.Parts(), op.term);
  EXPECT_EQ(op.told.back().error->reason, "KafkaUnreachable");
  Operator gone({CleanupOrder{}});
  gone.term = true;
  CleanUp(gone.Parts(), gone.term);
  EXPECT_EQ(gone.waits, 0);
  EXPECT_TRUE(gone.asked.empty());
}

// The order may be older than the user's last word.
TEST(CleanUp, RemovesOnlyWhatAFreshReadAllows) {
  Operator op({kBeginWith, kBeginWith, CleanupOrder{}});
  op.allowed = Remains{true, false, false};
  CleanUp(op.Parts(), op.term);
  ASSERT_FALSE(op.asked.empty());
  EXPECT_EQ(op.asked[0], (Remains{true, false, false}));
}

TEST(CleanUp, RemovesNothingThatIsNotConfirmed) {
  Operator kept({kBeginWith, kBeginWith, CleanupOrder{}});
  kept.allowed = Remains{};
  CleanUp(kept.Parts(), kept.term);
  EXPECT_TRUE(kept.asked.empty());
  EXPECT_EQ(kept.told.back().error->reason, "NotToBeRemoved");
  Operator away({kBeginWith, kBeginWith, CleanupOrder{}});
  away.allowed = base::Unavailable("no operator");
  CleanUp(away.Parts(), away.term);
  EXPECT_TRUE(away.asked.empty());
  EXPECT_EQ(away.told.back().error->reason, "OperatorUnreachable");
}

TEST(CleanUp, OnlyTwoOrdersKeepAWorker) {
  EXPECT_FALSE(MustStay({}));
  EXPECT_FALSE(MustStay({CleanupStep::kNotice, kAll, 3}));
  EXPECT_TRUE(MustStay(kStayFor));
  EXPECT_TRUE(MustStay(kBeginWith));
}

}  // namespace
}  // namespace sj::worker
