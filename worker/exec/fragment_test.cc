// SPDX-License-Identifier: Apache-2.0
// FragmentInstance: wiring, fan-out, the part before the watermark, and what is refused.
#include <gtest/gtest.h>

#include <map>

#include "worker/exec/operator.h"
#include "worker/exec/testing/fixtures.h"

namespace sj::worker::exec {
namespace {

using plan::Fragment;
using plan::Function;
using plan::OpKind;
using plan::PhysicalOp;
using testing::Call;
using testing::Col;
using testing::CollectingOutput;
using testing::Lit;
using types::DataType;
using types::TypeKind;

const DataType kInt = DataType::Of(TypeKind::kInt);
const DataType kBool = DataType::Of(TypeKind::kBoolean);
const DataType kTs = DataType::Timestamp(3);

class TestTerminals final : public Terminals {
 public:
  Output* Edge(int edge) override { return &edges[edge]; }
  Output* Sink(int table) override { return &sinks[table]; }
  std::map<int, CollectingOutput> edges, sinks;
};

PhysicalOp Op(OpKind kind, types::Schema output, std::vector<int> next) {
  PhysicalOp op;
  op.kind = kind;
  op.output = std::move(output);
  op.next = std::move(next);
  return op;
}

// input (a INT, t TIMESTAMP) -> a * 2 computed -> WATERMARK t - 5 ms -> a2 > 2 -> sink 0
//                                                                 -> edge 1
Fragment TestFragment() {
  types::Schema input = testing::MakeSchema({kInt, kTs});
  types::Schema wide = testing::MakeSchema({kInt, kTs, kInt});
  wide.rowtime = 1;
  Fragment fragment;
  fragment.input_schema = input;
  fragment.heads = {0};
  fragment.ops.push_back(Op(OpKind::kProject, wide, {1}));
  fragment.ops[0].exprs = {Col(0, kInt), Col(1, kTs),
                           Call(Function::kMultiply, kInt, {Col(0, kInt), Lit(kInt, "2")})};
  fragment.ops.push_back(Op(OpKind::kWatermark, wide, {2, 4}));
  fragment.ops[1].exprs = {Call(Function::kSubtractInterval, kTs,
                                {Col(1, kTs), Lit(DataType::Of(TypeKind::kIntervalDay), "5")})};
  fragment.ops.push_back(Op(OpKind::kFilter, wide, {3}));
  fragment.ops[2].exprs = {Call(Function::kGreater, kBool, {Col(2, kInt), Lit(kInt, "2")})};
  fragment.ops.push_back(Op(OpKind::kSink, wide, {}));
  fragment.ops[3].table = 0;
  fragment.ops.push_back(Op(OpKind::kSendEdge, wide, {}));
  fragment.ops[4].edge = 1;
  return fragment;
}

TEST(FragmentTest, TimesThenBothBranches) {
  TestTerminals terminals;
  Fragment fragment = TestFragment();
  auto made = FragmentInstance::Make({}, fragment, {}, &terminals);
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  FragmentInstance& instance = **made;
  EXPECT_TRUE(instance.has_watermark());
  auto timed = instance.AssignTimes(testing::MakeBatch(
      fragment.input_schema, {{"1", "100"}, {"2", "NULL"}, {"3", "50"}, {"NULL", "-9"}}));
  ASSERT_TRUE(timed.ok()) << timed.status().ToString();
  EXPECT_EQ(timed->watermark_ms, 95);
  EXPECT_EQ(timed->null_times, 1u);
  ASSERT_TRUE(instance.Push(std::move(timed->batch)).ok());
  ASSERT_TRUE(instance.PushWatermark(95).ok());
  EXPECT_EQ(terminals.sinks[0].rows, (std::vector<std::string>{"3|50|6"}));
  EXPECT_EQ(terminals.edges[1].rows,
            (std::vector<std::string>{"1|100|2", "3|50|6", "NULL|-9|NULL"}));
  EXPECT_EQ(terminals.sinks[0].watermarks, (std::vector<int64_t>{95}));
  EXPECT_EQ(terminals.edges[1].watermarks, (std::vector<int64_t>{95}));
  EXPECT_TRUE(instance.EndEpoch().ok());
  EXPECT_EQ(instance.LateRows(), 0u);
}

TEST(FragmentTest, AnEmptyBatchHasNoWatermark) {
  TestTerminals terminals;
  Fragment fragment = TestFragment();
  auto made = FragmentInstance::Make({}, fragment, {}, &terminals);
  ASSERT_TRUE(made.ok());
  auto timed = (*made)->AssignTimes(testing::MakeBatch(fragment.input_schema, {{"1", "NULL"}}));
  ASSERT_TRUE(timed.ok());
  EXPECT_EQ(timed->watermark_ms, types::kWatermarkMin);
  EXPECT_EQ(timed->batch.rows, 0u);
}

TEST(FragmentTest, ErrorsOfRowsComeOut) {
  TestTerminals terminals;
  Fragment fragment = TestFragment();
  fragment.ops[2].exprs = {
      Call(Function::kGreater, kBool,
           {Call(Function::kDivide, kInt, {Lit(kInt, "1"), Col(2, kInt)}), Lit(kInt, "0")})};
  auto made = FragmentInstance::Make({}, fragment, {}, &terminals);
  ASSERT_TRUE(made.ok());
  auto timed = (*made)->AssignTimes(testing::MakeBatch(fragment.input_schema, {{"0", "1"}}));
  EXPECT_EQ((*made)->Push(std::move(timed->batch)).kind(), base::ErrorKind::kInvalidArgument);
}

TEST(FragmentTest, BrokenPlansAreRefused) {
  TestTerminals terminals;
  auto refused = [&terminals](const Fragment& fragment) {
    return !FragmentInstance::Make({}, fragment, {}, &terminals).ok();
  };
  Fragment fragment = TestFragment();
  fragment.ops[2].next = {1};
  EXPECT_TRUE(refused(fragment)) << "points back";
  fragment = TestFragment();
  fragment.ops[2].next = {};
  EXPECT_TRUE(refused(fragment)) << "ends nowhere";
  fragment = TestFragment();
  fragment.heads = {};
  EXPECT_TRUE(refused(fragment));
  fragment = TestFragment();
  fragment.ops[1].output.rowtime = -1;
  EXPECT_TRUE(refused(fragment)) << "no time column";
  fragment = TestFragment();
  fragment.ops[2].kind = OpKind::kLocalWindow;
  EXPECT_TRUE(refused(fragment)) << "a window over columns that do not exist";
  fragment = TestFragment();
  fragment.ops[0].exprs[2].args[1] = Lit(kBool, "TRUE");
  EXPECT_TRUE(refused(fragment)) << "an expression of wrong types";
}

TEST(FragmentTest, ProjectionMovesAndCopies) {
  TestTerminals terminals;
  Fragment fragment;
  fragment.input_schema = testing::MakeSchema({kInt});
  fragment.heads = {0};
  fragment.ops.push_back(Op(OpKind::kProject, testing::MakeSchema({kInt, kInt, kInt, kInt}), {1}));
  fragment.ops[0].exprs = {Col(0, kInt), Lit(kInt, "7"), Col(0, kInt),
                           Call(Function::kNegate, kInt, {Col(0, kInt)})};
  fragment.ops.push_back(Op(OpKind::kSink, fragment.ops[0].output, {}));
  fragment.ops[1].table = 3;
  auto made = FragmentInstance::Make({}, fragment, {}, &terminals);
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE((*made)->has_watermark());
  ASSERT_TRUE((*made)->Push(testing::MakeBatch(fragment.input_schema, {{"1"}, {"NULL"}})).ok());
  EXPECT_EQ(terminals.sinks[3].rows, (std::vector<std::string>{"1|7|1|-1", "NULL|7|NULL|NULL"}));
}

}  // namespace
}  // namespace sj::worker::exec
