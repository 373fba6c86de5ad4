// SPDX-License-Identifier: Apache-2.0
// Writing and restoring: what comes back equals the model, at the same and at other splits of the
// shards over workers, however the store misbehaves.
#include "worker/checkpoint/checkpointer.h"

#include <gtest/gtest.h>

#include "worker/checkpoint/testing/model_job.h"
#include "worker/store/testing/faulty_store.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::checkpoint {
namespace {

using store::testing::FaultyStore;
using store::testing::MemoryStore;
using store::testing::StoreFault;
using testing::Committed;
using testing::Entries;
using testing::Identity;
using testing::ModelJob;
using testing::RefsOf;
using testing::Worker;

constexpr types::KeyGroupRange kAll{0, 8};
constexpr types::KeyGroupRange kTwo{0, 2};

// Writes epochs [from, to] and commits the last.
void WriteEpochs(Worker* worker, ModelJob* job, types::KeyGroupRange epochs, Committed* committed) {
  for (int epoch = epochs.begin; epoch <= epochs.end; ++epoch) {
    auto written = worker->checkpointer->Write(job->NextEpoch(epoch, 60));
    ASSERT_TRUE(written.ok()) << written.status().ToString();
    EXPECT_LT(written->metadata.size(), 200u);
    worker->checkpointer->Confirm(epoch);
    job->CommitTo(committed, written->metadata);
  }
}

Entries Filter(const Entries& entries, types::KeyGroupRange shards) {
  Entries out;
  for (const auto& [bytes, value] : entries) {
    state::StateKey key;
    EXPECT_TRUE(state::DecodeStateKey(bytes, &key));
    if (shards.Contains(key.key_group / 4)) {
      out[bytes] = value;
    }
  }
  return out;
}

TEST(CheckpointerTest, RestoresWhatWasWritten) {
  MemoryStore store;
  Worker writer(Identity(1, 0, "a"), &store);
  ModelJob job(kAll, 1);
  Committed committed;
  WriteEpochs(&writer, &job, {1, 40}, &committed);
  Worker reader(Identity(1, 0, "b"), &store);
  auto restored = reader.Restore(RefsOf(committed, kAll));
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  EXPECT_EQ(reader.StateEntries(), job.entries());
  EXPECT_EQ(restored->epoch, 40);
  EXPECT_EQ(restored->sources.size(), 8u);
  EXPECT_EQ(restored->sources.at({"in", 3}).offset, committed.at({"in", 3}).offset);
  ASSERT_EQ(restored->shards.size(), 8u);
  EXPECT_EQ(restored->shards[2].senders.at(0).at("w0-abc").watermark_ms, 40);
  EXPECT_GT(restored->bytes, 0u);
  EXPECT_EQ(reader.checkpointer->StateBytes(), writer.checkpointer->StateBytes());
}

TEST(CheckpointerTest, StartsFromNothing) {
  MemoryStore store;
  Worker worker(Identity(1, 0, "a"), &store);
  auto restored = worker.Restore({});
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored->epoch, 0);
  EXPECT_TRUE(worker.StateEntries().empty());
  EXPECT_EQ(worker.checkpointer->OldestGeneration(), 1);
}

// Two workers write; three of the next generation take over, each from two checkpoints; they go on,
// rewrite what was foreign, and one takes over from them.
TEST(CheckpointerTest, RestoresAtOtherSplits) {
  MemoryStore store;
  Committed committed;
  Entries before;
  for (int ordinal = 0; ordinal < 2; ++ordinal) {
    types::KeyGroupRange shards{ordinal * 4, ordinal * 4 + 4};
    Worker writer(Identity(1, ordinal, "a"), &store);
    ModelJob job(shards, 5 + static_cast<unsigned>(ordinal));
    WriteEpochs(&writer, &job, {1, 10 + ordinal}, &committed);
    before.insert(job.entries().begin(), job.entries().end());
  }
  Entries after;
  for (int ordinal = 0; ordinal < 3; ++ordinal) {
    types::KeyGroupRange shards = types::PartOf(8, 3, ordinal);
    Worker worker(Identity(2, ordinal, "b"), &store);
    worker.options.rewrite_bytes_max = 4'096;  // some chunks an epoch
    worker.Reopen(&store);
    auto restored = worker.Restore(RefsOf(committed, shards));
    ASSERT_TRUE(restored.ok()) << restored.status().ToString();
    EXPECT_EQ(worker.StateEntries(), Filter(before, shards));
    EXPECT_EQ(restored->epoch, shards.begin >= 4 || shards.end > 4 ? 11 : 10);
    EXPECT_EQ(worker.checkpointer->OldestGeneration(), 1);
    ModelJob job(shards, 50 + static_cast<unsigned>(ordinal));
    job.Continue(Filter(before, shards), *restored);
    int epoch = static_cast<int>(restored->epoch) + 1;
    WriteEpochs(&worker, &job, {epoch, epoch + 10}, &committed);
    EXPECT_EQ(worker.checkpointer->OldestGeneration(), 2);
    after.insert(job.entries().begin(), job.entries().end());
  }
  Worker one(Identity(3, 0, "c"), &store);
  ASSERT_TRUE(one.Restore(RefsOf(committed, kAll)).ok());
  EXPECT_EQ(one.StateEntries(), after);
}

// An epoch behind a restore of much state is not much longer than any other.
TEST(CheckpointerTest, CopiesForeignChunksALittleAtATime) {
  constexpr uint64_t kAnEpoch = 1'024;
  MemoryStore store;
  Committed committed;
  Worker writer(Identity(1, 0, "a"), &store);
  ModelJob job(kAll, 5);
  WriteEpochs(&writer, &job, {1, 3}, &committed);
  WrittenCheckpoint much;
  {
    auto written = writer.checkpointer->Write(job.NextEpoch(4, 20'000));
    ASSERT_TRUE(written.ok()) << written.status().ToString();
    job.CommitTo(&committed, written->metadata);
    much = *written;
  }
  ASSERT_GT(much.bytes, 40 * kAnEpoch);
  Worker next(Identity(2, 0, "b"), &store);
  next.options.rewrite_bytes_max = kAnEpoch;
  next.Reopen(&store);
  auto restored = next.Restore(RefsOf(committed, kAll));
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  job.Continue(job.entries(), *restored);
  int epochs = 0;
  for (int epoch = 5; next.checkpointer->OldestGeneration() < 2; ++epoch, ++epochs) {
    ASSERT_LT(epochs, 1'000);
    auto written = next.checkpointer->Write(job.NextEpoch(epoch, 1));
    ASSERT_TRUE(written.ok()) << written.status().ToString();
    EXPECT_LT(written->bytes, much.bytes / 3);  // one shard's chunk, of eight
    next.checkpointer->Confirm(epoch);
  }
  EXPECT_GT(epochs, 10);
}

TEST(CheckpointerTest, NextEpochBuildsOnAnUndecidedOne) {
  MemoryStore store;
  Worker writer(Identity(1, 0, "a"), &store);
  ModelJob job(kAll, 2);
  Committed committed;
  ASSERT_TRUE(writer.checkpointer->Write(job.NextEpoch(1, 60)).ok());
  auto second = writer.checkpointer->Write(job.NextEpoch(2, 60));
  ASSERT_TRUE(second.ok());
  job.CommitTo(&committed, second->metadata);
  writer.checkpointer->Confirm(2);
  Worker reader(Identity(1, 0, "b"), &store);
  ASSERT_TRUE(reader.Restore(RefsOf(committed, kAll)).ok());
  EXPECT_EQ(reader.StateEntries(), job.entries());
}

TEST(CheckpointerTest, RefusesEpochsOutOfOrder) {
  MemoryStore memory;
  FaultyStore store(&memory);
  Worker writer(Identity(1, 0, "a"), &store);
  ModelJob job(kAll, 2);
  ASSERT_TRUE(writer.checkpointer->Write(job.NextEpoch(3, 10)).ok());
  EXPECT_EQ(writer.checkpointer->Write(job.NextEpoch(3, 10)).status().kind(),
            base::ErrorKind::kInternal);
  EpochCapture capture = job.NextEpoch(4, 10);
  store.FailCall(1, StoreFault::kFailAfter);
  EXPECT_EQ(writer.checkpointer->Write(capture).status().kind(), base::ErrorKind::kUnavailable);
  EXPECT_EQ(writer.checkpointer->Write(job.NextEpoch(5, 10)).status().kind(),
            base::ErrorKind::kInternal);
  auto again = writer.checkpointer->Write(capture);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(again->object, "0b5e-uid/g1/0/4-a-r1");
}

TEST(CheckpointerTest, RefusesStateThatIsNotItsOwn) {
  MemoryStore store;
  Worker writer(Identity(1, 0, "a"), &store);
  ModelJob job(kAll, 2);
  EpochCapture capture = job.NextEpoch(1, 200);
  capture.shards.pop_back();
  EXPECT_EQ(writer.checkpointer->Write(capture).status().kind(), base::ErrorKind::kInternal);
  capture = job.NextEpoch(1, 10);
  capture.runs[0].entries.push_back({"short", "", false});
  EXPECT_EQ(writer.checkpointer->Write(capture).status().kind(), base::ErrorKind::kInternal);
}

TEST(CheckpointerTest, RefusesNamesThatCannotBeKeys) {
  MemoryStore store;
  Worker worker(Identity(1, 0, "a"), &store);
  for (auto change : std::vector<std::function<void(CheckpointIdentity*)>>{
           [](auto* i) { i->job_uid = "../x"; }, [](auto* i) { i->job_uid = ""; },
           [](auto* i) { i->incarnation = "a-b"; }, [](auto* i) { i->shards = 7; },
           [](auto* i) { i->ordinal = -1; }}) {
    CheckpointerOptions options = worker.options;
    change(&options.identity);
    EXPECT_EQ(Checkpointer::Open(options, &store).status().kind(),
              base::ErrorKind::kInvalidArgument);
  }
}

TEST(CheckpointerTest, ChainsAndFootersStaySmall) {
  MemoryStore store;
  Worker writer(Identity(1, 0, "a"), &store);
  ModelJob job(kTwo, 9);
  Committed committed;
  size_t footer_max = 0;
  for (int epoch = 1; epoch <= 1000; ++epoch) {
    auto written = writer.checkpointer->Write(job.NextEpoch(epoch, 8));
    ASSERT_TRUE(written.ok()) << written.status().ToString();
    job.CommitTo(&committed, written->metadata);
    writer.checkpointer->Confirm(epoch);
    ASSERT_TRUE(writer.checkpointer->Collect(0).ok());
    std::string* object = store.Find(written->object);
    size_t wanted = 0;
    std::string_view footer = FindFooter(*object, &wanted).value();
    footer_max = std::max(footer_max, footer.size());
    const Footer decoded = DecodeFooter(footer).value();
    for (const ShardState& shard : decoded.shard_states) {
      for (const OperatorState& op : shard.operators) {
        EXPECT_LE(op.chunks.size(), 12u);
      }
    }
    EXPECT_LT(store.size(), 40u);
  }
  EXPECT_LT(footer_max, 64u << 10);
  RecordProperty("footer_bytes_max", static_cast<int>(footer_max));
  Worker reader(Identity(1, 0, "b"), &store);
  ASSERT_TRUE(reader.Restore(RefsOf(committed, kTwo)).ok());
  EXPECT_EQ(reader.StateEntries(), job.entries());
}

// One life of a worker over a store whose call n goes wrong: epochs are written and committed until
// an error stops it; a successor restores the last commit, finds the model of that epoch, and goes
// on to write. Gives the number of store calls.
int Life(int n, StoreFault fault) {
  MemoryStore memory;
  FaultyStore store(&memory);
  store.FailCall(n, fault);
  Committed committed;
  Entries at_commit;
  {
    Worker writer(Identity(1, 0, "a"), &store);
    writer.options.local_bytes_max = 0;  // merges fetch, so that reads may fail too
    writer.Reopen(&store);
    ModelJob job(kTwo, 4);
    for (int epoch = 1; epoch <= 14; ++epoch) {
      auto written = writer.checkpointer->Write(job.NextEpoch(epoch, 20));
      if (!written.ok()) {
        break;
      }
      job.CommitTo(&committed, written->metadata);
      at_commit = job.entries();
      writer.checkpointer->Confirm(epoch);
      if (!writer.checkpointer->Collect(0).ok()) {
        break;
      }
    }
  }
  int calls = store.calls();
  store.FailCall(0);
  Worker reader(Identity(1, 0, "b"), &store);
  auto restored = reader.Restore(RefsOf(committed, kTwo));
  EXPECT_TRUE(restored.ok()) << "call " << n << ": " << restored.status().ToString();
  EXPECT_EQ(reader.StateEntries(), at_commit) << "call " << n;
  ModelJob next(kTwo, 77);
  next.Continue(at_commit, *restored);
  WriteEpochs(&reader, &next,
              {static_cast<int>(restored->epoch) + 1, static_cast<int>(restored->epoch) + 5},
              &committed);
  EXPECT_TRUE(reader.checkpointer->Collect(0).ok());
  Worker last(Identity(1, 0, "c"), &store);
  EXPECT_TRUE(last.Restore(RefsOf(committed, kTwo)).ok()) << "call " << n;
  EXPECT_EQ(last.StateEntries(), next.entries()) << "call " << n;
  return calls;
}

TEST(CheckpointerTest, EveryFailureOfTheStoreLeavesTheLastCommit) {
  int calls = Life(0, StoreFault::kFailBefore);
  ASSERT_GT(calls, 50);
  for (StoreFault fault : {StoreFault::kFailBefore, StoreFault::kFailAfter, StoreFault::kTruncate,
                           StoreFault::kFlipBit}) {
    for (int n = 1; n <= calls; n += fault == StoreFault::kFailBefore ? 1 : 3) {
      Life(n, fault);
    }
  }
}

// A restore over a store that goes wrong gives the right state or an error.
TEST(CheckpointerTest, RestoreIsRightOrRefused) {
  MemoryStore memory;
  Worker writer(Identity(1, 0, "a"), &memory);
  ModelJob job(kTwo, 1);
  Committed committed;
  WriteEpochs(&writer, &job, {1, 12}, &committed);
  FaultyStore store(&memory);
  int calls = 1;
  for (StoreFault fault : {StoreFault::kFailBefore, StoreFault::kTruncate, StoreFault::kFlipBit}) {
    for (int n = 0; n <= calls; ++n) {
      Worker reader(Identity(1, 0, "b"), &store);
      store.FailCall(n, fault);
      auto restored = reader.Restore(RefsOf(committed, kTwo));
      calls = n == 0 ? store.calls() : calls;
      EXPECT_EQ(restored.ok(), n == 0 || (restored.ok() && fault != StoreFault::kFailBefore));
      if (restored.ok()) {
        EXPECT_EQ(reader.StateEntries(), job.entries());
      }
    }
  }
  EXPECT_GT(calls, 10);
}

}  // namespace
}  // namespace sj::worker::checkpoint
