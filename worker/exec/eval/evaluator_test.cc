// SPDX-License-Identifier: Apache-2.0
// Every function over small batches. Each case evaluates twice: over columns, and with the
// arguments as literals, so that constant folding and the constant lanes say the same.
#include "worker/exec/eval/evaluator.h"

#include <gtest/gtest.h>

#include "worker/exec/testing/fixtures.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Expr;
using plan::Function;
using testing::Call;
using testing::Col;
using testing::Lit;
using types::DataType;
using types::TypeKind;

const DataType kBool = DataType::Of(TypeKind::kBoolean);
const DataType kTinyint = DataType::Of(TypeKind::kTinyint);
const DataType kInt = DataType::Of(TypeKind::kInt);
const DataType kBigint = DataType::Of(TypeKind::kBigint);
const DataType kDouble = DataType::Of(TypeKind::kDouble);
const DataType kText = DataType::Of(TypeKind::kString);
const DataType kDate = DataType::Of(TypeKind::kDate);
const DataType kTs = DataType::Timestamp(3);
const DataType kDays = DataType::Of(TypeKind::kIntervalDay);
const DataType kMonths = DataType::Of(TypeKind::kIntervalMonth);

std::string RunExpr(const Expr& expr, const types::Schema& schema, const types::Batch& batch) {
  base::Result<Evaluator> evaluator = Evaluator::Compile(expr, schema);
  if (!evaluator.ok()) {
    return "refused";
  }
  base::Result<types::Column> out = evaluator->Eval(batch);
  if (!out.ok()) {
    EXPECT_EQ(out.status().kind(), base::ErrorKind::kInvalidArgument);
    return "error";
  }
  EXPECT_EQ(out->size(), batch.rows);
  return testing::ValueText(*out, batch.rows - 1);
}

struct Arg {
  DataType type;
  std::string text;
};

// The function over one row of columns whose first row is all NULL, and over literals.
std::string Eval(Function function, const DataType& type, const std::vector<Arg>& args,
                 size_t literals_from = 100) {
  std::vector<DataType> types;
  std::vector<std::string> nulls;
  std::vector<std::string> values;
  std::vector<Expr> columns;
  std::vector<Expr> literals;
  for (const Arg& arg : args) {
    size_t i = types.size();
    literals.push_back(Lit(arg.type, arg.text));
    bool unit = i == 0 && (function == Function::kExtract || function == Function::kTimestampDiff);
    columns.push_back(unit || i >= literals_from ? literals.back()
                                                 : Col(static_cast<int>(i), arg.type));
    types.push_back(arg.type);
    nulls.emplace_back(testing::kNull);
    values.push_back(arg.text);
  }
  types::Schema schema = testing::MakeSchema(types);
  types::Batch batch = testing::MakeBatch(schema, {nulls, values});
  std::string by_column = RunExpr(Call(function, type, columns), schema, batch);
  std::string by_literal = RunExpr(Call(function, type, literals), schema, batch);
  EXPECT_EQ(by_column, by_literal);
  return by_column;
}

std::string Cast(const Arg& from, const DataType& to) {
  return Eval(Function::kCast, to, {from});
}

TEST(ArithmeticTest, IntegersWrapAtTheirWidth) {
  EXPECT_EQ(Eval(Function::kAdd, kInt, {{kInt, "2147483647"}, {kInt, "1"}}), "-2147483648");
  EXPECT_EQ(Eval(Function::kSubtract, kTinyint, {{kTinyint, "-128"}, {kTinyint, "1"}}), "127");
  EXPECT_EQ(Eval(Function::kMultiply, kBigint, {{kBigint, "9223372036854775807"}, {kBigint, "2"}}),
            "-2");
  EXPECT_EQ(Eval(Function::kDivide, kBigint, {{kBigint, "-7"}, {kBigint, "2"}}), "-3");
  EXPECT_EQ(Eval(Function::kDivide, kBigint, {{kBigint, "-9223372036854775808"}, {kBigint, "-1"}}),
            "-9223372036854775808");
  EXPECT_EQ(Eval(Function::kModulo, kInt, {{kInt, "-7"}, {kInt, "3"}}), "-1");
  EXPECT_EQ(Eval(Function::kNegate, kTinyint, {{kTinyint, "-128"}}), "-128");
  EXPECT_EQ(Eval(Function::kAdd, kInt, {{kInt, "1"}, {kInt, "NULL"}}), "NULL");
}

TEST(ArithmeticTest, DivisionByZeroIsAnErrorOnlyWhereAsked) {
  EXPECT_EQ(Eval(Function::kDivide, kInt, {{kInt, "1"}, {kInt, "0"}}), "error");
  EXPECT_EQ(Eval(Function::kModulo, kInt, {{kInt, "1"}, {kInt, "0"}}), "error");
  EXPECT_EQ(Eval(Function::kDivide, DataType::Decimal(10, 2),
                 {{DataType::Decimal(5, 2), "1"}, {DataType::Decimal(5, 2), "0"}}),
            "error");
  EXPECT_EQ(Eval(Function::kDivide, kInt, {{kInt, "NULL"}, {kInt, "0"}}), "NULL");
  EXPECT_EQ(Eval(Function::kDivide, kDouble, {{kDouble, "1"}, {kDouble, "0"}}), "Infinity");
}

TEST(ArithmeticTest, DecimalsFollowTheirTypes) {
  DataType d2 = DataType::Decimal(10, 2);
  DataType d3 = DataType::Decimal(10, 3);
  EXPECT_EQ(Eval(Function::kAdd, DataType::Decimal(12, 3), {{d2, "1.25"}, {d3, "0.005"}}), "1.255");
  EXPECT_EQ(Eval(Function::kAdd, d2, {{d2, "99999999.99"}, {d2, "0.01"}}), "NULL");
  EXPECT_EQ(Eval(Function::kSubtract, d2, {{d2, "1.25"}, {d2, "2.50"}}), "-1.25");
  EXPECT_EQ(Eval(Function::kMultiply, DataType::Decimal(21, 4), {{d2, "-1.25"}, {d2, "3.10"}}),
            "-3.8750");
  EXPECT_EQ(Eval(Function::kDivide, DataType::Decimal(23, 13), {{d2, "1"}, {d2, "3"}}),
            "0.3333333333333");
  EXPECT_EQ(Eval(Function::kModulo, d2, {{d2, "-7.50"}, {d2, "2.00"}}), "-1.50");
  EXPECT_EQ(Eval(Function::kNegate, d2, {{d2, "7.50"}}), "-7.50");
  EXPECT_EQ(Eval(Function::kMultiply, DataType::Decimal(12, 2), {{d2, "1.25"}, {kInt, "4"}}),
            "5.00");
}

TEST(MathTest, RoundingFunctions) {
  DataType d = DataType::Decimal(10, 3);
  DataType whole = DataType::Decimal(10, 0);
  EXPECT_EQ(Eval(Function::kAbs, d, {{d, "-1.5"}}), "1.500");
  EXPECT_EQ(Eval(Function::kAbs, kDouble, {{kDouble, "-1.5"}}), "1.5");
  EXPECT_EQ(Eval(Function::kFloor, whole, {{d, "-1.001"}}), "-2");
  EXPECT_EQ(Eval(Function::kCeil, whole, {{d, "-1.999"}}), "-1");
  EXPECT_EQ(Eval(Function::kCeil, whole, {{d, "1.001"}}), "2");
  EXPECT_EQ(Eval(Function::kFloor, kDouble, {{kDouble, "-1.5"}}), "-2.0");
  EXPECT_EQ(Eval(Function::kRound, DataType::Decimal(9, 2), {{d, "-1.005"}, {kInt, "2"}}), "-1.01");
  EXPECT_EQ(Eval(Function::kRound, kDouble, {{kDouble, "1.005"}, {kInt, "2"}}), "1.01");
  EXPECT_EQ(Eval(Function::kRound, kInt, {{kInt, "1250"}, {kInt, "-2"}}), "1300");
  EXPECT_EQ(Eval(Function::kPower, kDouble, {{kDouble, "2"}, {kDouble, "10"}}), "1024.0");
  EXPECT_EQ(Eval(Function::kSqrt, kDouble, {{kDouble, "2.25"}}), "1.5");
}

TEST(CompareTest, AllKindsAndNulls) {
  EXPECT_EQ(Eval(Function::kEqual, kBool, {{kText, "a"}, {kText, "a"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kLess, kBool, {{kText, "ab"}, {kText, "b"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kGreater, kBool, {{kText, "ab"}, {kText, "a"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kNotEqual, kBool, {{kBigint, "1"}, {kBigint, "2"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kLessEqual, kBool, {{kDouble, "1"}, {kDouble, "0.5"}}), "FALSE");
  EXPECT_EQ(Eval(Function::kEqual, kBool, {{kBool, "TRUE"}, {kBool, "TRUE"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kEqual, kBool,
                 {{DataType::Decimal(10, 2), "1.50"}, {DataType::Decimal(30, 4), "1.5"}}),
            "TRUE");
  EXPECT_EQ(Eval(Function::kGreaterEqual, kBool, {{kTs, "-1"}, {kTs, "0"}}), "FALSE");
  EXPECT_EQ(Eval(Function::kEqual, kBool, {{kText, "a"}, {kText, "NULL"}}), "NULL");
  EXPECT_EQ(Eval(Function::kEqual, kBool, {{kText, "a"}, {kInt, "1"}}), "refused");
}

TEST(CompareTest, In) {
  EXPECT_EQ(Eval(Function::kIn, kBool, {{kText, "b"}, {kText, "a"}, {kText, "b"}}, 1), "TRUE");
  EXPECT_EQ(Eval(Function::kIn, kBool, {{kText, "c"}, {kText, "a"}, {kText, "NULL"}}, 1), "NULL");
  EXPECT_EQ(Eval(Function::kIn, kBool, {{kInt, "3"}, {kInt, "1"}, {kInt, "2"}}, 1), "FALSE");
  EXPECT_EQ(Eval(Function::kIn, kBool, {{kInt, "NULL"}, {kInt, "1"}}, 1), "NULL");
  EXPECT_EQ(Eval(Function::kIn, kBool, {{kDouble, "1.5"}, {kDouble, "1"}, {kDouble, "1.5"}}, 1),
            "TRUE");
}

TEST(LogicTest, ThreeValues) {
  const char* values[] = {"TRUE", "FALSE", "NULL"};
  const char* conjunctions[] = {"TRUE",  "FALSE", "NULL",  "FALSE", "FALSE",
                                "FALSE", "NULL",  "FALSE", "NULL"};
  const char* disjunctions[] = {"TRUE", "TRUE", "TRUE", "TRUE", "FALSE",
                                "NULL", "TRUE", "NULL", "NULL"};
  for (size_t i = 0; i < 9; ++i) {
    Arg a{kBool, values[i / 3]};
    Arg b{kBool, values[i % 3]};
    EXPECT_EQ(Eval(Function::kAnd, kBool, {a, b}), conjunctions[i]) << i;
    EXPECT_EQ(Eval(Function::kOr, kBool, {a, b}), disjunctions[i]) << i;
  }
  EXPECT_EQ(Eval(Function::kNot, kBool, {{kBool, "FALSE"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kNot, kBool, {{kBool, "NULL"}}), "NULL");
  EXPECT_EQ(Eval(Function::kIsNull, kBool, {{kText, "NULL"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kIsNotNull, kBool, {{kText, ""}}), "TRUE");
  EXPECT_EQ(Eval(Function::kIsTrue, kBool, {{kBool, "NULL"}}), "FALSE");
  EXPECT_EQ(Eval(Function::kIsNotTrue, kBool, {{kBool, "NULL"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kIsFalse, kBool, {{kBool, "FALSE"}}), "TRUE");
  EXPECT_EQ(Eval(Function::kIsNotFalse, kBool, {{kBool, "NULL"}}), "TRUE");
}

TEST(LogicTest, Choices) {
  EXPECT_EQ(Eval(Function::kCase, kText,
                 {{kBool, "NULL"}, {kText, "x"}, {kBool, "TRUE"}, {kText, "y"}, {kText, "z"}}),
            "y");
  EXPECT_EQ(Eval(Function::kIf, kInt, {{kBool, "FALSE"}, {kInt, "1"}, {kInt, "2"}}), "2");
  EXPECT_EQ(Eval(Function::kCoalesce, kInt, {{kInt, "NULL"}, {kInt, "5"}, {kInt, "6"}}), "5");
  EXPECT_EQ(Eval(Function::kNullIf, kInt, {{kInt, "5"}, {kInt, "5"}}), "NULL");
  EXPECT_EQ(Eval(Function::kNullIf, kInt, {{kInt, "5"}, {kInt, "NULL"}}), "5");
}

// CASE WHEN b <> 0 THEN a / b ELSE -1 END, and b <> 0 AND a / b > 1: b = 0 must not fail.
TEST(LogicTest, BranchesNotTakenCannotFail) {
  types::Schema schema = testing::MakeSchema({kInt, kInt});
  types::Batch batch = testing::MakeBatch(schema, {{"8", "2"}, {"8", "0"}, {"8", "NULL"}});
  Expr not_zero = Call(Function::kNotEqual, kBool, {Col(1, kInt), Lit(kInt, "0")});
  Expr ratio = Call(Function::kDivide, kInt, {Col(0, kInt), Col(1, kInt)});
  Expr guarded = Call(Function::kCase, kInt, {not_zero, ratio, Lit(kInt, "-1")});
  base::Result<Evaluator> evaluator = Evaluator::Compile(guarded, schema);
  ASSERT_TRUE(evaluator.ok());
  base::Result<types::Column> out = evaluator->Eval(batch);
  ASSERT_TRUE(out.ok()) << out.status().ToString();
  EXPECT_EQ(out->ints, (std::vector<int64_t>{4, -1, -1}));
  Expr both = Call(Function::kAnd, kBool,
                   {not_zero, Call(Function::kGreater, kBool, {ratio, Lit(kInt, "1")})});
  evaluator = Evaluator::Compile(both, schema);
  ASSERT_TRUE(evaluator.ok());
  std::vector<uint32_t> selection;
  ASSERT_TRUE(evaluator->Select(batch, &selection).ok());
  EXPECT_EQ(selection, (std::vector<uint32_t>{0}));
  std::swap(both.args[0], both.args[1]);
  evaluator = Evaluator::Compile(both, schema);
  EXPECT_FALSE(evaluator->Select(batch, &selection).ok()) << "now the division comes first";
}

TEST(SelectTest, AgreesWithEvalOnJunctions) {
  types::Schema schema = testing::MakeSchema({kInt, kText});
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < 200; ++i) {
    rows.push_back({i % 7 == 0 ? "NULL" : std::to_string(i % 11), i % 5 == 0 ? "NULL" : "abc"});
  }
  types::Batch batch = testing::MakeBatch(schema, rows);
  Expr a = Call(Function::kLess, kBool, {Col(0, kInt), Lit(kInt, "6")});
  Expr b = Call(Function::kLike, kBool, {Col(1, kText), Lit(kText, "a%")});
  Expr c = Call(Function::kGreater, kBool, {Col(0, kInt), Lit(kInt, "8")});
  for (const Expr& expr :
       {Call(Function::kAnd, kBool, {a, b}), Call(Function::kOr, kBool, {a, b, c}),
        Call(Function::kAnd, kBool, {Call(Function::kOr, kBool, {a, c}), b}),
        Call(Function::kNot, kBool, {Call(Function::kOr, kBool, {c, b})})}) {
    base::Result<Evaluator> evaluator = Evaluator::Compile(expr, schema);
    ASSERT_TRUE(evaluator.ok());
    base::Result<types::Column> out = evaluator->Eval(batch);
    std::vector<uint32_t> want;
    for (uint32_t row = 0; row < batch.rows; ++row) {
      if (!out->IsNull(row) && out->bools[row] != 0) {
        want.push_back(row);
      }
    }
    std::vector<uint32_t> got;
    ASSERT_TRUE(evaluator->Select(batch, &got).ok());
    EXPECT_EQ(got, want);
  }
}

TEST(CastTest, FromText) {
  EXPECT_EQ(Cast({kText, " 12 "}, kInt), "12");
  EXPECT_EQ(Cast({kText, "-12.9"}, kInt), "-12");
  EXPECT_EQ(Cast({kText, "128"}, kTinyint), "error");
  EXPECT_EQ(Cast({kText, "-9223372036854775808"}, kBigint), "-9223372036854775808");
  EXPECT_EQ(Cast({kText, "9223372036854775808"}, kBigint), "error");
  EXPECT_EQ(Cast({kText, "12x"}, kInt), "error");
  EXPECT_EQ(Cast({kText, ""}, kInt), "error");
  EXPECT_EQ(Cast({kText, " 1.5e3 "}, kDouble), "1500.0");
  EXPECT_EQ(Cast({kText, "1.005"}, DataType::Decimal(10, 2)), "1.01");
  EXPECT_EQ(Cast({kText, "1000"}, DataType::Decimal(3, 0)), "NULL");
  EXPECT_EQ(Cast({kText, "x"}, DataType::Decimal(3, 0)), "error");
  EXPECT_EQ(Cast({kText, "Yes"}, kBool), "TRUE");
  EXPECT_EQ(Cast({kText, "maybe"}, kBool), "error");
  EXPECT_EQ(Cast({kText, "1970-1-2"}, kDate), "1");
  EXPECT_EQ(Cast({kText, "1970-02-30"}, kDate), "error");
  EXPECT_EQ(Cast({kText, "1970-01-01 00:00:01.5"}, kTs), "1500");
  EXPECT_EQ(Cast({kText, "1970-01-01T00:00:01"}, kTs), "1000");
  EXPECT_EQ(Cast({kText, "1970-01-02"}, kTs), "86400000");
  EXPECT_EQ(Eval(Function::kTryCast, kInt, {{kText, "12x"}}), "NULL");
  EXPECT_EQ(Eval(Function::kTryCast, kInt, {{kText, "12"}}), "12");
}

TEST(CastTest, ToText) {
  EXPECT_EQ(Cast({kInt, "-5"}, kText), "-5");
  EXPECT_EQ(Cast({kBool, "TRUE"}, kText), "TRUE");
  EXPECT_EQ(Cast({kDouble, "12345678"}, kText), "1.2345678E7");
  EXPECT_EQ(Cast({DataType::Decimal(10, 2), "1.5"}, kText), "1.50");
  EXPECT_EQ(Cast({kTs, "1500"}, kText), "1970-01-01 00:00:01.500");
  EXPECT_EQ(Cast({kDate, "-1"}, kText), "1969-12-31");
  DataType three = kText;
  three.precision = 3;
  EXPECT_EQ(Cast({kText, "h\xc3\xa9llo"}, three), "h\xc3\xa9l");
  EXPECT_EQ(Cast({kInt, "12345"}, three), "123");
}

TEST(CastTest, Numbers) {
  EXPECT_EQ(Cast({kInt, "300"}, kTinyint), "44");
  EXPECT_EQ(Cast({kDouble, "-1.9"}, kInt), "-1");
  EXPECT_EQ(Cast({kDouble, "1e300"}, kInt), "2147483647");
  EXPECT_EQ(Cast({kDouble, "NaN"}, kBigint), "0");
  EXPECT_EQ(Cast({DataType::Decimal(10, 2), "-7.99"}, kInt), "-7");
  EXPECT_EQ(Cast({DataType::Decimal(10, 2), "0.10"}, kDouble), "0.1");
  EXPECT_EQ(Cast({kDouble, "0.125"}, DataType::Decimal(10, 2)), "0.13");
  EXPECT_EQ(Cast({kInt, "1000"}, DataType::Decimal(5, 2)), "NULL");
  EXPECT_EQ(Cast({DataType::Decimal(10, 3), "1.005"}, DataType::Decimal(30, 2)), "1.01");
  EXPECT_EQ(Cast({kInt, "2"}, kBool), "TRUE");
  EXPECT_EQ(Cast({kBool, "TRUE"}, DataType::Decimal(3, 1)), "1.0");
}

TEST(CastTest, Times) {
  EXPECT_EQ(Cast({kTs, "-1"}, kDate), "-1");
  EXPECT_EQ(Cast({kDate, "2"}, kTs), "172800000");
  EXPECT_EQ(Cast({kTs, "86401234"}, DataType::Timestamp(0)), "86401000");
  EXPECT_EQ(Cast({kTs, "-1"}, DataType::Of(TypeKind::kTime)), "86399999");
  EXPECT_EQ(Cast({kTs, "5"}, kBool), "refused");
}

TEST(TextTest, Parts) {
  std::string text = "h\xc3\xa9llo";
  EXPECT_EQ(Eval(Function::kCharLength, kInt, {{kText, text}}), "5");
  auto sub = [&](const char* start, const char* length) {
    return Eval(Function::kSubstring, kText, {{kText, text}, {kInt, start}, {kInt, length}});
  };
  EXPECT_EQ(sub("2", "2"), "\xc3\xa9l");
  EXPECT_EQ(sub("1", "2"), "h\xc3\xa9");
  EXPECT_EQ(sub("0", "2"), "h\xc3\xa9");
  EXPECT_EQ(sub("-2", "9"), "lo");
  EXPECT_EQ(sub("-9", "9"), "");
  EXPECT_EQ(sub("9", "1"), "");
  EXPECT_EQ(sub("1", "-1"), "NULL");
  EXPECT_EQ(Eval(Function::kSubstring, kText, {{kText, text}, {kInt, "4"}}), "lo");
  EXPECT_EQ(Eval(Function::kTrim, kText, {{kText, "  a b "}}), "a b");
  EXPECT_EQ(Eval(Function::kLtrim, kText, {{kText, "  a "}}), "a ");
  EXPECT_EQ(Eval(Function::kRtrim, kText, {{kText, "  a "}}), "  a");
  EXPECT_EQ(Eval(Function::kPosition, kInt, {{kText, "l"}, {kText, text}}), "3");
  EXPECT_EQ(Eval(Function::kPosition, kInt, {{kText, "x"}, {kText, text}}), "0");
}

TEST(TextTest, NewTexts) {
  EXPECT_EQ(Eval(Function::kConcat, kText, {{kText, "a"}, {kText, ""}, {kText, "b"}}), "ab");
  EXPECT_EQ(Eval(Function::kConcat, kText, {{kText, "a"}, {kText, "NULL"}}), "NULL");
  EXPECT_EQ(Eval(Function::kUpper, kText, {{kText, "stra\xc3\x9f\x65 \xc3\xa9\xd0\xb6\xd1\x8f"}}),
            "STRA\xc3\x9f\x45 \xc3\x89\xd0\x96\xd0\xaf");
  EXPECT_EQ(Eval(Function::kLower, kText, {{kText, "ABC \xc3\x89\xce\xa3"}}),
            "abc \xc3\xa9\xcf\x83");
  EXPECT_EQ(Eval(Function::kReplace, kText, {{kText, "aXbX"}, {kText, "X"}, {kText, "--"}}),
            "a--b--");
  EXPECT_EQ(Eval(Function::kReplace, kText, {{kText, "ab"}, {kText, ""}, {kText, "-"}}), "ab");
  EXPECT_EQ(Eval(Function::kMd5, kText, {{kText, ""}}), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Eval(Function::kMd5, kText, {{kText, std::string(120, 'a')}}),
            "5f61c0ccad4cac44c75ff505e1f1e537");
  EXPECT_EQ(Eval(Function::kSha256, kText, {{kText, "abc"}}),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(TextTest, Like) {
  auto like = [](const char* text, const char* pattern) {
    return Eval(Function::kLike, kBool, {{kText, text}, {kText, pattern}}, 1);
  };
  EXPECT_EQ(like("abc", "abc"), "TRUE");
  EXPECT_EQ(like("abc", "a%"), "TRUE");
  EXPECT_EQ(like("abc", "%c"), "TRUE");
  EXPECT_EQ(like("abc", "%b%"), "TRUE");
  EXPECT_EQ(like("abc", "a_c"), "TRUE");
  EXPECT_EQ(like("a\xc3\xa9"
                 "c",
                 "a_c"),
            "TRUE");
  EXPECT_EQ(like("abc", "_b"), "FALSE");
  EXPECT_EQ(like("abab", "%ab"), "TRUE");
  EXPECT_EQ(like("aab", "a%ab"), "TRUE");
  EXPECT_EQ(like("ab", "a%ab"), "FALSE");
  EXPECT_EQ(like("", "%"), "TRUE");
  EXPECT_EQ(like("", ""), "TRUE");
  EXPECT_EQ(like("a\nb", "a%b"), "TRUE");
  EXPECT_EQ(Eval(Function::kLike, kBool, {{kText, "10%"}, {kText, "10!%"}, {kText, "!"}}, 1),
            "TRUE");
  EXPECT_EQ(Eval(Function::kLike, kBool, {{kText, "105"}, {kText, "10!%"}, {kText, "!"}}, 1),
            "FALSE");
  EXPECT_EQ(Eval(Function::kLike, kBool, {{kText, "x"}, {kText, "a!b"}, {kText, "!"}}, 1),
            "refused");
  EXPECT_EQ(like(std::string(20'000, 'a').c_str(), "%a%a%a%a%a%a%a%a%a%a%b"), "FALSE");
}

TEST(TimeTest, Intervals) {
  EXPECT_EQ(Eval(Function::kSubtractInterval, kTs, {{kTs, "5000"}, {kDays, "5001"}}), "-1");
  EXPECT_EQ(Eval(Function::kAddInterval, kDate, {{kDate, "10"}, {kDays, "86400000"}}), "11");
  // 2024-01-31 + 1 month = 2024-02-29; back 11 months from 2024-01-31 is 2023-02-28.
  EXPECT_EQ(Eval(Function::kAddInterval, kDate, {{kDate, "19753"}, {kMonths, "1"}}), "19782");
  EXPECT_EQ(Eval(Function::kSubtractInterval, kDate, {{kDate, "19753"}, {kMonths, "11"}}), "19416");
}

TEST(TimeTest, PartsAndFloors) {
  const Arg t{kTs, "1767323045678"};  // Friday 2026-01-02 03:04:05.678
  auto part = [&](const char* unit) {
    return Eval(Function::kExtract, kBigint, {{kText, unit}, t});
  };
  EXPECT_EQ(part("YEAR"), "2026");
  EXPECT_EQ(part("QUARTER"), "1");
  EXPECT_EQ(part("MONTH"), "1");
  EXPECT_EQ(part("WEEK"), "1");
  EXPECT_EQ(part("DAY"), "2");
  EXPECT_EQ(part("DOW"), "6");
  EXPECT_EQ(part("DOY"), "2");
  EXPECT_EQ(part("HOUR"), "3");
  EXPECT_EQ(part("MINUTE"), "4");
  EXPECT_EQ(part("SECOND"), "5");
  EXPECT_EQ(part("FORTNIGHT"), "refused");
  EXPECT_EQ(Eval(Function::kExtract, kBigint, {{kText, "WEEK"}, {kDate, "-1"}}), "1");
  auto floor = [&](const char* unit) {
    std::string millis = Eval(Function::kFloorTo, kTs, {t, {kText, unit}}, 1);
    return Cast({kTs, millis}, kText);
  };
  EXPECT_EQ(floor("YEAR"), "2026-01-01 00:00:00.000");
  EXPECT_EQ(floor("MONTH"), "2026-01-01 00:00:00.000");
  EXPECT_EQ(floor("WEEK"), "2025-12-28 00:00:00.000");
  EXPECT_EQ(floor("DAY"), "2026-01-02 00:00:00.000");
  EXPECT_EQ(floor("HOUR"), "2026-01-02 03:00:00.000");
  EXPECT_EQ(floor("SECOND"), "2026-01-02 03:04:05.000");
  EXPECT_EQ(Eval(Function::kFloorTo, kTs, {{kTs, "-1"}, {kText, "DAY"}}, 1), "-86400000");
}

TEST(TimeTest, FormatsAndDifferences) {
  const Arg t{kTs, "1767323045678"};
  auto format = [&](const char* pattern) {
    return Eval(Function::kDateFormat, kText, {t, {kText, pattern}}, 1);
  };
  EXPECT_EQ(format("yyyy-MM-dd HH:mm:ss.SSS"), "2026-01-02 03:04:05.678");
  EXPECT_EQ(format("yy/M/d h:m a"), "26/1/2 3:4 AM");
  EXPECT_EQ(format("EEE, d MMM yyyy 'at' H''"), "Fri, 2 Jan 2026 at 3'");
  EXPECT_EQ(format("EEEE MMMM D"), "Friday January 2");
  EXPECT_EQ(format("qqq"), "refused");
  auto diff = [&](const char* unit, const char* a, const char* b) {
    return Eval(Function::kTimestampDiff, kInt, {{kText, unit}, {kTs, a}, {kTs, b}});
  };
  EXPECT_EQ(diff("SECOND", "0", "-1999"), "-1");
  EXPECT_EQ(diff("DAY", "0", "86400000"), "1");
  EXPECT_EQ(diff("MONTH", "0", "2678399999"), "0");
  EXPECT_EQ(diff("MONTH", "0", "2678400000"), "1");
  EXPECT_EQ(diff("YEAR", "0", "-31536000000"), "-1");
}

}  // namespace
}  // namespace sj::worker::exec::eval
