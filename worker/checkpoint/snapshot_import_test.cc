// SPDX-License-Identifier: Apache-2.0
// A snapshot of a model job, imported by another job: the same state, of other names, and nothing
// of the snapshot is needed any more.
#include "worker/checkpoint/snapshot_import.h"

#include <gtest/gtest.h>

#include "api/base/hash.h"
#include "worker/checkpoint/chunk_files.h"
#include "worker/checkpoint/remove_objects.h"
#include "worker/checkpoint/restore_plan.h"
#include "worker/checkpoint/testing/model_job.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::checkpoint {
namespace {

using base::ErrorKind;
using store::testing::MemoryStore;
using testing::Committed;
using testing::Entries;
using testing::Identity;
using testing::ModelJob;
using testing::RefsOf;
using testing::Worker;

constexpr types::KeyGroupRange kAll{0, 4};
constexpr char kNewUid[] = "99-new";

class SnapshotImportTest : public ::testing::Test {
 protected:
  SnapshotImportTest() : job_(kAll, 1) {
    Worker writer(Identity(3, 1, "aa"), &store_);
    WrittenCheckpoint last;
    for (int epoch = 7; epoch <= 20; ++epoch) {
      EpochCapture capture = job_.NextEpoch(epoch, 60);
      for (ShardState& shard : capture.shards) {  // a shard before this one on the way, and a topic
        shard.senders[1] = {{"streamjob.0b5e-uid.x0/2", {epoch, false}}, {"in/2", {epoch, true}}};
      }
      last = writer.checkpointer->Write(std::move(capture)).value();
    }
    Committed committed;
    job_.CommitTo(&committed, last.metadata);
    manifest_.job_uid = Identity(3, 1, "aa").job_uid;
    manifest_.id_prefix = "streamjob";
    manifest_.state_hash = "hash1";
    manifest_.max_parallelism = 32;
    manifest_.shards = 8;
    manifest_.generation = 3;
    manifest_.replicas = 2;
    manifest_.epoch = 20;
    manifest_.taken = base::WallTime(base::Millis(1'700'000'000'123));
    manifest_.sql = "SELECT \"a\nb\"";
    manifest_.inputs = RefsOf(committed, kAll);
    RestorePlan plan = PlanRestore(manifest_.inputs, Identity(3, 1, "aa"), &store_).value();
    for (const std::string& object : plan.objects) {
      const std::string bytes = store_.Get(object).value();
      EXPECT_TRUE(snapshot_.Put(SnapshotObjectKey(object), bytes).ok());
      manifest_.objects.push_back({object, bytes.size()});
    }
    AddRows(0, 1, {"one", "two"});
    AddRows(1, 3, {"three"});
    manifest_.rows_object = "rows-1";
    EXPECT_TRUE(snapshot_.Put("rows-1", rows_).ok());
    const std::string json = EncodeManifest(manifest_);
    EXPECT_TRUE(snapshot_.Put("manifest-1", json).ok());
    ref_ = {"memory", "manifest-1", base::Sha256Hex(json)};
    target_ = {kNewUid, "streamjob", "hash1", 32, 8, dir_.file("scratch"), ""};
  }

  void AddRows(int edge, int shard, const std::vector<std::string>& payloads) {
    std::string frames;
    for (const std::string& payload : payloads) {
      AppendFrame(payload, &frames);
    }
    manifest_.rows.push_back(
        {edge, shard, rows_.size(), frames.size(), payloads.size(), ChecksumOf(frames)});
    rows_ += frames;
  }

  base::Result<std::unique_ptr<SnapshotImport>> Open() {
    return SnapshotImport::Open(ref_, target_, &snapshot_, &new_store_);
  }
  std::vector<Checkpointer::CommittedRef> Wanted(types::KeyGroupRange shards) {
    std::vector<Checkpointer::CommittedRef> wanted;
    for (int i = shards.begin; i < shards.end; ++i) {
      wanted.push_back({{"in", i}, 0, "", -1, -1});
      wanted.push_back({{"streamjob.99-new.x0", i}, 0, "", 0, i});
      wanted.push_back({{"streamjob.99-new.x1", i}, 0, "", 1, i});
    }
    return wanted;
  }
  static CheckpointIdentity NewIdentity() {
    CheckpointIdentity identity = Identity(1, 0, "bb");
    identity.job_uid = kNewUid;
    return identity;
  }

  state::testing::TempDir dir_;
  MemoryStore store_, snapshot_, new_store_;
  ModelJob job_;
  SnapshotManifest manifest_;
  std::string rows_;
  SnapshotRef ref_;
  ImportTarget target_;
};

TEST_F(SnapshotImportTest, AnotherJobGetsTheSameState) {
  auto import = Open();
  ASSERT_TRUE(import.ok()) << import.status().ToString();
  auto imported = (*import)->Import(Wanted(kAll));
  ASSERT_TRUE(imported.ok()) << imported.status().ToString();
  ASSERT_EQ(imported->size(), 12u);
  const auto kept = snapshot_.List("").value();
  for (const auto& object : kept) {
    ASSERT_TRUE(snapshot_.Delete(object.key).ok());
  }
  Worker reader(NewIdentity(), &new_store_);
  auto restored = reader.Restore(*imported);
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  EXPECT_EQ(reader.StateEntries(), job_.entries());
  EXPECT_EQ(restored->epoch, 20);
  EXPECT_GT(restored->sources.at({"in", 2}).offset, 0);
  ASSERT_EQ(restored->shards.size(), 4u);
  EXPECT_EQ(restored->shards[0].edge_offsets, (std::map<int, int64_t>{{0, 0}, {1, 0}}));
  for (const ShardState& shard : restored->shards) {
    const auto& senders = shard.senders.at(1);
    ASSERT_EQ(senders.size(), 2u);
    EXPECT_EQ(senders.at("streamjob.99-new.x0/2").watermark_ms, 20);
    EXPECT_TRUE(senders.at("in/2").idle);
  }
  EXPECT_EQ(reader.checkpointer->OldestGeneration(), 0);
  const auto listed = new_store_.List("").value();
  for (const auto& object : listed) {
    EXPECT_TRUE(object.key.starts_with("99-new/g0/1/")) << object.key;
  }
}

// Every worker imports its own share, in any order and more than once.
TEST_F(SnapshotImportTest, SharesMeet) {
  std::vector<Checkpointer::CommittedRef> all;
  for (types::KeyGroupRange share : {types::KeyGroupRange{2, 4}, {0, 2}, {0, 2}}) {
    auto import = Open();
    auto imported = (*import)->Import(Wanted(share));
    ASSERT_TRUE(imported.ok()) << imported.status().ToString();
    if (share.begin == 2 || all.size() == 6) {
      all.insert(all.end(), imported->begin(), imported->end());
    }
  }
  Worker reader(NewIdentity(), &new_store_);
  ASSERT_TRUE(reader.Restore(all).ok());
  EXPECT_EQ(reader.StateEntries(), job_.entries());
}

TEST_F(SnapshotImportTest, WhatTheSnapshotDoesNotHaveIsLeftOut) {
  auto import = Open();
  auto imported = (*import)->Import({{{"in", 1}, 0, "", -1, -1}, {{"in", 9}, 0, "", -1, -1}});
  ASSERT_TRUE(imported.ok());
  ASSERT_EQ(imported->size(), 1u);
  EXPECT_EQ(imported->front().partition.partition, 1);
}

TEST_F(SnapshotImportTest, RowsInFlight) {
  auto import = Open();
  auto rows = (*import)->Rows({1, 2});
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().shard, 1);
  std::vector<std::string> payloads;
  ASSERT_TRUE(ForEachFrame(rows->front().frames, [&](std::string_view payload) {
                payloads.emplace_back(payload);
                return base::OkStatus();
              }).ok());
  EXPECT_EQ(payloads, (std::vector<std::string>{"one", "two"}));
  snapshot_.Find("rows-1")->at(5) ^= 1;
  EXPECT_EQ((*import)->Rows({1}).status().kind(), ErrorKind::kCorrupt);
  EXPECT_TRUE((*import)->Rows({3}).ok());
}

TEST_F(SnapshotImportTest, RefusesWhatIsNotTheSnapshot) {
  target_.state_hash = "hash2";
  EXPECT_EQ(Open().status().kind(), ErrorKind::kInvalidArgument);
  target_.state_hash = "hash1";
  target_.shards = 16;
  EXPECT_EQ(Open().status().kind(), ErrorKind::kInvalidArgument);
  target_.shards = 8;
  const std::string named = ParseCommitMetadata(manifest_.inputs[0].metadata)->object;
  std::string* footer = snapshot_.Find(SnapshotObjectKey(named));
  (*footer)[footer->size() - 20] ^= 1;
  EXPECT_FALSE((*Open())->Import(Wanted(kAll)).ok());
  (*snapshot_.Find("manifest-1"))[20] ^= 1;
  EXPECT_EQ(Open().status().kind(), ErrorKind::kCorrupt);
  ASSERT_TRUE(snapshot_.Delete("manifest-1").ok());
  EXPECT_EQ(Open().status().kind(), ErrorKind::kNotFound);
}

TEST_F(SnapshotImportTest, AChangedChunkIsFoundByTheRestore) {
  auto imported = (*Open())->Import(Wanted(kAll));
  ASSERT_TRUE(imported.ok());
  const auto listed = new_store_.List("").value();
  for (const auto& object : listed) {
    if (!object.key.ends_with('f')) {  // not a footer
      (*new_store_.Find(object.key))[3] ^= 1;
    }
  }
  Worker reader(NewIdentity(), &new_store_);
  EXPECT_EQ(reader.Restore(*imported).status().kind(), ErrorKind::kCorrupt);
}

TEST_F(SnapshotImportTest, TheManifestReadsBack) {
  auto read = DecodeManifest(EncodeManifest(manifest_));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(EncodeManifest(*read), EncodeManifest(manifest_));
  EXPECT_EQ(read->taken, manifest_.taken);
  EXPECT_EQ(read->rows, manifest_.rows);
  std::string text = EncodeManifest(manifest_);
  for (size_t cut = 0; cut < text.size(); cut += 37) {
    EXPECT_FALSE(DecodeManifest(text.substr(0, cut)).ok());
  }
  manifest_.format = 2;
  EXPECT_EQ(DecodeManifest(EncodeManifest(manifest_)).status().kind(), ErrorKind::kInvalidArgument);
}

TEST(SnapshotLocation, BelowAndWithin) {
  EXPECT_EQ(LocationBelow("s3://b/p", "snapshots/u"), "s3://b/p/snapshots/u");
  EXPECT_EQ(LocationBelow("s3://b/p/", "snapshots/u"), "s3://b/p/snapshots/u");
  EXPECT_EQ(PrefixWithin("s3://b/p/", "s3://b/p/snapshots/u"), "snapshots/u");
  EXPECT_EQ(PrefixWithin("s3://b/p", "s3://b/pq/snapshots/u"), "");
  EXPECT_EQ(PrefixWithin("s3://c", "s3://b/p"), "");
}

TEST_F(SnapshotImportTest, RemovesOneSnapshotOnly) {
  for (const char* key :
       {"snapshots/u/a/s1/manifest-1", "snapshots/u/a/s1/objects/u/g1/0/1-a",
        "snapshots/u/a/s12/manifest-1", "snapshots/u/ab/s1/rows-1", "u/g1/0/1-a"}) {
    ASSERT_TRUE(new_store_.Put(key, "x").ok());
  }
  int64_t removed = 0;
  ASSERT_TRUE(RemoveSnapshot(new_store_, "u", "a", "s1", &removed).ok());
  EXPECT_EQ(removed, 2);
  EXPECT_EQ(new_store_.size(), 3u);
  EXPECT_FALSE(RemoveSnapshot(new_store_, "u", "", "s1", &removed).ok());
  EXPECT_FALSE(RemoveSnapshot(new_store_, "u", "a", "", &removed).ok());
}

}  // namespace
}  // namespace sj::worker::checkpoint
