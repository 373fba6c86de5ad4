// SPDX-License-Identifier: Apache-2.0
// Dates by the proleptic Gregorian calendar (days-from-civil by era of 400 years), times as plain
// arithmetic. Parsing is strict: two-digit fields, real dates, hour < 24, second < 60.
#include "worker/types/date_time.h"

#include <fmt/format.h>

#include <iterator>

namespace sj::worker::types {
namespace {

constexpr int64_t kDayMillis = 86'400'000;

int64_t FloorDiv(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// 0 <= result < b. Not a - FloorDiv(a, b) * b, which overflows near the smallest a.
int64_t FloorMod(int64_t a, int64_t b) {
  int64_t rest = a % b;
  return rest < 0 ? rest + b : rest;
}

int64_t DaysFromCivil(int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  int64_t era = FloorDiv(year, 400);
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

void CivilFromDays(int64_t days, CivilTime* out) {
  days += 719468;
  int64_t era = FloorDiv(days, 146097);
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted_month = (5 * day_of_year + 2) / 153;
  out->day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  out->month = static_cast<int>(shifted_month + (shifted_month < 10 ? 3 : -9));
  out->year = static_cast<int>(year_of_era + era * 400 + (out->month <= 2 ? 1 : 0));
}

int DaysInMonth(int year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

bool TakeChar(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) {
    return false;
  }
  text->remove_prefix(1);
  return true;
}

bool TakeNumber(std::string_view* text, size_t digits, int* out) {
  if (text->size() < digits) {
    return false;
  }
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    char c = (*text)[i];
    if (c < '0' || c > '9') {
      return false;
    }
    value = value * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  *out = value;
  return true;
}

bool TakeDate(std::string_view* text, CivilTime* out) {
  return TakeNumber(text, 4, &out->year) && TakeChar(text, '-') &&
         TakeNumber(text, 2, &out->month) && TakeChar(text, '-') &&
         TakeNumber(text, 2, &out->day) && out->month >= 1 && out->month <= 12 && out->day >= 1 &&
         out->day <= DaysInMonth(out->year, out->month);
}

// One to nine digits after the point; digits past the third are cut.
bool TakeFraction(std::string_view* text, int* millis) {
  size_t digits = 0;
  int value = 0;
  int weight = 100;
  while (digits < text->size() && (*text)[digits] >= '0' && (*text)[digits] <= '9') {
    value += ((*text)[digits] - '0') * weight;
    weight /= 10;
    ++digits;
  }
  text->remove_prefix(digits);
  *millis = value;
  return digits >= 1 && digits <= 9;
}

bool TakeTime(std::string_view* text, bool seconds_required, CivilTime* out) {
  out->second = 0;
  out->millis = 0;
  if (!TakeNumber(text, 2, &out->hour) || !TakeChar(text, ':') ||
      !TakeNumber(text, 2, &out->minute) || out->hour > 23 || out->minute > 59) {
    return false;
  }
  if (!TakeChar(text, ':')) {
    return !seconds_required;
  }
  if (!TakeNumber(text, 2, &out->second) || out->second > 59) {
    return false;
  }
  return !TakeChar(text, '.') || TakeFraction(text, &out->millis);
}

bool TakeDateTime(std::string_view* text, TimestampFormat format, int64_t* millis) {
  bool sql = format == TimestampFormat::kSql;
  CivilTime civil{};
  if (!TakeDate(text, &civil) || !TakeChar(text, sql ? ' ' : 'T') || !TakeTime(text, sql, &civil)) {
    return false;
  }
  *millis = FromCivil(civil);
  return true;
}

// The form nearly all producers write, "yyyy-mm-dd hh:mm:ss.mmm", with one look at each character.
// False: another form or not a time; the slow path tells which.
bool ReadUsualForm(std::string_view text, char separator, int64_t* millis) {
  constexpr size_t kChars = 23;
  if (text.size() != kChars || text[4] != '-' || text[7] != '-' || text[10] != separator ||
      text[13] != ':' || text[16] != ':' || text[19] != '.') {
    return false;
  }
  bool digits = true;
  auto digit = [&](size_t i) {
    auto value = static_cast<unsigned>(static_cast<unsigned char>(text[i])) - '0';
    digits = digits && value <= 9;
    return static_cast<int>(value);
  };
  auto two = [&](size_t i) { return digit(i) * 10 + digit(i + 1); };
  CivilTime civil{};
  civil.year = two(0) * 100 + two(2);
  civil.month = two(5);
  civil.day = two(8);
  civil.hour = two(11);
  civil.minute = two(14);
  civil.second = two(17);
  civil.millis = two(20) * 10 + digit(22);
  if (!digits || civil.month < 1 || civil.month > 12 || civil.day < 1 ||
      civil.day > DaysInMonth(civil.year, civil.month) || civil.hour > 23 || civil.minute > 59 ||
      civil.second > 59) {
    return false;
  }
  *millis = FromCivil(civil);
  return true;
}

// 'Z' or "+hh:mm", as milliseconds east of Greenwich.
bool TakeZone(std::string_view* text, int64_t* offset_ms) {
  *offset_ms = 0;
  if (TakeChar(text, 'Z')) {
    return true;
  }
  bool west = !text->empty() && text->front() == '-';
  int hours = 0;
  int minutes = 0;
  if (!TakeChar(text, west ? '-' : '+') || !TakeNumber(text, 2, &hours) || !TakeChar(text, ':') ||
      !TakeNumber(text, 2, &minutes) || hours > 18 || minutes > 59) {
    return false;
  }
  *offset_ms = (hours * 60 + minutes) * int64_t{60'000} * (west ? -1 : 1);
  return true;
}

void AppendTwo(int v, std::string* out) {
  out->push_back(static_cast<char>('0' + v / 10));
  out->push_back(static_cast<char>('0' + v % 10));
}

void AppendCivilDate(const CivilTime& civil, std::string* out) {
  if (civil.year >= 0 && civil.year <= 9999) {
    AppendTwo(civil.year / 100, out);
    AppendTwo(civil.year % 100, out);
  } else {  // as Java prints years outside four digits
    fmt::format_to(std::back_inserter(*out), "{}{:04}", civil.year < 0 ? "-" : "+",
                   civil.year < 0 ? -int64_t{civil.year} : int64_t{civil.year});
  }
  out->push_back('-');
  AppendTwo(civil.month, out);
  out->push_back('-');
  AppendTwo(civil.day, out);
}

void AppendClock(const CivilTime& civil, std::string* out) {
  AppendTwo(civil.hour, out);
  out->push_back(':');
  AppendTwo(civil.minute, out);
  out->push_back(':');
  AppendTwo(civil.second, out);
}

void AppendFraction(int millis, int precision, std::string* out) {
  if (precision <= 0) {
    return;
  }
  char digits[] = {'.', static_cast<char>('0' + millis / 100),
                   static_cast<char>('0' + millis / 10 % 10), static_cast<char>('0' + millis % 10)};
  out->append(digits, static_cast<size_t>(precision < 3 ? precision + 1 : 4));
  out->append(precision > 3 ? static_cast<size_t>(precision - 3) : 0, '0');
}

}  // namespace

CivilTime ToCivil(int64_t millis) {
  int64_t days = FloorDiv(millis, kDayMillis);
  int64_t rest = FloorMod(millis, kDayMillis);
  CivilTime out{};
  CivilFromDays(days, &out);
  out.millis = static_cast<int>(rest % 1000);
  rest /= 1000;
  out.second = static_cast<int>(rest % 60);
  out.minute = static_cast<int>(rest / 60 % 60);
  out.hour = static_cast<int>(rest / 3600);
  return out;
}

int64_t FromCivil(const CivilTime& civil) {
  int64_t seconds = DaysFromCivil(civil.year, civil.month, civil.day) * 86'400 + civil.hour * 3600 +
                    civil.minute * 60 + civil.second;
  return seconds * 1000 + civil.millis;
}

std::optional<int64_t> ParseTimestamp(std::string_view text, TimestampFormat format) {
  int64_t millis = 0;
  if (ReadUsualForm(text, format == TimestampFormat::kSql ? ' ' : 'T', &millis)) {
    return millis;
  }
  if (!TakeDateTime(&text, format, &millis) || !text.empty()) {
    return std::nullopt;
  }
  return millis;
}

std::optional<int64_t> ParseTimestampLtz(std::string_view text, TimestampFormat format) {
  int64_t millis = 0;
  int64_t offset_ms = 0;
  if (!TakeDateTime(&text, format, &millis) || !TakeZone(&text, &offset_ms) || !text.empty()) {
    return std::nullopt;
  }
  return millis - offset_ms;
}

void AppendTimestamp(int64_t millis, TimestampFormat format, bool zulu, std::string* out) {
  CivilTime civil = ToCivil(millis);
  AppendCivilDate(civil, out);
  out->push_back(format == TimestampFormat::kSql ? ' ' : 'T');
  AppendClock(civil, out);
  int digits = civil.millis == 0 ? 0 : civil.millis % 100 == 0 ? 1 : civil.millis % 10 == 0 ? 2 : 3;
  AppendFraction(civil.millis, digits, out);
  if (zulu) {
    out->push_back('Z');
  }
}

void AppendTimestampFixed(int64_t millis, int precision, std::string* out) {
  CivilTime civil = ToCivil(millis);
  AppendCivilDate(civil, out);
  out->push_back(' ');
  AppendClock(civil, out);
  AppendFraction(civil.millis, precision, out);
}

std::optional<int64_t> ParseDate(std::string_view text) {
  CivilTime civil{};
  if (!TakeDate(&text, &civil) || !text.empty()) {
    return std::nullopt;
  }
  return DaysFromCivil(civil.year, civil.month, civil.day);
}

void AppendDate(int64_t days, std::string* out) {
  CivilTime civil{};
  CivilFromDays(days, &civil);
  AppendCivilDate(civil, out);
}

std::optional<int64_t> ParseTimeOfDay(std::string_view text) {
  CivilTime civil{};
  if (!TakeTime(&text, false, &civil) || !text.empty()) {
    return std::nullopt;
  }
  return ((civil.hour * 60 + civil.minute) * int64_t{60} + civil.second) * 1000 + civil.millis;
}

void AppendTimeOfDay(int64_t millis, int precision, std::string* out) {
  CivilTime civil = ToCivil(FloorMod(millis, kDayMillis));
  AppendClock(civil, out);
  AppendFraction(civil.millis, precision, out);
}

}  // namespace sj::worker::types
