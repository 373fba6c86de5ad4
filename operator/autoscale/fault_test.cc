// SPDX-License-Identifier: Apache-2.0
// Reports that are missing, impossible or forged: the last decision stays, whatever they say.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "operator/autoscale/testing/fake_job.h"

namespace sj::op::autoscale {
namespace {

using testing::FakeJob;
using testing::FakeWorker;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

FakeWorker Overloaded() {
  FakeWorker worker;
  worker.busy = 1;
  worker.lag_growth = 2'000;
  return worker;
}

FakeWorker Idle() {
  FakeWorker worker;
  worker.rate = 0;
  worker.busy = 0;
  return worker;
}

struct Fault {
  const char* what;
  std::function<void(Seen&)> spoil;
  const char* veto;
};

std::vector<Fault> Faults() {
  return {
      {"no lag", [](Seen& s) { s.lag_records.reset(); }, "LagUnknown"},
      {"no busy ratio", [](Seen& s) { s.busy.reset(); }, "MetricsMissing"},
      {"an older worker", [](Seen& s) { s.input.reset(); }, "MetricsMissing"},
      {"NaN", [](Seen& s) { s.busy = kNan; }, "MetricsInvalid"},
      {"infinite", [](Seen& s) { s.busy = kInf; }, "MetricsInvalid"},
      {"negative ratio", [](Seen& s) { s.busy = -0.1; }, "MetricsInvalid"},
      {"busy nine times over", [](Seen& s) { s.busy = 9; }, "MetricsInvalid"},
      {"NaN thread", [](Seen& s) { s.input->busiest_ratio = kNan; }, "MetricsInvalid"},
      {"NaN output", [](Seen& s) { s.input->back_pressure_ratio = kNan; }, "MetricsInvalid"},
      {"negative lag", [](Seen& s) { s.lag_records = -1; }, "MetricsInvalid"},
      {"huge lag", [](Seen& s) { s.lag_records = kHuge; }, "MetricsInvalid"},
      {"negative progress", [](Seen& s) { s.records_in = -5; }, "MetricsInvalid"},
      {"huge progress", [](Seen& s) { s.records_in = kHuge; }, "MetricsInvalid"},
      {"progress of a fairy tale",
       [](Seen& s) {
         s.records_in = (s.at.time_since_epoch().count() - 1'767'571'200'000) * 2'000'000;
       },
       "MetricsInvalid"},
      {"negative partition lag",
       [](Seen& s) {
         s.input->hottest = {{"t", 0, -1, 0}};
       },
       "MetricsInvalid"},
      {"no threads", [](Seen& s) { s.input->threads = 0; }, "MetricsInvalid"},
      {"negative wait", [](Seen& s) { s.input->blocked_for = Millis(-1); }, "MetricsInvalid"},
      {"a generation of its own", [](Seen& s) { s.generation = 99; }, "MetricsMissing"},
      {"an ordinal of its own", [](Seen& s) { s.ordinal += 100; }, "MetricsMissing"},
      {"a negative ordinal", [](Seen& s) { s.ordinal = -1; }, "MetricsMissing"},
      {"a silent one", [](Seen& s) { s.at = WallTime(Millis(1'767'571'200'000)); },
       "MetricsMissing"},
  };
}

TEST(AutoscalerFaults, OneSpoiledWorkerHoldsTheDecision) {
  for (const FakeWorker& load : {Overloaded(), Idle()}) {
    for (const Fault& fault : Faults()) {
      FakeJob job(3, load);
      job.spoil = [&](Seen& seen) {
        if (seen.ordinal == 1) {
          fault.spoil(seen);
        }
      };
      job.Run(3'600);
      EXPECT_EQ(job.wanted(), 3) << fault.what;
      EXPECT_EQ(job.veto(), fault.veto) << fault.what << ": " << job.message();
    }
  }
}

// Not to zero, not to the maximum, not anywhere: also when no worker says anything that is true.
TEST(AutoscalerFaults, AllWorkersSpoiledHoldTheDecision) {
  for (const FakeWorker& load : {Overloaded(), Idle()}) {
    for (const Fault& fault : Faults()) {
      FakeJob job(3, load);
      job.obeys = true;
      job.spoil = fault.spoil;
      job.Run(900);
      EXPECT_EQ(job.wanted(), 3) << fault.what;
      EXPECT_EQ(job.veto(), fault.veto) << fault.what << ": " << job.message();
      EXPECT_TRUE(job.status().history.empty()) << fault.what;
    }
  }
}

TEST(AutoscalerFaults, WithoutTheFaultItWouldHaveMoved) {
  FakeJob up(3, Overloaded());
  up.Run(3'600);
  EXPECT_GT(up.wanted(), 3);
  FakeJob down(3, Idle());
  down.Run(3'600);
  EXPECT_LT(down.wanted(), 3);
}

TEST(AutoscalerFaults, UnknownLagStartsTheWaitForFewerWorkersAnew) {
  FakeJob job(3, Idle());
  job.Run(580);
  job.spoil = [](Seen& seen) { seen.lag_records.reset(); };
  job.Run(30);
  job.spoil = nullptr;
  job.Run(500);
  EXPECT_EQ(job.wanted(), 3);
  job.Run(200);
  EXPECT_LT(job.wanted(), 3);
}

TEST(AutoscalerFaults, RestartedWorkerIsMeasuredAnew) {
  FakeJob job(2, Overloaded());
  job.Run(20);
  job.incarnation = "b";  // counters begin at zero again
  job.Run(10);
  EXPECT_EQ(job.veto(), "Measuring");
}

TEST(AutoscalerFaults, ForgedProgressStaysWithinTheBounds) {
  FakeJob job(2, Overloaded());
  job.settings.max_replicas = 4;
  job.obeys = true;
  uint64_t seed = 7;
  job.spoil = [&](Seen& seen) {
    seed = seed * 6'364'136'223'846'793'005u + 1;
    seen.busy = static_cast<double>(seed >> 60) / 16;
    seen.lag_records = static_cast<int64_t>(seed >> 30);
  };
  for (int i = 0; i < 2'000; ++i) {
    job.Run(5);
    ASSERT_GE(job.wanted(), 1);
    ASSERT_LE(job.wanted(), 4);
  }
  EXPECT_LE(job.status().history.size(), 20u);
}

TEST(AutoscalerFaults, ClockThatGoesBackDecidesNothing) {
  FakeJob job(3, Idle());
  job.Run(500);
  job.now -= std::chrono::hours(1);
  job.Run(300);
  EXPECT_EQ(job.wanted(), 3);
}

TEST(AutoscalerFaults, SettingsAtTheirEdgesDoNotBreakIt) {
  FakeJob job(3, Overloaded());
  job.settings.catch_up = Millis(0);
  job.settings.target_utilization = "nonsense";
  job.settings.scale_up_after = Millis(0);
  job.settings.scale_down_after = Millis(0);
  job.partitions.clear();
  job.shards = 0;
  job.Run(600);
  EXPECT_GE(job.wanted(), 1);
  EXPECT_LE(job.wanted(), 16);
}

}  // namespace
}  // namespace sj::op::autoscale
