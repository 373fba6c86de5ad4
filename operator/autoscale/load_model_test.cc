// SPDX-License-Identifier: Apache-2.0
// Capacity of other worker counts: steps of the partition count, several threads, a hot unit.
#include "operator/autoscale/load_model.h"

#include <gtest/gtest.h>

namespace sj::op::autoscale {
namespace {

TEST(LoadModel, GrowsInStepsOfThePartitionCount) {
  // 8 partitions on 2 workers, each of the 4 kept 25 % busy per partition.
  const LoadModel model({2'000, 2, 1, 2, 1, 8});
  EXPECT_DOUBLE_EQ(model.Capacity(2), 2'000);
  EXPECT_NEAR(model.Capacity(3), 2'667, 1);
  EXPECT_DOUBLE_EQ(model.Capacity(4), 4'000);
  EXPECT_DOUBLE_EQ(model.Capacity(7), 4'000);
  EXPECT_DOUBLE_EQ(model.Capacity(8), 8'000);
  EXPECT_DOUBLE_EQ(model.Capacity(100), 8'000);
  EXPECT_DOUBLE_EQ(model.Capacity(1), 1'000);
  EXPECT_DOUBLE_EQ(model.skew(), 1);
}

TEST(LoadModel, NeededSkipsCountsThatGainNothing) {
  const LoadModel model({2'000, 2, 1, 2, 1, 8});
  EXPECT_EQ(model.Needed(1'000, 1, 16), 1);
  EXPECT_EQ(model.Needed(2'500, 1, 16), 3);
  EXPECT_EQ(model.Needed(4'500, 1, 16), 8);
  EXPECT_EQ(model.Needed(4'300, 1, 16), 4);      // four more for the last tenth are too many
  EXPECT_EQ(model.Needed(9'000'000, 1, 16), 8);  // all there is, not more workers than that
  EXPECT_EQ(model.Needed(9'000'000, 1, 6), 4);
  EXPECT_EQ(model.Needed(100, 3, 16), 3);
}

TEST(LoadModel, ThreadsShareTheUnitsOfAWorker) {
  // 8 partitions, 4 threads: one worker has two a thread, two have one.
  const LoadModel model({8'000, 4, 1, 1, 4, 8});
  EXPECT_DOUBLE_EQ(model.Capacity(2), 16'000);
  EXPECT_DOUBLE_EQ(model.Capacity(3), 16'000);
}

TEST(LoadModel, HotUnitStaysWhole) {
  // 4 workers, 8 partitions, all together 1.9 threads busy, of which one thread is 1.0.
  const LoadModel model({1'900, 1.9, 1, 4, 1, 8});
  EXPECT_GT(model.skew(), 2);
  EXPECT_LT(model.Capacity(8), 1.4 * model.Capacity(4));
  EXPECT_DOUBLE_EQ(model.Capacity(4), 1'900);
  EXPECT_EQ(model.Capacity(8), model.Capacity(64));
}

TEST(LoadModel, FewPartitionsManyThreads) {
  const LoadModel model({1'000, 2.6, 1, 1, 4, 2});
  EXPECT_DOUBLE_EQ(model.Capacity(1), 1'000);
  EXPECT_DOUBLE_EQ(model.Capacity(9), 1'000);
}

TEST(LoadModel, NoNumberBreaksIt) {
  const LoadModel model({0, 0, 0, 0, 0, 0});
  EXPECT_EQ(model.Capacity(0), 0);
  EXPECT_EQ(model.Needed(0, 1, 4), 1);
}

}  // namespace
}  // namespace sj::op::autoscale
