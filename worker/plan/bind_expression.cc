// SPDX-License-Identifier: Apache-2.0
// Expressions: dispatch, literals, columns, calls, CASE and CAST. Operators are in
// bind_operators.cc.
#include "worker/plan/bind_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/plan/functions.h"
#include "worker/plan/type_rules.h"
#include "worker/sql/error.h"
#include "worker/types/decimal.h"

namespace sj::worker::plan {

using base::Result;
using base::Status;
using types::DataType;
using types::TypeKind;

Result<std::optional<Expr>> ExpressionBinder::BindFirst(const sql::Expression& node) {
  (void)node;
  return std::optional<Expr>();
}

Result<Expr> ExpressionBinder::Bind(const sql::Expression& node) {
  SJ_RETURN_IF_ERROR(budget_->Charge(1, node.pos));
  SJ_ASSIGN_OR_RETURN(std::optional<Expr> first, BindFirst(node));
  if (first.has_value()) {
    return *std::move(first);
  }
  switch (node.kind) {
    case sql::ExprKind::kColumn:
      return BindColumn(node);
    case sql::ExprKind::kNumber:
      return BindNumber(node);
    case sql::ExprKind::kString:
    case sql::ExprKind::kWord:
      return StringLiteral(node.text);
    case sql::ExprKind::kBoolean:
      return BoolLiteral(node.text == "TRUE");
    case sql::ExprKind::kNull:
      return NullLiteral(DataType::Of(TypeKind::kNull));
    case sql::ExprKind::kTypedLiteral:
      return BindTypedLiteral(node);
    case sql::ExprKind::kInterval:
      return BindInterval(node);
    case sql::ExprKind::kCase:
      return BindCase(node);
    case sql::ExprKind::kCast:
      return BindCast(node);
    case sql::ExprKind::kCall:
      return BindCall(node);
    case sql::ExprKind::kStar:
      return sql::ErrorAt(node.pos, "\"*\" stands for columns only in SELECT and COUNT(*)");
    case sql::ExprKind::kSubquery:
    case sql::ExprKind::kExists:
      return NotSupportedYet(node.pos, "a subquery in an expression is");
    case sql::ExprKind::kArray:
    case sql::ExprKind::kMap:
    case sql::ExprKind::kRow:
    case sql::ExprKind::kElement:
      return NotSupportedYet(node.pos, "ARRAY, MAP and ROW values are",
                             "Columns hold plain values in this version.");
    default:
      return BindOperator(node);
  }
}

Result<Expr> ExpressionBinder::BindCondition(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(Expr expr, Bind(node));
  if (expr.type.kind != TypeKind::kBoolean && expr.type.kind != TypeKind::kNull) {
    return sql::ErrorAt(node.pos,
                        fmt::format("{} must be BOOLEAN, not {}", clause_, TypeText(expr.type)));
  }
  return FoldConstants(CastTo(std::move(expr), DataType::Of(TypeKind::kBoolean)));
}

Result<std::vector<Expr>> ExpressionBinder::BindAll(const sql::Expression& node) {
  std::vector<Expr> args;
  args.reserve(node.args.size());
  for (const sql::ExpressionPtr& arg : node.args) {
    SJ_ASSIGN_OR_RETURN(Expr bound, Bind(*arg));
    args.push_back(std::move(bound));
  }
  return args;
}

Result<Expr> ExpressionBinder::Copy(const Expr& expr, sql::SourcePos pos) {
  SJ_RETURN_IF_ERROR(budget_->Charge(ExprSize(expr), pos));
  return expr;
}

Result<Expr> ExpressionBinder::BindColumn(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(int index, scope_.Resolve(node.path));
  const ScopeColumn& column = scope_.column(index);
  if (column.role >= ColumnRole::kWindowStart) {
    return NotSupportedYet(
        node.pos,
        fmt::format("column {} in an expression before GROUP BY is", sql::Quoted(column.name)),
        "Group by window_start and window_end first.");
  }
  return ColumnRef(index, column.type);
}

Result<Expr> ExpressionBinder::BindNumber(const sql::Expression& node) {
  const std::string& text = node.text;
  Expr expr;
  if (text.find_first_of("eE") != std::string::npos) {
    expr.type = DataType::Of(TypeKind::kDouble);
    expr.literal.d = std::strtod(text.c_str(), nullptr);
  } else {
    const size_t point = text.find('.');
    const int scale = point == std::string::npos ? 0 : static_cast<int>(text.size() - point - 1);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (scale == 0 && error == std::errc() && point == std::string::npos) {
      const bool small = value <= INT32_MAX;
      expr = Int64Literal(small ? TypeKind::kInt : TypeKind::kBigint, value);
    } else {
      const size_t leading = text.find_first_not_of("0.");
      const size_t from = leading == std::string::npos ? text.size() : leading;
      const bool before_point = point != std::string::npos && from < point;
      const size_t digits = text.size() - from - (before_point ? 1 : 0);
      const int precision = std::max({static_cast<int>(digits), scale, 1});
      const auto unscaled = precision > types::kDecimalPrecisionMax
                                ? std::nullopt
                                : types::ParseDecimal(text, precision, scale);
      if (!unscaled.has_value()) {
        return sql::ErrorAt(node.pos, "number has more than 38 digits");
      }
      expr.type = DataType::Decimal(precision, scale);
      if (expr.type.physical() == types::Physical::kInt128) {
        expr.literal.wide = *unscaled;
      } else {
        expr.literal.i = static_cast<int64_t>(*unscaled);
      }
    }
  }
  expr.type.nullable = false;
  return expr;
}

Result<Expr> ExpressionBinder::BindTypedLiteral(const sql::Expression& node) {
  DataType type = DataType::Of(node.op == "DATE" ? TypeKind::kDate : TypeKind::kTime);
  if (node.op != "DATE") {
    const size_t point = node.text.find('.');
    const size_t digits = point == std::string::npos ? 0 : node.text.size() - point - 1;
    type.kind = node.op == "TIME" ? TypeKind::kTime : TypeKind::kTimestamp;
    type.precision = static_cast<int>(digits);
    if (digits > 3) {
      return sql::ErrorAt(node.pos, "time is kept in milliseconds", "Use at most three digits.");
    }
  }
  Expr expr = StringLiteral(node.text);
  if (!FoldCast(type, &expr)) {
    return sql::ErrorAt(node.pos,
                        fmt::format("cannot read {} as {}", sql::Quoted(node.text), node.op),
                        "The forms are DATE '2026-01-31', TIME '10:20:30' and TIMESTAMP "
                        "'2026-01-31 10:20:30.123'.");
  }
  return expr;
}

Result<Expr> ExpressionBinder::BindCase(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(std::vector<Expr> args, BindAll(node));
  const size_t first = node.has_operand ? 1 : 0;
  const size_t end = args.size() - (node.has_else ? 1 : 0);
  std::vector<Expr> branches;
  DataType common = node.has_else ? args.back().type : DataType::Of(TypeKind::kNull);
  for (size_t i = first; i + 1 < end + 1 && i < end; i += 2) {
    const sql::SourcePos at = node.args[i]->pos;
    Expr when = std::move(args[i]);
    if (node.has_operand) {
      SJ_ASSIGN_OR_RETURN(Expr operand, Copy(args[0], at));
      SJ_ASSIGN_OR_RETURN(when, Compare(Function::kEqual, std::move(operand), std::move(when), at));
    } else if (when.type.kind != TypeKind::kBoolean && when.type.kind != TypeKind::kNull) {
      return sql::ErrorAt(at, fmt::format("WHEN must be BOOLEAN, not {}", TypeText(when.type)));
    }
    branches.push_back(CastTo(std::move(when), DataType::Of(TypeKind::kBoolean)));
    std::optional<DataType> next = CommonType(common, args[i + 1].type);
    if (!next.has_value()) {
      return sql::ErrorAt(node.args[i + 1]->pos,
                          fmt::format("CASE has results of types {} and {}", TypeText(common),
                                      TypeText(args[i + 1].type)),
                          "Write CAST(... AS ...) where a conversion is meant.");
    }
    common = *std::move(next);
    branches.push_back(std::move(args[i + 1]));
  }
  branches.push_back(node.has_else ? std::move(args.back()) : NullLiteral(common));
  for (size_t i = 1; i < branches.size(); i += 2) {
    branches[i] = CastTo(std::move(branches[i]), common);
  }
  branches.back() = CastTo(std::move(branches.back()), common);
  return Call(Function::kCase, std::move(common), std::move(branches));
}

Result<Expr> ExpressionBinder::BindCast(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(Expr value, Bind(*node.args[0]));
  SJ_ASSIGN_OR_RETURN(DataType type, ResolveType(*node.type));
  if (node.type->name == "CHAR") {
    return NotSupportedYet(node.type->pos, "CAST to CHAR is", "Use STRING or VARCHAR(length).");
  }
  if (!ExplicitlyCasts(value.type, type)) {
    return sql::ErrorAt(node.pos,
                        fmt::format("cannot cast {} to {}", TypeText(value.type), TypeText(type)));
  }
  type.nullable = value.type.nullable;
  if (node.op == "CAST" || value.type.SameAs(type)) {
    return CastTo(std::move(value), type);
  }
  type.nullable = true;
  std::vector<Expr> args;
  args.push_back(std::move(value));
  return Call(Function::kTryCast, std::move(type), std::move(args));
}

Result<Expr> ExpressionBinder::BindCall(const sql::Expression& node) {
  FunctionCall call{node, node.path.size() == 1 ? sql::ToUpper(node.path[0].name) : "", {}};
  if (node.over != nullptr) {
    return NotSupportedYet(node.over->pos, "OVER is");
  }
  if (FindAggregate(call.name).has_value()) {
    return sql::ErrorAt(
        node.pos, fmt::format("aggregate function {} is not allowed in {}", call.name, clause_));
  }
  if (IsGroupWindowName(call.name)) {
    return sql::ErrorAt(node.pos, fmt::format("{} is not allowed in {}", call.name, clause_),
                        "TUMBLE belongs in GROUP BY, TUMBLE_START and TUMBLE_END in the SELECT "
                        "list of such a query.");
  }
  if (call.name == "PROCTIME" || call.name == "NOW" || call.name == "CURRENT_TIMESTAMP") {
    return NotSupportedYet(node.pos, fmt::format("processing time ({}) is", call.name),
                           "Use an event time with a WATERMARK.");
  }
  const FunctionEntry* entry = FindFunction(call.name);
  if (entry == nullptr) {
    return UnknownFunction(node);
  }
  if (node.distinct || node.filter != nullptr) {
    return sql::ErrorAt(node.pos, fmt::format("{} is no aggregate function: DISTINCT and FILTER "
                                              "have no meaning",
                                              call.name));
  }
  const auto count = static_cast<int>(node.args.size());
  if (count < entry->args_min || (entry->args_max >= 0 && count > entry->args_max)) {
    return sql::ErrorAt(node.pos,
                        fmt::format("function {} does not take {} argument{}", call.name, count,
                                    count == 1 ? "" : "s"),
                        fmt::format("It is {}.", entry->signature));
  }
  if (call.name == "TIMESTAMPDIFF" && node.args[0]->kind == sql::ExprKind::kColumn) {
    // The unit looks like a column to the parser.
    call.args.push_back(StringLiteral(sql::ToUpper(sql::PathText(node.args[0]->path))));
  }
  for (size_t i = call.args.size(); i < node.args.size(); ++i) {
    SJ_ASSIGN_OR_RETURN(Expr bound, Bind(*node.args[i]));
    call.args.push_back(std::move(bound));
  }
  return entry->bind(&call);
}

}  // namespace sj::worker::plan
