// SPDX-License-Identifier: Apache-2.0
// The S3 client against a real server that checks signatures. SJ_TEST_S3 names it:
// "endpoint,access key,secret key,bucket"; without it every test skips itself.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <vector>

#include "api/base/hash.h"
#include "worker/store/object_store.h"

namespace sj::worker::store {
namespace {

using base::ErrorKind;

class S3Test : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* text = std::getenv("SJ_TEST_S3");
    if (text == nullptr) {
      GTEST_SKIP() << "SJ_TEST_S3 is not set";
    }
    std::stringstream in(text);
    std::getline(in, options_.endpoint, ',');
    std::getline(in, options_.access_key, ',');
    std::getline(in, options_.secret_key, ',');
    std::getline(in, bucket_, ',');
    options_.location = "s3://" + bucket_ + "/it-" + base::RandomHex(8);
    store_ = OpenObjectStore(options_).value();
  }
  void TearDown() override {
    if (store_ != nullptr) {
      const std::vector<ObjectInfo> left = store_->List("").value();
      for (const ObjectInfo& object : left) {
        EXPECT_TRUE(store_->Delete(object.key).ok());
      }
    }
  }

  ObjectStoreOptions options_;
  std::string bucket_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(S3Test, PutsGetsListsDeletes) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) {
    bytes += std::to_string(i);
  }
  ASSERT_TRUE(store_->Put("u/g1/0/1-a", bytes).ok());
  ASSERT_TRUE(store_->Put("u/g1/0/2-a", "second").ok());
  EXPECT_EQ(store_->Get("u/g1/0/1-a").value(), bytes);
  EXPECT_EQ(store_->GetRange("u/g1/0/1-a", 5, 1000).value(), bytes.substr(5, 1000));
  EXPECT_EQ(store_->GetTail("u/g1/0/1-a", 1000).value(), bytes.substr(bytes.size() - 1000));
  EXPECT_EQ(store_->GetTail("u/g1/0/2-a", 1000).value(), "second");
  EXPECT_EQ(store_->GetRange("u/g1/0/2-a", 3, 10).status().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(store_->GetRange("u/g1/0/2-a", 30, 10).status().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(store_->Put("u/g1/0/2-a", "other").kind(), ErrorKind::kConflict);
  EXPECT_EQ(store_->Get("u/g1/0/2-a").value(), "second");
  auto listed = store_->List("u/g1/");
  ASSERT_TRUE(listed.ok()) << listed.status().ToString();
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].bytes, bytes.size());
  ASSERT_TRUE(store_->Delete("u/g1/0/2-a").ok());
  ASSERT_TRUE(store_->Delete("u/g1/0/2-a").ok());
  EXPECT_EQ(store_->Get("u/g1/0/2-a").status().kind(), ErrorKind::kNotFound);
}

TEST_F(S3Test, OddKeysAreSignedRight) {
  for (std::string key :
       {"a b", "dt=2024/x+y", "ü/日本", "~-_.", "a%20b", "q?x=1&y", "$@!*'();:,"}) {
    EXPECT_TRUE(store_->Put(key, key).ok()) << key;
    EXPECT_EQ(store_->Get(key).value(), key);
  }
  EXPECT_EQ(store_->List("").value().size(), 7u);
  EXPECT_EQ(store_->List("dt=2024/x+").value().size(), 1u);
  EXPECT_EQ(store_->List("a b").value().size(), 1u);
}

TEST_F(S3Test, ListsManyPages) {
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < 280; ++i) {
        EXPECT_TRUE(store_->Put("many/" + std::to_string(t * 1000 + i), "x").ok());
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(store_->List("many/").value().size(), 1120u);
}

TEST_F(S3Test, OneOfManyWritersWins) {
  std::vector<std::thread> writers;
  std::atomic<int> won{0};
  for (int t = 0; t < 8; ++t) {
    writers.emplace_back([&, t] {
      base::Status put = store_->Put("one", std::to_string(t));
      won += put.ok() ? 1 : 0;
      EXPECT_TRUE(put.ok() || put.kind() == ErrorKind::kConflict) << put.ToString();
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(won, 1);
}

TEST_F(S3Test, ProbeSaysWhatIsWrong) {
  EXPECT_TRUE(ProbeObjectStore(*store_, "probe").ok());
  auto probe = [](const ObjectStoreOptions& options) {
    base::Status status = ProbeObjectStore(*OpenObjectStore(options).value(), "probe");
    EXPECT_EQ(status.message().find(options.secret_key), std::string::npos);
    return status;
  };
  ObjectStoreOptions options = options_;
  options.secret_key += "x";
  base::Status status = probe(options);
  EXPECT_NE(status.message().find("access key or secret is wrong"), std::string::npos)
      << status.ToString();
  options = options_;
  options.access_key = "nobody";
  status = probe(options);
  EXPECT_NE(status.message().find("access key or secret is wrong"), std::string::npos)
      << status.ToString();
  options = options_;
  options.location = "s3://no-such-bucket-here/p";
  status = probe(options);
  EXPECT_NE(status.message().find("no such bucket"), std::string::npos) << status.ToString();
  options = options_;
  options.endpoint = "http://127.0.0.1:1";
  options.deadline = std::chrono::milliseconds(2000);
  status = probe(options);
  EXPECT_EQ(status.kind(), ErrorKind::kUnavailable) << status.ToString();
}

}  // namespace
}  // namespace sj::worker::store
