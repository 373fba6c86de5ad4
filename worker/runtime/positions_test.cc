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

// Waiting only passes the time.
class Patience final : public Cooperation {
 public:
  explicit Patience(base::ManualClock* clock) : clock_(clock) {}
  void Began(int, std::function<bool(int)>) override {}
  void Ended() override {}
  void Wait(std::chrono::nanoseconds at_most) override {
    clock_->Advance(std::chrono::duration_cast<base::Millis>(at_most));
  }

 private:
  base::ManualClock* clock_;
};

// Another process under this worker's name may have taken the unit, and with it the mark.
TEST_F(ReadReleasedTest, AMarkThatIsGoneIsNotWaitedForForEver) {
  base::ManualClock clock;
  Patience patience(&clock);
  JobHooks hooks;
  hooks.cooperation = &patience;
  const plan::Edge edge;
  EdgeInfo info;
  info.edge = &edge;
  info.topic = "ev";
  run_.edges = {info};
  run_.own.shards = 1;
  run_.generation = kNext;
  run_.clock = &clock;
  Commit(0, 10, 0);
  const base::MonoTime begun = clock.Mono();
  auto none = AwaitReleases(&run_, hooks);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().kind(), base::ErrorKind::kUnavailable);
  EXPECT_GE(clock.Mono() - begun, kReleasesMax);
  Commit(0, 11, kNext);
  auto released = AwaitReleases(&run_, hooks);
  ASSERT_TRUE(released.ok()) << released.status().ToString();
  EXPECT_EQ(released->committed.at(0).offset, 11);
}

}  // namespace
}  // namespace sj::worker::runtime
