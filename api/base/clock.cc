// SPDX-License-Identifier: Apache-2.0
// The clocks, and time and duration text. Parsing is by hand: no locale, no exceptions.
#include "api/base/clock.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <mutex>
#include <optional>

namespace sj::base {
namespace {

class SystemClock final : public Clock {
 public:
  WallTime Wall() const override {
    return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  }
  MonoTime Mono() const override { return std::chrono::steady_clock::now(); }
};

// Reads exactly `digits` decimal digits at the front of `text` and removes them.
std::optional<int> TakeDigits(std::string_view& text, size_t digits) {
  if (text.size() < digits) {
    return std::nullopt;
  }
  int value = 0;
  for (char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool TakeChar(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

// "yyyy-mm-dd"; nullopt when no such day exists.
std::optional<std::chrono::sys_days> TakeDate(std::string_view& text) {
  const auto year = TakeDigits(text, 4);
  if (!year || !TakeChar(text, '-')) {
    return std::nullopt;
  }
  const auto month = TakeDigits(text, 2);
  if (!month || !TakeChar(text, '-')) {
    return std::nullopt;
  }
  const auto day = TakeDigits(text, 2);
  if (!day) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date);
}

// "hh:mm:ss" with an optional fraction, cut to milliseconds.
std::optional<Millis> TakeTimeOfDay(std::string_view& text) {
  const auto hour = TakeDigits(text, 2);
  if (!hour || !TakeChar(text, ':')) {
    return std::nullopt;
  }
  const auto minute = TakeDigits(text, 2);
  if (!minute || !TakeChar(text, ':')) {
    return std::nullopt;
  }
  const auto second = TakeDigits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  Millis result =
      std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  if (TakeChar(text, '.')) {
    int scale = 100;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      result += Millis((text.front() - '0') * scale);
      scale /= 10;
      any = true;
      text.remove_prefix(1);
    }
    if (!any) {
      return std::nullopt;
    }
  }
  return result;
}

// "Z" or "+hh:mm": what must be subtracted to get UTC.
std::optional<Millis> TakeOffset(std::string_view& text) {
  if (TakeChar(text, 'Z') || TakeChar(text, 'z')) {
    return Millis(0);
  }
  const bool minus = !text.empty() && text.front() == '-';
  if (!minus && (text.empty() || text.front() != '+')) {
    return std::nullopt;
  }
  text.remove_prefix(1);
  const auto hour = TakeDigits(text, 2);
  if (!hour || !TakeChar(text, ':')) {
    return std::nullopt;
  }
  const auto minute = TakeDigits(text, 2);
  if (!minute || *hour > 23 || *minute > 59) {
    return std::nullopt;
  }
  const Millis offset = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  return minus ? -offset : offset;
}

struct Unit {
  std::string_view name;
  int64_t ms;
};
// Longest names first where one is the beginning of another.
constexpr std::array<Unit, 5> kUnits{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

}  // namespace

const Clock& RealClock() {
  static const SystemClock clock;
  return clock;
}

struct ManualClock::State {
  mutable std::mutex mu;
  WallTime wall;
  MonoTime mono{std::chrono::hours(1)};
};

ManualClock::ManualClock(WallTime start) : state_(std::make_unique<State>()) {
  state_->wall = start;
}

ManualClock::~ManualClock() = default;

WallTime ManualClock::Wall() const {
  std::lock_guard lock(state_->mu);
  return state_->wall;
}

MonoTime ManualClock::Mono() const {
  std::lock_guard lock(state_->mu);
  return state_->mono;
}

void ManualClock::Advance(Millis by) {
  std::lock_guard lock(state_->mu);
  state_->wall += by;
  state_->mono += by;
}

std::string FormatTime(WallTime t, bool millis) {
  const auto days = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss<Millis> time(t - days);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int(date.year()),
                                 unsigned(date.month()), unsigned(date.day()), time.hours().count(),
                                 time.minutes().count(), time.seconds().count());
  if (millis) {
    text += fmt::format(".{:03}", time.subseconds().count());
  }
  return text + "Z";
}

Result<WallTime> ParseTime(std::string_view text) {
  const std::string_view whole = text.substr(0, 64);
  const auto date = TakeDate(text);
  if (date && (TakeChar(text, 'T') || TakeChar(text, 't'))) {
    const auto time = TakeTimeOfDay(text);
    const auto offset = time ? TakeOffset(text) : std::nullopt;
    if (offset && text.empty()) {
      return WallTime(*date) + *time - *offset;
    }
  }
  return InvalidArgument(
      fmt::format("time \"{}\" is not RFC 3339, such as \"2026-01-02T03:04:05Z\"", whole));
}

Result<Millis> ParseDuration(std::string_view text) {
  const auto refuse = [whole = text.substr(0, 64)] {
    return InvalidArgument(fmt::format(
        "duration \"{}\" is not a number with a unit, such as \"500ms\", \"1s\", \"2m\" "
        "or \"1h30m\"",
        whole));
  };
  if (text == "0") {
    return Millis(0);
  }
  int64_t total = 0;
  bool any = false;
  while (!text.empty()) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0 || text.front() == '-') {
      return refuse();
    }
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (text.starts_with(candidate.name)) {
        unit = &candidate;
        break;
      }
    }
    int64_t part = 0;
    if (unit == nullptr || __builtin_mul_overflow(number, unit->ms, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return refuse();
    }
    text.remove_prefix(unit->name.size());
    any = true;
  }
  if (!any) {
    return refuse();
  }
  return Millis(total);
}

std::string FormatDuration(Millis d) {
  int64_t rest = d.count();
  if (rest == 0) {
    return "0s";
  }
  std::string text = rest < 0 ? "-" : "";
  rest = rest < 0 ? -rest : rest;
  for (const Unit& unit : {kUnits[3], kUnits[2], kUnits[1], kUnits[0]}) {
    if (rest >= unit.ms) {
      text += fmt::format("{}{}", rest / unit.ms, unit.name);
      rest %= unit.ms;
    }
  }
  return text;
}

}  // namespace sj::base
