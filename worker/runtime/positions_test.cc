// SPDX-License-Identifier: Apache-2.0
// Which committed positions let a unit be taken.
#include "worker/runtime/positions.h"

#include <gtest/gtest.h>

#include "worker/runtime/testing/sim_kafka.h"

namespace sj::worker::runtime {
namespace {

using testing::SimKafka;

constexpr types::Generation kNext = 3;

class ReadReleasedTest : public ::testing::Test {
 protected:
  ReadReleasedTest() {
    connect::ConnectContext context;
    run_.log = SimKafka::MakeConnectors(&kafka_).commit_log({}, context).value();
    EXPECT_TRUE(run_.log->Fence({}).ok());
  }
  // As the worker that has the partition would, released to `generation` or (0) not.
  void Commit(int partition, int64_t offset, types::Generation generation) {
    std::string metadata = checkpoint::CommitMetadata("u/g2/0/7-a", "footer");
    if (generation > 0) {
      metadata = checkpoint::ReleaseMetadata(metadata, generation);
    }
    ASSERT_TRUE(run_.log->Commit(++epoch_, {{{"ev", partition}, offset, metadata}}).ok());
  }
  bool Released() {
    inputs_ = {{{"ev", 0}, 0, "", -1, -1}, {{"ev", 1}, 0, "", -1, -1}};
    auto released = ReadReleased(&run_, kNext, &inputs_);
    EXPECT_TRUE(released.ok()) << released.status().ToString();
    return released.ok() && *released;
  }

  SimKafka kafka_;
  RunContext run_;
  types::Epoch epoch_ = 0;
  std::vector<CommittedRef> inputs_;
};

TEST_F(ReadReleasedTest, OnlyWhenAllCarryTheMarkOfThisGeneration) {
  EXPECT_FALSE(Released()) << "nothing is committed";
  Commit(0, 10, 0);
  Commit(1, 20, 0);
  EXPECT_FALSE(Released()) << "another worker goes on with both";
  Commit(0, 11, kNext);
  EXPECT_FALSE(Released()) << "it goes on with one";
  Commit(1, 21, kNext - 1);
  EXPECT_FALSE(Released()) << "that is the release of an earlier hand-over";
  Commit(1, 22, kNext);
  EXPECT_TRUE(Released());
  EXPECT_EQ(inputs_[0].offset, 11);
  EXPECT_EQ(inputs_[1].offset, 22);
  EXPECT_EQ(checkpoint::ParseCommitMetadata(inputs_[1].metadata)->released_to, kNext);
}

}  // namespace
}  // namespace sj::worker::runtime
