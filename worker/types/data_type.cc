// SPDX-License-Identifier: Apache-2.0
// Storage classes and printed forms of SQL types. Pure functions.
#include "worker/types/data_type.h"

#include <fmt/format.h>

#include "worker/types/table.h"

namespace sj::worker::types {
namespace {

std::string NestedName(const DataType& type) {
  std::string out;
  switch (type.kind) {
    case TypeKind::kArray:
      out = "ARRAY<";
      break;
    case TypeKind::kMap:
      out = "MAP<";
      break;
    default:
      out = "ROW<";
  }
  for (size_t i = 0; i < type.children.size(); ++i) {
    if (i > 0) {
      out += ", ";
    }
    if (type.kind == TypeKind::kRow && i < type.field_names.size()) {
      out += fmt::format("`{}` ", type.field_names[i]);
    }
    out += type.children[i].ToString();
  }
  return out + ">";
}

std::string Name(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kNull:
      return "NULL";
    case TypeKind::kBoolean:
      return "BOOLEAN";
    case TypeKind::kTinyint:
      return "TINYINT";
    case TypeKind::kSmallint:
      return "SMALLINT";
    case TypeKind::kInt:
      return "INT";
    case TypeKind::kBigint:
      return "BIGINT";
    case TypeKind::kFloat:
      return "FLOAT";
    case TypeKind::kDouble:
      return "DOUBLE";
    case TypeKind::kDecimal:
      return fmt::format("DECIMAL({}, {})", type.precision, type.scale);
    case TypeKind::kString:
      return type.precision > 0 ? fmt::format("VARCHAR({})", type.precision) : "STRING";
    case TypeKind::kBytes:
      return "BYTES";
    case TypeKind::kDate:
      return "DATE";
    case TypeKind::kTime:
      return fmt::format("TIME({})", type.precision);
    case TypeKind::kTimestamp:
      return fmt::format("TIMESTAMP({})", type.precision);
    case TypeKind::kTimestampLtz:
      return fmt::format("TIMESTAMP_LTZ({})", type.precision);
    case TypeKind::kIntervalDay:
      return "INTERVAL DAY TO SECOND";
    case TypeKind::kIntervalMonth:
      return "INTERVAL YEAR TO MONTH";
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kRow:
      return NestedName(type);
  }
  return "UNKNOWN";
}

}  // namespace

Physical DataType::physical() const {
  switch (kind) {
    case TypeKind::kBoolean:
      return Physical::kBool;
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return Physical::kDouble;
    case TypeKind::kDecimal:
      return precision > 18 ? Physical::kInt128 : Physical::kInt64;
    case TypeKind::kString:
    case TypeKind::kBytes:
      return Physical::kString;
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kRow:
      return Physical::kNested;
    default:
      return Physical::kInt64;
  }
}

std::string DataType::ToString() const {
  return nullable ? Name(*this) : Name(*this) + " NOT NULL";
}

bool DataType::SameAs(const DataType& other) const {
  if (kind != other.kind || precision != other.precision || scale != other.scale ||
      children.size() != other.children.size() || field_names != other.field_names) {
    return false;
  }
  for (size_t i = 0; i < children.size(); ++i) {
    if (!children[i].SameAs(other.children[i])) {
      return false;
    }
  }
  return true;
}

int Schema::IndexOf(std::string_view name) const {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == name) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

std::string Schema::ToString() const {
  std::string out = "(";
  for (size_t i = 0; i < fields.size(); ++i) {
    out += fmt::format("{}{} {}", i == 0 ? "" : ", ", fields[i].name, fields[i].type.ToString());
    if (static_cast<int>(i) == rowtime) {
      out += " *ROWTIME*";
    }
  }
  return out + ")";
}

std::optional<std::string_view> TableSpec::Option(std::string_view key) const {
  for (const TableOption& option : options) {
    if (option.key == key) {
      return option.value;
    }
  }
  return std::nullopt;
}

}  // namespace sj::worker::types
