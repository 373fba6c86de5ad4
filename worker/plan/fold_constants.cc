// SPDX-License-Identifier: Apache-2.0
// Constant folding over bound expressions, bottom up.
#include "worker/plan/fold_constants.h"

#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "worker/plan/expr_tree.h"
#include "worker/types/date_time.h"
#include "worker/types/decimal.h"

namespace sj::worker::plan {
namespace {

using types::DataType;
using types::Int128;
using types::TypeKind;

constexpr int64_t kDayMs = 86'400'000;

bool InRange(int64_t value, TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyint:
      return value >= INT8_MIN && value <= INT8_MAX;
    case TypeKind::kSmallint:
      return value >= INT16_MIN && value <= INT16_MAX;
    case TypeKind::kInt:
      return value >= INT32_MIN && value <= INT32_MAX;
    default:
      return true;
  }
}

Int128 Unscaled(const Expr& literal) {
  return literal.type.physical() == types::Physical::kInt128 ? literal.literal.wide
                                                             : Int128{literal.literal.i};
}

bool SetExact(const DataType& to, Int128 value, int scale, Literal* out) {
  const std::optional<Int128> fitted = types::Rescale(value, scale, to.scale, to.precision);
  if (!fitted.has_value()) {
    return false;
  }
  if (to.physical() == types::Physical::kInt128) {
    out->wide = *fitted;
  } else {
    out->i = static_cast<int64_t>(*fitted);
  }
  return true;
}

bool ConvertNumber(const Expr& from, const DataType& to, Literal* out) {
  const bool approximate =
      from.type.kind == TypeKind::kFloat || from.type.kind == TypeKind::kDouble;
  if (to.kind == TypeKind::kDecimal && !approximate) {
    return SetExact(to, Unscaled(from), from.type.scale, out);
  }
  if (to.is_integer()) {
    out->i = from.literal.i;
    return from.type.is_integer() && InRange(from.literal.i, to.kind);
  }
  if (to.kind != TypeKind::kDouble && to.kind != TypeKind::kFloat) {
    return false;
  }
  out->d = from.literal.d;
  if (!approximate) {
    out->d = std::strtod(types::DecimalToString(Unscaled(from), from.type.scale).c_str(), nullptr);
  }
  if (to.kind == TypeKind::kFloat) {
    out->d = static_cast<double>(static_cast<float>(out->d));
  }
  return true;
}

bool ConvertText(const Expr& from, const DataType& to, Literal* out) {
  std::optional<int64_t> value;
  if (to.kind == TypeKind::kTimestamp) {
    value = types::ParseTimestamp(from.literal.s, types::TimestampFormat::kSql);
  } else if (to.kind == TypeKind::kDate) {
    value = types::ParseDate(from.literal.s);
  } else if (to.kind == TypeKind::kTime) {
    value = types::ParseTimeOfDay(from.literal.s);
  }
  out->i = value.value_or(0);
  return value.has_value();
}

bool Convert(const Expr& from, const DataType& to, Literal* out) {
  if (from.literal.is_null) {
    out->is_null = true;
    return true;
  }
  if (from.type.is_numeric() && to.is_numeric()) {
    return ConvertNumber(from, to, out);
  }
  if (from.type.kind == TypeKind::kString) {
    return ConvertText(from, to, out);
  }
  out->i = from.literal.i;
  const bool to_timestamp = to.kind == TypeKind::kTimestamp || to.kind == TypeKind::kTimestampLtz;
  if (from.type.kind == TypeKind::kDate && to_timestamp) {
    return !__builtin_mul_overflow(from.literal.i, kDayMs, &out->i);
  }
  return to_timestamp && from.type.kind == to.kind && from.type.precision <= to.precision;
}

bool IsLiteral(const Expr& expr, bool value) {
  return expr.kind == ExprKind::kLiteral && !expr.literal.is_null &&
         expr.type.kind == TypeKind::kBoolean && (expr.literal.i != 0) == value;
}

// AND when `dominant` is false, OR when it is true.
Expr FoldLogic(Expr expr, bool dominant) {
  std::vector<Expr> kept;
  for (Expr& arg : expr.args) {
    if (IsLiteral(arg, dominant)) {
      return BoolLiteral(dominant);
    }
    if (!IsLiteral(arg, !dominant)) {
      kept.push_back(std::move(arg));
    }
  }
  return kept.empty() ? BoolLiteral(!dominant) : Balanced(expr.function, std::move(kept));
}

Expr FoldNegate(Expr expr) {
  Expr& arg = expr.args[0];
  if (arg.kind != ExprKind::kLiteral || !arg.type.SameAs(expr.type) ||
      arg.literal.i == std::numeric_limits<int64_t>::min() ||
      (arg.type.is_integer() && !InRange(-arg.literal.i, arg.type.kind))) {
    return expr;
  }
  arg.literal.i = -arg.literal.i;
  arg.literal.wide = -arg.literal.wide;
  arg.literal.d = arg.literal.is_null ? 0 : -arg.literal.d;
  return std::move(arg);
}

}  // namespace

bool FoldCast(const DataType& to, Expr* literal) {
  Literal value;
  if (literal->kind != ExprKind::kLiteral || !Convert(*literal, to, &value)) {
    return false;
  }
  const bool nullable = literal->type.nullable;
  literal->literal = std::move(value);
  literal->type = to;
  literal->type.nullable = nullable;
  return true;
}

Expr FoldConstants(Expr expr) {
  if (expr.kind != ExprKind::kCall) {
    return expr;
  }
  for (Expr& arg : expr.args) {
    arg = FoldConstants(std::move(arg));
  }
  switch (expr.function) {
    case Function::kAnd:
      return FoldLogic(std::move(expr), false);
    case Function::kOr:
      return FoldLogic(std::move(expr), true);
    case Function::kNegate:
      return FoldNegate(std::move(expr));
    case Function::kNot:
      if (IsLiteral(expr.args[0], true) || IsLiteral(expr.args[0], false)) {
        return BoolLiteral(expr.args[0].literal.i == 0);
      }
      return expr;
    case Function::kCast: {
      const DataType to = expr.type;
      return FoldCast(to, expr.args.data()) ? std::move(expr.args[0]) : std::move(expr);
    }
    default:
      return expr;
  }
}

}  // namespace sj::worker::plan
