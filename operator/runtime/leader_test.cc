// SPDX-License-Identifier: Apache-2.0
// Leader election by hand, then by seeded simulation: replicas that pause, stop, release and fail,
// on one manual clock and a fake API server.
#include "operator/runtime/leader.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "operator/kube/testing/fake_kube.h"

namespace sj::op::runtime {
namespace {

using base::Millis;
using kube::Json;
using kube::kLeases;
using kube::testing::FailWhen;

struct Replica {
  Replica(const std::string& name, kube::KubeClient& client, const base::Clock& clock)
      : elector({.ns = "ns", .identity = name}, {[this] { ++started; }, [this] { ++lost; }}, client,
                clock, nullptr) {}

  int started = 0;
  int lost = 0;
  LeaderElector elector;
};

class LeaderTest : public ::testing::Test {
 protected:
  Json Lease() { return *fake_.Get(kLeases, {"ns", "streamjob-operator"}, kube::Read::kQuorum); }

  base::ManualClock clock_;
  kube::testing::FakeKube fake_{clock_};
  Replica a_{"a", fake_, clock_};
  Replica b_{"b", fake_, clock_};
};

TEST_F(LeaderTest, TheFirstLeadsAndTheSecondWaits) {
  EXPECT_EQ(a_.elector.Step(), Millis(2'000));
  EXPECT_TRUE(a_.elector.IsLeader());
  EXPECT_EQ(a_.started, 1);
  const Millis wait = b_.elector.Step();
  EXPECT_GE(wait, Millis(2'000));
  EXPECT_LE(wait, Millis(4'400));
  EXPECT_FALSE(b_.elector.IsLeader());
  EXPECT_EQ(b_.elector.Holder(), "a");
  const Json spec = Lease()["spec"];
  EXPECT_EQ(spec["leaseDurationSeconds"], 15);
  EXPECT_EQ(spec["leaseTransitions"], 0);
  EXPECT_EQ(spec["renewTime"], "2023-11-14T22:13:20.000000Z");
}

TEST_F(LeaderTest, ARenewedLeaseIsNeverTaken) {
  a_.elector.Step();
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(Millis(2'000));
    a_.elector.Step();
    b_.elector.Step();
  }
  EXPECT_TRUE(a_.elector.IsLeader());
  EXPECT_EQ(b_.started, 0);
}

TEST_F(LeaderTest, ASilentHolderIsReplacedAfterTheLeaseDuration) {
  a_.elector.Step();
  b_.elector.Step();
  clock_.Advance(Millis(14'999));
  b_.elector.Step();
  EXPECT_EQ(b_.started, 0);
  clock_.Advance(Millis(1));
  b_.elector.Step();
  EXPECT_TRUE(b_.elector.IsLeader());
  EXPECT_EQ(Lease()["spec"]["leaseTransitions"], 1);
  // The old one believes nothing any more, even before it asks, and is told when it does.
  EXPECT_FALSE(a_.elector.IsLeader());
  a_.elector.Step();
  EXPECT_EQ(a_.lost, 1);
}

TEST_F(LeaderTest, ReleaseHandsOverAtOnce) {
  a_.elector.Step();
  b_.elector.Step();
  ASSERT_TRUE(a_.elector.Release().ok());
  EXPECT_FALSE(a_.elector.IsLeader());
  EXPECT_EQ(a_.lost, 0);
  clock_.Advance(Millis(2'000));
  b_.elector.Step();
  EXPECT_TRUE(b_.elector.IsLeader());
  EXPECT_TRUE(b_.elector.Release().ok());
  EXPECT_TRUE(b_.elector.Release().ok());
}

TEST_F(LeaderTest, ALeaderThatCannotRenewStopsByItsDeadline) {
  a_.elector.Step();
  for (int i = 1; i <= 200; ++i) {
    fake_.FailCall(i, FailWhen::kBefore, base::Unavailable("no route"));
  }
  Millis passed{0};
  while (a_.lost == 0 && passed < Millis(60'000)) {
    clock_.Advance(Millis(2'000));
    passed += Millis(2'000);
    a_.elector.Step();
  }
  EXPECT_EQ(passed, Millis(10'000));
  EXPECT_FALSE(a_.elector.IsLeader());
}

TEST_F(LeaderTest, AnAnswerThatIsLostIsNoLostLease) {
  a_.elector.Step();
  clock_.Advance(Millis(2'000));
  fake_.FailCall(1, FailWhen::kAfter, base::Unavailable("cut"));
  a_.elector.Step();  // renewed, but it does not know
  clock_.Advance(Millis(2'000));
  a_.elector.Step();  // conflict with its own write: reads, sees itself, renews
  EXPECT_TRUE(a_.elector.IsLeader());
  EXPECT_EQ(a_.lost, 0);
}

TEST_F(LeaderTest, AnotherHolderInTheLeaseEndsLeadingAtOnce) {
  a_.elector.Step();
  Json stolen = Lease();
  stolen["spec"]["holderIdentity"] = "thief";
  fake_.Put(kLeases, stolen);
  clock_.Advance(Millis(2'000));
  a_.elector.Step();
  EXPECT_EQ(a_.lost, 1);
  EXPECT_FALSE(a_.elector.IsLeader());
}

TEST_F(LeaderTest, ADeletedLeaseIsMadeAgain) {
  a_.elector.Step();
  fake_.Erase(kLeases, {"ns", "streamjob-operator"});
  clock_.Advance(Millis(2'000));
  a_.elector.Step();
  EXPECT_TRUE(a_.elector.IsLeader());
  EXPECT_EQ(a_.lost, 0);
}

TEST_F(LeaderTest, EveryFailedCallIsSurvived) {
  for (const FailWhen when : {FailWhen::kBefore, FailWhen::kAfter}) {
    for (int n = 1; n <= 6; ++n) {
      SCOPED_TRACE(n);
      base::ManualClock clock;
      kube::testing::FakeKube fake(clock);
      Replica one("one", fake, clock);
      Replica two("two", fake, clock);
      fake.FailCall(n, when, base::Unavailable("no"));
      for (int i = 0; i < 20; ++i) {
        one.elector.Step();
        two.elector.Step();
        clock.Advance(Millis(2'000));
      }
      EXPECT_EQ(one.started + two.started, 1);
      EXPECT_EQ(one.lost + two.lost, 0);
    }
  }
}

// Three replicas; at random one sleeps (misses its steps), calls fail, leases are released. Never
// do two say IsLeader at one time, and somebody leads once the faults have ended.
TEST(LeaderSeedTest, NeverTwoAndInTheEndOne) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    base::ManualClock clock;
    kube::testing::FakeKube fake(clock);
    std::vector<std::unique_ptr<Replica>> replicas;
    for (const char* name : {"x", "y", "z"}) {
      replicas.push_back(std::make_unique<Replica>(name, fake, clock));
    }
    std::array<Millis, 3> due{};
    Millis now{0};
    auto leaders = [&] {
      int count = 0;
      for (const auto& replica : replicas) {
        count += replica->elector.IsLeader() ? 1 : 0;
      }
      return count;
    };
    for (int tick = 0; tick < 2'000; ++tick) {
      const bool faults = tick < 1'600;
      for (size_t i = 0; i < replicas.size(); ++i) {
        if (now < due[i]) {
          continue;
        }
        if (faults && random() % 10 == 0) {
          fake.FailCall(1, random() % 2 == 0 ? FailWhen::kBefore : FailWhen::kAfter,
                        base::Unavailable("no"));
        }
        due[i] = now + replicas[i]->elector.Step();
        if (faults && random() % 20 == 0) {
          due[i] += Millis(random() % 40'000);  // paused
        }
        if (faults && random() % 40 == 0) {
          (void)replicas[i]->elector.Release();
        }
        ASSERT_LE(leaders(), 1);
      }
      clock.Advance(Millis(250));
      now += Millis(250);
      ASSERT_LE(leaders(), 1);
    }
    EXPECT_EQ(leaders(), 1);
  }
}

}  // namespace
}  // namespace sj::op::runtime
