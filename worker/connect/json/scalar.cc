// SPDX-License-Identifier: Apache-2.0
// Reading of numbers, base64 and escapes.
#include "worker/connect/json/scalar.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "worker/types/decimal.h"

namespace sj::worker::connect::json {
namespace {

using types::TypeKind;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool FitsInteger(int64_t value, TypeKind kind) {
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

int HexDigit(char c) {
  if (IsDigit(c)) {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Four hex digits at p, or -1.
int HexUnit(const char* p, const char* end) {
  if (end - p < 4) {
    return -1;
  }
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    int digit = HexDigit(p[i]);
    if (digit < 0) {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

char* PutUtf8(uint32_t c, char* out) {
  if (c < 0x80) {
    *out++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *out++ = static_cast<char>(0xc0 | (c >> 6));
    *out++ = static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *out++ = static_cast<char>(0xe0 | (c >> 12));
    *out++ = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    *out++ = static_cast<char>(0x80 | (c & 0x3f));
  } else {
    *out++ = static_cast<char>(0xf0 | (c >> 18));
    *out++ = static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    *out++ = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    *out++ = static_cast<char>(0x80 | (c & 0x3f));
  }
  return out;
}

// Reads the escape after "\u" at *p, with its second half when it is a pair.
bool TakeUnicode(const char** p, const char* end, uint32_t* out) {
  int unit = HexUnit(*p, end);
  if (unit < 0) {
    return false;
  }
  *p += 4;
  *out = static_cast<uint32_t>(unit);
  if (unit < 0xd800 || unit > 0xdfff) {
    return true;
  }
  int low = unit <= 0xdbff && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u'
                ? HexUnit(*p + 2, end)
                : -1;
  if (low < 0xdc00 || low > 0xdfff) {
    *out = 0xfffd;
    return true;
  }
  *p += 6;
  *out = 0x10000 + ((static_cast<uint32_t>(unit) - 0xd800) << 10) +
         (static_cast<uint32_t>(low) - 0xdc00);
  return true;
}

char SimpleEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

}  // namespace

std::string_view Trim(std::string_view text) {
  auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

bool IsNumber(std::string_view text) {
  size_t i = 0;
  auto digits = [&] {
    size_t begin = i;
    while (i < text.size() && IsDigit(text[i])) {
      ++i;
    }
    return i - begin;
  };
  if (i < text.size() && text[i] == '-') {
    ++i;
  }
  bool zero = i < text.size() && text[i] == '0';
  size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) {
    return false;
  }
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() == 0) {
      return false;
    }
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
      ++i;
    }
    if (digits() == 0) {
      return false;
    }
  }
  return i == text.size();
}

ScalarResult ReadInteger(std::string_view text, TypeKind kind, int64_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  if (error == std::errc() && end == text.data() + text.size()) {
    return FitsInteger(*out, kind) ? ScalarResult::kOk : ScalarResult::kBad;
  }
  double value = 0;
  if (!IsNumber(text) || ReadDouble(text, false, &value) != ScalarResult::kOk ||
      std::fabs(value) >= 9223372036854775808.0) {
    return ScalarResult::kBad;
  }
  *out = static_cast<int64_t>(value);
  return FitsInteger(*out, kind) ? ScalarResult::kOk : ScalarResult::kBad;
}

ScalarResult ReadDouble(std::string_view text, bool to_float, double* out) {
  // from_chars takes "inf", "nan" and hexadecimal tails that JSON does not have.
  bool starts = !text.empty() && (IsDigit(text[0]) || text[0] == '-' || text[0] == '.');
  if (!starts || (text.size() > 1 && text[0] == '-' && !IsDigit(text[1]) && text[1] != '.')) {
    return ScalarResult::kBad;
  }
  const char* last = text.data() + text.size();
  if (to_float) {
    float value = 0;
    auto [end, error] = std::from_chars(text.data(), last, value);
    *out = value;
    return error == std::errc() && end == last ? ScalarResult::kOk : ScalarResult::kBad;
  }
  auto [end, error] = std::from_chars(text.data(), last, *out);
  return error == std::errc() && end == last ? ScalarResult::kOk : ScalarResult::kBad;
}

ScalarResult ReadDecimal(std::string_view text, const types::DataType& type, types::Int128* out) {
  // The common case: at most 18 digits, no exponent, no digit to round.
  constexpr size_t kFastCharsMax = 19;
  if (text.size() <= kFastCharsMax) {
    size_t i = !text.empty() && text[0] == '-' ? 1 : 0;
    int64_t value = 0;
    int digits = 0;
    int fraction = -1;
    for (; i < text.size(); ++i) {
      if (text[i] == '.' && fraction < 0) {
        fraction = 0;
        continue;
      }
      if (!IsDigit(text[i])) {
        break;
      }
      value = value * 10 + (text[i] - '0');
      ++digits;
      fraction += fraction >= 0 ? 1 : 0;
    }
    int shift = type.scale - (fraction < 0 ? 0 : fraction);
    if (i == text.size() && digits > 0 && shift >= 0 && digits + shift <= 18 &&
        digits + shift <= type.precision) {
      static constexpr int64_t kTens[] = {
          1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
      if (shift < static_cast<int>(std::size(kTens))) {
        value *= kTens[shift];
        *out = text[0] == '-' ? -value : value;
        return ScalarResult::kOk;
      }
    }
  }
  std::optional<types::Int128> value = types::ParseDecimal(text, type.precision, type.scale);
  if (value.has_value()) {
    *out = *value;
    return ScalarResult::kOk;
  }
  return IsNumber(text) ? ScalarResult::kNull : ScalarResult::kBad;
}

std::optional<int64_t> ReadTime(std::string_view text, const types::DataType& type,
                                types::TimestampFormat format) {
  switch (type.kind) {
    case TypeKind::kDate:
      return types::ParseDate(text);
    case TypeKind::kTime:
      if (text.ends_with('Z')) {
        text.remove_suffix(1);
      }
      return types::ParseTimeOfDay(text);
    case TypeKind::kTimestampLtz:
      return types::ParseTimestampLtz(text, format);
    default:
      return types::ParseTimestamp(text, format);
  }
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  while (!text.empty() && text.back() == '=') {
    text.remove_suffix(1);
  }
  std::string out;
  out.reserve(text.size() * 3 / 4 + 3);
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : IsDigit(c)           ? c - '0' + 52
                : c == '+'             ? 62
                : c == '/'             ? 63
                                       : -1;
    if (value < 0) {
      return std::nullopt;
    }
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>((bits >> count) & 0xff));
    }
  }
  return count == 6 ? std::nullopt : std::optional(std::move(out));
}

std::optional<size_t> UnescapeInPlace(char* begin, size_t size) {
  const char* from = begin;
  const char* end = begin + size;
  char* to = begin;
  while (from < end) {
    auto* slash =
        static_cast<const char*>(std::memchr(from, '\\', static_cast<size_t>(end - from)));
    size_t plain = static_cast<size_t>((slash == nullptr ? end : slash) - from);
    std::memmove(to, from, plain);
    to += plain;
    from += plain;
    if (slash == nullptr) {
      break;
    }
    if (++from == end) {
      return std::nullopt;
    }
    char kind = *from++;
    if (kind == 'u') {
      uint32_t c = 0;
      if (!TakeUnicode(&from, end, &c)) {
        return std::nullopt;
      }
      to = PutUtf8(c, to);
    } else if (char c = SimpleEscape(kind); c != 0) {
      *to++ = c;
    } else {
      return std::nullopt;
    }
  }
  return static_cast<size_t>(to - begin);
}

}  // namespace sj::worker::connect::json
