// SPDX-License-Identifier: Apache-2.0
// Text forms of CAST.
#include "worker/exec/eval/text_form.h"

#include <strings.h>

#include <algorithm>

#include "worker/types/date_time.h"
#include "worker/types/decimal.h"
#include "worker/types/float_text.h"

namespace sj::worker::exec::eval {
namespace {

using types::Column;
using types::TypeKind;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool EqualNoCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

int64_t MaxOf(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyint:
      return INT8_MAX;
    case TypeKind::kSmallint:
      return INT16_MAX;
    case TypeKind::kInt:
      return INT32_MAX;
    default:
      return INT64_MAX;
  }
}

// "2026-1-2" -> "2026-01-02".
std::string PadDate(std::string_view text) {
  std::string out;
  size_t digits = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    bool end = i == text.size() || !IsDigit(text[i]);
    if (!end) {
      ++digits;
      continue;
    }
    if (digits == 1) {
      out.push_back('0');
    }
    out.append(text.substr(i - digits, digits));
    if (i < text.size()) {
      out.push_back(text[i]);
    }
    digits = 0;
  }
  return out;
}

}  // namespace

std::string_view TrimBlanks(std::string_view text) {
  auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::optional<int64_t> IntFromText(std::string_view text, TypeKind kind) {
  text = TrimBlanks(text);
  bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    text.remove_prefix(1);
  }
  if (text.empty() || !IsDigit(text.front())) {
    return std::nullopt;
  }
  uint64_t bound = static_cast<uint64_t>(MaxOf(kind)) + (negative ? 1 : 0);
  uint64_t value = 0;
  while (!text.empty() && IsDigit(text.front())) {
    uint64_t digit = static_cast<uint64_t>(text.front() - '0');
    if (value > (bound - digit) / 10) {
      return std::nullopt;
    }
    value = value * 10 + digit;
    text.remove_prefix(1);
  }
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
  } else if (!text.empty()) {
    return std::nullopt;
  }
  if (!std::all_of(text.begin(), text.end(), IsDigit)) {
    return std::nullopt;
  }
  return static_cast<int64_t>(negative ? 0 - value : value);
}

std::optional<bool> BoolFromText(std::string_view text) {
  text = TrimBlanks(text);
  for (std::string_view yes : {"t", "true", "y", "yes", "1"}) {
    if (EqualNoCase(text, yes)) {
      return true;
    }
  }
  for (std::string_view no : {"f", "false", "n", "no", "0"}) {
    if (EqualNoCase(text, no)) {
      return false;
    }
  }
  return std::nullopt;
}

std::optional<int64_t> DateFromText(std::string_view text) {
  text = TrimBlanks(text);
  text = text.substr(0, std::min(text.find_first_of(" T"), text.size()));
  return types::ParseDate(PadDate(text));
}

std::optional<int64_t> TimestampFromText(std::string_view text, bool ltz) {
  text = TrimBlanks(text);
  for (types::TimestampFormat format :
       {types::TimestampFormat::kSql, types::TimestampFormat::kIso8601}) {
    std::optional<int64_t> millis = types::ParseTimestamp(text, format);
    if (!millis && ltz) {
      millis = types::ParseTimestampLtz(text, format);
    }
    if (millis) {
      return millis;
    }
  }
  std::optional<int64_t> days = types::ParseDate(PadDate(text));
  if (!days) {
    return std::nullopt;
  }
  return *days * 86'400'000;
}

void AppendText(const Column& column, size_t row, std::string* out) {
  switch (column.type().kind) {
    case TypeKind::kBoolean:
      out->append(column.bools[row] != 0 ? "TRUE" : "FALSE");
      break;
    case TypeKind::kFloat:
      types::AppendJavaFloat(static_cast<float>(column.doubles[row]), out);
      break;
    case TypeKind::kDouble:
      types::AppendJavaDouble(column.doubles[row], out);
      break;
    case TypeKind::kDecimal:
      types::AppendDecimal(
          column.physical() == types::Physical::kInt128 ? column.wides[row] : column.ints[row],
          column.type().scale, out);
      break;
    case TypeKind::kString:
    case TypeKind::kBytes:
      out->append(column.strings[row].view());
      break;
    case TypeKind::kDate:
      types::AppendDate(column.ints[row], out);
      break;
    case TypeKind::kTime:
      types::AppendTimeOfDay(column.ints[row], column.type().precision, out);
      break;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      types::AppendTimestampFixed(column.ints[row], column.type().precision, out);
      break;
    default:
      out->append(std::to_string(column.ints[row]));
  }
}

std::string_view FirstChars(std::string_view text, size_t n) {
  if (text.size() <= n) {
    return text;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    bool starts = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (starts && n-- == 0) {
      return text.substr(0, i);
    }
  }
  return text;
}

}  // namespace sj::worker::exec::eval
