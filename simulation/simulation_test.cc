// SPDX-License-Identifier: Apache-2.0
// A handful of seeds, that a seed is one run, and seeds that once found a defect.
#include <gtest/gtest.h>

#include "simulation/run_seed.h"
#include "simulation/workload.h"

namespace sj::simulation {
namespace {

TEST(Simulation, SeedsKeepEveryPromise) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const SeedResult result = RunSeed(seed, {});
    ASSERT_EQ(result.violation, "") << "seed " << seed;
  }
}

TEST(Simulation, HandOversKeepEveryPromise) {
  int64_t handed_over = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const SeedResult result = RunSeed(seed, {false, true});
    ASSERT_EQ(result.violation, "") << "seed " << seed;
    handed_over += result.handed_over;
  }
  EXPECT_GT(handed_over, 0);
}

TEST(Simulation, ASeedIsOneRun) {
  for (uint64_t seed : {3, 4, 6, 17, 4711}) {
    const SeedResult once = RunSeed(seed, {true, false});
    const SeedResult again = RunSeed(seed, {true, false});
    EXPECT_EQ(once.fingerprint, again.fingerprint) << "seed " << seed;
    EXPECT_EQ(once.log, again.log) << "seed " << seed;
  }
}

TEST(Workload, SeesEachKindOfWrongOutput) {
  World world(1, false);
  const Workload load(&world, 10, 6);
  EXPECT_NE(load.Check({}, {}, true), "");
  EXPECT_EQ(load.Check({}, {}, false), "");
  EXPECT_NE(load.Check({"+I|k9|2026-01-01 00:00:00|1|1"}, {}, false), "");
  EXPECT_NE(load.Check({}, {"+I|0|0", "+I|0|0"}, false), "");
  EXPECT_NE(load.Check({}, {"+I|0|1"}, false), "");
  EXPECT_EQ(load.Check({}, {"+I|0|0", "+I|1|0", "+I|0|1"}, false), "");
}

}  // namespace
}  // namespace sj::simulation
