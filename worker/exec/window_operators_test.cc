// SPDX-License-Identifier: Apache-2.0
// Both halves of window aggregates against a row-at-a-time reference: out of order, late, NULL and
// negative times, and a restore in the middle at another split of the key groups.
#include <gtest/gtest.h>

#include <random>

#include "worker/exec/global_window.h"
#include "worker/exec/local_window.h"
#include "worker/exec/testing/fixtures.h"
#include "worker/exec/testing/window_reference.h"
#include "worker/state/testing/temp_dir.h"

namespace sj::worker::exec {
namespace {

using plan::AggregateCall;
using plan::AggregateFunction;
using testing::CollectingOutput;
using testing::ReferenceRow;
using types::DataType;
using types::TypeKind;

const DataType kBigint = DataType::Of(TypeKind::kBigint);
const DataType kText = DataType::Of(TypeKind::kString);

// Input: key, time, number, price, text, chosen [, key2].
types::Schema InputSchema() {
  return testing::MakeSchema({kText, DataType::Timestamp(3), kBigint, DataType::Decimal(10, 2),
                              kText, DataType::Of(TypeKind::kBoolean), kBigint});
}

AggregateCall MakeCall(AggregateFunction function, int argument, DataType type, int filter = -1) {
  AggregateCall call;
  call.function = function;
  call.argument = argument;
  call.filter = filter;
  if (argument >= 0) {
    call.argument_type = InputSchema().fields[static_cast<size_t>(argument)].type;
  }
  call.type = std::move(type);
  return call;
}

struct Ops {
  plan::PhysicalOp local, global;
};

Ops MakeOps(const plan::WindowSpec& window, const std::vector<int>& keys,
            const std::vector<AggregateCall>& calls) {
  Ops ops;
  ops.local.kind = plan::OpKind::kLocalWindow;
  ops.local.aggregate = {window, keys, calls};
  ops.local.aggregate.window.time_column = 1;
  types::Schema input = InputSchema();
  for (int key : keys) {
    ops.local.output.fields.push_back(input.fields[static_cast<size_t>(key)]);
  }
  ops.global = ops.local;
  ops.global.kind = plan::OpKind::kGlobalWindow;
  ops.global.id = 7;
  ops.local.output.fields.push_back({"window_end", kBigint});
  ops.global.output.fields.push_back({"window_start", DataType::Timestamp(3)});
  ops.global.output.fields.push_back({"window_end", DataType::Timestamp(3)});
  for (const AggregateCall& call : calls) {
    for (const DataType& type : plan::PartialTypes(call)) {
      ops.local.output.fields.push_back({"p", type});
    }
    ops.global.output.fields.push_back({"r", call.type});
  }
  return ops;
}

std::vector<AggregateCall> AllCalls() {
  return {MakeCall(AggregateFunction::kCount, -1, kBigint),
          MakeCall(AggregateFunction::kCount, 2, kBigint),
          MakeCall(AggregateFunction::kSum, 2, kBigint),
          MakeCall(AggregateFunction::kAvg, 2, kBigint),
          MakeCall(AggregateFunction::kSum, 3, DataType::Decimal(38, 2)),
          MakeCall(AggregateFunction::kAvg, 3, DataType::Decimal(38, 6)),
          MakeCall(AggregateFunction::kMin, 4, kText),
          MakeCall(AggregateFunction::kMax, 2, kBigint),
          MakeCall(AggregateFunction::kCount, -1, kBigint, 5)};
}

std::string Or(const std::optional<int64_t>& v) {
  return v ? std::to_string(*v) : std::string(testing::kNull);
}

types::Batch ToBatch(const std::vector<ReferenceRow>& rows) {
  types::Batch batch = types::Batch::ForSchema(InputSchema());
  batch.rows = rows.size();
  for (const ReferenceRow& row : rows) {
    testing::AppendValue(row.key, &batch.columns[0]);
    testing::AppendValue(Or(row.time), &batch.columns[1]);
    testing::AppendValue(Or(row.number), &batch.columns[2]);
    if (row.cents) {
      batch.columns[3].AppendInt64(*row.cents);
    } else {
      batch.columns[3].AppendNull();
    }
    testing::AppendValue(row.text.value_or(std::string(testing::kNull)), &batch.columns[4]);
    testing::AppendValue(row.chosen ? "TRUE" : "NULL", &batch.columns[5]);
    batch.columns[6].AppendInt64(0);
  }
  return batch;
}

ReferenceRow RandomRow(std::mt19937_64* random, int64_t base_time) {
  auto pick = [random](uint64_t n) { return static_cast<int64_t>((*random)() % n); };
  ReferenceRow row;
  int64_t key = pick(9);
  row.key = key == 0 ? "NULL" : key == 1 ? "" : "user-" + std::to_string(key);
  if (pick(20) != 0) {
    row.time = base_time + pick(300) - 150;
  }
  if (pick(5) != 0) {
    row.number = pick(2000) - 1000;
  }
  if (pick(4) != 0) {
    row.cents = pick(200'000) - 100'000;
  }
  if (pick(3) != 0) {
    row.text = std::string(static_cast<size_t>(pick(30)), static_cast<char>('a' + pick(4)));
  }
  row.chosen = pick(2) == 0;
  return row;
}

// Sends partials to the worker thread that owns their key group.
class Splitter final : public Output {
 public:
  Splitter(size_t keys, std::vector<Operator*> parts) : keys_(keys), parts_(std::move(parts)) {}
  base::Status Push(types::Batch batch) override {
    std::vector<std::vector<uint32_t>> rows(parts_.size());
    for (uint32_t row = 0; row < batch.rows; ++row) {
      std::string key;
      for (size_t i = 0; i < keys_; ++i) {
        types::AppendKeyBytes(batch.columns[i], row, &key);
      }
      int part = types::OwnerOf(types::KeyGroupOf(key, 128), 128, static_cast<int>(parts_.size()));
      rows[static_cast<size_t>(part)].push_back(row);
    }
    for (size_t i = 0; i < parts_.size(); ++i) {
      SJ_RETURN_IF_ERROR(parts_[i]->Push(batch.Gather(rows[i])));
    }
    return base::OkStatus();
  }
  base::Status PushWatermark(int64_t watermark_ms) override {
    for (Operator* part : parts_) {
      SJ_RETURN_IF_ERROR(part->PushWatermark(watermark_ms));
    }
    return base::OkStatus();
  }

 private:
  size_t keys_;
  std::vector<Operator*> parts_;
};

// A local half before some global halves, each over its part of the key groups.
struct Pipeline {
  CollectingOutput out;
  std::unique_ptr<state::StateStore> store;
  std::vector<std::unique_ptr<Operator>> globals;
  std::unique_ptr<Splitter> splitter;
  std::unique_ptr<Operator> local;

  Pipeline(const Ops& ops, const std::string& directory, int parts, int64_t restored_watermark,
           const std::vector<state::FrozenRun>& restored) {
    store = std::move(*state::StateStore::Open({.directory = directory}));
    for (const state::FrozenRun& run : restored) {
      EXPECT_TRUE(store->Write(run.entries).ok());
    }
    std::vector<Operator*> raw;
    for (int i = 0; i < parts; ++i) {
      OperatorContext context;
      context.store = store.get();
      context.key_groups = types::PartOf(128, parts, i);
      context.restored_watermark_ms = restored_watermark;
      auto made = MakeGlobalWindow(ops.global, ops.local.output, context, &out);
      EXPECT_TRUE(made.ok()) << made.status().ToString();
      globals.push_back(std::move(*made));
      raw.push_back(globals.back().get());
    }
    splitter = std::make_unique<Splitter>(ops.local.aggregate.keys.size(), raw);
    auto made = MakeLocalWindow(ops.local, InputSchema(), splitter.get(), {.groups_max = 40});
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    local = std::move(*made);
  }

  void EndEpoch(std::vector<state::FrozenRun>* frozen) {
    EXPECT_TRUE(local->EndEpoch().ok());
    for (auto& global : globals) {
      EXPECT_TRUE(global->EndEpoch().ok());
      global->TakeFrozen(frozen);
    }
  }
  uint64_t LateRows() const {
    uint64_t n = 0;
    for (const auto& global : globals) {
      n += global->LateRows();
    }
    return n;
  }
  std::multiset<std::string> TakeRows() {
    std::multiset<std::string> rows(out.rows.begin(), out.rows.end());
    out.rows.clear();
    return rows;
  }
};

struct Case {
  uint64_t seed;
  plan::WindowSpec window;
};

// Batches, then a watermark now and then; every few steps an epoch; sometimes a restart from the
// frozen epochs at another parallelism.
void RunRandom(const Case& c) {
  std::mt19937_64 random(c.seed);
  Ops ops = MakeOps(c.window, {0}, AllCalls());
  int64_t slide = c.window.kind == plan::WindowKind::kTumble ? c.window.size_ms : c.window.slide_ms;
  testing::WindowReference reference(c.window.size_ms, slide, c.window.offset_ms);
  state::testing::TempDir dir;
  int incarnation = 0;
  std::vector<state::FrozenRun> frozen;
  auto start = [&](int parts, int64_t watermark) {
    return std::make_unique<Pipeline>(ops, dir.path() + "/" + std::to_string(incarnation++), parts,
                                      watermark, frozen);
  };
  auto pipeline = start(1, types::kWatermarkMin);
  uint64_t late = 0;
  int64_t watermark = types::kWatermarkMin;
  for (int step = 0; step < 80; ++step) {
    int64_t base_time = step * 25 - 500;  // begins below zero
    std::vector<ReferenceRow> rows;
    for (uint64_t n = random() % 40; n > 0; --n) {
      rows.push_back(RandomRow(&random, base_time));
      reference.Push(rows.back());
    }
    ASSERT_TRUE(pipeline->local->Push(ToBatch(rows)).ok());
    if (random() % 3 == 0) {
      watermark = base_time - 100 - static_cast<int64_t>(random() % 2);  // often an end - 1
      ASSERT_TRUE(pipeline->local->PushWatermark(watermark).ok());
      ASSERT_EQ(pipeline->TakeRows(), reference.Watermark(watermark)) << c.seed << " " << step;
    }
    if (random() % 5 == 0) {
      pipeline->EndEpoch(&frozen);
      if (random() % 2 == 0) {
        late += pipeline->LateRows();
        pipeline = start(1 + static_cast<int>(random() % 3), watermark);
      }
    }
  }
  ASSERT_TRUE(pipeline->local->PushWatermark(types::kWatermarkMax).ok());
  EXPECT_EQ(pipeline->TakeRows(), reference.Watermark(INT64_MAX));
  EXPECT_EQ(late + pipeline->LateRows(), reference.late());
  EXPECT_GT(reference.late(), 0u) << "the case shows nothing about lateness";
}

TEST(WindowOperatorsTest, TumbleAgreesWithTheReference) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    plan::WindowSpec window;
    window.size_ms = 100;
    window.offset_ms = seed % 3 == 0 ? 17 : 0;
    RunRandom({seed, window});
  }
}

TEST(WindowOperatorsTest, HopAgreesWithTheReference) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    plan::WindowSpec window;
    window.kind = plan::WindowKind::kHop;
    window.size_ms = 100;
    window.slide_ms = seed % 2 == 0 ? 50 : 30;
    RunRandom({seed, window});
  }
}

// One window over rows of one key; what comes out for the calls.
std::string OneWindow(const std::vector<AggregateCall>& calls, const std::vector<int>& keys,
                      const std::vector<std::vector<std::string>>& rows) {
  plan::WindowSpec window;
  window.size_ms = 1000;
  state::testing::TempDir dir;
  Pipeline pipeline(MakeOps(window, keys, calls), dir.path() + "/s", 2, types::kWatermarkMin, {});
  for (const auto& row : rows) {  // a batch and an epoch each, so that the global half merges
    EXPECT_TRUE(pipeline.local->Push(testing::MakeBatch(InputSchema(), {row})).ok());
    std::vector<state::FrozenRun> frozen;
    pipeline.EndEpoch(&frozen);
  }
  EXPECT_TRUE(pipeline.local->PushWatermark(999).ok());
  std::string out;
  for (const std::string& row : pipeline.TakeRows()) {
    out += (out.empty() ? "" : ";") + row;
  }
  return out;
}

TEST(WindowOperatorsTest, WithoutKeysAndWithSeveral) {
  std::vector<AggregateCall> count = {MakeCall(AggregateFunction::kCount, -1, kBigint)};
  std::vector<std::vector<std::string>> rows = {{"a", "1", "1", "1", "x", "TRUE", "5"},
                                                {"a", "2", "1", "1", "x", "TRUE", "6"},
                                                {"b", "3", "1", "1", "x", "TRUE", "5"},
                                                {"a", "4", "1", "1", "x", "TRUE", "5"}};
  EXPECT_EQ(OneWindow(count, {}, rows), "0|1000|4");
  EXPECT_EQ(OneWindow(count, {6, 0}, rows), "5|a|0|1000|2;5|b|0|1000|1;6|a|0|1000|1");
  EXPECT_EQ(OneWindow({}, {0}, rows), "a|0|1000;b|0|1000");
}

TEST(WindowOperatorsTest, SumsWrapAndDecimalsOverflowToNull) {
  std::vector<std::vector<std::string>> rows = {
      {"a", "1", "9223372036854775807", "1", "x", "TRUE", "0"},
      {"a", "2", "1", "1", "x", "TRUE", "0"}};
  EXPECT_EQ(OneWindow({MakeCall(AggregateFunction::kSum, 2, kBigint)}, {0}, rows),
            "a|0|1000|-9223372036854775808");
  EXPECT_EQ(OneWindow({MakeCall(AggregateFunction::kSum, 3, DataType::Decimal(3, 2)),
                       MakeCall(AggregateFunction::kMin, 3, DataType::Decimal(10, 2))},
                      {0},
                      {{"a", "1", "1", "9.99", "x", "TRUE", "0"},
                       {"a", "2", "1", "0.01", "x", "TRUE", "0"}}),
            "a|0|1000|NULL|0.01");
}

TEST(WindowOperatorsTest, NothingToAggregateIsNull) {
  std::vector<std::vector<std::string>> rows = {{"a", "1", "NULL", "NULL", "NULL", "NULL", "0"}};
  EXPECT_EQ(OneWindow(AllCalls(), {0}, rows), "a|0|1000|1|0|NULL|NULL|NULL|NULL|NULL|NULL|0");
}

TEST(WindowOperatorsTest, AWatermarkThatClosesNothingDoesNotFlush) {
  plan::WindowSpec window;
  window.size_ms = 1000;
  Ops ops = MakeOps(window, {0}, {MakeCall(AggregateFunction::kCount, -1, kBigint)});
  CollectingOutput out;
  auto local = MakeLocalWindow(ops.local, InputSchema(), &out);
  ASSERT_TRUE(local.ok());
  types::Batch batch = testing::MakeBatch(InputSchema(), {{"a", "1", "1", "1", "x", "TRUE", "5"}});
  ASSERT_TRUE((*local)->Push(batch).ok());
  ASSERT_TRUE((*local)->PushWatermark(998).ok());
  EXPECT_TRUE(out.rows.empty());
  ASSERT_TRUE((*local)->Push(batch).ok());
  ASSERT_TRUE((*local)->PushWatermark(999).ok());
  EXPECT_EQ(out.rows, (std::vector<std::string>{"a|1000|2"}));
  EXPECT_EQ(out.watermarks, (std::vector<int64_t>{998, 999}));
}

TEST(WindowOperatorsTest, UpdatesAreRefused) {
  plan::WindowSpec window;
  window.size_ms = 1000;
  Ops ops = MakeOps(window, {0}, {MakeCall(AggregateFunction::kCount, -1, kBigint)});
  CollectingOutput out;
  auto local = MakeLocalWindow(ops.local, InputSchema(), &out);
  types::Batch batch = testing::MakeBatch(InputSchema(), {{"a", "1", "1", "1", "x", "TRUE", "5"}});
  batch.kinds = {types::RowKind::kDelete};
  EXPECT_EQ((*local)->Push(batch).kind(), base::ErrorKind::kInvalidArgument);
}

TEST(WindowOperatorsTest, AWatermarkThatFallsBackIsIgnored) {
  plan::WindowSpec window;
  window.size_ms = 1000;
  state::testing::TempDir dir;
  Ops ops = MakeOps(window, {0}, {MakeCall(AggregateFunction::kCount, -1, kBigint)});
  Pipeline pipeline(ops, dir.path() + "/s", 1, 5000, {});
  ASSERT_TRUE(pipeline.local->PushWatermark(4000).ok());
  EXPECT_TRUE(pipeline.out.watermarks.empty());
  types::Batch batch =
      testing::MakeBatch(InputSchema(), {{"a", "4000", "1", "1", "x", "TRUE", "5"}});
  ASSERT_TRUE(pipeline.local->Push(batch).ok());
  ASSERT_TRUE(pipeline.local->PushWatermark(6000).ok());
  EXPECT_TRUE(pipeline.out.rows.empty());
  EXPECT_EQ(pipeline.LateRows(), 1u) << "its window had fired before the restart";
}

}  // namespace
}  // namespace sj::worker::exec
