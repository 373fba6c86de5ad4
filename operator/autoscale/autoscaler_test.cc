// SPDX-License-Identifier: Apache-2.0
// Each rule and each veto of the decision: a load in, a decision and its words out.
#include "operator/autoscale/autoscaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/autoscale/testing/fake_job.h"

namespace sj::op::autoscale {
namespace {

using testing::FakeJob;
using testing::FakeWorker;
using ::testing::HasSubstr;
using ::testing::Not;
using v1alpha1::AutoscalingMode;

FakeWorker Load(double rate, double busy) {
  FakeWorker worker;
  worker.rate = rate;
  worker.busy = busy;
  return worker;
}

TEST(Autoscaler, EnoughWorkersStay) {
  FakeJob job(4, Load(1'000, 0.65));
  job.Run(3'600);
  EXPECT_EQ(job.wanted(), 4);
  EXPECT_EQ(job.veto(), "");
  EXPECT_EQ(job.message(), "4 workers suffice: 5,700 records/s are needed, 6,200 can be read");
  EXPECT_TRUE(job.status().history.empty());
}

TEST(Autoscaler, HeadroomIsScaledFor) {
  FakeJob job(2, Load(1'000, 0.9));
  job.Run(30);
  EXPECT_EQ(job.wanted(), 2);
  for (int i = 0; i < 20 && job.wanted() == 2; ++i) {
    job.Run(5);
  }
  // 2,000/s at 90 % is 2,222/s of capacity; 2,857/s are needed, and 3 workers have 2,963/s.
  EXPECT_EQ(job.wanted(), 3);
  EXPECT_EQ(job.message(),
            "3 workers instead of 2: 2,000 records/s arrive, so 2,900 records/s are needed; 2 can "
            "read 2,200");
  ASSERT_EQ(job.status().history.size(), 1u);
  EXPECT_EQ(job.status().history[0].from, 2);
  EXPECT_EQ(job.status().history[0].reason, "ScaleUp");
  EXPECT_TRUE(job.status().history[0].applied);
}

TEST(Autoscaler, BetweenTheBandNothingMoves) {
  for (double busy : {0.66, 0.70, 0.75, 0.79}) {
    FakeJob job(4, Load(1'000, busy));
    job.Run(1'800);
    EXPECT_EQ(job.wanted(), 4) << busy;
  }
}

TEST(Autoscaler, BacklogIsWorkedOffInTheTimeAskedFor) {
  FakeWorker worker = Load(1'000, 0.6);
  worker.lag = 3'000;
  FakeJob small(2, worker);
  small.Run(120);
  EXPECT_EQ(small.wanted(), 2);  // 6,000 records at 1,300/s to spare are gone in seconds
  worker.lag = 1'000'000;
  worker.busy = 1;
  FakeJob large(2, worker);
  large.Run(120);
  EXPECT_EQ(large.wanted(), 8);
  EXPECT_EQ(large.status().terms->catch_up, 3'300);
}

TEST(Autoscaler, GrowingLagIsArrival) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 500;
  FakeJob job(2, worker);
  job.Run(30);
  EXPECT_EQ(job.status().inputs->read_rate, 2'000);
  EXPECT_EQ(job.status().inputs->arrival_rate, 3'000);
  job.Run(60);
  EXPECT_EQ(job.wanted(), 4);  // 4,286/s: 4 workers have 4,000/s, and the next step is 8
}

TEST(Autoscaler, FewerWorkersOnlyAfterTheWholeWindow) {
  FakeJob job(4, Load(500, 0.2));
  job.Run(595);
  EXPECT_EQ(job.wanted(), 4);
  EXPECT_EQ(job.veto(), "Stabilizing");
  EXPECT_THAT(job.message(), HasSubstr("fewer workers must suffice for 10m first"));
  ASSERT_TRUE(job.status().next_eligible_time.has_value());
  job.Run(60);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.status().history[0].reason, "ScaleDown");
}

TEST(Autoscaler, OneBusyMomentKeepsThemForAnotherWindow) {
  FakeJob job(4, Load(500, 0.2));
  job.Run(500);
  job.workers.assign(4, Load(1'500, 0.7));
  job.Run(60);
  job.workers.assign(4, Load(500, 0.2));
  job.Run(580);
  EXPECT_EQ(job.wanted(), 4);
  job.Run(120);
  EXPECT_EQ(job.wanted(), 2);
}

TEST(Autoscaler, ShortWindowIsSpannedByLateReports) {
  FakeJob job(4, Load(0, 0));
  job.settings.scale_up_after = Millis(5'000);
  job.settings.scale_down_after = Millis(15'000);
  job.spoil = [&](Seen& seen) {
    const Millis since_first = job.now.time_since_epoch() + Millis(1'300) * seen.ordinal;
    seen.at -= since_first % Millis(5'400);  // a report takes the 5 s it is held, and its way
  };
  job.Run(60);
  for (int i = 0; i < 200; ++i) {
    job.Run(5);
    ASSERT_THAT(job.message(), Not(HasSubstr("too short a time"))) << i;
  }
  EXPECT_LT(job.wanted(), 4);
}

TEST(Autoscaler, NeverToZeroByItself) {
  FakeJob job(8, Load(0, 0));
  job.obeys = true;
  job.Run(4 * 3'600);
  EXPECT_EQ(job.wanted(), 1);
  EXPECT_EQ(job.message(), "nothing arrives");
  EXPECT_GE(job.status().history[0].to, 4);  // by steps of at most three fifths
}

TEST(Autoscaler, IdleJobWritesNothing) {
  FakeJob job(1, Load(0, 0));
  job.Run(600);
  const int writes = job.writes();
  job.Run(24 * 3'600);
  EXPECT_EQ(job.writes(), writes);
  EXPECT_LE(writes, 2);
}

TEST(Autoscaler, SteadyJobWritesSeldom) {
  FakeJob job(4, Load(1'000, 0.6));
  int turn = 0;
  job.spoil = [&](Seen& seen) { seen.busy = 0.6 + 0.05 * (++turn % 3); };
  job.Run(600);
  const int writes = job.writes();
  job.Run(3'600);
  EXPECT_LE(job.writes() - writes, 3);
}

TEST(Autoscaler, PartitionsEndIt) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 1'000;
  FakeJob job(8, worker);
  job.Run(300);
  EXPECT_EQ(job.wanted(), 8);
  EXPECT_EQ(job.veto(), "PartitionLimit");
  EXPECT_EQ(job.message(), "more workers cannot help: topic user-events has 8 partitions");
}

// Whatever the load and the bounds: never more than can read.
TEST(Autoscaler, NeverBeyondThePartitionsByItself) {
  for (const int partitions : {1, 2, 5, 8}) {
    for (const bool keyed : {false, true}) {
      FakeWorker worker = Load(1'000, 1);
      worker.lag_growth = 5'000;
      FakeJob job(1, worker);
      job.partitions = {{"user-events", partitions}, {"users", 1}};
      job.keyed = keyed;
      job.obeys = true;
      for (int i = 0; i < 100; ++i) {
        job.Run(60);
        ASSERT_LE(job.wanted(), partitions);
      }
      EXPECT_EQ(job.wanted(), partitions);
      EXPECT_EQ(job.veto(), "PartitionLimit") << job.message();
    }
  }
}

TEST(Autoscaler, ShardsEndIt) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 1'000;
  FakeJob job(4, worker);
  job.keyed = true;
  job.shards = 4;
  job.partitions = {{"user-events", 64}};
  job.Run(300);
  EXPECT_EQ(job.wanted(), 4);
  EXPECT_EQ(job.message(), "more workers cannot help: the job has 4 shards");
}

TEST(Autoscaler, MaxReplicasEndsIt) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 1'000;
  FakeJob job(2, worker);
  job.settings.max_replicas = 2;
  job.Run(300);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.veto(), "MaxReplicas");
  EXPECT_EQ(job.message(), "more workers are needed but maxReplicas is 2");
}

TEST(Autoscaler, HotPartitionIsNamedNotScaledFor) {
  FakeJob job(4, Load(300, 0.3));
  job.workers[2] = Load(1'000, 1);
  job.workers[2].lag = 50'000;
  job.workers[2].lag_growth = 300;
  job.workers[2].hottest = {{"user-events", 5, 1'000'000, 1'300}};
  job.Run(600);
  EXPECT_LE(job.wanted(), 8);
  job.workers.resize(8, Load(150, 0.15));
  job.Run(600);
  EXPECT_EQ(job.wanted(), 8);
  EXPECT_EQ(job.veto(), "HotPartition");
  EXPECT_THAT(job.message(), HasSubstr("more workers cannot help: partition 5 of topic "
                                       "user-events has 100 % of the lag"));
  EXPECT_EQ(job.status().inputs->hot_partition, "user-events/5");
}

TEST(Autoscaler, HotKeyIsNamed) {
  FakeJob job(8, Load(1'000, 0.25));
  job.workers[3].busiest = 1;
  job.workers[3].lag_growth = 2'000;
  job.threads = 4;
  job.partitions = {{"user-events", 32}};
  job.Run(300);
  EXPECT_EQ(job.wanted(), 8);
  EXPECT_EQ(job.veto(), "HotKey");
  EXPECT_THAT(job.message(), HasSubstr("the busiest thread of worker 3 has 4.0 times its share"));
}

TEST(Autoscaler, StuckTransactionIsNoLoad) {
  FakeWorker worker = Load(200, 0.1);
  worker.blocked = 2;
  FakeJob job(4, worker);
  job.Run(3'600);
  EXPECT_EQ(job.wanted(), 4);  // neither more, nor fewer: what waits will come
  EXPECT_EQ(job.veto(), "InputBlocked");
  EXPECT_THAT(job.message(), HasSubstr("input blocked by an open transaction: 8 partitions wait "
                                       "for its end, for 95 s so far"));
}

TEST(Autoscaler, SlowOutputIsNotScaledFor) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 1'000;
  worker.back_pressure = 0.5;
  FakeJob job(2, worker);
  job.Run(600);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.veto(), "BackPressure");
  EXPECT_THAT(job.message(), HasSubstr("workers wait for the output 50 % of the time"));
}

TEST(Autoscaler, IdleThreadsWithABacklogMeanTheLimitIsElsewhere) {
  FakeWorker worker = Load(1'000, 0.4);  // by busy time 2,500/s a worker
  worker.lag = 200'000;
  FakeJob job(2, worker);
  job.Run(30);
  EXPECT_EQ(job.status().terms->capacity, 2'000);
}

TEST(Autoscaler, NothingReadThoughThereIsALag) {
  FakeWorker worker = Load(0, 0);
  worker.lag = 1'000'000;
  FakeJob job(2, worker);
  job.Run(3'600);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.veto(), "InputStalled");
}

TEST(Autoscaler, CooldownFollowsTheMeasuredPause) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 100;
  FakeJob job(1, worker);
  job.obeys = true;
  job.Run(120);
  const size_t first = job.status().history.size();
  EXPECT_EQ(first, 1u);
  job.Run(60);
  EXPECT_EQ(job.veto(), "Cooldown");
  EXPECT_THAT(job.message(), HasSubstr("one costs 30.0 s (assumed)"));
  EXPECT_EQ(*job.status().next_eligible_time, *job.status().history[0].time + Millis(150'000));
}

TEST(Autoscaler, ScaleUpThatDidNotHelpIsNotRepeated) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 300;
  FakeJob job(2, worker);
  job.Run(90);
  ASSERT_EQ(job.wanted(), 4);
  job.workers.assign(4, Load(500, 1));  // twice the workers read as much together
  for (FakeWorker& fake : job.workers) {
    fake.lag_growth = 150;
  }
  job.incarnation = "b";
  job.Run(600);
  EXPECT_EQ(job.wanted(), 4);
  EXPECT_EQ(job.veto(), "ScaleUpDidNotHelp");
  EXPECT_THAT(job.message(), HasSubstr("4 do no more than 2 did"));
}

TEST(Autoscaler, NoRoomInTheClusterIsGivenUpAndNotRepeated) {
  FakeWorker worker = Load(1'000, 1);
  worker.lag_growth = 300;
  FakeJob job(2, worker);
  job.Run(90);
  ASSERT_EQ(job.wanted(), 4);
  job.waits_for = "worker 2 to start (0/3 nodes are available)";
  job.Run(500);
  EXPECT_EQ(job.veto(), "Rescaling");
  job.Run(150);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.status().history.back().reason, "NoRoom");
  job.waits_for.clear();
  job.Run(900);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.veto(), "NoRoom");
}

TEST(Autoscaler, AdviseChangesNothing) {
  FakeJob job(2, Load(1'000, 1));
  job.settings.mode = AutoscalingMode::kAdvise;
  job.Run(1'200);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.status().recommended, 3);
  EXPECT_EQ(job.status().mode, AutoscalingMode::kAdvise);
  ASSERT_EQ(job.status().history.size(), 1u);  // told once
  EXPECT_FALSE(job.status().history[0].applied);
}

TEST(Autoscaler, SpecReplicasRules) {
  FakeJob job(2, Load(1'000, 1));
  job.pinned = 2;
  job.Run(300);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.status().recommended, 3);
  EXPECT_EQ(job.status().mode, AutoscalingMode::kAdvise);
  EXPECT_THAT(job.message(), HasSubstr("spec.replicas (2) rules"));
}

TEST(Autoscaler, BoundsActAtOnce) {
  FakeJob job(2, Load(100, 0.1));
  job.settings.min_replicas = 3;
  job.Run(5);
  EXPECT_EQ(job.wanted(), 3);
  EXPECT_EQ(job.message(), "3 workers: the bounds are 3 to 16");
  FakeJob high(4, Load(100, 0.9));
  high.settings.max_replicas = 2;
  high.Run(5);
  EXPECT_EQ(high.wanted(), 2);
}

TEST(Autoscaler, ScheduleSetsTheBounds) {
  FakeJob job(1, Load(0, 0));
  job.obeys = true;
  job.settings.schedules = {{"morning", {}, "01:00", "02:00", 4, {}}};
  job.Run(3'590);
  EXPECT_EQ(job.wanted(), 1);
  job.Run(20);
  EXPECT_EQ(job.wanted(), 4);
  EXPECT_EQ(job.status().history.back().reason, "Bounds");
  EXPECT_EQ(job.status().min_replicas, 4);
  job.Run(2 * 3'600);
  EXPECT_EQ(job.wanted(), 1);
}

TEST(Autoscaler, NothingIsDecidedWhileTheJobDoesNotRun) {
  FakeJob job(2, Load(1'000, 1));
  job.running = false;
  job.Run(600);
  EXPECT_EQ(job.wanted(), 2);
  EXPECT_EQ(job.veto(), "NotRunning");
}

}  // namespace
}  // namespace sj::op::autoscale
