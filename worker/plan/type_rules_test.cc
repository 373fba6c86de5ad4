// SPDX-License-Identifier: Apache-2.0
// Flink's type rules by example, and the literal and interval readers through expressions.
#include "worker/plan/type_rules.h"

#include <gtest/gtest.h>

#include "worker/plan/bind_expression.h"
#include "worker/plan/settings.h"
#include "worker/sql/parser.h"

namespace sj::worker::plan {
namespace {

using types::DataType;
using types::TypeKind;

// The text or the error of an expression over (i INT, b BIGINT, d DECIMAL(10, 2), x DOUBLE,
// s STRING, t TIMESTAMP(3), f BOOLEAN NOT NULL).
std::string Bound(std::string_view text) {
  types::Schema schema;
  DataType flag = DataType::Of(TypeKind::kBoolean);
  flag.nullable = false;
  schema.fields = {{"i", DataType::Of(TypeKind::kInt)},
                   {"b", DataType::Of(TypeKind::kBigint)},
                   {"d", DataType::Decimal(10, 2)},
                   {"x", DataType::Of(TypeKind::kDouble)},
                   {"s", DataType::Of(TypeKind::kString)},
                   {"t", DataType::Timestamp()},
                   {"f", flag}};
  std::vector<ScopeColumn> columns;
  for (const types::Field& field : schema.fields) {
    columns.push_back({"r", field.name, field.type, ColumnRole::kPlain});
  }
  base::Result<sql::ExpressionPtr> parsed = sql::ParseExpression(text);
  if (!parsed.ok()) {
    return parsed.status().message();
  }
  const Scope scope(columns);
  BindBudget budget;
  base::Result<Expr> bound = ExpressionBinder(scope, &budget, "SELECT").Bind(**parsed);
  return bound.ok() ? bound->ToString(schema) + " :: " + bound->type.ToString()
                    : bound.status().message();
}

TEST(Types, ArithmeticIsFlinks) {
  EXPECT_EQ(Bound("i + i"), "(i + i) :: INT");
  EXPECT_EQ(Bound("i + b"), "(CAST(i AS BIGINT) + b) :: BIGINT");
  EXPECT_EQ(Bound("i / 2"), "(i / 2) :: INT");
  EXPECT_EQ(Bound("d + d"), "(d + d) :: DECIMAL(11, 2)");
  EXPECT_EQ(Bound("d * d"), "(d * d) :: DECIMAL(21, 4)");
  EXPECT_EQ(Bound("d / d"), "(d / d) :: DECIMAL(23, 13)");
  EXPECT_EQ(Bound("d % d"), "(d % d) :: DECIMAL(10, 2)");
  EXPECT_EQ(Bound("0.908 * b"), "(0.908 * CAST(b AS DECIMAL(19, 0))) :: DECIMAL(23, 3)");
  EXPECT_EQ(Bound("d * x"), "(CAST(d AS DOUBLE) * x) :: DOUBLE");
  EXPECT_EQ(Bound("MOD(b, i)"), "CAST((b % CAST(i AS BIGINT)) AS INT) :: INT");
  EXPECT_EQ(Bound("-2147483648"), "-2147483648 :: BIGINT NOT NULL");
}

TEST(Types, WideDecimalsGiveUpScaleFirst) {
  const DataType wide = DataType::Decimal(38, 10);
  EXPECT_EQ(ArithmeticType(Function::kMultiply, wide, wide).ToString(), "DECIMAL(38, 6)");
  EXPECT_EQ(ArithmeticType(Function::kAdd, wide, wide).ToString(), "DECIMAL(38, 9)");
  EXPECT_EQ(ArithmeticType(Function::kDivide, wide, DataType::Decimal(10, 2)).ToString(),
            "DECIMAL(38, 8)");
}

TEST(Types, Aggregates) {
  auto text = [](AggregateFunction function, const DataType& argument) {
    const std::optional<DataType> type = AggregateType(function, argument);
    return type.has_value() ? type->ToString() : "none";
  };
  const DataType decimal = DataType::Decimal(10, 2);
  EXPECT_EQ(text(AggregateFunction::kSum, decimal), "DECIMAL(38, 2)");
  EXPECT_EQ(text(AggregateFunction::kAvg, decimal), "DECIMAL(38, 6)");
  EXPECT_EQ(text(AggregateFunction::kAvg, DataType::Decimal(20, 9)), "DECIMAL(38, 9)");
  EXPECT_EQ(text(AggregateFunction::kSum, DataType::Of(TypeKind::kInt)), "INT");
  EXPECT_EQ(text(AggregateFunction::kAvg, DataType::Of(TypeKind::kBigint)), "BIGINT");
  EXPECT_EQ(text(AggregateFunction::kCount, DataType::Of(TypeKind::kString)), "BIGINT NOT NULL");
  EXPECT_EQ(text(AggregateFunction::kMax, DataType::Of(TypeKind::kString)), "STRING");
  EXPECT_EQ(text(AggregateFunction::kSum, DataType::Of(TypeKind::kString)), "none");
}

TEST(Expressions, CastsAreExplicitAndLiteralsFold) {
  EXPECT_EQ(Bound("b = 1"), "(b = 1) :: BOOLEAN");
  EXPECT_EQ(Bound("d > 1.5"), "(d > 1.50) :: BOOLEAN");
  EXPECT_EQ(Bound("t >= '2026-01-31 10:20:30'"),
            "(t >= TIMESTAMP '2026-01-31 10:20:30.000') :: BOOLEAN");
  EXPECT_EQ(Bound("f AND NOT f"), "(f AND NOT(f)) :: BOOLEAN NOT NULL");
  EXPECT_EQ(Bound("i IN (1, 2, b)"),
            "(((CAST(i AS BIGINT) = 1) OR (CAST(i AS BIGINT) = 2)) OR (CAST(i AS BIGINT) = b)) :: "
            "BOOLEAN");
  EXPECT_EQ(Bound("i IN (1, 2)"), "(i IN (1, 2)) :: BOOLEAN");
  EXPECT_EQ(Bound("i BETWEEN 1 AND 3"), "((i >= 1) AND (i <= 3)) :: BOOLEAN");
  EXPECT_EQ(Bound("CASE i WHEN 1 THEN 'a' WHEN 2 THEN s END"),
            "CASE((i = 1), 'a', (i = 2), s, NULL) :: STRING");
  EXPECT_EQ(Bound("r.s || 'x'"), "CONCAT(s, 'x') :: STRING");
  EXPECT_EQ(Bound("s IS NOT NULL"), "(s IS NOT NULL) :: BOOLEAN NOT NULL");
  EXPECT_EQ(Bound("TRIM(LEADING FROM s)"), "LTRIM(s) :: STRING");
  EXPECT_EQ(Bound("EXTRACT(HOUR FROM t)"), "EXTRACT('HOUR', t) :: BIGINT");
  EXPECT_EQ(Bound("TIMESTAMPDIFF(MINUTE, t, t)"), "TIMESTAMPDIFF('MINUTE', t, t) :: INT");
  EXPECT_EQ(Bound("FLOOR(t TO DAY)"), "FLOOR_TO(t, 'DAY') :: TIMESTAMP(3)");
  EXPECT_EQ(Bound("COALESCE(s, '')"), "COALESCE(s, '') :: STRING NOT NULL");
}

TEST(Expressions, Intervals) {
  auto value = [](std::string_view text) {
    const std::string bound = Bound(text);
    return bound.substr(0, bound.find(" ::"));
  };
  EXPECT_EQ(value("INTERVAL '5' SECOND"), "INTERVAL 5000 ms");
  EXPECT_EQ(value("INTERVAL '1.05' SECONDS"), "INTERVAL 1050 ms");
  EXPECT_EQ(value("INTERVAL '1:30' MINUTE TO SECOND"), "INTERVAL 90000 ms");
  EXPECT_EQ(value("INTERVAL '1 02:03:04.5' DAY TO SECOND"), "INTERVAL 93784500 ms");
  EXPECT_EQ(value("INTERVAL -'2' HOUR(3)"), "INTERVAL -7200000 ms");
  EXPECT_EQ(value("INTERVAL '2-6' YEAR TO MONTH"), "INTERVAL 30 months");
  EXPECT_NE(Bound("INTERVAL '1:60' MINUTE TO SECOND").find("cannot read"), std::string::npos);
  EXPECT_NE(Bound("INTERVAL '1' DAY TO MONTH").find("cannot run"), std::string::npos);
  EXPECT_NE(Bound("INTERVAL '99999999999999999' DAY").find("cannot read"), std::string::npos);
}

TEST(Settings, Durations) {
  EXPECT_EQ(ParseDurationMs("5 s"), 5'000);
  EXPECT_EQ(ParseDurationMs("1min"), 60'000);
  EXPECT_EQ(ParseDurationMs("250"), 250);
  EXPECT_EQ(ParseDurationMs("2 hours"), 7'200'000);
  EXPECT_EQ(ParseDurationMs("-1 s"), std::nullopt);
  EXPECT_EQ(ParseDurationMs("5 parsecs"), std::nullopt);
  EXPECT_EQ(ParseDurationMs(""), std::nullopt);
}

TEST(Types, ImplicitCastsOfSinks) {
  auto of = [](TypeKind kind) { return DataType::Of(kind); };
  EXPECT_TRUE(ImplicitlyCasts(of(TypeKind::kInt), of(TypeKind::kBigint)));
  EXPECT_FALSE(ImplicitlyCasts(of(TypeKind::kBigint), of(TypeKind::kInt)));
  EXPECT_TRUE(ImplicitlyCasts(of(TypeKind::kDouble), DataType::Decimal(10, 2)));
  EXPECT_FALSE(ImplicitlyCasts(of(TypeKind::kInt), of(TypeKind::kString)));
  EXPECT_TRUE(ImplicitlyCasts(DataType::Timestamp(), of(TypeKind::kDate)));
}

}  // namespace
}  // namespace sj::worker::plan
