// SPDX-License-Identifier: Apache-2.0
// What a prefetch does while the owners of the units go on, and that nothing rests on it.
#include "worker/runtime/unit_prefetch.h"

#include <gtest/gtest.h>

#include <deque>

namespace sj::worker::runtime {
namespace {

// What the owners and the store have, and what was asked of them.
struct Outside {
  int64_t committed = 0;  // offset of the one shard; another commit comes with every read
  std::deque<base::Status> refuses;  // the next fetches, first to last
  bool always_refuses = false;       // the last of them, for ever
  std::vector<int64_t> fetched;      // the offsets whose chunks were asked for
  bool added = false;
};

class OwnersGoOn final : public connect::CommittedReader {
 public:
  explicit OwnersGoOn(Outside* outside) : outside_(outside) {}
  base::Result<std::vector<connect::CommittedPosition>> Read(
      const std::vector<types::InputPartition>& partitions) override {
    return std::vector<connect::CommittedPosition>{
        {partitions.at(0), ++outside_->committed, "object"}};
  }

 private:
  Outside* outside_;
};

class Chunks final : public checkpoint::Checkpointer::Prefetch {
 public:
  explicit Chunks(Outside* outside) : outside_(outside) {}
  base::Result<uint64_t> Run(const std::vector<CommittedRef>& committed,
                             const std::function<bool()>& go_on) override {
    EXPECT_TRUE(go_on());
    outside_->fetched.push_back(committed.at(0).offset);
    if (outside_->refuses.empty()) {
      return uint64_t{7};
    }
    const base::Status status = outside_->refuses.front();
    if (!outside_->always_refuses) {
      outside_->refuses.pop_front();
    }
    return status;
  }

 private:
  Outside* outside_;
};

// Prefetches only.
class Prefetcher final : public checkpoint::Checkpointer {
 public:
  explicit Prefetcher(Outside* outside) : outside_(outside) {}
  base::Result<std::unique_ptr<Prefetch>> NewPrefetch(types::Generation) override {
    return std::unique_ptr<Prefetch>(std::make_unique<Chunks>(outside_));
  }
  void Add(std::unique_ptr<Prefetch>) override { outside_->added = true; }

  base::Result<checkpoint::Restored> Restore(const std::vector<CommittedRef>&,
                                             state::StateStore*) override {
    return base::Internal("not here");
  }
  base::Result<checkpoint::Restored> Take(const std::vector<CommittedRef>&, types::Generation,
                                          state::StateStore*) override {
    return base::Internal("not here");
  }
  base::Result<checkpoint::WrittenCheckpoint> Write(checkpoint::EpochCapture) override {
    return base::Internal("not here");
  }
  void Confirm(types::Epoch) override {}
  base::Status Collect(types::Generation) override { return base::OkStatus(); }
  types::Generation OldestGeneration() const override { return 0; }
  uint64_t StateBytes() const override { return 0; }

 private:
  Outside* outside_;
};

class UnitPrefetchTest : public ::testing::Test {
 protected:
  UnitPrefetchTest() {
    make_.committed_reader = [this](const UsedTables&, const connect::ConnectContext&)
        -> base::Result<std::unique_ptr<connect::CommittedReader>> {
      return std::unique_ptr<connect::CommittedReader>(std::make_unique<OwnersGoOn>(&outside_));
    };
    run_.config = &config_;
    run_.clock = &clock_;
    run_.own.shards = 1;
    EdgeInfo edge;
    edge.edge = &planned_;
    edge.topic = "x0";
    run_.edges.push_back(edge);
    run_.checkpointer = std::make_unique<Prefetcher>(&outside_);
  }

  Outside outside_;
  base::ManualClock clock_;
  JobConfig config_;
  plan::Edge planned_;
  Connectors make_;
  RunContext run_;
};

using Offsets = std::vector<int64_t>;

// The owners delete what they have replaced: what is committed by then is fetched instead.
TEST_F(UnitPrefetchTest, AnObjectThatIsGoneByThenIsLookedForInTheNextCommit) {
  outside_.refuses = {base::Corrupt("gone"), base::Corrupt("gone")};
  UnitPrefetch::FetchNow(make_, &run_);
  EXPECT_EQ(outside_.fetched, (Offsets{1, 2, 3}));
  EXPECT_TRUE(outside_.added);
}

// A checkpoint that is damaged is the restore's to report.
TEST_F(UnitPrefetchTest, WhatIsNeverThereIsNotAskedForForEver) {
  outside_.refuses = {base::Corrupt("damaged")};
  outside_.always_refuses = true;
  UnitPrefetch::FetchNow(make_, &run_);
  EXPECT_EQ(outside_.fetched, (Offsets{1, 2, 3, 4}));
  EXPECT_TRUE(outside_.added) << "what came before the error is kept";
}

TEST_F(UnitPrefetchTest, AStoreThatIsAwayIsAskedOnce) {
  outside_.refuses = {base::Unavailable("no answer")};
  UnitPrefetch::FetchNow(make_, &run_);
  EXPECT_EQ(outside_.fetched, (Offsets{1}));
}

}  // namespace
}  // namespace sj::worker::runtime
