// SPDX-License-Identifier: Apache-2.0
// Commit logs without Kafka: what is committed is read back by the next incarnation, one at a time.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "worker/connect/commit_log.h"

namespace sj::worker::connect {
namespace {

using base::ErrorKind;

class FileCommitLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/sj-commit-log-" + std::to_string(::getpid());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(FileCommitLogTest, KeepsPositionsOverIncarnations) {
  {
    auto log = OpenFileCommitLog(directory_);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    EXPECT_EQ((*(*log)->ReadCommitted({{"t", 0}}))[0].offset, kNoOffset);
    ASSERT_TRUE((*log)->Commit(1, {{{"t", 0}, 5, "a b"}, {{"t", 1}, 6, ""}}).ok());
    ASSERT_TRUE((*log)->Commit(2, {{{"t", 0}, 7, "c"}}).ok());
  }
  auto log = OpenFileCommitLog(directory_);
  ASSERT_TRUE(log.ok());
  auto read = (*log)->ReadCommitted({{"t", 1}, {"t", 0}, {"u", 0}});
  EXPECT_EQ((*read)[0].offset, 6);
  EXPECT_EQ((*read)[1].offset, 7);
  EXPECT_EQ((*read)[1].metadata, "c");
  EXPECT_EQ((*read)[2].offset, kNoOffset);
}

TEST_F(FileCommitLogTest, OneWorkerAtATime) {
  auto first = OpenFileCommitLog(directory_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(OpenFileCommitLog(directory_).status().kind(), ErrorKind::kConflict);
  (*first)->Close();
  EXPECT_TRUE(OpenFileCommitLog(directory_).ok());
  EXPECT_EQ((*first)->Commit(1, {}).kind(), ErrorKind::kFenced);
}

TEST_F(FileCommitLogTest, ADamagedFileIsRefused) {
  {
    auto log = OpenFileCommitLog(directory_);
    ASSERT_TRUE((*log)->Commit(1, {{{"t", 0}, 5, "a"}}).ok());
  }
  std::fstream file(directory_ + "/positions", std::ios::in | std::ios::out);
  file.seekp(24);
  file.put('9');
  file.close();
  EXPECT_EQ(OpenFileCommitLog(directory_).status().kind(), ErrorKind::kCorrupt);
}

TEST(MemoryCommitLogTest, RefusesWhatEveryLogRefuses) {
  auto log = MakeMemoryCommitLog();
  EXPECT_EQ(log->Commit(1, {{{"t", 0}, -1, ""}}).kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(log->Commit(1, {{{"t", 0}, 1, "\x01"}}).kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(log->Produce(1, {}).kind(), ErrorKind::kInvalidArgument);
  ASSERT_TRUE(log->Commit(1, {{{"t", 0}, 1, "m"}}).ok());
  EXPECT_EQ((*log->ReadCommitted({{"t", 0}}))[0].metadata, "m");
}

}  // namespace
}  // namespace sj::worker::connect
