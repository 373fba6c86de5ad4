// SPDX-License-Identifier: Apache-2.0
// Bound expressions as text, for EXPLAIN and for the state hash: the text is part of what a stored
// hash was made of, so a change here changes state hashes.
#include "worker/plan/expr.h"

#include <fmt/format.h>

#include "worker/plan/expr_tree.h"
#include "worker/types/date_time.h"
#include "worker/types/decimal.h"

namespace sj::worker::plan {
namespace {

using types::TypeKind;

struct FunctionName {
  Function function;
  std::string_view name;
  bool infix = false;
};

constexpr FunctionName kNames[] = {
    {Function::kCast, "CAST"},
    {Function::kTryCast, "TRY_CAST"},
    {Function::kAdd, "+", true},
    {Function::kSubtract, "-", true},
    {Function::kMultiply, "*", true},
    {Function::kDivide, "/", true},
    {Function::kModulo, "%", true},
    {Function::kNegate, "-"},
    {Function::kAddInterval, "+", true},
    {Function::kSubtractInterval, "-", true},
    {Function::kEqual, "=", true},
    {Function::kNotEqual, "<>", true},
    {Function::kLess, "<", true},
    {Function::kLessEqual, "<=", true},
    {Function::kGreater, ">", true},
    {Function::kGreaterEqual, ">=", true},
    {Function::kAnd, "AND", true},
    {Function::kOr, "OR", true},
    {Function::kNot, "NOT"},
    {Function::kIsNull, "IS NULL"},
    {Function::kIsNotNull, "IS NOT NULL"},
    {Function::kIsTrue, "IS TRUE"},
    {Function::kIsFalse, "IS FALSE"},
    {Function::kIsNotTrue, "IS NOT TRUE"},
    {Function::kIsNotFalse, "IS NOT FALSE"},
    {Function::kIn, "IN"},
    {Function::kLike, "LIKE"},
    {Function::kCase, "CASE"},
    {Function::kCoalesce, "COALESCE"},
    {Function::kNullIf, "NULLIF"},
    {Function::kIf, "IF"},
    {Function::kConcat, "CONCAT"},
    {Function::kUpper, "UPPER"},
    {Function::kLower, "LOWER"},
    {Function::kTrim, "TRIM"},
    {Function::kLtrim, "LTRIM"},
    {Function::kRtrim, "RTRIM"},
    {Function::kCharLength, "CHAR_LENGTH"},
    {Function::kSubstring, "SUBSTRING"},
    {Function::kReplace, "REPLACE"},
    {Function::kPosition, "POSITION"},
    {Function::kAbs, "ABS"},
    {Function::kFloor, "FLOOR"},
    {Function::kCeil, "CEIL"},
    {Function::kRound, "ROUND"},
    {Function::kPower, "POWER"},
    {Function::kSqrt, "SQRT"},
    {Function::kExtract, "EXTRACT"},
    {Function::kDateFormat, "DATE_FORMAT"},
    {Function::kTimestampDiff, "TIMESTAMPDIFF"},
    {Function::kFloorTo, "FLOOR_TO"},
    {Function::kMd5, "MD5"},
    {Function::kSha256, "SHA256"},
};

const FunctionName& NameOf(Function function) {
  for (const FunctionName& entry : kNames) {
    if (entry.function == function) {
      return entry;
    }
  }
  return kNames[0];
}

std::string QuotedText(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    out += c == '\'' ? "''" : std::string(1, c);
  }
  return out + "'";
}

std::string LiteralText(const Expr& expr) {
  const Literal& value = expr.literal;
  if (value.is_null) {
    return "NULL";
  }
  std::string text;
  switch (expr.type.kind) {
    case TypeKind::kBoolean:
      return value.i != 0 ? "TRUE" : "FALSE";
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return fmt::format("{}e0", value.d);
    case TypeKind::kDecimal:
      return types::DecimalToString(
          expr.type.physical() == types::Physical::kInt128 ? value.wide : types::Int128{value.i},
          expr.type.scale);
    case TypeKind::kString:
    case TypeKind::kBytes:
      return QuotedText(value.s);
    case TypeKind::kDate:
      types::AppendDate(value.i, &text);
      return "DATE '" + text + "'";
    case TypeKind::kTime:
      types::AppendTimeOfDay(value.i, expr.type.precision, &text);
      return "TIME '" + text + "'";
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      types::AppendTimestampFixed(value.i, expr.type.precision, &text);
      return "TIMESTAMP '" + text + "'";
    case TypeKind::kIntervalDay:
      return fmt::format("INTERVAL {} ms", value.i);
    case TypeKind::kIntervalMonth:
      return fmt::format("INTERVAL {} months", value.i);
    default:
      return fmt::format("{}", value.i);
  }
}

class Printer {
 public:
  Printer(const types::Schema& input, std::string* out) : input_(input), out_(out) {}

  void Print(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kColumn: {
        const auto column = static_cast<size_t>(expr.column);
        *out_ +=
            column < input_.fields.size() ? input_.fields[column].name : fmt::format("${}", column);
        return;
      }
      case ExprKind::kLiteral:
        *out_ += LiteralText(expr);
        return;
      case ExprKind::kCall:
        PrintCall(expr);
        return;
    }
  }

 private:
  void List(const std::vector<Expr>& args, size_t from, std::string_view separator) {
    for (size_t i = from; i < args.size(); ++i) {
      *out_ += i == from ? "" : separator;
      Print(args[i]);
    }
  }

  void PrintCall(const Expr& expr) {
    const FunctionName& name = NameOf(expr.function);
    if (name.infix) {
      *out_ += "(";
      List(expr.args, 0, fmt::format(" {} ", name.name));
      *out_ += ")";
    } else if (expr.function >= Function::kIsNull && expr.function <= Function::kIsNotFalse) {
      *out_ += "(";
      Print(expr.args[0]);
      *out_ += fmt::format(" {})", name.name);
    } else if (expr.function == Function::kCast || expr.function == Function::kTryCast) {
      *out_ += fmt::format("{}(", name.name);
      Print(expr.args[0]);
      types::DataType type = expr.type;
      type.nullable = true;
      *out_ += fmt::format(" AS {})", type.ToString());
    } else if (expr.function == Function::kIn) {
      *out_ += "(";
      Print(expr.args[0]);
      *out_ += " IN (";
      List(expr.args, 1, ", ");
      *out_ += "))";
    } else {
      *out_ += fmt::format("{}(", name.name);
      List(expr.args, 0, ", ");
      *out_ += ")";
    }
  }

  const types::Schema& input_;
  std::string* const out_;
};

}  // namespace

std::string_view ToString(Function function) {
  return NameOf(function).name;
}

std::string Expr::ToString(const types::Schema& input) const {
  std::string out;
  Printer(input, &out).Print(*this);
  return out;
}

}  // namespace sj::worker::plan
