// SPDX-License-Identifier: Apache-2.0
// SQL types (Flink's) and how each is held in memory. Plain values, thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sj::worker::types {

enum class TypeKind : uint8_t {
  kNull,  // the type of a bare NULL
  kBoolean,
  kTinyint,
  kSmallint,
  kInt,
  kBigint,
  kFloat,
  kDouble,
  kDecimal,  // precision 1..38, scale 0..precision
  kString,   // STRING, VARCHAR(n), CHAR(n)
  kBytes,
  kDate,           // days since 1970-01-01
  kTime,           // milliseconds of the day
  kTimestamp,      // TIMESTAMP(p): local date-time as milliseconds (p <= 3)
  kTimestampLtz,   // TIMESTAMP_LTZ(p): milliseconds since the Unix epoch
  kIntervalDay,    // milliseconds
  kIntervalMonth,  // months
  kArray,
  kMap,
  kRow,
};

// How a column of a type is stored.
enum class Physical : uint8_t {
  kBool,    // uint8_t 0/1
  kInt64,   // integers, dates, times, intervals, DECIMAL with precision <= 18 (unscaled)
  kInt128,  // DECIMAL with precision > 18 (unscaled)
  kDouble,  // FLOAT (rounded to float when stored) and DOUBLE
  kString,  // StringRef
  kNested,  // ARRAY, MAP, ROW: children in the column
};

struct DataType {
  TypeKind kind = TypeKind::kNull;
  bool nullable = true;
  int precision = 0;                       // DECIMAL, TIMESTAMP, VARCHAR length (0: unbounded)
  int scale = 0;                           // DECIMAL
  std::vector<DataType> children{};        // ARRAY: element; MAP: key, value; ROW: fields
  std::vector<std::string> field_names{};  // ROW

  static DataType Of(TypeKind kind) { return DataType{.kind = kind}; }
  static DataType Decimal(int precision, int scale) {
    return DataType{.kind = TypeKind::kDecimal, .precision = precision, .scale = scale};
  }
  static DataType Timestamp(int precision = 3) {
    return DataType{.kind = TypeKind::kTimestamp, .precision = precision};
  }

  Physical physical() const;
  bool is_integer() const { return kind >= TypeKind::kTinyint && kind <= TypeKind::kBigint; }
  bool is_numeric() const { return kind >= TypeKind::kTinyint && kind <= TypeKind::kDecimal; }
  // As Flink prints it: "DECIMAL(10, 2)", "TIMESTAMP(3)", "STRING NOT NULL".
  std::string ToString() const;
  // Equal but for nullability.
  bool SameAs(const DataType& other) const;
};

struct Field {
  std::string name;
  DataType type;
};

// Names and types of a table's or an operator's columns, in order.
struct Schema {
  std::vector<Field> fields;
  // Index of the event-time column, or -1. Its values are what watermarks speak of.
  int rowtime = -1;

  int IndexOf(std::string_view name) const;  // -1 when absent; case-sensitive
  std::string ToString() const;
};

}  // namespace sj::worker::types
