// SPDX-License-Identifier: Apache-2.0
// Samples in, the load the operator is told out.
#include "worker/runtime/input_meter.h"

#include <gtest/gtest.h>

namespace sj::worker::runtime {
namespace {

constexpr int64_t kWallMs = 1'700'000'000'000;

InputMeter::NamedLag Partition(int number, int64_t position, int64_t stable_end, int64_t log_end) {
  connect::PartitionLag lag;
  lag.partition = number;
  lag.position = position;
  lag.stable_end = stable_end;
  lag.log_end = log_end;
  lag.at_stable_end = position == stable_end;
  lag.last_record_ms = kWallMs - 4'000;
  return {"events", lag};
}

InputMeter::Sample At(int second, std::vector<InputMeter::NamedLag> inputs) {
  InputMeter::Sample sample;
  sample.now = base::MonoTime(std::chrono::seconds(100 + second));
  sample.wall = base::WallTime(base::Millis(kWallMs));
  sample.busy_ns = {static_cast<uint64_t>(second) * 900'000'000,
                    static_cast<uint64_t>(second) * 100'000'000};
  sample.waited_ns = static_cast<uint64_t>(second) * 500'000'000;
  sample.inputs = std::move(inputs);
  return sample;
}

TEST(InputMeter, NothingBeforeTheSecondSample) {
  InputMeter meter;
  meter.Take(At(1, {}));
  EXPECT_FALSE(meter.load().has_value());
  meter.Take(At(2, {}));
  ASSERT_TRUE(meter.load().has_value());
  EXPECT_EQ(meter.load()->lag_time_ms, 0);
}

TEST(InputMeter, BusiestThreadAndTimeSpentWaiting) {
  InputMeter meter;
  meter.Take(At(1, {}));
  meter.Take(At(3, {}));
  EXPECT_EQ(meter.load()->threads, 2);
  EXPECT_NEAR(meter.load()->busiest_ratio, 0.9, 1e-9);
  EXPECT_NEAR(meter.load()->back_pressure_ratio, 0.25, 1e-9);
}

TEST(InputMeter, WhatWaitsForATransactionIsNoLag) {
  InputMeter meter;
  for (int s = 0; s <= 40; ++s) {
    meter.Take(At(s, {Partition(0, 50, 50, 50 + 10 * s), Partition(1, 10 * s, 10 * s, 10 * s)}));
  }
  const InputLoad& load = *meter.load();
  EXPECT_EQ(load.blocked_partitions, 1);
  EXPECT_EQ(load.blocked_for_ms, 40'000);
  EXPECT_EQ(load.unstable_records, 400);
  EXPECT_EQ(load.lag_time_ms, 0);
  for (const PartitionLoad& partition : load.hottest) {
    EXPECT_EQ(partition.lag, 0);
    EXPECT_NEAR(static_cast<double>(partition.arrival_rate), 10, 1);
  }
  meter.Take(At(41, {Partition(0, 60, 60, 460)}));  // it moved: a later transaction holds it now
  EXPECT_EQ(meter.load()->blocked_for_ms, 0);
}

// A partition that was at rest does not wait for a transaction all that time.
TEST(InputMeter, TheWaitBeginsWithTheTransaction) {
  InputMeter meter;
  for (int s = 0; s <= 60; ++s) {
    meter.Take(At(s, {Partition(0, 50, 50, 50)}));
  }
  EXPECT_EQ(meter.load()->blocked_partitions, 0);
  meter.Take(At(61, {Partition(0, 50, 50, 55)}));
  EXPECT_EQ(meter.load()->blocked_partitions, 1);
  EXPECT_EQ(meter.load()->blocked_for_ms, 1'000);
}

TEST(InputMeter, HottestPartitionsByLag) {
  InputMeter meter;
  std::vector<InputMeter::NamedLag> inputs;
  for (int p = 0; p < 20; ++p) {
    inputs.push_back(Partition(p, 0, p * 100, p * 100));
  }
  meter.Take(At(1, inputs));
  meter.Take(At(2, inputs));
  const InputLoad& load = *meter.load();
  ASSERT_EQ(load.hottest.size(), InputMeter::kHottestMax);
  EXPECT_EQ(load.hottest[0].partition, 19);
  EXPECT_EQ(load.hottest[0].lag, 1'900);
  EXPECT_EQ(load.hottest[7].partition, 12);
  EXPECT_EQ(load.lag_time_ms, 4'000);
  EXPECT_EQ(load.partitions, 20);
}

TEST(InputMeter, LagTimeIsUnknownBeforeTheFirstRecordOrEnd) {
  InputMeter meter;
  InputMeter::NamedLag unread = Partition(0, 0, 100, 100);
  unread.lag.last_record_ms = -1;
  meter.Take(At(1, {unread}));
  meter.Take(At(2, {unread}));
  EXPECT_FALSE(meter.load()->lag_time_ms.has_value());
  InputMeter::NamedLag unheard = Partition(0, 0, -1, -1);
  meter.Take(At(3, {unheard}));
  EXPECT_FALSE(meter.load()->lag_time_ms.has_value());
}

TEST(InputMeter, APartitionThatComesBackBringsNoRateOfTheTimeAway) {
  InputMeter meter;
  meter.Take(At(1, {Partition(0, 10, 10, 10)}));
  meter.Take(At(2, {}));  // another worker has it
  meter.Take(At(3, {Partition(0, 90'000, 90'000, 90'000)}));
  meter.Take(At(4, {Partition(0, 90'010, 90'010, 90'010)}));
  ASSERT_EQ(meter.load()->hottest.size(), 1u);
  EXPECT_LE(meter.load()->hottest[0].arrival_rate, 10);
}

TEST(InputMeter, CountersThatFallAreNoWork) {
  InputMeter meter;
  meter.Take(At(5, {Partition(0, 10, 10, 500)}));
  InputMeter::Sample later = At(6, {Partition(0, 10, 10, 20)});
  later.busy_ns = {0, 0};
  later.waited_ns = 0;
  meter.Take(later);
  EXPECT_EQ(meter.load()->busiest_ratio, 0);
  EXPECT_EQ(meter.load()->back_pressure_ratio, 0);
  meter.Take(later);  // at the same moment: nothing can be said
  EXPECT_EQ(meter.load()->threads, 2);
}

}  // namespace
}  // namespace sj::worker::runtime
