// SPDX-License-Identifier: Apache-2.0
// Expr: a typed, bound scalar expression over the columns of one input. Plain value, made by the
// binder, evaluated over batches by worker/exec/eval.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/types/column.h"
#include "worker/types/data_type.h"

namespace sj::worker::plan {

enum class ExprKind : uint8_t { kColumn, kLiteral, kCall };

// Scalar functions. Arguments are already cast to what the comment says.
enum class Function : uint8_t {
  kCast,  // (any) -> type; NULL-on-failure only for TRY_CAST
  kTryCast,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,  // both of the result's kind; decimals keep own scales
  kNegate,
  kAddInterval,  // (timestamp or date, interval day or month)
  kSubtractInterval,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,  // both of one kind
  kAnd,
  kOr,
  kNot,  // three-valued
  kIsNull,
  kIsNotNull,
  kIsTrue,
  kIsFalse,
  kIsNotTrue,
  kIsNotFalse,
  kIn,    // (value, literal...): all of one kind
  kLike,  // (string, literal pattern[, literal escape])
  kCase,  // (when, then, when, then, ..., else): else always present
  kCoalesce,
  kNullIf,
  kIf,
  kConcat,  // (string...)
  kUpper,
  kLower,
  kTrim,
  kLtrim,
  kRtrim,
  kCharLength,
  kSubstring,
  kReplace,
  kPosition,
  kAbs,
  kFloor,
  kCeil,
  kRound,
  kPower,
  kSqrt,
  kExtract,        // (literal unit string, timestamp or date)
  kDateFormat,     // (timestamp, literal Java pattern)
  kTimestampDiff,  // (literal unit, timestamp, timestamp)
  kFloorTo,        // (timestamp, literal unit)
  kMd5,
  kSha256,
};

struct Literal {
  bool is_null = false;
  int64_t i = 0;  // kBool and kInt64 kinds
  types::Int128 wide = 0;
  double d = 0;
  std::string s;
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  types::DataType type;
  int column = -1;                      // kColumn: index into the input's columns
  Literal literal;                      // kLiteral
  Function function = Function::kCast;  // kCall
  std::vector<Expr> args;               // kCall

  std::string ToString(const types::Schema& input) const;  // for EXPLAIN
};

}  // namespace sj::worker::plan
