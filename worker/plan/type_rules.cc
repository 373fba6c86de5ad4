// SPDX-License-Identifier: Apache-2.0
// Flink's type rules. The decimal ones follow its LogicalTypeMerging: a result wider than 38 digits
// gives up scale before whole digits, but keeps at least six (or its own, when smaller).
#include "worker/plan/type_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "worker/sql/error.h"
#include "worker/types/decimal.h"

namespace sj::worker::plan {
namespace {

using types::DataType;
using types::kDecimalPrecisionMax;
using types::TypeKind;

constexpr int kKeptScale = 6;
constexpr int kTimestampPrecisionMax = 3;

struct NamedType {
  std::string_view name;
  TypeKind kind;
};
constexpr std::array<NamedType, 22> kTypes = {{{"BOOLEAN", TypeKind::kBoolean},
                                               {"TINYINT", TypeKind::kTinyint},
                                               {"SMALLINT", TypeKind::kSmallint},
                                               {"INT", TypeKind::kInt},
                                               {"INTEGER", TypeKind::kInt},
                                               {"BIGINT", TypeKind::kBigint},
                                               {"FLOAT", TypeKind::kFloat},
                                               {"DOUBLE", TypeKind::kDouble},
                                               {"DECIMAL", TypeKind::kDecimal},
                                               {"DEC", TypeKind::kDecimal},
                                               {"NUMERIC", TypeKind::kDecimal},
                                               {"STRING", TypeKind::kString},
                                               {"VARCHAR", TypeKind::kString},
                                               {"CHAR", TypeKind::kString},
                                               {"BYTES", TypeKind::kBytes},
                                               {"DATE", TypeKind::kDate},
                                               {"TIME", TypeKind::kTime},
                                               {"TIMESTAMP", TypeKind::kTimestamp},
                                               {"TIMESTAMP_LTZ", TypeKind::kTimestampLtz},
                                               {"ARRAY", TypeKind::kArray},
                                               {"MAP", TypeKind::kMap},
                                               {"ROW", TypeKind::kRow}}};

DataType DecimalOf(int precision, int scale) {
  if (precision > kDecimalPrecisionMax) {
    const int whole = precision - scale;
    scale = std::max(kDecimalPrecisionMax - whole, std::min(scale, kKeptScale));
    precision = kDecimalPrecisionMax;
  }
  return DataType::Decimal(precision, scale);
}

bool IsApproximate(const DataType& type) {
  return type.kind == TypeKind::kFloat || type.kind == TypeKind::kDouble;
}

bool IsTimestamp(const DataType& type) {
  return type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampLtz;
}

// FLOAT or DOUBLE for a pair with an approximate member.
TypeKind ApproximateKind(const DataType& a, const DataType& b) {
  const bool wide = a.kind == TypeKind::kDouble || b.kind == TypeKind::kDouble ||
                    a.kind == TypeKind::kDecimal || b.kind == TypeKind::kDecimal;
  return wide ? TypeKind::kDouble : TypeKind::kFloat;
}

DataType CommonNumeric(const DataType& a, const DataType& b) {
  if (IsApproximate(a) || IsApproximate(b)) {
    return DataType::Of(ApproximateKind(a, b));
  }
  if (a.kind != TypeKind::kDecimal && b.kind != TypeKind::kDecimal) {
    return DataType::Of(std::max(a.kind, b.kind));
  }
  const DataType x = AsDecimal(a);
  const DataType y = AsDecimal(b);
  const int scale = std::max(x.scale, y.scale);
  return DecimalOf(std::max(x.precision - x.scale, y.precision - y.scale) + scale, scale);
}

base::Status BadParameters(const sql::TypeName& name, std::string_view allowed) {
  return sql::ErrorAt(name.pos, fmt::format("type {} is out of range", sql::ToSql(name)), allowed);
}

base::Status SetParameters(const sql::TypeName& name, DataType* type) {
  const std::vector<int>& given = name.parameters;
  const int first = given.empty() ? 0 : given[0];
  switch (type->kind) {
    case TypeKind::kDecimal:
      type->precision = given.empty() ? 10 : first;
      type->scale = given.size() > 1 ? given[1] : 0;
      if (type->precision < 1 || type->precision > kDecimalPrecisionMax || given.size() > 2 ||
          type->scale < 0 || type->scale > type->precision) {
        return BadParameters(name, "Precision is 1 to 38, scale 0 to precision.");
      }
      return base::OkStatus();
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      type->precision = given.empty() ? 6 : first;
      if (type->precision > kTimestampPrecisionMax || given.size() > 1) {
        return sql::ErrorAt(
            name.pos,
            fmt::format("{} has a precision of {}, more than 3", name.name, type->precision),
            fmt::format("Time is kept in milliseconds; write {}(3).", name.name));
      }
      return base::OkStatus();
    case TypeKind::kTime:
      type->precision = first;
      if (first > kTimestampPrecisionMax || given.size() > 1) {
        return BadParameters(name, "Time is kept in milliseconds; precision is 0 to 3.");
      }
      return base::OkStatus();
    case TypeKind::kString:
      type->precision = first;
      if (given.size() > 1 || (!given.empty() && (first < 1 || name.name == "STRING"))) {
        return BadParameters(name, "Write STRING or VARCHAR(length).");
      }
      return base::OkStatus();
    default:
      return given.empty() ? base::OkStatus() : BadParameters(name, "The type has no parameters.");
  }
}

}  // namespace

base::Result<DataType> ResolveType(const sql::TypeName& name) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const NamedType& t) { return t.name == name.name; });
  if (name.name == "BINARY" || name.name == "VARBINARY") {
    return sql::ErrorAt(name.pos, fmt::format("type {} is not supported", name.name), "Use BYTES.");
  }
  if (name.name == "MULTISET" || name.name == "RAW" || name.name == "TIMESTAMP WITH TIME ZONE" ||
      name.name == "INTERVAL") {
    return sql::ErrorAt(name.pos, fmt::format("type {} is not supported", name.name));
  }
  if (found == kTypes.end()) {
    std::vector<std::string> names;
    for (const NamedType& type : kTypes) {
      names.emplace_back(type.name);
    }
    return sql::ErrorAt(name.pos, fmt::format("unknown type {}", sql::Quoted(name.name)),
                        sql::DidYouMean(name.name, names));
  }
  DataType type = DataType::Of(found->kind);
  if (type.kind >= TypeKind::kArray) {
    return sql::ErrorAt(name.pos, fmt::format("type {} is not supported yet", name.name),
                        "Columns hold plain values in this version; take nested JSON as STRING.");
  }
  SJ_RETURN_IF_ERROR(SetParameters(name, &type));
  type.nullable = !name.not_null;
  return type;
}

DataType AsDecimal(const DataType& type) {
  DataType decimal = type;
  static constexpr int kDigits[] = {3, 5, 10, 19};
  if (type.is_integer()) {
    const auto width = static_cast<size_t>(type.kind) - static_cast<size_t>(TypeKind::kTinyint);
    decimal = DataType::Decimal(kDigits[width], 0);
    decimal.nullable = type.nullable;
  }
  return decimal;
}

std::optional<DataType> CommonType(const DataType& a, const DataType& b) {
  DataType common;
  if (a.kind == TypeKind::kNull || b.kind == TypeKind::kNull) {
    common = a.kind == TypeKind::kNull ? b : a;
    common.nullable = true;
    return common;
  }
  if (a.is_numeric() && b.is_numeric()) {
    common = CommonNumeric(a, b);
  } else if (a.kind == b.kind) {
    common = a;
    common.precision = std::max(a.precision, b.precision);
    if (a.kind == TypeKind::kString && (a.precision == 0 || b.precision == 0)) {
      common.precision = 0;
    }
  } else if (IsTimestamp(a) && IsTimestamp(b)) {
    common = a.kind == TypeKind::kTimestampLtz ? a : b;
    common.precision = std::max(a.precision, b.precision);
  } else if ((a.kind == TypeKind::kDate && IsTimestamp(b)) ||
             (b.kind == TypeKind::kDate && IsTimestamp(a))) {
    common = a.kind == TypeKind::kDate ? b : a;
  } else {
    return std::nullopt;
  }
  common.nullable = a.nullable || b.nullable;
  return common;
}

DataType ArithmeticType(Function op, const DataType& a, const DataType& b) {
  DataType result = CommonNumeric(a, b);
  if (op == Function::kModulo && a.is_integer() && b.is_integer()) {
    result = b;
  } else if (result.kind == TypeKind::kDecimal) {
    const DataType x = AsDecimal(a);
    const DataType y = AsDecimal(b);
    const int scale = std::max(x.scale, y.scale);
    const int x_whole = x.precision - x.scale;
    const int y_whole = y.precision - y.scale;
    if (op == Function::kMultiply) {
      result = DecimalOf(x.precision + y.precision + 1, x.scale + y.scale);
    } else if (op == Function::kDivide) {
      const int quotient_scale = std::max(kKeptScale, x.scale + y.precision + 1);
      result = DecimalOf(x_whole + y.scale + quotient_scale, quotient_scale);
    } else if (op == Function::kModulo) {
      result = DecimalOf(std::max(1, std::min(x_whole, y_whole) + scale), scale);
    } else {
      result = DecimalOf(std::max(x_whole, y_whole) + scale + 1, scale);
    }
  }
  result.nullable = a.nullable || b.nullable;
  return result;
}

DataType RoundType(const DataType& type, int digits) {
  if (type.kind != TypeKind::kDecimal || digits >= type.scale) {
    return type;
  }
  const int whole = 1 + type.precision - type.scale;
  DataType result = digits < 0 ? DecimalOf(std::min(kDecimalPrecisionMax, whole), 0)
                               : DecimalOf(whole + digits, digits);
  result.nullable = type.nullable;
  return result;
}

std::optional<DataType> AggregateType(AggregateFunction function, const DataType& argument) {
  DataType result = argument;
  switch (function) {
    case AggregateFunction::kCount:
      result = DataType::Of(TypeKind::kBigint);
      result.nullable = false;
      return result;
    case AggregateFunction::kSum:
    case AggregateFunction::kAvg:
      if (!argument.is_numeric()) {
        return std::nullopt;
      }
      if (argument.kind == TypeKind::kDecimal) {
        result.precision = kDecimalPrecisionMax;
        result.scale = function == AggregateFunction::kSum ? argument.scale
                                                           : std::max(kKeptScale, argument.scale);
      }
      return result;
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      if (argument.kind == TypeKind::kNull || argument.kind >= TypeKind::kIntervalDay ||
          argument.kind == TypeKind::kBytes) {
        return std::nullopt;
      }
      return result;
  }
  return std::nullopt;
}

bool ImplicitlyCasts(const DataType& from, const DataType& to) {
  if (from.kind == to.kind || from.kind == TypeKind::kNull) {
    return true;
  }
  if (from.is_integer() && to.is_integer()) {
    return from.kind < to.kind;
  }
  switch (to.kind) {
    case TypeKind::kDecimal:
    case TypeKind::kDouble:
      return from.is_numeric();
    case TypeKind::kFloat:
      return from.is_numeric() && from.kind != TypeKind::kDouble;
    case TypeKind::kDate:
    case TypeKind::kTime:
      return from.kind == TypeKind::kTimestamp;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return IsTimestamp(from);
    default:
      return false;
  }
}

bool ExplicitlyCasts(const DataType& from, const DataType& to) {
  if (from.kind == to.kind || from.kind == TypeKind::kNull) {
    return true;
  }
  auto plain = [](TypeKind kind) {
    return kind > TypeKind::kNull && kind <= TypeKind::kTimestampLtz && kind != TypeKind::kBytes;
  };
  if (from.kind == TypeKind::kString || to.kind == TypeKind::kString) {
    const TypeKind other = from.kind == TypeKind::kString ? to.kind : from.kind;
    return plain(other) || other == TypeKind::kBytes;
  }
  if (from.kind == TypeKind::kBoolean || to.kind == TypeKind::kBoolean) {
    return from.is_numeric() || to.is_numeric();
  }
  if (from.is_numeric() || to.is_numeric()) {
    return from.is_numeric() && to.is_numeric();
  }
  if (IsTimestamp(from)) {
    return IsTimestamp(to) || to.kind == TypeKind::kDate || to.kind == TypeKind::kTime;
  }
  return from.kind == TypeKind::kDate && IsTimestamp(to);
}

}  // namespace sj::worker::plan
