// SPDX-License-Identifier: Apache-2.0
// The rows of 'datagen': the same seed makes the same rows from any offset, sequences end, the rate
// is the clock's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/connect/generator/datagen_source.h"

namespace sj::worker::connect::generator {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using types::DataType;
using types::TypeKind;
using Options = std::vector<std::pair<std::string, std::string>>;

class DatagenTest : public ::testing::Test {
 protected:
  types::TableSpec Table(const Options& options) {
    types::TableSpec table;
    table.name = "t";
    table.schema.fields = {{"id", DataType::Of(TypeKind::kBigint)},
                           {"name", DataType::Of(TypeKind::kString)},
                           {"t", DataType::Timestamp(3)},
                           {"d", DataType::Decimal(10, 2)}};
    table.options.push_back({"connector", "datagen", {}, {}});
    for (const auto& [key, value] : options) {
      table.options.push_back({key, value, {}, {}});
    }
    return table;
  }
  std::unique_ptr<Source> Open(const Options& options) {
    auto source = MakeDatagenSource(Table(options), {}, clock_);
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    return std::move(source).value();
  }
  // Reads `columns` from the start until finished or nothing comes; the clock moves 100 ms a poll.
  std::vector<SourceBatch> Drain(Source* source, std::vector<PartitionStart> starts,
                                 std::vector<int> columns, int polls = 200) {
    auto reader = source->OpenReader(starts, columns, nullptr);
    std::vector<SourceBatch> out;
    size_t finished = 0;
    for (int i = 0; i < polls && finished < starts.size(); ++i) {
      SourceBatch batch;
      auto polled = (*reader)->Poll(1000, milliseconds(0), 1, &batch);
      EXPECT_TRUE(polled.ok());
      if (*polled) {
        finished += batch.finished ? 1 : 0;
        out.push_back(std::move(batch));
      }
      clock_.Advance(milliseconds(100));
    }
    return out;
  }
  std::vector<std::string> Names(const std::vector<SourceBatch>& batches) {
    std::vector<std::string> out;
    for (const SourceBatch& batch : batches) {
      for (const auto& text : batch.rows.columns[0].strings) {
        out.emplace_back(text.view());
      }
    }
    return out;
  }
  base::ManualClock clock_;
};

TEST_F(DatagenTest, ASequenceIsSharedByThePartitionsAndEnds) {
  auto source = Open({{"fields.id.kind", "sequence"},
                      {"fields.id.start", "5"},
                      {"fields.id.end", "9"},
                      {"partitions", "2"}});
  EXPECT_TRUE(source->bounded());
  auto starts = source->ResolveStart({0, 1});
  std::vector<int64_t> ids[2];
  for (const SourceBatch& batch : Drain(source.get(), *starts, {0})) {
    for (int64_t id : batch.rows.columns[0].ints) {
      ids[batch.partition].push_back(id);
    }
  }
  EXPECT_EQ(ids[0], (std::vector<int64_t>{5, 7, 9}));
  EXPECT_EQ(ids[1], (std::vector<int64_t>{6, 8}));
}

TEST_F(DatagenTest, RowsFollowFromSeedAndOffset) {
  Options options = {{"number-of-rows", "50"}, {"seed", "7"}, {"fields.name.length", "12"}};
  auto source = Open(options);
  std::vector<std::string> all = Names(Drain(source.get(), *source->ResolveStart({0}), {1}));
  ASSERT_EQ(all.size(), 50u);
  EXPECT_EQ(all[0].size(), 12u);
  auto again = Open(options);
  std::vector<std::string> rest =
      Names(Drain(again.get(), {{.partition = 0, .offset = 20, .end_offset = {}}}, {1}));
  EXPECT_EQ(rest, std::vector<std::string>(all.begin() + 20, all.end()));
  options[1].second = "8";
  auto other = Open(options);
  EXPECT_NE(Names(Drain(other.get(), *other->ResolveStart({0}), {1})), all);
}

TEST_F(DatagenTest, TheRateIsHeld) {
  auto source = Open({{"rows-per-second", "1000"}});
  uint64_t rows = 0;
  for (const SourceBatch& batch :
       Drain(source.get(), {{.partition = 0, .offset = 0, .end_offset = {}}}, {0}, 50)) {
    rows += batch.records;
  }
  EXPECT_NEAR(static_cast<double>(rows), 4900, 110);  // 4.9 s of the clock
}

TEST_F(DatagenTest, BoundsAreKept) {
  auto source = Open({{"number-of-rows", "1000"},
                      {"fields.id.min", "-3"},
                      {"fields.id.max", "3"},
                      {"fields.d.min", "10"},
                      {"fields.d.max", "20"},
                      {"fields.t.max-past", "10 s"}});
  int64_t now = clock_.Wall().time_since_epoch().count();
  for (const SourceBatch& batch : Drain(source.get(), *source->ResolveStart({0}), {0, 2, 3})) {
    for (size_t row = 0; row < batch.rows.rows; ++row) {
      ASSERT_LE(std::abs(batch.rows.columns[0].ints[row]), 3);
      ASSERT_GT(batch.rows.columns[1].ints[row], now - 10'001);
      ASSERT_GE(batch.rows.columns[2].ints[row], 1000);
      ASSERT_LE(batch.rows.columns[2].ints[row], 2000);
    }
  }
}

TEST_F(DatagenTest, WrongOptionsAreRefused) {
  auto refusal = [&](const Options& options) {
    auto source = MakeDatagenSource(Table(options), {}, clock_);
    return source.ok() ? "accepted" : source.status().message();
  };
  EXPECT_THAT(refusal({{"fields.nope.min", "1"}}), HasSubstr("no physical column"));
  EXPECT_THAT(refusal({{"fields.id.mim", "1"}}), HasSubstr("not an option of a column"));
  EXPECT_THAT(refusal({{"fields.id.kind", "sequence"}}), HasSubstr("is required"));
  EXPECT_THAT(refusal({{"fields.t.kind", "sequence"}}), HasSubstr("sequence"));
  EXPECT_THAT(refusal({{"rows-per-second", "0"}}), HasSubstr("rows-per-second"));
}

}  // namespace
}  // namespace sj::worker::connect::generator
