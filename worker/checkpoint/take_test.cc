// SPDX-License-Identifier: Apache-2.0
// Hand-over as the checkpoints see it: a shard released by one running worker is taken by another
// one, comes back, and nothing that anybody may still restore from is deleted.
#include <gtest/gtest.h>

#include "worker/checkpoint/testing/model_job.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::checkpoint {
namespace {

using store::testing::MemoryStore;
using testing::Committed;
using testing::Entries;
using testing::Identity;
using testing::ModelJob;
using testing::RefsOf;
using testing::Worker;

constexpr types::KeyGroupRange kMoved{1, 2};

EpochCapture Both(EpochCapture a, EpochCapture b) {
  std::move(b.runs.begin(), b.runs.end(), std::back_inserter(a.runs));
  a.sources.merge(b.sources);
  std::move(b.shards.begin(), b.shards.end(), std::back_inserter(a.shards));
  return a;
}

// Writes, confirms, collects.
WrittenCheckpoint Commit(Worker* worker, EpochCapture capture) {
  types::Epoch epoch = capture.epoch;
  auto written = worker->checkpointer->Write(std::move(capture));
  EXPECT_TRUE(written.ok()) << written.status().ToString();
  worker->checkpointer->Confirm(epoch);
  EXPECT_TRUE(worker->checkpointer->Collect(0).ok());
  return *written;
}

void ExpectRestorable(const Committed& committed, const Entries& entries,
                      store::ObjectStore* store) {
  Worker reader(Identity(9, 7, "check"), store);
  auto restored = reader.Restore(RefsOf(committed, kMoved));
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  EXPECT_EQ(reader.StateEntries(), entries);
}

TEST(TakeTest, ShardMovesBetweenRunningWorkersAndBack) {
  MemoryStore store;
  Worker giver(Identity(1, 0, "a"), &store);
  Worker taker(Identity(1, 1, "b"), &store);
  ASSERT_TRUE(giver.Restore({}).ok());
  ASSERT_TRUE(taker.Restore({}).ok());
  ModelJob kept({0, 1}, 1), moved(kMoved, 2), own({2, 3}, 3);
  Committed committed;
  for (int epoch = 1; epoch <= 4; ++epoch) {
    Commit(&giver, Both(kept.NextEpoch(epoch, 10), moved.NextEpoch(epoch, 10)));
    Commit(&taker, own.NextEpoch(epoch, 10));
  }
  EpochCapture release = Both(kept.NextEpoch(5, 10), moved.NextEpoch(5, 10));
  release.released_to = 2;
  release.released_shards = {1};
  WrittenCheckpoint written = Commit(&giver, std::move(release));
  EXPECT_TRUE(written.metadata.starts_with("sj1:"));
  EXPECT_EQ(ParseCommitMetadata(written.released_metadata)->released_to, 2);
  moved.CommitTo(&committed, written.released_metadata);

  // Too early a generation may not have it.
  EXPECT_EQ(
      taker.checkpointer->Take(RefsOf(committed, kMoved), 1, taker.state.get()).status().kind(),
      base::ErrorKind::kInvalidArgument);
  auto taken = taker.checkpointer->Take(RefsOf(committed, kMoved), 2, taker.state.get());
  ASSERT_TRUE(taken.ok()) << taken.status().ToString();
  EXPECT_EQ(taken->shards.size(), 1u);
  EXPECT_EQ(taker.StateEntries(), moved.entries());
  Commit(&taker, own.NextEpoch(5, 10));  // an epoch that does not have it yet

  // The giver goes on and collects; what it released stays.
  for (int epoch = 6; epoch <= 30; ++epoch) {
    Commit(&giver, kept.NextEpoch(epoch, 10));
  }
  ExpectRestorable(committed, moved.entries(), &store);

  moved.Continue(moved.entries(), *taken);
  for (int epoch = 6; epoch <= 12; ++epoch) {
    EpochCapture capture = Both(own.NextEpoch(epoch, 10), moved.NextEpoch(epoch, 10));
    capture.released_to = epoch == 12 ? 3 : 0;
    if (epoch == 12) {
      capture.released_shards = {1};
    }
    written = Commit(&taker, std::move(capture));
    moved.CommitTo(&committed, epoch == 12 ? written.released_metadata : written.metadata);
    ExpectRestorable(committed, moved.entries(), &store);
  }

  // Back: what the first owner still had of it locally must not show.
  std::string stale = state::EncodeStateKey({1, 4, 1'000'000, "stale"});
  ASSERT_TRUE(giver.state->Write({{stale, "x", false}}).ok());
  taken = giver.checkpointer->Take(RefsOf(committed, kMoved), 3, giver.state.get());
  ASSERT_TRUE(taken.ok()) << taken.status().ToString();
  EXPECT_EQ(giver.StateEntries(), moved.entries());
  written = Commit(&giver, Both(kept.NextEpoch(31, 10), moved.NextEpoch(31, 10)));
  moved.CommitTo(&committed, written.metadata);
  ExpectRestorable(committed, moved.entries(), &store);
}

// A new worker reads what its units' owners have committed while they go on; behind the release
// only what has changed since is left.
TEST(TakeTest, PrefetchedChunksAreNotReadAgain) {
  MemoryStore store;
  Worker giver(Identity(1, 0, "a"), &store);
  ASSERT_TRUE(giver.Restore({}).ok());
  ModelJob moved(kMoved, 2);
  Committed committed;
  int epoch = 0;
  while (epoch < 4) {
    moved.CommitTo(&committed, Commit(&giver, moved.NextEpoch(++epoch, 200)).metadata);
  }
  for (const bool runs : {false, true}) {
    Worker taker(Identity(runs ? 1 : 2, 1, runs ? "c" : "b"), &store);
    ModelJob own({2, 3}, 3);
    if (runs) {
      ASSERT_TRUE(taker.Restore({}).ok());
    }
    auto prefetch = taker.checkpointer->NewPrefetch(2);
    ASSERT_TRUE(prefetch.ok()) << prefetch.status().ToString();
    auto none = (*prefetch)->Run(RefsOf(committed, kMoved), [] { return false; });
    ASSERT_TRUE(none.ok()) << none.status().ToString();
    EXPECT_EQ(*none, 0u);
    auto fetched = (*prefetch)->Run(RefsOf(committed, kMoved), [] { return true; });
    ASSERT_TRUE(fetched.ok()) << fetched.status().ToString();
    EXPECT_GT(*fetched, 0u);
    taker.checkpointer->Add(*std::move(prefetch));
    if (runs) {
      Commit(&taker, own.NextEpoch(1, 10));  // what is not in a chain yet is kept
    }

    EpochCapture release = moved.NextEpoch(++epoch, 1);
    release.released_to = 2;
    release.released_shards = {1};
    Committed released = committed;
    moved.CommitTo(&released, Commit(&giver, std::move(release)).released_metadata);
    auto restored = runs ? taker.checkpointer->Take(RefsOf(released, kMoved), 2, taker.state.get())
                         : taker.Restore(RefsOf(released, kMoved));
    ASSERT_TRUE(restored.ok()) << restored.status().ToString();
    EXPECT_LT(restored->bytes, *fetched * 3 / 4);
    EXPECT_EQ(taker.StateEntries(), moved.entries());
  }
}

// Until the taker has committed the unit itself, what is committed names the giver's object, and a
// sweep of old generations must not take it away.
TEST(TakeTest, TakenObjectsAreReferredToUntilTheFirstCommit) {
  MemoryStore store;
  Worker giver(Identity(1, 0, "a"), &store);
  Worker taker(Identity(2, 1, "b"), &store);
  ASSERT_TRUE(giver.Restore({}).ok());
  ASSERT_TRUE(taker.Restore({}).ok());
  ModelJob moved(kMoved, 2), own({2, 3}, 3);
  EpochCapture release = moved.NextEpoch(1, 0);  // without state: only the footer is of use
  release.released_to = 3;
  release.released_shards = {1};
  Committed committed;
  moved.CommitTo(&committed, Commit(&giver, std::move(release)).released_metadata);
  Commit(&taker, own.NextEpoch(1, 10));
  EXPECT_EQ(taker.checkpointer->OldestGeneration(), 2);
  auto taken = taker.checkpointer->Take(RefsOf(committed, kMoved), 3, taker.state.get());
  ASSERT_TRUE(taken.ok()) << taken.status().ToString();
  EXPECT_EQ(taker.checkpointer->OldestGeneration(), 1);
  Commit(&taker, own.NextEpoch(2, 10));  // an epoch that does not have it yet
  EXPECT_EQ(taker.checkpointer->OldestGeneration(), 1);
  auto written = taker.checkpointer->Write(Both(own.NextEpoch(3, 10), moved.NextEpoch(3, 0)));
  ASSERT_TRUE(written.ok()) << written.status().ToString();
  EXPECT_EQ(taker.checkpointer->OldestGeneration(), 1) << "not decided";
  taker.checkpointer->Confirm(3);
  EXPECT_EQ(taker.checkpointer->OldestGeneration(), 2);
}

}  // namespace
}  // namespace sj::worker::checkpoint
