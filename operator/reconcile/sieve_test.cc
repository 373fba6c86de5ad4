// SPDX-License-Identifier: Apache-2.0
// The three patterns that break controllers, as loops over every scenario: the process ends before
// or after any of its writes; a new one starts from an old view; events are lost, merged, repeated
// or out of order. The end must be the one without the fault, and on the way nothing live may be
// deleted, nothing scaled below what is wanted, no generation's number given twice (GuardedKube).
// All points with SJ_TEST_LONG=1, a sample of them otherwise.
#include <gtest/gtest.h>

#include <cstdlib>

#include "operator/reconcile/testing/scenarios.h"

namespace sj::op::reconcile {
namespace {

using kube::testing::FailWhen;
using testing::Begin;
using testing::CleanEnd;
using testing::Cluster;
using testing::Feed;
using testing::kActSteps;
using testing::NoViolation;
using testing::Play;
using testing::Scenario;

int Stride(int otherwise) {
  return std::getenv("SJ_TEST_LONG") != nullptr ? 1 : otherwise * testing::kRarer;
}

void ExpectCleanEnd(const Scenario& scenario, Cluster& cluster, const std::string& fault) {
  ASSERT_TRUE(Finish(scenario, cluster)) << fault << "\n" << cluster.Summary();
  ASSERT_EQ(cluster.Summary() + "\n", CleanEnd(scenario)) << fault;
  ASSERT_EQ(NoViolation(cluster), "") << fault;
}

class SieveTest : public ::testing::TestWithParam<Scenario> {};

TEST_P(SieveTest, EndsTheSameWhenTheProcessEndsAtAnyWrite) {
  const auto clean = Begin(GetParam());
  Play(GetParam(), *clean, kActSteps);
  ASSERT_TRUE(clean->Settle());
  const int writes = clean->api().writes();
  ASSERT_GT(writes, 0);
  for (const FailWhen when : {FailWhen::kBefore, FailWhen::kAfter}) {
    for (int k = when == FailWhen::kAfter ? Stride(2) : 1; k <= writes; k += Stride(2)) {
      const auto cluster = Begin(GetParam());
      cluster->api().CrashAt(k, when);
      Play(GetParam(), *cluster, kActSteps);
      ExpectCleanEnd(
          GetParam(), *cluster,
          (when == FailWhen::kBefore ? "before write " : "after write ") + std::to_string(k));
      if (HasFatalFailure()) {
        return;
      }
    }
  }
}

// Twice in a row: what is left half done is found half done again.
TEST_P(SieveTest, EndsTheSameWhenEveryProcessEndsAfterAFewWrites) {
  for (int k = 1; k <= 4; ++k) {
    const auto cluster = Begin(GetParam());
    for (int step = 0; step < 2 * kActSteps; ++step) {
      GetParam().act(*cluster, step);
      cluster->api().CrashAt(k, step % 2 == 0 ? FailWhen::kAfter : FailWhen::kBefore);
      cluster->StepAll();
    }
    cluster->api().CrashAt(0, FailWhen::kBefore);
    ExpectCleanEnd(GetParam(), *cluster, "every " + std::to_string(k) + " writes");
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_P(SieveTest, EndsTheSameAfterAnOldView) {
  for (const size_t age : {1, 3, 7, 15}) {
    for (int at = static_cast<int>(age) % Stride(6); at <= kActSteps; at += Stride(6)) {
      const auto cluster = Begin(GetParam());
      for (int step = 0; step < kActSteps; ++step) {
        GetParam().act(*cluster, step);
        if (step == at) {
          ActOnOldView(*cluster, age);
        }
        cluster->StepAll();
      }
      ExpectCleanEnd(GetParam(), *cluster,
                     "view " + std::to_string(age) + " old at " + std::to_string(at));
      if (HasFatalFailure()) {
        return;
      }
    }
  }
}

TEST_P(SieveTest, EndsTheSameWhenEventsAreLostUntilARelist) {
  constexpr int kLost = 4;
  for (int at = 0; at <= kActSteps; at += Stride(4)) {
    const auto cluster = Begin(GetParam());
    for (int step = 0; step < kActSteps; ++step) {
      GetParam().act(*cluster, step);
      cluster->StepAll(step >= at && step < at + kLost ? Feed::kNone : Feed::kAll);
    }
    cluster->Sync(cluster->op());
    ExpectCleanEnd(GetParam(), *cluster, "events lost from step " + std::to_string(at));
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_P(SieveTest, EndsTheSameHoweverEventsArrive) {
  for (const Feed feed : {Feed::kNone, Feed::kLast, Feed::kTwice, Feed::kBackward}) {
    const auto cluster = Begin(GetParam());
    Play(GetParam(), *cluster, kActSteps, feed);
    cluster->Sync(cluster->op());
    ExpectCleanEnd(GetParam(), *cluster, "feed " + std::to_string(static_cast<int>(feed)));
    if (HasFatalFailure()) {
      return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, SieveTest,
                         ::testing::ValuesIn(testing::Scenarios().begin(),
                                             testing::Scenarios().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sj::op::reconcile
