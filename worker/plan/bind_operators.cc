// SPDX-License-Identifier: Apache-2.0
// Operators and predicates of expressions: operand checks, implicit casts, three-valued forms.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "worker/plan/bind_expression.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/plan/type_rules.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

using base::Result;
using base::Status;
using types::DataType;
using types::TypeKind;

constexpr int64_t kDayMs = 86'400'000;

bool IsTemporal(const DataType& type) {
  return type.kind >= TypeKind::kDate && type.kind <= TypeKind::kTimestampLtz;
}

bool IsInterval(const DataType& type) {
  return type.kind == TypeKind::kIntervalDay || type.kind == TypeKind::kIntervalMonth;
}

Status NoOperator(std::string_view op, const Expr& a, const Expr& b, sql::SourcePos pos) {
  return sql::ErrorAt(
      pos,
      fmt::format("operator {} does not take {} and {}", op, TypeText(a.type), TypeText(b.type)),
      "Write CAST(... AS ...) where a conversion is meant.");
}

struct Comparison {
  std::string_view op;
  Function function;
};
constexpr std::array<Comparison, 6> kComparisons = {{{"=", Function::kEqual},
                                                     {"<>", Function::kNotEqual},
                                                     {"<", Function::kLess},
                                                     {"<=", Function::kLessEqual},
                                                     {">", Function::kGreater},
                                                     {">=", Function::kGreaterEqual}}};

Expr Not(Expr expr) {
  std::vector<Expr> args;
  args.push_back(std::move(expr));
  return BoolCall(Function::kNot, std::move(args));
}

Expr Unary(Function function, Expr expr) {
  std::vector<Expr> args;
  args.push_back(std::move(expr));
  Expr call = BoolCall(function, std::move(args));
  call.type.nullable = false;
  return call;
}

// A string literal beside a time is read as that time.
Status ReadAsTime(Expr* text, const DataType& time, sql::SourcePos pos) {
  if (text->kind != ExprKind::kLiteral || text->type.kind != TypeKind::kString ||
      !IsTemporal(time) || text->literal.is_null) {
    return base::OkStatus();
  }
  DataType to = time;
  to.precision = time.kind == TypeKind::kDate ? 0 : 3;
  to.nullable = false;
  if (to.kind == TypeKind::kTimestampLtz) {
    return sql::ErrorAt(pos, "a string is not compared with TIMESTAMP_LTZ",
                        "Write CAST(... AS TIMESTAMP_LTZ(3)).");
  }
  if (!FoldCast(to, text)) {
    return sql::ErrorAt(
        pos, fmt::format("cannot read {} as {}", sql::Quoted(text->literal.s), TypeText(to)));
  }
  return base::OkStatus();
}

}  // namespace

Result<Expr> ExpressionBinder::Compare(Function op, Expr left, Expr right, sql::SourcePos pos) {
  SJ_RETURN_IF_ERROR(ReadAsTime(&left, right.type, pos));
  SJ_RETURN_IF_ERROR(ReadAsTime(&right, left.type, pos));
  const std::optional<DataType> common = CommonType(left.type, right.type);
  const bool ordered = op != Function::kEqual && op != Function::kNotEqual;
  if (!common.has_value() || (ordered && common->kind == TypeKind::kBytes)) {
    return NoOperator(ToString(op), left, right, pos);
  }
  std::vector<Expr> args;
  args.push_back(CastTo(std::move(left), *common));
  args.push_back(CastTo(std::move(right), *common));
  return BoolCall(op, std::move(args));
}

Result<Expr> ExpressionBinder::BindOperator(const sql::Expression& node) {
  switch (node.kind) {
    case sql::ExprKind::kUnary:
      return BindSign(node);
    case sql::ExprKind::kAnd:
    case sql::ExprKind::kOr:
    case sql::ExprKind::kNot:
      return BindLogic(node);
    case sql::ExprKind::kBetween:
      return BindBetween(node);
    case sql::ExprKind::kIn:
      return BindIn(node);
    case sql::ExprKind::kLike:
      return BindLike(node);
    case sql::ExprKind::kIs:
      return BindIs(node);
    case sql::ExprKind::kIsDistinct:
      return BindIsDistinct(node);
    default:
      break;
  }
  SJ_ASSIGN_OR_RETURN(std::vector<Expr> args, BindAll(node));
  for (const Comparison& comparison : kComparisons) {
    if (comparison.op == node.op) {
      return Compare(comparison.function, std::move(args[0]), std::move(args[1]), node.pos);
    }
  }
  return BindSum(node, std::move(args[0]), std::move(args[1]));
}

Result<Expr> ExpressionBinder::BindSum(const sql::Expression& node, Expr left, Expr right) {
  if (node.op == "||") {
    const bool text = (left.type.kind == TypeKind::kString || left.type.kind == TypeKind::kNull) &&
                      (right.type.kind == TypeKind::kString || right.type.kind == TypeKind::kNull);
    if (!text) {
      return NoOperator(node.op, left, right, node.pos);
    }
    DataType type = DataType::Of(TypeKind::kString);
    type.nullable = left.type.nullable || right.type.nullable;
    std::vector<Expr> args;
    args.push_back(CastTo(std::move(left), DataType::Of(TypeKind::kString)));
    args.push_back(CastTo(std::move(right), DataType::Of(TypeKind::kString)));
    return Call(Function::kConcat, std::move(type), std::move(args));
  }
  if (node.op == "+" && IsInterval(left.type) && IsTemporal(right.type)) {
    std::swap(left, right);
  }
  const bool sum = node.op == "+" || node.op == "-";
  if (sum && IsTemporal(left.type) && IsInterval(right.type)) {
    const bool whole_days = right.type.kind == TypeKind::kIntervalMonth ||
                            (right.kind == ExprKind::kLiteral && right.literal.i % kDayMs == 0);
    if (left.type.kind == TypeKind::kTime || (left.type.kind == TypeKind::kDate && !whole_days)) {
      return NoOperator(node.op, left, right, node.pos);
    }
    DataType type = left.type;
    type.nullable = left.type.nullable || right.type.nullable;
    std::vector<Expr> args;
    args.push_back(std::move(left));
    args.push_back(std::move(right));
    return Call(node.op == "+" ? Function::kAddInterval : Function::kSubtractInterval,
                std::move(type), std::move(args));
  }
  if (left.type.kind == TypeKind::kNull && right.type.is_numeric()) {
    left = NullLiteral(right.type);
  } else if (right.type.kind == TypeKind::kNull && left.type.is_numeric()) {
    right = NullLiteral(left.type);
  }
  if (sum && IsTemporal(left.type) && IsTemporal(right.type)) {
    return sql::ErrorAt(node.pos, "times are not subtracted with -",
                        "Use TIMESTAMPDIFF(SECOND, from, to).");
  }
  if (!left.type.is_numeric() || !right.type.is_numeric()) {
    return NoOperator(node.op, left, right, node.pos);
  }
  const Function function = node.op == "+"   ? Function::kAdd
                            : node.op == "-" ? Function::kSubtract
                            : node.op == "*" ? Function::kMultiply
                            : node.op == "/" ? Function::kDivide
                                             : Function::kModulo;
  return BindArithmetic(function, std::move(left), std::move(right));
}

Result<Expr> ExpressionBinder::BindSign(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(Expr value, Bind(*node.args[0]));
  if (!value.type.is_numeric() && !IsInterval(value.type)) {
    return sql::ErrorAt(node.pos,
                        fmt::format("operator {} does not take {}", node.op, TypeText(value.type)));
  }
  if (node.op == "+") {
    return value;
  }
  if (IsInterval(value.type) && value.kind != ExprKind::kLiteral) {
    return NotSupportedYet(node.pos, "the sign of a computed interval is", "");
  }
  DataType type = value.type;
  std::vector<Expr> args;
  args.push_back(std::move(value));
  return FoldConstants(Call(Function::kNegate, std::move(type), std::move(args)));
}

Result<Expr> ExpressionBinder::BindLogic(const sql::Expression& node) {
  const std::string_view name = node.kind == sql::ExprKind::kAnd  ? "AND"
                                : node.kind == sql::ExprKind::kOr ? "OR"
                                                                  : "NOT";
  SJ_ASSIGN_OR_RETURN(std::vector<Expr> args, BindAll(node));
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].type.kind != TypeKind::kBoolean && args[i].type.kind != TypeKind::kNull) {
      return sql::ErrorAt(node.args[i]->pos,
                          fmt::format("{} takes BOOLEAN, not {}", name, TypeText(args[i].type)));
    }
    args[i] = CastTo(std::move(args[i]), DataType::Of(TypeKind::kBoolean));
  }
  if (node.kind == sql::ExprKind::kNot) {
    return Not(std::move(args[0]));
  }
  return Balanced(node.kind == sql::ExprKind::kAnd ? Function::kAnd : Function::kOr,
                  std::move(args));
}

Result<Expr> ExpressionBinder::BindBetween(const sql::Expression& node) {
  if (node.distinct) {
    return NotSupportedYet(node.pos, "BETWEEN SYMMETRIC is", "");
  }
  SJ_ASSIGN_OR_RETURN(std::vector<Expr> args, BindAll(node));
  SJ_ASSIGN_OR_RETURN(Expr value, Copy(args[0], node.pos));
  SJ_ASSIGN_OR_RETURN(
      Expr low, Compare(Function::kGreaterEqual, std::move(args[0]), std::move(args[1]), node.pos));
  SJ_ASSIGN_OR_RETURN(
      Expr high, Compare(Function::kLessEqual, std::move(value), std::move(args[2]), node.pos));
  std::vector<Expr> both;
  both.push_back(std::move(low));
  both.push_back(std::move(high));
  Expr result = BoolCall(Function::kAnd, std::move(both));
  return node.negated ? Not(std::move(result)) : std::move(result);
}

Result<Expr> ExpressionBinder::BindIn(const sql::Expression& node) {
  if (node.query != nullptr) {
    return NotSupportedYet(node.pos, "IN with a subquery is");
  }
  SJ_ASSIGN_OR_RETURN(std::vector<Expr> args, BindAll(node));
  if (args.size() < 2) {
    return sql::ErrorAt(node.pos, "IN has an empty list");
  }
  DataType common = args[0].type;
  bool literals = true;
  for (size_t i = 1; i < args.size(); ++i) {
    SJ_RETURN_IF_ERROR(ReadAsTime(&args[i], args[0].type, node.args[i]->pos));
    std::optional<DataType> next = CommonType(common, args[i].type);
    if (!next.has_value()) {
      return NoOperator("IN", args[0], args[i], node.args[i]->pos);
    }
    common = *std::move(next);
  }
  for (size_t i = 0; i < args.size(); ++i) {
    args[i] = CastTo(std::move(args[i]), common);
    literals =
        literals && (i == 0 || (args[i].kind == ExprKind::kLiteral && !args[i].literal.is_null));
  }
  Expr result;
  if (literals) {
    result = BoolCall(Function::kIn, std::move(args));
  } else {
    std::vector<Expr> equals;
    for (size_t i = 1; i < args.size(); ++i) {
      SJ_ASSIGN_OR_RETURN(Expr value, Copy(args[0], node.pos));
      SJ_ASSIGN_OR_RETURN(Expr equal, Compare(Function::kEqual, std::move(value),
                                              std::move(args[i]), node.args[i]->pos));
      equals.push_back(std::move(equal));
    }
    result = Balanced(Function::kOr, std::move(equals));
  }
  return node.negated ? Not(std::move(result)) : std::move(result);
}

Result<Expr> ExpressionBinder::BindLike(const sql::Expression& node) {
  if (node.op != "LIKE") {
    return NotSupportedYet(node.pos, fmt::format("{} is", node.op), "Use LIKE.");
  }
  SJ_ASSIGN_OR_RETURN(std::vector<Expr> args, BindAll(node));
  for (size_t i = 0; i < args.size(); ++i) {
    const sql::SourcePos at = node.args[i]->pos;
    if (args[i].type.kind != TypeKind::kString) {
      return sql::ErrorAt(at, fmt::format("LIKE takes STRING, not {}", TypeText(args[i].type)));
    }
    if (i > 0 && args[i].kind != ExprKind::kLiteral) {
      return NotSupportedYet(at, "LIKE with a computed pattern is", "Write the pattern out.");
    }
  }
  if (args.size() == 3 && args[2].literal.s.size() != 1) {
    return sql::ErrorAt(node.args[2]->pos, "ESCAPE takes one ASCII character");
  }
  Expr result = BoolCall(Function::kLike, std::move(args));
  return node.negated ? Not(std::move(result)) : std::move(result);
}

Result<Expr> ExpressionBinder::BindIs(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(Expr value, Bind(*node.args[0]));
  const bool null_test = node.op == "NULL" || node.op == "UNKNOWN";
  if (node.op != "NULL") {
    if (value.type.kind != TypeKind::kBoolean && value.type.kind != TypeKind::kNull) {
      return sql::ErrorAt(
          node.pos, fmt::format("IS {} takes BOOLEAN, not {}", node.op, TypeText(value.type)));
    }
  }
  if (value.type.kind == TypeKind::kNull) {
    value = NullLiteral(DataType::Of(TypeKind::kBoolean));
  }
  Function function = node.negated ? Function::kIsNotNull : Function::kIsNull;
  if (!null_test && node.op == "TRUE") {
    function = node.negated ? Function::kIsNotTrue : Function::kIsTrue;
  } else if (!null_test) {
    function = node.negated ? Function::kIsNotFalse : Function::kIsFalse;
  }
  return Unary(function, std::move(value));
}

// a IS NOT DISTINCT FROM b: a = b, or both are NULL.
Result<Expr> ExpressionBinder::BindIsDistinct(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(std::vector<Expr> args, BindAll(node));
  SJ_ASSIGN_OR_RETURN(Expr left, Copy(args[0], node.pos));
  SJ_ASSIGN_OR_RETURN(Expr right, Copy(args[1], node.pos));
  SJ_ASSIGN_OR_RETURN(Expr equal,
                      Compare(Function::kEqual, std::move(args[0]), std::move(args[1]), node.pos));
  std::vector<Expr> nulls;
  for (Expr* side : {&left, &right}) {
    Expr value = side->type.kind == TypeKind::kNull ? NullLiteral(DataType::Of(TypeKind::kBoolean))
                                                    : std::move(*side);
    nulls.push_back(Unary(Function::kIsNull, std::move(value)));
  }
  std::vector<Expr> either;
  either.push_back(Unary(Function::kIsTrue, std::move(equal)));
  either.push_back(BoolCall(Function::kAnd, std::move(nulls)));
  Expr same = BoolCall(Function::kOr, std::move(either));
  return node.negated ? std::move(same) : Not(std::move(same));
}

}  // namespace sj::worker::plan
