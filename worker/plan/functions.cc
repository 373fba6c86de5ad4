// SPDX-License-Identifier: Apache-2.0
// Scalar functions: argument checks and result types, then the table of names.
#include "worker/plan/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "worker/plan/expr_tree.h"
#include "worker/plan/type_rules.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

using base::Result;
using base::Status;
using types::DataType;
using types::TypeKind;

Status WrongArgument(const FunctionCall& call, size_t i, std::string_view wanted) {
  return sql::ErrorAt(call.ArgPos(i),
                      fmt::format("function {} takes {} as argument {}, not {}", call.name, wanted,
                                  i + 1, TypeText(call.args[i].type)),
                      "Write CAST(... AS ...) where a conversion is meant.");
}

bool AnyNullable(const std::vector<Expr>& args) {
  return std::any_of(args.begin(), args.end(), [](const Expr& a) { return a.type.nullable; });
}

DataType ResultOf(TypeKind kind, const std::vector<Expr>& args) {
  DataType type = DataType::Of(kind);
  type.nullable = AnyNullable(args);
  return type;
}

// Makes argument i a STRING, BIGINT and so on when it is of that family.
Status Want(FunctionCall* call, size_t i, TypeKind kind) {
  Expr& arg = call->args[i];
  DataType to = DataType::Of(kind);
  bool fits = arg.type.kind == TypeKind::kNull;
  std::string_view wanted = "a STRING";
  if (kind == TypeKind::kString) {
    fits = fits || arg.type.kind == kind;
  } else if (kind == TypeKind::kInt || kind == TypeKind::kBigint) {
    fits = fits || arg.type.is_integer();
    wanted = "an INT";
  } else if (kind == TypeKind::kBoolean) {
    fits = fits || arg.type.kind == kind;
    wanted = "a BOOLEAN";
  } else {
    fits = fits || arg.type.is_numeric();
    wanted = "a number";
  }
  if (!fits) {
    return WrongArgument(*call, i, wanted);
  }
  if (kind != TypeKind::kString || arg.type.kind == TypeKind::kNull) {
    arg = CastTo(std::move(arg), to);
  }
  return base::OkStatus();
}

Status WantTime(FunctionCall* call, size_t i, bool date_too) {
  Expr& arg = call->args[i];
  const TypeKind kind = arg.type.kind;
  if (kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampLtz ||
      (kind == TypeKind::kDate && date_too)) {
    return base::OkStatus();
  }
  if (kind == TypeKind::kDate || kind == TypeKind::kNull) {
    arg = CastTo(std::move(arg), DataType::Timestamp());
    return base::OkStatus();
  }
  return WrongArgument(*call, i, date_too ? "a TIMESTAMP or DATE" : "a TIMESTAMP");
}

Status WantLiteral(const FunctionCall& call, size_t i, std::string_view what) {
  if (call.args[i].kind == ExprKind::kLiteral && !call.args[i].literal.is_null) {
    return base::OkStatus();
  }
  return sql::ErrorAt(call.ArgPos(i), fmt::format("{} of {} must be a literal", what, call.name));
}

template <Function F, TypeKind kResult>
Result<Expr> OfStrings(FunctionCall* call) {
  for (size_t i = 0; i < call->args.size(); ++i) {
    SJ_RETURN_IF_ERROR(Want(call, i, TypeKind::kString));
  }
  DataType type = ResultOf(kResult, call->args);
  return Call(F, std::move(type), std::move(call->args));
}

// TRIM arrives as (side[, characters], text).
Result<Expr> BindTrim(FunctionCall* call) {
  const size_t text = call->args.size() - 1;
  SJ_RETURN_IF_ERROR(Want(call, text, TypeKind::kString));
  if (text == 2 && (call->args[1].kind != ExprKind::kLiteral || call->args[1].literal.s != " ")) {
    return sql::ErrorAt(call->ArgPos(1), "TRIM of other characters than ' ' is not supported yet");
  }
  const std::string& side = call->args[0].literal.s;
  const Function function = side == "LEADING"    ? Function::kLtrim
                            : side == "TRAILING" ? Function::kRtrim
                                                 : Function::kTrim;
  std::vector<Expr> args;
  args.push_back(std::move(call->args[text]));
  DataType type = ResultOf(TypeKind::kString, args);
  return Call(function, std::move(type), std::move(args));
}

Result<Expr> BindSubstring(FunctionCall* call) {
  SJ_RETURN_IF_ERROR(Want(call, 0, TypeKind::kString));
  for (size_t i = 1; i < call->args.size(); ++i) {
    SJ_RETURN_IF_ERROR(Want(call, i, TypeKind::kInt));
  }
  DataType type = ResultOf(TypeKind::kString, call->args);
  return Call(Function::kSubstring, std::move(type), std::move(call->args));
}

Result<Expr> BindAbs(FunctionCall* call) {
  if (!call->args[0].type.is_numeric()) {
    return WrongArgument(*call, 0, "a number");
  }
  DataType type = call->args[0].type;
  return Call(Function::kAbs, std::move(type), std::move(call->args));
}

// The parts of days may be extracted, but time is not counted in them.
constexpr std::array<std::string_view, 11> kUnits = {"YEAR",        "QUARTER", "MONTH",  "WEEK",
                                                     "DAY",         "HOUR",    "MINUTE", "SECOND",
                                                     "MILLISECOND", "DOW",     "DOY"};
constexpr size_t kCountingUnits = 9;

Status CheckUnit(const FunctionCall& call, size_t i, bool parts_too) {
  const std::string& unit = call.args[i].literal.s;
  const auto* end = kUnits.begin() + (parts_too ? kUnits.size() : kCountingUnits);
  if (std::find(kUnits.begin(), end, unit) == end) {
    return sql::ErrorAt(call.ArgPos(i),
                        fmt::format("{} does not take the unit {}", call.name, sql::Quoted(unit)),
                        fmt::format("Units are {}.", fmt::join(kUnits.begin(), end, ", ")));
  }
  return base::OkStatus();
}

template <Function F>
Result<Expr> BindFloorCeil(FunctionCall* call) {
  if (call->args.size() == 2) {
    if (F == Function::kCeil || call->node.args[1]->kind != sql::ExprKind::kWord) {
      return sql::ErrorAt(call->node.pos,
                          fmt::format("this form of {} is not supported yet", call->name));
    }
    SJ_RETURN_IF_ERROR(CheckUnit(*call, 1, false));
    SJ_RETURN_IF_ERROR(WantTime(call, 0, false));
    DataType type = call->args[0].type;
    return Call(Function::kFloorTo, std::move(type), std::move(call->args));
  }
  if (!call->args[0].type.is_numeric()) {
    return WrongArgument(*call, 0, "a number");
  }
  if (call->args[0].type.is_integer()) {
    return std::move(call->args[0]);
  }
  DataType type = call->args[0].type;
  type.scale = 0;
  return Call(F, std::move(type), std::move(call->args));
}

Result<Expr> BindRound(FunctionCall* call) {
  if (!call->args[0].type.is_numeric()) {
    return WrongArgument(*call, 0, "a number");
  }
  if (call->args.size() == 1) {
    call->args.push_back(Int64Literal(TypeKind::kInt, 0));
  } else {
    SJ_RETURN_IF_ERROR(Want(call, 1, TypeKind::kInt));
    SJ_RETURN_IF_ERROR(WantLiteral(*call, 1, "the number of digits"));
  }
  const int64_t digits = std::clamp<int64_t>(call->args[1].literal.i, -38, 38);
  DataType type = RoundType(call->args[0].type, static_cast<int>(digits));
  return Call(Function::kRound, std::move(type), std::move(call->args));
}

template <Function F>
Result<Expr> OfDoubles(FunctionCall* call) {
  for (size_t i = 0; i < call->args.size(); ++i) {
    SJ_RETURN_IF_ERROR(Want(call, i, TypeKind::kDouble));
  }
  DataType type = ResultOf(TypeKind::kDouble, call->args);
  return Call(F, std::move(type), std::move(call->args));
}

Result<Expr> BindMod(FunctionCall* call) {
  for (size_t i = 0; i < 2; ++i) {
    if (!call->args[i].type.is_numeric()) {
      return WrongArgument(*call, i, "a number");
    }
  }
  return BindArithmetic(Function::kModulo, std::move(call->args[0]), std::move(call->args[1]));
}

// Casts args[from...] to their common type.
Result<DataType> Unify(FunctionCall* call, size_t from) {
  DataType common = call->args[from].type;
  for (size_t i = from + 1; i < call->args.size(); ++i) {
    std::optional<DataType> next = CommonType(common, call->args[i].type);
    if (!next.has_value()) {
      return WrongArgument(*call, i, TypeText(common));
    }
    common = *std::move(next);
  }
  for (size_t i = from; i < call->args.size(); ++i) {
    call->args[i] = CastTo(std::move(call->args[i]), common);
  }
  return common;
}

Result<Expr> BindCoalesce(FunctionCall* call) {
  SJ_ASSIGN_OR_RETURN(DataType type, Unify(call, 0));
  type.nullable = std::all_of(call->args.begin(), call->args.end(),
                              [](const Expr& a) { return a.type.nullable; });
  return Call(Function::kCoalesce, std::move(type), std::move(call->args));
}

Result<Expr> BindIf(FunctionCall* call) {
  SJ_RETURN_IF_ERROR(Want(call, 0, TypeKind::kBoolean));
  SJ_ASSIGN_OR_RETURN(DataType type, Unify(call, 1));
  return Call(Function::kIf, std::move(type), std::move(call->args));
}

Result<Expr> BindNullIf(FunctionCall* call) {
  DataType type = call->args[0].type;
  type.nullable = true;
  SJ_ASSIGN_OR_RETURN(DataType common, Unify(call, 0));
  common.nullable = true;
  return CastTo(Call(Function::kNullIf, std::move(common), std::move(call->args)), type);
}

Result<Expr> BindExtract(FunctionCall* call) {
  SJ_RETURN_IF_ERROR(CheckUnit(*call, 0, true));
  SJ_RETURN_IF_ERROR(WantTime(call, 1, true));
  DataType type = ResultOf(TypeKind::kBigint, call->args);
  return Call(Function::kExtract, std::move(type), std::move(call->args));
}

// YEAR(t) is EXTRACT(YEAR FROM t), and so on.
Result<Expr> BindTimePart(FunctionCall* call) {
  SJ_RETURN_IF_ERROR(WantTime(call, 0, true));
  std::string unit = call->name;
  if (unit.starts_with("DAYOF")) {
    unit = unit == "DAYOFYEAR" ? "DOY" : (unit == "DAYOFWEEK" ? "DOW" : "DAY");
  }
  std::vector<Expr> args;
  args.push_back(StringLiteral(std::move(unit)));
  args.push_back(std::move(call->args[0]));
  DataType type = ResultOf(TypeKind::kBigint, args);
  return Call(Function::kExtract, std::move(type), std::move(args));
}

Result<Expr> BindDateFormat(FunctionCall* call) {
  SJ_RETURN_IF_ERROR(WantTime(call, 0, false));
  SJ_RETURN_IF_ERROR(Want(call, 1, TypeKind::kString));
  SJ_RETURN_IF_ERROR(WantLiteral(*call, 1, "the pattern"));
  DataType type = ResultOf(TypeKind::kString, call->args);
  return Call(Function::kDateFormat, std::move(type), std::move(call->args));
}

Result<Expr> BindTimestampDiff(FunctionCall* call) {
  SJ_RETURN_IF_ERROR(CheckUnit(*call, 0, false));
  SJ_RETURN_IF_ERROR(WantTime(call, 1, false));
  SJ_RETURN_IF_ERROR(WantTime(call, 2, false));
  DataType type = ResultOf(TypeKind::kInt, call->args);
  return Call(Function::kTimestampDiff, std::move(type), std::move(call->args));
}

constexpr int kAny = -1;
constexpr int kConcatMax = 1000;

const std::vector<FunctionEntry>& Table() {
  static const std::vector<FunctionEntry> table = {
      {"ABS", 1, 1, "ABS(number)", BindAbs},
      {"CEIL", 1, 2, "CEIL(number)", BindFloorCeil<Function::kCeil>},
      {"CEILING", 1, 2, "CEILING(number)", BindFloorCeil<Function::kCeil>},
      {"CHAR_LENGTH", 1, 1, "CHAR_LENGTH(string)",
       OfStrings<Function::kCharLength, TypeKind::kInt>},
      {"CHARACTER_LENGTH", 1, 1, "CHARACTER_LENGTH(string)",
       OfStrings<Function::kCharLength, TypeKind::kInt>},
      {"COALESCE", 1, kAny, "COALESCE(value, ...)", BindCoalesce},
      {"CONCAT", 1, kConcatMax, "CONCAT(string, ...)",
       OfStrings<Function::kConcat, TypeKind::kString>},
      {"DATE_FORMAT", 2, 2, "DATE_FORMAT(timestamp, pattern)", BindDateFormat},
      {"DAYOFMONTH", 1, 1, "DAYOFMONTH(time)", BindTimePart},
      {"DAYOFWEEK", 1, 1, "DAYOFWEEK(time)", BindTimePart},
      {"DAYOFYEAR", 1, 1, "DAYOFYEAR(time)", BindTimePart},
      {"EXTRACT", 2, 2, "EXTRACT(unit FROM time)", BindExtract},
      {"FLOOR", 1, 2, "FLOOR(number), FLOOR(timestamp TO unit)", BindFloorCeil<Function::kFloor>},
      {"HOUR", 1, 1, "HOUR(time)", BindTimePart},
      {"IF", 3, 3, "IF(condition, value, value)", BindIf},
      {"IFNULL", 2, 2, "IFNULL(value, value)", BindCoalesce},
      {"LOWER", 1, 1, "LOWER(string)", OfStrings<Function::kLower, TypeKind::kString>},
      {"LTRIM", 1, 1, "LTRIM(string)", OfStrings<Function::kLtrim, TypeKind::kString>},
      {"MD5", 1, 1, "MD5(string)", OfStrings<Function::kMd5, TypeKind::kString>},
      {"MINUTE", 1, 1, "MINUTE(time)", BindTimePart},
      {"MOD", 2, 2, "MOD(number, number)", BindMod},
      {"MONTH", 1, 1, "MONTH(time)", BindTimePart},
      {"NULLIF", 2, 2, "NULLIF(value, value)", BindNullIf},
      {"POSITION", 2, 2, "POSITION(string IN string)",
       OfStrings<Function::kPosition, TypeKind::kInt>},
      {"POWER", 2, 2, "POWER(number, number)", OfDoubles<Function::kPower>},
      {"QUARTER", 1, 1, "QUARTER(time)", BindTimePart},
      {"REPLACE", 3, 3, "REPLACE(string, string, string)",
       OfStrings<Function::kReplace, TypeKind::kString>},
      {"ROUND", 1, 2, "ROUND(number[, digits])", BindRound},
      {"RTRIM", 1, 1, "RTRIM(string)", OfStrings<Function::kRtrim, TypeKind::kString>},
      {"SECOND", 1, 1, "SECOND(time)", BindTimePart},
      {"SHA256", 1, 1, "SHA256(string)", OfStrings<Function::kSha256, TypeKind::kString>},
      {"SQRT", 1, 1, "SQRT(number)", OfDoubles<Function::kSqrt>},
      {"SUBSTR", 2, 3, "SUBSTR(string, start[, length])", BindSubstring},
      {"SUBSTRING", 2, 3, "SUBSTRING(string, start[, length])", BindSubstring},
      {"TIMESTAMPDIFF", 3, 3, "TIMESTAMPDIFF(unit, timestamp, timestamp)", BindTimestampDiff},
      {"TRIM", 2, 3, "TRIM([side FROM] string)", BindTrim},
      {"UPPER", 1, 1, "UPPER(string)", OfStrings<Function::kUpper, TypeKind::kString>},
      {"WEEK", 1, 1, "WEEK(time)", BindTimePart},
      {"YEAR", 1, 1, "YEAR(time)", BindTimePart},
  };
  return table;
}

struct AggregateName {
  std::string_view name;
  AggregateFunction function;
  std::string_view signature;
};
constexpr std::array<AggregateName, 5> kAggregates = {
    {{"COUNT", AggregateFunction::kCount, "COUNT(*), COUNT(value)"},
     {"SUM", AggregateFunction::kSum, "SUM(number)"},
     {"MIN", AggregateFunction::kMin, "MIN(value)"},
     {"MAX", AggregateFunction::kMax, "MAX(value)"},
     {"AVG", AggregateFunction::kAvg, "AVG(number)"}}};

}  // namespace

const std::vector<FunctionEntry>& Functions() {
  return Table();
}

const FunctionEntry* FindFunction(std::string_view name) {
  for (const FunctionEntry& entry : Table()) {
    if (entry.name == name) {
      return &entry;
    }
  }
  return nullptr;
}

std::optional<AggregateFunction> FindAggregate(std::string_view name) {
  for (const AggregateName& entry : kAggregates) {
    if (entry.name == name) {
      return entry.function;
    }
  }
  return std::nullopt;
}

std::string_view ToString(AggregateFunction function) {
  return kAggregates[static_cast<size_t>(function)].name;
}

std::vector<std::string> AggregateSignatures() {
  std::vector<std::string> signatures;
  for (const AggregateName& entry : kAggregates) {
    signatures.emplace_back(entry.signature);
  }
  return signatures;
}

bool IsGroupWindowName(std::string_view name) {
  for (std::string_view window : {"TUMBLE", "HOP", "SESSION", "CUMULATE"}) {
    if (name.starts_with(window)) {
      const std::string_view rest = name.substr(window.size());
      return rest.empty() || rest == "_START" || rest == "_END" || rest == "_ROWTIME" ||
             rest == "_PROCTIME";
    }
  }
  return false;
}

Status UnknownFunction(const sql::Expression& call) {
  const std::string name = sql::PathText(call.path);
  std::vector<std::string> names;
  for (const FunctionEntry& entry : Table()) {
    names.emplace_back(entry.name);
  }
  for (const AggregateName& entry : kAggregates) {
    names.emplace_back(entry.name);
  }
  for (std::string_view name_of_window : {"TUMBLE", "TUMBLE_START", "TUMBLE_END"}) {
    names.emplace_back(name_of_window);
  }
  std::string hint = sql::DidYouMean(name, names);
  if (hint.empty()) {
    hint = "The reference page of SQL lists the functions of this version.";
  }
  return sql::ErrorAt(call.pos, fmt::format("unknown function {}", sql::Quoted(name)), hint);
}

}  // namespace sj::worker::plan
