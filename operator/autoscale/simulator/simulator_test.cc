// SPDX-License-Identifier: Apache-2.0
// The product's function on whole loads: what may not happen on any of them.
#include <gtest/gtest.h>

#include "operator/autoscale/simulator/loads.h"
#include "operator/autoscale/simulator/picture.h"

namespace sj::op::autoscale::simulator {
namespace {

Outcome Ours(const Load& load, const JobSpec& spec = {}) {
  const std::unique_ptr<Policy> policy = MakeStreamJobPolicy();
  return Replay(spec, load, *policy);
}

Load Named(const std::string& name) {
  for (Load& load : SyntheticLoads()) {
    if (load.name == name) {
      return load;
    }
  }
  ADD_FAILURE() << "no load " << name;
  return {};
}

TEST(Simulator, SawToothDoesNotFlap) {
  for (int minutes : {2, 5, 11, 20, 40}) {
    const Outcome outcome = Ours(SawTooth(4'000, 26'000, minutes * 60, 8 * 3'600));
    EXPECT_LE(outcome.rescales_per_hour_max, 6) << minutes;
    EXPECT_LE(outcome.rescales, 20) << minutes;
    EXPECT_LT(outcome.lag_max, 3'000'000) << minutes;
  }
}

TEST(Simulator, StuckTransactionScalesNothingUpBeforeItsEnd) {
  Load load = Named("stuck transaction");
  load.seconds = 2 * 3'600;
  JobSpec spec;
  spec.start = 3;
  const Outcome outcome = Ours(load, spec);
  EXPECT_LE(outcome.workers_max, 3);
}

TEST(Simulator, SlowOutputIsNotScaledFor) {
  Load load = Named("slow output");
  load.seconds = 2 * 3'600;
  JobSpec spec;
  spec.start = 4;
  EXPECT_LE(Ours(load, spec).workers_max, 4);
}

TEST(Simulator, HotPartitionDoesNotTakeTheWholeCluster) {
  JobSpec spec;
  spec.start = 4;
  const Outcome outcome = Ours(Named("skewed key"), spec);
  EXPECT_LE(outcome.rescales, 3);
}

TEST(Simulator, StepIsFollowedAndGivenBack) {
  const Outcome outcome = Ours(Named("steps"));
  EXPECT_GE(outcome.workers_max, 6);
  EXPECT_LE(outcome.workers_last, 2);
  EXPECT_LE(outcome.rescales, 6);
  EXPECT_LT(outcome.lag_max, 3'000'000);
}

TEST(Simulator, SameInputSameOutput) {
  const Outcome a = Ours(Named("spikes"));
  const Outcome b = Ours(Named("spikes"));
  EXPECT_EQ(a.lag_time, b.lag_time);
  EXPECT_EQ(a.rescales, b.rescales);
}

TEST(Simulator, RecordedLoadIsRead) {
  const auto load = RecordedLoad("x", "# second rate\n0 100\n\n60 200\n120 0\n");
  ASSERT_TRUE(load.ok()) << load.status().ToString();
  EXPECT_EQ(load->seconds, 120);
  EXPECT_DOUBLE_EQ(load->at(30).rate, 150);
  EXPECT_DOUBLE_EQ(load->at(90).rate, 100);
  EXPECT_FALSE(RecordedLoad("x", "0 1\n0 2\n").ok());
  EXPECT_FALSE(RecordedLoad("x", "0 -1\n1 2\n").ok());
  EXPECT_FALSE(RecordedLoad("x", "0 1\n").ok());
  EXPECT_FALSE(RecordedLoad("x", "a b\n1 2\n").ok());
}

TEST(Simulator, FlinkAndKedaScaleToo) {
  for (const auto& policy : ComparedPolicies()) {
    const Outcome outcome = Replay({}, Named("steps"), *policy);
    EXPECT_GE(outcome.workers_max, 5) << outcome.policy;
  }
}

TEST(Simulator, PictureHasEveryPolicy) {
  const Load load = Named("steps");
  Comparison comparison{load, {Ours(load)}};
  const std::string picture = Picture({comparison}, {});
  EXPECT_NE(picture.find("StreamJob"), std::string::npos);
  EXPECT_TRUE(picture.ends_with("</svg>\n"));
  EXPECT_NE(Table({comparison}).find("| steps | StreamJob |"), std::string::npos);
}

}  // namespace
}  // namespace sj::op::autoscale::simulator
