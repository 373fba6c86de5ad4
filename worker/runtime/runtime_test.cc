// SPDX-License-Identifier: Apache-2.0
// The small parts of the runtime: ownership, marks, messages between workers, reasons.
#include <gtest/gtest.h>

#include "worker/runtime/exchange_message.h"
#include "worker/runtime/job_status.h"
#include "worker/runtime/marks.h"
#include "worker/runtime/ownership.h"

namespace sj::worker::runtime {
namespace {

TEST(Ownership, EveryShardAndPartitionHasOneOwner) {
  for (int replicas = 1; replicas <= 9; ++replicas) {
    for (int threads = 1; threads <= 3; ++threads) {
      std::vector<int> shards(16), partitions(7);
      for (int ordinal = 0; ordinal < replicas; ++ordinal) {
        Ownership own{replicas, ordinal, threads, 16, 128};
        for (int thread = 0; thread < threads; ++thread) {
          for (int s = own.ThreadShards(thread).begin; s < own.ThreadShards(thread).end; ++s) {
            shards[s] += 1;
            EXPECT_EQ(own.ThreadOfShard(s), thread);
          }
          types::KeyGroupRange mine = own.ThreadPartitions(7, thread);
          for (int p = mine.begin; p < mine.end; ++p) {
            partitions[p] += 1;
          }
        }
      }
      EXPECT_EQ(shards, std::vector<int>(16, 1));
      EXPECT_EQ(partitions, std::vector<int>(7, 1));
    }
  }
}

TEST(SenderMarks, MinimumOfLiveSendersNeverGoesBack) {
  SenderMarks marks;
  marks.Expect("t/0");
  marks.Expect("t/1");
  EXPECT_EQ(marks.Watermark(), types::kWatermarkMin);
  marks.Update({"t/0", {100, false}});
  EXPECT_EQ(marks.Watermark(), types::kWatermarkMin);  // t/1 holds it
  marks.Update({"t/1", {types::kWatermarkMin, true}});
  EXPECT_EQ(marks.Watermark(), 100);  // idle: left out
  marks.Update({"t/1", {50, false}});
  EXPECT_EQ(marks.Watermark(), 100);  // back, but behind: time does not go back
  marks.Update({"t/0", {90, false}});
  marks.Update({"t/1", {170, false}});
  EXPECT_EQ(marks.Watermark(), 100);
  marks.Update({"t/0", {types::kWatermarkMin, true}});
  marks.Update({"t/1", {types::kWatermarkMin, true}});
  EXPECT_EQ(marks.Watermark(), 100);  // all idle: stays
  marks.Update({"other/9", {5, false}});
  EXPECT_EQ(marks.all().size(), 2u);
}

TEST(ExchangeMessage, MarksRoundTripAndCutsAreCorrupt) {
  std::vector<NamedMark> marks = {{"topic/12", {-5, false}}, {"x/3", {types::kWatermarkMax, true}}};
  std::string bytes;
  EncodeMarks(marks, &bytes);
  types::Schema schema;
  auto message = DecodeExchange(bytes, schema);
  ASSERT_TRUE(message.ok());
  ASSERT_EQ(message->marks.size(), 2u);
  EXPECT_EQ(message->marks[0].instance, "topic/12");
  EXPECT_EQ(message->marks[0].mark.watermark_ms, -5);
  EXPECT_TRUE(message->marks[1].mark.idle);
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(DecodeExchange(std::string_view(bytes).substr(0, cut), schema).ok()) << cut;
  }
}

TEST(ExchangeMessage, RowsRoundTrip) {
  types::Schema schema;
  schema.fields = {{"k", types::DataType::Of(types::TypeKind::kString)},
                   {"v", types::DataType::Of(types::TypeKind::kBigint)}};
  types::Batch batch = types::Batch::ForSchema(schema);
  batch.rows = 2;
  batch.columns[0].AppendString("a");
  batch.columns[0].AppendNull();
  batch.columns[1].AppendInt64(7);
  batch.columns[1].AppendInt64(-7);
  std::string bytes;
  ASSERT_TRUE(EncodeRows(batch, &bytes).ok());
  auto message = DecodeExchange(bytes, schema);
  ASSERT_TRUE(message.ok());
  ASSERT_TRUE(message->is_rows);
  EXPECT_EQ(message->rows.columns[0].strings[0].view(), "a");
  EXPECT_TRUE(message->rows.columns[0].IsNull(1));
  EXPECT_EQ(message->rows.columns[1].ints[1], -7);
}

TEST(Reasons, SayWhereAndWhoseFault) {
  EXPECT_EQ(ReasonOf(RunStage::kConnect, base::NotFound("x")), "TopicMissing");
  EXPECT_EQ(ReasonOf(RunStage::kConnect, base::Unavailable("x")), "KafkaUnreachable");
  EXPECT_EQ(ReasonOf(RunStage::kStore, base::InvalidArgument("x")), "CheckpointStoreRefused");
  EXPECT_EQ(ReasonOf(RunStage::kRestore, base::InvalidArgument("x")), "StateIncompatible");
  EXPECT_EQ(ReasonOf(RunStage::kRestore, base::Corrupt("x")), "CheckpointCorrupt");
  EXPECT_EQ(ReasonOf(RunStage::kOffsets, base::Corrupt("x")), "OffsetsMissing");
  EXPECT_EQ(ReasonOf(RunStage::kRun, base::NotFound("x")), "InputGone");
  EXPECT_EQ(ReasonOf(RunStage::kRun, base::Corrupt("x")), "InputCorrupt");
  EXPECT_EQ(ReasonOf(RunStage::kRun, base::Fenced("x")), "Fenced");
  EXPECT_EQ(ReasonOf(RunStage::kRun, base::OkStatus()), "");
}

}  // namespace
}  // namespace sj::worker::runtime
