// SPDX-License-Identifier: Apache-2.0
// Straight appends to the caller's string; the names' texts are made once.
#include "worker/connect/json/encoder.h"

#include <array>
#include <charconv>
#include <cmath>

#include "api/base/hash.h"
#include "worker/types/decimal.h"
#include "worker/types/float_text.h"

namespace sj::worker::connect::json {
namespace {

using types::Column;
using types::Physical;
using types::TypeKind;

constexpr std::array<bool, 256> NeedsEscape() {
  std::array<bool, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) {
    table[c] = true;
  }
  table['"'] = true;
  table['\\'] = true;
  return table;
}
constexpr std::array<bool, 256> kNeedsEscape = NeedsEscape();

void AppendEscape(char c, std::string* out) {
  switch (c) {
    case '"':
      *out += "\\\"";
      return;
    case '\\':
      *out += "\\\\";
      return;
    case '\b':
      *out += "\\b";
      return;
    case '\f':
      *out += "\\f";
      return;
    case '\n':
      *out += "\\n";
      return;
    case '\r':
      *out += "\\r";
      return;
    case '\t':
      *out += "\\t";
      return;
    default: {
      static constexpr char kHex[] = "0123456789ABCDEF";
      *out += "\\u00";
      out->push_back(kHex[(c >> 4) & 0xf]);
      out->push_back(kHex[c & 0xf]);
    }
  }
}

void AppendInteger(int64_t value, std::string* out) {
  char text[24];
  auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out->append(text, static_cast<size_t>(end - text));
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  size_t from = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (kNeedsEscape[static_cast<unsigned char>(text[i])]) {
      out->append(text, from, i - from);
      AppendEscape(text[i], out);
      from = i + 1;
    }
  }
  out->append(text, from, text.size() - from);
  out->push_back('"');
}

void AppendJavaDouble(double value, bool is_float, std::string* out) {
  if (!std::isfinite(value)) {
    *out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else if (is_float) {
    types::AppendJavaFloat(static_cast<float>(value), out);
  } else {
    types::AppendJavaDouble(value, out);
  }
}

Encoder::Encoder(const types::Schema& schema, const std::vector<int>& fields,
                 const JsonOptions& options, std::string_view strip)
    : options_(options), fields_(fields) {
  for (int field : fields) {
    std::string_view name = schema.fields[static_cast<size_t>(field)].name;
    if (!strip.empty() && name.starts_with(strip)) {
      name.remove_prefix(strip.size());
    }
    std::string text;
    AppendJsonString(name, &text);
    names_.push_back(text + ":");
  }
}

void Encoder::Encode(const types::Batch& batch, size_t row, std::string* out) const {
  out->push_back('{');
  bool first = true;
  for (size_t i = 0; i < fields_.size(); ++i) {
    const Column& column = batch.columns[static_cast<size_t>(fields_[i])];
    if (options_.encode_ignore_null_fields && column.IsNull(row)) {
      continue;
    }
    if (!first) {
      out->push_back(',');
    }
    first = false;
    *out += names_[i];
    Value(column, row, out);
  }
  out->push_back('}');
}

void Encoder::Int64Value(const Column& column, int64_t value, std::string* out) const {
  switch (column.type().kind) {
    case TypeKind::kDecimal:
      types::AppendDecimal(value, column.type().scale, out);
      return;
    case TypeKind::kDate:
      out->push_back('"');
      types::AppendDate(value, out);
      out->push_back('"');
      return;
    case TypeKind::kTime:
      out->push_back('"');
      types::AppendTimeOfDay(value, value % 1000 == 0 ? 0 : 3, out);
      out->push_back('"');
      return;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      out->push_back('"');
      types::AppendTimestamp(value, options_.timestamp_format,
                             column.type().kind == TypeKind::kTimestampLtz, out);
      out->push_back('"');
      return;
    default:
      AppendInteger(value, out);
  }
}

void Encoder::Nested(const Column& column, size_t row, std::string* out) const {
  TypeKind kind = column.type().kind;
  if (kind == TypeKind::kRow) {
    out->push_back('{');
    bool first = true;
    for (size_t i = 0; i < column.children.size(); ++i) {
      if (options_.encode_ignore_null_fields && column.children[i].IsNull(row)) {
        continue;
      }
      if (!first) {
        out->push_back(',');
      }
      first = false;
      AppendJsonString(column.type().field_names[i], out);
      out->push_back(':');
      Value(column.children[i], row, out);
    }
    out->push_back('}');
    return;
  }
  bool map = kind == TypeKind::kMap;
  out->push_back(map ? '{' : '[');
  for (uint32_t i = column.offsets[row]; i < column.offsets[row + 1]; ++i) {
    if (i > column.offsets[row]) {
      out->push_back(',');
    }
    if (map) {
      AppendJsonString(column.children[0].strings[i].view(), out);
      out->push_back(':');
    }
    Value(column.children[map ? 1 : 0], i, out);
  }
  out->push_back(map ? '}' : ']');
}

void Encoder::Value(const Column& column, size_t row, std::string* out) const {
  if (column.IsNull(row)) {
    *out += "null";
    return;
  }
  switch (column.physical()) {
    case Physical::kBool:
      *out += column.bools[row] != 0 ? "true" : "false";
      return;
    case Physical::kInt64:
      Int64Value(column, column.ints[row], out);
      return;
    case Physical::kInt128:
      types::AppendDecimal(column.wides[row], column.type().scale, out);
      return;
    case Physical::kDouble:
      AppendJavaDouble(column.doubles[row], column.type().kind == TypeKind::kFloat, out);
      return;
    case Physical::kString:
      if (column.type().kind == TypeKind::kBytes) {
        out->push_back('"');
        *out += base::Base64Encode(column.strings[row].view());
        out->push_back('"');
      } else {
        AppendJsonString(column.strings[row].view(), out);
      }
      return;
    case Physical::kNested:
      Nested(column, row, out);
      return;
  }
}

}  // namespace sj::worker::connect::json
