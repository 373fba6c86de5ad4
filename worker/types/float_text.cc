// SPDX-License-Identifier: Apache-2.0
// Shortest digits come from std::to_chars; only their layout is Java's: plain between 1e-3 and 1e7,
// otherwise d.dddE[-]x, always with a digit after the point.
#include "worker/types/float_text.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace sj::worker::types {
namespace {

template <typename T>
void AppendJava(T v, std::string* out) {
  if (std::isnan(v)) {
    out->append("NaN");
    return;
  }
  if (std::signbit(v)) {
    out->push_back('-');
    v = -v;
  }
  if (std::isinf(v)) {
    out->append("Infinity");
    return;
  }
  char buffer[64];
  // "d[.ddd]e[+-]xx"
  std::to_chars_result end =
      std::to_chars(buffer, buffer + sizeof(buffer), v, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(end.ptr - buffer));
  size_t e = text.find('e');
  std::string digits(1, text[0]);
  if (e > 2) {
    digits.append(text.substr(2, e - 2));
  }
  int exponent = 0;
  std::string_view power = text.substr(text[e + 1] == '+' ? e + 2 : e + 1);
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (v == 0 || (v >= static_cast<T>(1e-3) && v < static_cast<T>(1e7))) {
    size_t whole = exponent >= 0 ? static_cast<size_t>(exponent) + 1 : 0;
    if (whole == 0) {
      digits.insert(0, static_cast<size_t>(-exponent), '0');
      whole = 1;
    }
    digits.append(digits.size() < whole + 1 ? whole + 1 - digits.size() : 0, '0');
    out->append(digits, 0, whole).append(1, '.').append(digits, whole);
    return;
  }
  out->push_back(digits[0]);
  out->push_back('.');
  out->append(digits.size() > 1 ? digits.substr(1) : "0");
  out->append("E").append(std::to_string(exponent));
}

}  // namespace

void AppendJavaDouble(double v, std::string* out) {
  AppendJava(v, out);
}

void AppendJavaFloat(float v, std::string* out) {
  AppendJava(v, out);
}

std::optional<double> ParseDouble(std::string_view text) {
  bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    text.remove_prefix(1);
  }
  double v = 0;
  if (text == "NaN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (text == "Infinity") {
    v = std::numeric_limits<double>::infinity();
    return negative ? -v : v;
  }
  if (text.empty() || ((text[0] < '0' || text[0] > '9') && text[0] != '.')) {
    return std::nullopt;  // no second sign, no "inf", no "nan"
  }
  std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), v);
  if (end.ptr != text.data() + text.size() || end.ec == std::errc::invalid_argument) {
    return std::nullopt;
  }
  if (end.ec == std::errc::result_out_of_range) {  // too large, or too small to tell from zero
    size_t e = text.find_first_of("eE");
    bool small = e != std::string_view::npos ? text.find('-', e) != std::string_view::npos
                                             : text.substr(0, 2) == "0." || text[0] == '.';
    v = small ? 0 : std::numeric_limits<double>::infinity();
  }
  return negative ? -v : v;
}

}  // namespace sj::worker::types
