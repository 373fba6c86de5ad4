// SPDX-License-Identifier: Apache-2.0
// The commit log against a real broker (SJ_TEST_KAFKA=host:port; skipped without): fencing,
// atomicity, metadata, order over epochs, replacement of producers.
#include "worker/connect/kafka/commit_log.h"

#include <gtest/gtest.h>

#include <thread>

#include "worker/connect/kafka/testing/real_kafka.h"

namespace sj::worker::connect::kafka {
namespace {

using base::ErrorKind;
using testing::LogOptions;
using testing::MakeTopic;
using testing::ReadAll;
using testing::UniqueName;

class CommitLogIt : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::Brokers().empty()) {
      GTEST_SKIP() << "SJ_TEST_KAFKA names no broker";
    }
    job_ = UniqueName("job");
    out_ = MakeTopic("out", 1);
    in_ = MakeTopic("in", 2);
  }
  base::Status Write(KafkaCommitLog* log, types::Epoch epoch, std::string_view value) {
    OutputRecord record;
    record.topic = out_;
    record.partition = 0;
    record.value = value;
    return log->Produce(epoch, record);
  }
  std::vector<CommittedPosition> At(int64_t offset, const std::string& metadata = "m") {
    return {{{in_, 0}, offset, metadata}, {{in_, 1}, offset, metadata}};
  }
  base::Status Epoch(KafkaCommitLog* log, types::Epoch epoch, int64_t offset) {
    SJ_RETURN_IF_ERROR(Write(log, epoch, "e" + std::to_string(epoch)));
    SJ_RETURN_IF_ERROR(log->Flush(epoch));
    return log->Commit(epoch, At(offset));
  }
  static bool IsFenced(const base::Status& status) {
    return !status.ok() && status.kind() == ErrorKind::kFenced;
  }
  // Another process at a point between its fence's steps.
  std::unique_ptr<TxnProducer> TakeId(char letter) {
    const CommitLogOptions options = LogOptions(job_);
    auto made = TxnProducer::Make(options.cluster,
                                  options.id_prefix + "." + job_ + ".0." + std::string(1, letter));
    EXPECT_TRUE(made.ok() && (*made)->Init(options.fence_total).ok());
    return made.ok() ? *std::move(made) : nullptr;
  }
  int64_t CommittedOffset(KafkaCommitLog* log) {
    auto read = log->ReadCommitted({{in_, 0}, {in_, 1}});
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    return read.ok() ? (*read)[1].offset : -2;
  }
  std::vector<std::string> Values() {
    std::vector<std::string> out;
    for (const auto& record : ReadAll(out_, 1)) {
      out.push_back(record.value);
    }
    return out;
  }

  std::string job_;
  std::string out_;
  std::string in_;
};

TEST_F(CommitLogIt, CommitsOutputsPositionsAndMetadataTogether) {
  KafkaCommitLog log(LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  EXPECT_EQ(CommittedOffset(&log), kNoOffset);
  std::string metadata(kCommitMetadataBytesMax - 1, 'k');
  ASSERT_TRUE(Write(&log, 1, "a").ok());
  ASSERT_TRUE(Write(&log, 1, "b").ok());
  ASSERT_TRUE(log.Flush(1).ok());
  ASSERT_TRUE(log.Commit(1, At(17, metadata)).ok());
  ASSERT_TRUE(log.Commit(2, At(18, metadata)).ok());  // an epoch without outputs
  ASSERT_TRUE(log.Commit(3, At(19, metadata)).ok());
  log.Close();
  KafkaCommitLog next(LogOptions(job_));
  ASSERT_TRUE(next.Fence({}).ok());
  auto read = next.ReadCommitted({{in_, 1}, {"never-made", 0}, {in_, 0}});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ((*read)[0].offset, 19);
  EXPECT_EQ((*read)[0].metadata, metadata);
  EXPECT_EQ((*read)[1].offset, kNoOffset);
  EXPECT_EQ((*read)[2].offset, 19);
  EXPECT_EQ(Values(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(CommitLogIt, RefusedArgumentsLeaveTheLogAlive) {
  KafkaCommitLog log(LogOptions(job_));
  EXPECT_FALSE(log.Commit(1, At(1)).ok());  // before Fence
  ASSERT_TRUE(log.Fence({}).ok());
  EXPECT_EQ(log.Commit(1, At(-1)).kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(log.Commit(1, At(1, "a\nb")).kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(log.Commit(1, At(1, std::string(kCommitMetadataBytesMax, 'x'))).kind(),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(Write(&log, 1, std::string(3 << 20, 'x')).kind(), ErrorKind::kInvalidArgument);
  EXPECT_TRUE(Epoch(&log, 1, 5).ok());
}

TEST_F(CommitLogIt, ASuccessorFencesTheZombieAndAbortsItsTransaction) {
  KafkaCommitLog first(LogOptions(job_));
  ASSERT_TRUE(first.Fence({}).ok());
  ASSERT_TRUE(Epoch(&first, 1, 10).ok());
  ASSERT_TRUE(Write(&first, 2, "zombie").ok());
  ASSERT_TRUE(first.Flush(2).ok());
  ASSERT_TRUE(Write(&first, 3, "zombie too").ok());

  KafkaCommitLog second(LogOptions(job_));
  ASSERT_TRUE(second.Fence({}).ok());
  EXPECT_EQ(CommittedOffset(&second), 10);

  base::Status zombie = first.Commit(2, At(20));
  ASSERT_FALSE(zombie.ok());
  EXPECT_EQ(zombie.kind(), ErrorKind::kFenced) << zombie.ToString();
  EXPECT_EQ(Write(&first, 3, "more").kind(), ErrorKind::kFenced);
  ASSERT_TRUE(Epoch(&second, 2, 30).ok());
  first.Close();
  second.Close();
  EXPECT_EQ(Values(), (std::vector<std::string>{"e1", "e2"}));
  KafkaCommitLog third(LogOptions(job_));
  ASSERT_TRUE(third.Fence({}).ok());
  EXPECT_EQ(CommittedOffset(&third), 30);
}

TEST_F(CommitLogIt, GoneOrdinalsAreFencedToo) {
  KafkaCommitLog gone(LogOptions(job_, 1));
  ASSERT_TRUE(gone.Fence({}).ok());
  ASSERT_TRUE(Epoch(&gone, 1, 10).ok());
  ASSERT_TRUE(Write(&gone, 2, "zombie").ok());
  KafkaCommitLog stays(LogOptions(job_, 0));
  ASSERT_TRUE(stays.Fence({1}).ok());
  EXPECT_EQ(CommittedOffset(&stays), 10);
  EXPECT_EQ(gone.Commit(2, At(20)).kind(), ErrorKind::kFenced);
  ASSERT_TRUE(Epoch(&stays, 2, 30).ok());
  EXPECT_EQ(Values(), (std::vector<std::string>{"e1", "e2"}));
}

TEST_F(CommitLogIt, EpochsOfTwoProducersNeverOvertakeEachOther) {
  KafkaCommitLog log(LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  constexpr int kEpochs = 12;
  constexpr int kRecords = 40;
  std::atomic<int> flushed_up_to{0};
  // The task thread runs ahead into the next epoch while the epoch thread commits.
  std::thread task([&] {
    for (int epoch = 1; epoch <= kEpochs; ++epoch) {
      for (int i = 0; i < kRecords; ++i) {
        ASSERT_TRUE(Write(&log, epoch, std::to_string((epoch - 1) * kRecords + i)).ok());
      }
      flushed_up_to.store(epoch);
      flushed_up_to.notify_all();
    }
  });
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    while (flushed_up_to.load() < epoch) {
      flushed_up_to.wait(epoch - 1);
    }
    ASSERT_TRUE(log.Flush(epoch).ok());
    ASSERT_TRUE(log.Commit(epoch, At(epoch)).ok());
  }
  task.join();
  std::vector<std::string> values = Values();
  ASSERT_EQ(values.size(), static_cast<size_t>(kEpochs * kRecords));
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i], std::to_string(i));
  }
}

TEST_F(CommitLogIt, ASuspectProducerIsReplacedAndTheLogGoesOn) {
  KafkaCommitLog log(LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  log.SuspectNextCommit();
  ASSERT_TRUE(Epoch(&log, 1, 1).ok());
  EXPECT_EQ(log.replaced(), 1u);
  for (int epoch = 2; epoch <= 5; ++epoch) {
    ASSERT_TRUE(Epoch(&log, epoch, epoch).ok());
  }
  // Another one could bring back both ids under a successor's fence. The epoch stands.
  log.SuspectNextCommit();
  base::Status second = Epoch(&log, 6, 6);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(log.replaced(), 1u);
  EXPECT_FALSE(Epoch(&log, 7, 99).ok());
  KafkaCommitLog next(LogOptions(job_));
  ASSERT_TRUE(next.Fence({}).ok());
  EXPECT_EQ(CommittedOffset(&next), 6);
  EXPECT_EQ(Values(), (std::vector<std::string>{"e1", "e2", "e3", "e4", "e5", "e6"}));
}

// The successor reads after its Fence; whatever the predecessor replaces, it must not commit then.
TEST_F(CommitLogIt, AReplacementNeverUnfencesAZombie) {
  KafkaCommitLog first(LogOptions(job_));
  ASSERT_TRUE(first.Fence({}).ok());
  first.SuspectNextCommit();
  ASSERT_TRUE(Epoch(&first, 1, 1).ok());  // `b` was replaced
  KafkaCommitLog second(LogOptions(job_));
  ASSERT_TRUE(second.Fence({}).ok());
  EXPECT_EQ(CommittedOffset(&second), 1);
  EXPECT_FALSE(Epoch(&first, 2, 99).ok());
  EXPECT_FALSE(Epoch(&first, 3, 99).ok());
  EXPECT_EQ(CommittedOffset(&second), 1);
  ASSERT_TRUE(Epoch(&second, 2, 2).ok());
}

// Epochs in which nothing happens are not committed: the next commit is on the replaced id again.
TEST_F(CommitLogIt, AnIdleEpochProvesNoReplacement) {
  KafkaCommitLog zombie(LogOptions(job_));
  ASSERT_TRUE(zombie.Fence({}).ok());
  zombie.SuspectNextCommit();
  ASSERT_TRUE(Epoch(&zombie, 1, 1).ok());  // `b` was replaced
  auto successor = TakeId('a');
  EXPECT_TRUE(IsFenced(Epoch(&zombie, 3, 99)));
  KafkaCommitLog next(LogOptions(job_));
  ASSERT_TRUE(next.Fence({}).ok());
  EXPECT_EQ(CommittedOffset(&next), 1);
  EXPECT_EQ(Values(), (std::vector<std::string>{"e1"}));
}

TEST_F(CommitLogIt, AReplacementIsProvedWhereNobodyTookTheOtherId) {
  KafkaCommitLog log(LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  log.SuspectNextCommit();
  ASSERT_TRUE(Epoch(&log, 1, 1).ok());
  ASSERT_TRUE(Epoch(&log, 3, 3).ok());
  ASSERT_TRUE(Epoch(&log, 4, 4).ok());
  EXPECT_EQ(log.replaced(), 1u);
  EXPECT_EQ(CommittedOffset(&log), 4);
  EXPECT_EQ(Values(), (std::vector<std::string>{"e1", "e3", "e4"}));
}

// Each has one id then: who took `a` last must not commit beside the other one.
TEST_F(CommitLogIt, OfTwoThatFenceAtOnceOneCommitsNothing) {
  KafkaCommitLog late(LogOptions(job_));
  ASSERT_TRUE(late.Fence({}).ok());
  auto other = TakeId('b');
  auto read = late.ReadCommitted({{in_, 0}, {in_, 1}});
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().kind(), ErrorKind::kFenced) << read.status().ToString();
  EXPECT_FALSE(Epoch(&late, 2, 99).ok());
  EXPECT_TRUE(Values().empty());
}

TEST_F(CommitLogIt, ACommitBeforeAnyReadIsProvedToo) {
  KafkaCommitLog late(LogOptions(job_));
  ASSERT_TRUE(late.Fence({}).ok());
  auto other = TakeId('b');
  EXPECT_TRUE(IsFenced(Epoch(&late, 2, 99)));
  KafkaCommitLog alone(LogOptions(job_));
  ASSERT_TRUE(alone.Fence({}).ok());
  EXPECT_TRUE(Epoch(&alone, 2, 2).ok());
  EXPECT_EQ(CommittedOffset(&alone), 2);
}

TEST_F(CommitLogIt, CancelFreesABlockedWriter) {
  KafkaCommitLog log(LogOptions(job_));
  ASSERT_TRUE(log.Fence({}).ok());
  ASSERT_TRUE(Write(&log, 1, "a").ok());
  base::Status blocked;
  std::thread task([&] { blocked = Write(&log, 2, "b"); });  // waits for Flush(1)
  log.Cancel();
  task.join();
  EXPECT_EQ(blocked.kind(), ErrorKind::kCancelled);
  log.Close();
  EXPECT_TRUE(Values().empty());
}

TEST_F(CommitLogIt, AnUnreachableBrokerIsSaidInWords) {
  CommitLogOptions options = LogOptions(job_);
  options.cluster.bootstrap_servers = "127.0.0.1:1";
  options.fence_total = milliseconds(3000);
  KafkaCommitLog log(options);
  base::Status status = log.Fence({});
  EXPECT_EQ(status.kind(), ErrorKind::kUnavailable);
  EXPECT_NE(status.message().find("127.0.0.1:1"), std::string::npos) << status.ToString();
}

}  // namespace
}  // namespace sj::worker::connect::kafka
