// SPDX-License-Identifier: Apache-2.0
// All objects of one job go, whatever call fails on the way, and no other job's.
#include "worker/checkpoint/remove_objects.h"

#include <gtest/gtest.h>

#include "worker/store/testing/faulty_store.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::checkpoint {
namespace {

using store::testing::FaultyStore;
using store::testing::MemoryStore;
using store::testing::StoreFault;

constexpr const char* kOwn[] = {"uid-1/g1/0/7-abc", "uid-1/g1/1/9-def-r2", "uid-1/g2/0/11-abc",
                                "uid-1/probe/abc"};
constexpr const char* kOthers[] = {"uid-10/g1/0/7-abc", "uid-2/g1/0/7-abc", "uid-1x", "a"};

void Fill(MemoryStore& store) {
  for (const char* key : kOwn) {
    ASSERT_TRUE(store.Put(key, "x").ok());
  }
  for (const char* key : kOthers) {
    ASSERT_TRUE(store.Put(key, "x").ok());
  }
}

void ExpectOthersOnly(MemoryStore& store) {
  EXPECT_EQ(store.size(), std::size(kOthers));
  for (const char* key : kOthers) {
    EXPECT_NE(store.Find(key), nullptr) << key;
  }
}

TEST(RemoveObjects, TakesAllOfTheJobAndNothingElse) {
  MemoryStore store;
  Fill(store);
  int64_t removed = 0;
  ASSERT_TRUE(RemoveObjects(store, "uid-1", &removed).ok());
  EXPECT_EQ(removed, 4);
  ExpectOthersOnly(store);
  ASSERT_TRUE(RemoveObjects(store, "uid-1", &removed).ok());
  EXPECT_EQ(removed, 4);
}

TEST(RemoveObjects, GoesOnAfterAnyFailure) {
  for (const StoreFault fault : {StoreFault::kFailBefore, StoreFault::kFailAfter}) {
    for (int n = 1; n <= 6; ++n) {
      MemoryStore store;
      Fill(store);
      FaultyStore faulty(&store);
      faulty.FailCall(n, fault);
      int64_t removed = 0;
      EXPECT_FALSE(RemoveObjects(faulty, "uid-1", &removed).ok()) << n;
      EXPECT_TRUE(RemoveObjects(faulty, "uid-1", &removed).ok()) << n;
      ExpectOthersOnly(store);
    }
  }
}

// An empty or odd id would be a prefix of everybody's names.
TEST(RemoveObjects, RefusesAnIdThatIsNone) {
  for (const char* uid : {"", "/", "a/b", ".", "a.b", " "}) {
    MemoryStore store;
    Fill(store);
    int64_t removed = 0;
    EXPECT_EQ(RemoveObjects(store, uid, &removed).kind(), base::ErrorKind::kInvalidArgument) << uid;
    EXPECT_EQ(store.size(), std::size(kOwn) + std::size(kOthers));
  }
}

// A worker that was cut off finishes its upload after the first list.
class LateStore final : public store::testing::WholeObjectStore {
 public:
  explicit LateStore(int late) : late_(late) {}
  base::Status Put(const std::string& key, std::string_view bytes) override {
    return below_.Put(key, bytes);
  }
  base::Result<std::string> Get(const std::string& key) override { return below_.Get(key); }
  base::Result<std::vector<store::ObjectInfo>> List(const std::string& prefix) override {
    auto listed = below_.List(prefix);
    if (late_-- > 0) {
      static_cast<void>(below_.Put("uid-1/g1/1/" + std::to_string(100 + late_) + "-zombie", "x"));
    }
    return listed;
  }
  base::Status Delete(const std::string& key) override { return below_.Delete(key); }
  std::string Describe() const override { return "late"; }
  size_t size() const { return below_.size(); }

 private:
  MemoryStore below_;
  int late_;
};

TEST(RemoveObjects, LooksAgain) {
  LateStore store(1);
  ASSERT_TRUE(store.Put("uid-1/g1/0/7-abc", "x").ok());
  int64_t removed = 0;
  ASSERT_TRUE(RemoveObjects(store, "uid-1", &removed).ok());
  EXPECT_EQ(removed, 2);
  EXPECT_EQ(store.size(), 0u);
}

TEST(RemoveObjects, DoesNotRunAfterAWriterForEver) {
  LateStore store(1'000'000);
  ASSERT_TRUE(store.Put("uid-1/g1/0/7-abc", "x").ok());
  int64_t removed = 0;
  EXPECT_EQ(RemoveObjects(store, "uid-1", &removed).kind(), base::ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace sj::worker::checkpoint
