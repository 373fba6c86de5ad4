// SPDX-License-Identifier: Apache-2.0
// Date patterns as java.time.format.DateTimeFormatter reads them, as far as DATE_FORMAT needs.
#include "worker/exec/eval/date_pattern.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "worker/types/date_time.h"

namespace sj::worker::exec::eval {
namespace {

constexpr std::string_view kLetters = "yuMdDHhmsSaE";
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};
constexpr int64_t kDayMillis = 86'400'000;

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void AppendNumber(int64_t v, int width, std::string* out) {
  fmt::format_to(std::back_inserter(*out), "{:0{}}", v, width);
}

void AppendName(std::string_view name, int count, std::string* out) {
  out->append(count < 4 ? name.substr(0, 3) : name);
}

int DayOfYear(const types::CivilTime& civil) {
  int64_t day = types::FromCivil({civil.year, civil.month, civil.day, 0, 0, 0, 0});
  int64_t first = types::FromCivil({civil.year, 1, 1, 0, 0, 0, 0});
  return static_cast<int>((day - first) / kDayMillis) + 1;
}

void AppendYear(int year, int count, std::string* out) {
  if (count == 2) {
    AppendNumber((year % 100 + 100) % 100, 2, out);
    return;
  }
  AppendNumber(year, count, out);
}

void AppendSubsecond(int millis, int count, std::string* out) {
  std::string digits = fmt::format("{:03}000000", millis);
  out->append(digits, 0, static_cast<size_t>(count));
}

size_t DayOfWeek(int64_t millis) {  // 0: Monday
  int64_t days = millis / kDayMillis - (millis % kDayMillis < 0 ? 1 : 0);
  return static_cast<size_t>(((days + 3) % 7 + 7) % 7);
}

}  // namespace

base::Result<DatePattern> DatePattern::Compile(std::string_view pattern) {
  DatePattern out;
  auto literal = [&out](char c) {
    if (out.pieces_.empty() || out.pieces_.back().letter != 0) {
      out.pieces_.emplace_back();
    }
    out.pieces_.back().text.push_back(c);
  };
  bool quoted = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\'') {
      bool doubled = i + 1 < pattern.size() && pattern[i + 1] == '\'';
      if (doubled) {
        literal('\'');
        ++i;
      } else {
        quoted = !quoted;
      }
      continue;
    }
    if (quoted || !IsLetter(c)) {
      literal(c);
      continue;
    }
    if (kLetters.find(c) == std::string_view::npos) {
      return base::InvalidArgument(
          fmt::format("compile DATE_FORMAT: unknown letter '{}' in pattern \"{}\"", c, pattern));
    }
    bool more =
        !out.pieces_.empty() && out.pieces_.back().letter == c && i > 0 && pattern[i - 1] == c;
    if (more) {
      ++out.pieces_.back().count;
    } else {
      out.pieces_.push_back({c, 1, ""});
    }
    if (out.pieces_.back().count > 9) {
      return base::InvalidArgument(
          fmt::format("compile DATE_FORMAT: too many '{}' in pattern \"{}\"", c, pattern));
    }
  }
  if (quoted) {
    return base::InvalidArgument(
        fmt::format("compile DATE_FORMAT: open quote in pattern \"{}\"", pattern));
  }
  return out;
}

void DatePattern::Append(int64_t millis, std::string* out) const {
  types::CivilTime civil = types::ToCivil(millis);
  for (const Piece& piece : pieces_) {
    switch (piece.letter) {
      case 0:
        out->append(piece.text);
        break;
      case 'y':
      case 'u':
        AppendYear(civil.year, piece.count, out);
        break;
      case 'M':
        if (piece.count > 2) {
          AppendName(kMonths[static_cast<size_t>(civil.month - 1)], piece.count, out);
        } else {
          AppendNumber(civil.month, piece.count, out);
        }
        break;
      case 'd':
        AppendNumber(civil.day, piece.count, out);
        break;
      case 'D':
        AppendNumber(DayOfYear(civil), piece.count, out);
        break;
      case 'H':
        AppendNumber(civil.hour, piece.count, out);
        break;
      case 'h':
        AppendNumber((civil.hour + 11) % 12 + 1, piece.count, out);
        break;
      case 'm':
        AppendNumber(civil.minute, piece.count, out);
        break;
      case 's':
        AppendNumber(civil.second, piece.count, out);
        break;
      case 'S':
        AppendSubsecond(civil.millis, piece.count, out);
        break;
      case 'a':
        out->append(civil.hour < 12 ? "AM" : "PM");
        break;
      default:
        AppendName(kDays[DayOfWeek(millis)], piece.count, out);
    }
  }
}

}  // namespace sj::worker::exec::eval
