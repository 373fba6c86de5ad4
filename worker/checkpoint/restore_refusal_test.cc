// SPDX-License-Identifier: Apache-2.0
// Everything that must not be restored, and that the refusal says why.
#include <gtest/gtest.h>

#include "worker/checkpoint/testing/model_job.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::checkpoint {
namespace {

using base::ErrorKind;
using store::testing::MemoryStore;
using testing::Committed;
using testing::Identity;
using testing::ModelJob;
using testing::RefsOf;
using testing::Worker;

constexpr types::KeyGroupRange kTwo{0, 2};

// Two epochs written and committed; the first one's chunks live in another object.
class RestoreRefusalTest : public ::testing::Test {
 protected:
  RestoreRefusalTest() : writer_(Identity(1, 0, "a"), &store_), job_(kTwo, 1) {
    for (int epoch = 1; epoch <= 2; ++epoch) {
      auto written = writer_.checkpointer->Write(job_.NextEpoch(epoch, 60));
      EXPECT_TRUE(written.ok());
      last_ = *written;
      objects_.push_back(written->object);
    }
    job_.CommitTo(&committed_, last_.metadata);
  }

  // Restores with `change` applied to the refs and gives the error.
  template <typename Change>
  base::Status Restore(const CheckpointIdentity& identity, Change change) {
    std::vector<Checkpointer::CommittedRef> refs = RefsOf(committed_, kTwo);
    change(&refs);
    Worker reader(identity, &store_);
    auto restored = reader.Restore(refs);
    return restored.ok() ? base::OkStatus() : restored.status();
  }
  base::Status Restore() {
    return Restore(Identity(1, 0, "b"), [](auto*) {});
  }
  static void ExpectRefused(const base::Status& status, ErrorKind kind, const std::string& words) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.kind(), kind) << status.ToString();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  }

  MemoryStore store_;
  Worker writer_;
  ModelJob job_;
  Committed committed_;
  WrittenCheckpoint last_;
  std::vector<std::string> objects_;
};

TEST_F(RestoreRefusalTest, AnotherJobQueryOrSize) {
  ASSERT_TRUE(Restore().ok());
  auto nothing = [](auto*) {};
  CheckpointIdentity identity = Identity(1, 0, "b");
  identity.job_uid = "other";
  ExpectRefused(Restore(identity, nothing), ErrorKind::kInvalidArgument, "belongs to job 0b5e-uid");
  identity = Identity(1, 0, "b");
  identity.state_hash = "hash2";
  ExpectRefused(Restore(identity, nothing), ErrorKind::kInvalidArgument, "another query");
  identity = Identity(1, 0, "b");
  identity.max_parallelism = 64;
  ExpectRefused(Restore(identity, nothing), ErrorKind::kInvalidArgument, "maxParallelism 32");
  identity = Identity(1, 0, "b");
  identity.shards = 4;
  ExpectRefused(Restore(identity, nothing), ErrorKind::kInvalidArgument, "8 shards");
  ExpectRefused(Restore(Identity(0, 0, "b"), nothing), ErrorKind::kInvalidArgument, "generation 1");
}

TEST_F(RestoreRefusalTest, ANewerFormat) {
  std::string object = *store_.Find(last_.object);
  size_t wanted = 0;
  std::string footer(FindFooter(object, &wanted).value());
  std::string chunks = object.substr(0, object.size() - SealFooter(footer).size());
  footer.replace(footer.find("\"format\":1"), 10, "\"format\":2");
  *store_.Find(last_.object) = chunks + SealFooter(footer);
  std::string metadata = CommitMetadata(last_.object, footer);
  ExpectRefused(Restore(Identity(1, 0, "b"),
                        [&](auto* refs) {
                          for (auto& ref : *refs) {
                            ref.metadata = metadata;
                          }
                        }),
                ErrorKind::kInvalidArgument, "format 2");
}

TEST_F(RestoreRefusalTest, MetadataThatIsMissingForeignOrMixed) {
  auto with = [&](auto change) { return Restore(Identity(1, 0, "b"), change); };
  ExpectRefused(with([](auto* refs) { (*refs)[0].metadata.clear(); }), ErrorKind::kCorrupt,
                "without checkpoint metadata");
  ExpectRefused(with([](auto* refs) { (*refs)[0].metadata = "hello"; }), ErrorKind::kCorrupt,
                "is not a checkpoint's");
  auto other_hash = [](auto* refs) {  // another hex digit, whatever stands there
    char& last = (*refs)[0].metadata.back();
    last = last == '0' ? '1' : '0';
  };
  ExpectRefused(with(other_hash), ErrorKind::kCorrupt, "is not the one that was committed");
  ExpectRefused(with([](auto* refs) { ++(*refs)[0].offset; }), ErrorKind::kCorrupt,
                "the checkpoint it names ends at");
  ExpectRefused(with([](auto* refs) { refs->back().offset -= 5; }), ErrorKind::kCorrupt,
                "the checkpoint it names ends at");
  ExpectRefused(with([](auto* refs) { refs->pop_back(); }), ErrorKind::kCorrupt,
                "have no committed offset any more");
  ExpectRefused(with([](auto* refs) { refs->back().edge = 9; }), ErrorKind::kCorrupt,
                "has no edge 9");
  ExpectRefused(with([](auto* refs) { (*refs)[3].shard = refs->back().shard = 5; }),
                ErrorKind::kCorrupt, "has no shard 5");
  ExpectRefused(with([](auto* refs) { (*refs)[0].partition.partition = 77; }), ErrorKind::kCorrupt,
                "does not know it");
}

TEST_F(RestoreRefusalTest, AShardThatNamesTwoCheckpoints) {
  auto third = writer_.checkpointer->Write(job_.NextEpoch(3, 10));
  Committed newer;
  job_.CommitTo(&newer, third->metadata);
  committed_[{"x1", 0}] = newer[{"x1", 0}];
  ExpectRefused(Restore(), ErrorKind::kCorrupt, "name different checkpoints");
}

TEST_F(RestoreRefusalTest, MissingObjects) {
  for (const std::string& object : objects_) {
    std::string bytes = *store_.Find(object);
    ASSERT_TRUE(store_.Delete(object).ok());
    ExpectRefused(Restore(), ErrorKind::kCorrupt, "missing");
    ExpectRefused(Restore(), ErrorKind::kCorrupt, object);
    ASSERT_TRUE(store_.Put(object, bytes).ok());
  }
  ASSERT_TRUE(Restore().ok());
}

// Another whole object under the committed one's name.
TEST_F(RestoreRefusalTest, SwappedObjects) {
  std::swap(*store_.Find(objects_[0]), *store_.Find(objects_[1]));
  ExpectRefused(Restore(), ErrorKind::kCorrupt, "");
}

// One bit anywhere in what the footer refers to, or in the footer, is found.
TEST_F(RestoreRefusalTest, FlippedBits) {
  size_t refused = 0;
  for (const std::string& object : objects_) {
    std::string* bytes = store_.Find(object);
    for (size_t i = 0; i < bytes->size(); i += 1 + bytes->size() / 40) {
      (*bytes)[i] ^= 4;
      base::Status status = Restore();
      (*bytes)[i] ^= 4;
      bool old_footer = object == objects_[0] && i + 3000 > bytes->size();
      EXPECT_TRUE(!status.ok() || old_footer) << object << " byte " << i;
      refused += status.ok() ? 0 : 1;
    }
    for (size_t from_end = 1; from_end <= 8 && object == objects_[1]; ++from_end) {
      (*bytes)[bytes->size() - from_end] ^= 4;
      EXPECT_FALSE(Restore().ok()) << "seal byte " << from_end;
      (*bytes)[bytes->size() - from_end] ^= 4;
    }
  }
  EXPECT_GT(refused, 50u);
  EXPECT_TRUE(Restore().ok());
}

TEST_F(RestoreRefusalTest, CutObjects) {
  for (const std::string& object : objects_) {
    std::string whole = *store_.Find(object);
    for (size_t part : {size_t{0}, size_t{1}, size_t{7}, whole.size() / 2}) {
      *store_.Find(object) = whole.substr(0, part);
      ExpectRefused(Restore(), ErrorKind::kCorrupt, "");
    }
    *store_.Find(object) = whole;
  }
}

}  // namespace
}  // namespace sj::worker::checkpoint
