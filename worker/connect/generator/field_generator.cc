// SPDX-License-Identifier: Apache-2.0
// Random numbers are a mix of (seed, row number): no state, so any row can be made at any time.
#include "worker/connect/generator/field_generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "api/base/hash.h"
#include "worker/types/decimal.h"

namespace sj::worker::connect::generator {
namespace {

using types::DataType;
using types::TypeKind;

constexpr int64_t kDayMs = 86'400'000;

// The finaliser of splitmix64.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

bool HasIntegerBounds(TypeKind kind) {
  return kind >= TypeKind::kTinyint && kind <= TypeKind::kBigint;
}

bool HasRealBounds(TypeKind kind) {
  return kind == TypeKind::kFloat || kind == TypeKind::kDouble || kind == TypeKind::kDecimal;
}

bool IsTime(TypeKind kind) {
  return kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampLtz ||
         kind == TypeKind::kDate || kind == TypeKind::kTime;
}

bool CanGenerate(TypeKind kind) {
  return HasIntegerBounds(kind) || HasRealBounds(kind) || IsTime(kind) ||
         kind == TypeKind::kBoolean || kind == TypeKind::kString || kind == TypeKind::kBytes;
}

std::pair<int64_t, int64_t> RangeOf(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyint:
      return {INT8_MIN, INT8_MAX};
    case TypeKind::kSmallint:
      return {INT16_MIN, INT16_MAX};
    case TypeKind::kInt:
      return {INT32_MIN, INT32_MAX};
    default:
      return {INT64_MIN, INT64_MAX};
  }
}

base::Result<double> Real(const OptionReader& options, const std::string& key, double fallback) {
  std::optional<std::string_view> text = options.Text(key);
  if (!text.has_value()) {
    return fallback;
  }
  double value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !std::isfinite(value)) {
    return options.Error(key, fmt::format("\"{}\" is not a number", *text));
  }
  return value;
}

}  // namespace

base::Status FieldGenerator::ReadBounds(const types::TableSpec& table, const std::string& prefix) {
  OptionReader options(table);
  auto [lowest, highest] = RangeOf(type_.kind);
  if (sequence_) {
    SJ_RETURN_IF_ERROR(options.Required(prefix + "start").status());
    SJ_RETURN_IF_ERROR(options.Required(prefix + "end").status());
    SJ_ASSIGN_OR_RETURN(min_, options.Int(prefix + "start", 0, lowest, highest));
    SJ_ASSIGN_OR_RETURN(max_, options.Int(prefix + "end", 0, min_, highest));
    if (max_ - min_ == INT64_MAX || (min_ < 0 && max_ > INT64_MAX + min_)) {
      return options.Error(prefix + "end", "is too far from start");
    }
    return base::OkStatus();
  }
  if (HasIntegerBounds(type_.kind)) {
    SJ_ASSIGN_OR_RETURN(min_, options.Int(prefix + "min", lowest, lowest, highest));
    SJ_ASSIGN_OR_RETURN(max_, options.Int(prefix + "max", highest, min_, highest));
  }
  if (HasRealBounds(type_.kind)) {
    double limit = type_.kind == TypeKind::kDecimal
                       ? std::pow(10.0, std::min(type_.precision, 15) - type_.scale) - 1
                       : 1e9;
    SJ_ASSIGN_OR_RETURN(
        real_min_, Real(options, prefix + "min", type_.kind == TypeKind::kDecimal ? 0 : -limit));
    SJ_ASSIGN_OR_RETURN(real_max_, Real(options, prefix + "max", std::max(limit, real_min_)));
    if (real_max_ < real_min_) {
      return options.Error(prefix + "max", "is below min");
    }
  }
  SJ_ASSIGN_OR_RETURN(length_, options.Int(prefix + "length", 100, 1, 1 << 20));
  SJ_ASSIGN_OR_RETURN(std::chrono::milliseconds past,
                      options.Duration(prefix + "max-past", std::chrono::milliseconds(0)));
  max_past_ms_ = past.count();
  SJ_ASSIGN_OR_RETURN(null_rate_, Real(options, prefix + "null-rate", 0));
  if (null_rate_ < 0 || null_rate_ > 1) {
    return options.Error(prefix + "null-rate", "is not between 0 and 1");
  }
  return base::OkStatus();
}

base::Result<FieldGenerator> FieldGenerator::Make(const types::TableSpec& table, size_t field,
                                                  uint64_t seed) {
  const types::Field& column = table.schema.fields[field];
  FieldGenerator out;
  out.type_ = column.type;
  out.seed_ = Mix(seed ^ base::Hash64(column.name));
  if (!CanGenerate(column.type.kind)) {
    return TableError(table, fmt::format("column \"{}\": datagen makes no values of type {}",
                                         column.name, column.type.ToString()));
  }
  std::string prefix = fmt::format("fields.{}.", column.name);
  OptionReader options(table);
  static constexpr std::string_view kKinds[] = {"random", "sequence"};
  SJ_ASSIGN_OR_RETURN(int kind, options.Choice(prefix + "kind", kKinds));
  out.sequence_ = kind == 1;
  if (out.sequence_ && !HasIntegerBounds(column.type.kind) &&
      column.type.kind != TypeKind::kString) {
    return options.Error(prefix + "kind", "\"sequence\" is for integer and STRING columns");
  }
  SJ_RETURN_IF_ERROR(out.ReadBounds(table, prefix));
  return out;
}

std::optional<int64_t> FieldGenerator::rows() const {
  return sequence_ ? std::optional(max_ - min_ + 1) : std::nullopt;
}

uint64_t FieldGenerator::Random(int64_t number) const {
  return Mix(seed_ ^ Mix(static_cast<uint64_t>(number)));
}

void FieldGenerator::AppendString(uint64_t random, types::Column* column) const {
  static constexpr char kHex[] = "0123456789abcdef";
  auto length = static_cast<size_t>(length_);
  char* text = column->arena().Allocate(length);
  for (size_t i = 0; i < length; ++i) {
    if (i % 16 == 15) {
      random = Mix(random);
    }
    text[i] = kHex[(random >> (4 * (i % 16))) & 0xf];
  }
  column->AppendStringRef({text, static_cast<uint32_t>(length)});
}

void FieldGenerator::Append(int64_t number, int64_t now_ms, types::Column* column) const {
  uint64_t random = Random(number);
  if (null_rate_ > 0 && static_cast<double>(Mix(random) >> 11) * 0x1.0p-53 < null_rate_) {
    column->AppendNull();
    return;
  }
  if (sequence_) {
    if (type_.kind == TypeKind::kString) {
      column->AppendString(std::to_string(min_ + number));
    } else {
      column->AppendInt64(min_ + number);
    }
    return;
  }
  double unit = static_cast<double>(random >> 11) * 0x1.0p-53;
  int64_t past =
      max_past_ms_ > 0 ? static_cast<int64_t>(random % static_cast<uint64_t>(max_past_ms_)) : 0;
  switch (type_.kind) {
    case TypeKind::kBoolean:
      column->AppendBool((random & 1) != 0);
      return;
    case TypeKind::kFloat:
      column->AppendDouble(static_cast<float>(real_min_ + unit * (real_max_ - real_min_)));
      return;
    case TypeKind::kDouble:
      column->AppendDouble(real_min_ + unit * (real_max_ - real_min_));
      return;
    case TypeKind::kDecimal: {
      double scaled = (real_min_ + unit * (real_max_ - real_min_)) * std::pow(10.0, type_.scale);
      types::Int128 value = static_cast<types::Int128>(scaled);
      if (column->physical() == types::Physical::kInt128) {
        column->AppendInt128(value);
      } else {
        column->AppendInt64(static_cast<int64_t>(value));
      }
      return;
    }
    case TypeKind::kString:
    case TypeKind::kBytes:
      AppendString(random, column);
      return;
    case TypeKind::kDate:
      column->AppendInt64((now_ms - past) / kDayMs);
      return;
    case TypeKind::kTime:
      column->AppendInt64((now_ms - past) % kDayMs);
      return;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      column->AppendInt64(now_ms - past);
      return;
    default: {
      // The whole 64-bit range has no size that fits.
      uint64_t size = static_cast<uint64_t>(max_) - static_cast<uint64_t>(min_) + 1;
      uint64_t offset = size == 0 ? random : random % size;
      column->AppendInt64(static_cast<int64_t>(static_cast<uint64_t>(min_) + offset));
    }
  }
}

}  // namespace sj::worker::connect::generator
