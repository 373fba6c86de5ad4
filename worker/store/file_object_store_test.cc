// SPDX-License-Identifier: Apache-2.0
// The directory store, allowed names and locations, and the probe.
#include "worker/store/file_object_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "worker/store/object_key.h"
#include "worker/store/testing/faulty_store.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::store {
namespace {

namespace fs = std::filesystem;
using base::ErrorKind;

class FileObjectStoreTest : public ::testing::Test {
 protected:
  FileObjectStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "sj-store-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    store_ = OpenFileObjectStore(root_).value();
  }
  ~FileObjectStoreTest() override { fs::remove_all(root_); }

  std::string root_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(FileObjectStoreTest, PutsGetsListsDeletes) {
  ASSERT_TRUE(store_->Put("u/g1/0/1-a", "hello").ok());
  ASSERT_TRUE(store_->Put("u/g1/0/2-a", std::string("\0\xff", 2)).ok());
  ASSERT_TRUE(store_->Put("u/g1/1/1-b", "").ok());
  EXPECT_EQ(store_->Get("u/g1/0/1-a").value(), "hello");
  EXPECT_EQ(store_->Get("u/g1/0/2-a").value(), std::string("\0\xff", 2));
  EXPECT_EQ(store_->Get("u/g1/1/1-b").value(), "");
  EXPECT_EQ(store_->GetRange("u/g1/0/1-a", 1, 3).value(), "ell");
  EXPECT_EQ(store_->GetTail("u/g1/0/1-a", 2).value(), "lo");
  EXPECT_EQ(store_->GetTail("u/g1/0/1-a", 100).value(), "hello");
  auto listed = store_->List("u/g1/0/").value();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].key, "u/g1/0/1-a");
  EXPECT_EQ(listed[0].bytes, 5u);
  EXPECT_EQ(store_->List("u/g").value().size(), 3u);
  EXPECT_EQ(store_->List("").value().size(), 3u);
  EXPECT_TRUE(store_->List("nobody/").value().empty());
  ASSERT_TRUE(store_->Delete("u/g1/0/1-a").ok());
  ASSERT_TRUE(store_->Delete("u/g1/0/1-a").ok());
  EXPECT_EQ(store_->Get("u/g1/0/1-a").status().kind(), ErrorKind::kNotFound);
}

TEST_F(FileObjectStoreTest, NeverOverwrites) {
  ASSERT_TRUE(store_->Put("a/b", "first").ok());
  EXPECT_EQ(store_->Put("a/b", "second").kind(), ErrorKind::kConflict);
  EXPECT_EQ(store_->Get("a/b").value(), "first");
  EXPECT_TRUE(fs::is_empty(root_ + "/.tmp"));
}

TEST_F(FileObjectStoreTest, CopiesUnderANewName) {
  const std::string large(9u << 20, 'x');  // more than is held in memory at a time
  ASSERT_TRUE(store_->Put("a/b", large).ok());
  ASSERT_TRUE(store_->Put("empty", "").ok());
  ASSERT_TRUE(store_->Copy("a/b", "copies/a/b").ok());
  ASSERT_TRUE(store_->Copy("a/b", "copies/a/b").ok());
  ASSERT_TRUE(store_->Copy("empty", "copies/empty").ok());
  EXPECT_EQ(store_->Get("copies/a/b").value(), large);
  EXPECT_EQ(store_->Get("copies/empty").value(), "");
  ASSERT_TRUE(store_->Delete("a/b").ok());
  EXPECT_EQ(store_->Get("copies/a/b").value().size(), large.size());
  EXPECT_EQ(store_->Copy("a/b", "c").kind(), ErrorKind::kNotFound);
  EXPECT_EQ(store_->Copy("copies/a/b", ".tmp/x").kind(), ErrorKind::kInvalidArgument);
  EXPECT_TRUE(fs::is_empty(root_ + "/.tmp"));
}

TEST_F(FileObjectStoreTest, ReportsReadsBeyondTheEnd) {
  ASSERT_TRUE(store_->Put("a", "12345").ok());
  EXPECT_EQ(store_->GetRange("a", 3, 3).status().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(store_->GetRange("a", UINT64_MAX, 2).status().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(store_->GetRange("b", 0, 1).status().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(store_->Get("a/b").status().kind(), ErrorKind::kNotFound);
  EXPECT_FALSE(store_->Get(".tmp").ok());
}

TEST_F(FileObjectStoreTest, RefusesNamesThatLeaveTheRoot) {
  for (std::string key :
       {"", "/", "/a", "a/", "a//b", "..", "a/../b", ".", ".tmp/x", "a/.b", "a\nb", "a\\b"}) {
    EXPECT_EQ(store_->Put(key, "x").kind(), ErrorKind::kInvalidArgument) << key;
    EXPECT_EQ(store_->Get(key).status().kind(), ErrorKind::kInvalidArgument) << key;
    EXPECT_EQ(store_->Delete(key).kind(), ErrorKind::kInvalidArgument) << key;
  }
  EXPECT_EQ(store_->List("../").status().kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(store_->Put(std::string(901, 'a'), "x").kind(), ErrorKind::kInvalidArgument);
}

TEST_F(FileObjectStoreTest, RemovesOnlyOldTemporaries) {
  std::ofstream(root_ + "/.tmp/young") << "x";
  std::ofstream(root_ + "/.tmp/old") << "x";
  fs::last_write_time(root_ + "/.tmp/old",
                      fs::file_time_type::clock::now() - std::chrono::hours(25));
  ASSERT_TRUE(OpenFileObjectStore(root_).ok());
  EXPECT_TRUE(fs::exists(root_ + "/.tmp/young"));
  EXPECT_FALSE(fs::exists(root_ + "/.tmp/old"));
}

TEST_F(FileObjectStoreTest, OpensByLocation) {
  ObjectStoreOptions options;
  options.location = "file://" + root_ + "/sub/";
  auto opened = OpenObjectStore(options);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  EXPECT_EQ((*opened)->Describe(), "file://" + root_ + "/sub");
  EXPECT_TRUE(ProbeObjectStore(**opened, "probe").ok());
  EXPECT_TRUE((*opened)->List("")->empty());
}

TEST(LocationTest, ParsesAndRefuses) {
  Location location = ParseLocation("s3://bucket-1/a/b/").value();
  EXPECT_TRUE(location.s3);
  EXPECT_EQ(location.bucket, "bucket-1");
  EXPECT_EQ(location.path, "a/b");
  EXPECT_EQ(ParseLocation("s3://bucket").value().path, "");
  for (std::string bad :
       {"", "bucket", "http://x", "s3://", "s3://AB", "s3://b", "s3://bucket/a//b",
        "s3://bucket/../x", "file://relative", "file:///", "file:///a/../b"}) {
    EXPECT_EQ(ParseLocation(bad).status().kind(), ErrorKind::kInvalidArgument) << bad;
  }
}

TEST(ProbeTest, ReportsEveryFailure) {
  testing::MemoryStore memory;
  testing::FaultyStore store(&memory);
  ASSERT_TRUE(ProbeObjectStore(store, "probe").ok());
  EXPECT_EQ(store.calls(), 3);
  for (int n = 1; n <= 3; ++n) {
    store.FailCall(n);
    const std::string key = "probe-" + std::to_string(n);
    EXPECT_EQ(ProbeObjectStore(store, key).kind(), ErrorKind::kUnavailable) << n;
  }
  store.FailCall(2, testing::StoreFault::kFlipBit);
  EXPECT_EQ(ProbeObjectStore(store, "probe-4").kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace sj::worker::store
