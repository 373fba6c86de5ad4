// SPDX-License-Identifier: Apache-2.0
// Date and time functions over milliseconds (TIMESTAMP, TIMESTAMP_LTZ in UTC) and days (DATE).
// Weeks: WEEK of EXTRACT is ISO's, FLOOR(... TO WEEK) goes to Sunday and DOW counts from Sunday =
// 1, each as in Flink.
#include <algorithm>
#include <array>
#include <memory>

#include "worker/exec/eval/date_pattern.h"
#include "worker/exec/eval/node.h"
#include "worker/types/date_time.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Function;
using types::CivilTime;
using types::DataType;
using types::Physical;
using types::TypeKind;

constexpr int64_t kSecond = 1000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

enum class Unit : uint8_t {
  kYear,
  kQuarter,
  kMonth,
  kWeek,
  kDay,
  kDow,
  kDoy,
  kHour,
  kMinute,
  kSecond,
  kMillisecond,
  kUnknown
};

Unit UnitOf(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kNames = {
      "YEAR", "QUARTER", "MONTH",  "WEEK",   "DAY",        "DOW",
      "DOY",  "HOUR",    "MINUTE", "SECOND", "MILLISECOND"};
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) {
      return static_cast<Unit>(i);
    }
  }
  return Unit::kUnknown;
}

int64_t FloorDiv(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

int64_t FloorTo(int64_t t, int64_t unit) {
  return FloorDiv(t, unit) * unit;
}

int64_t DayStart(int year, int month, int day) {
  return types::FromCivil({year, month, day, 0, 0, 0, 0});
}

// 0: Monday.
int64_t WeekDay(int64_t days) {
  return ((days + 3) % 7 + 7) % 7;
}

int64_t IsoWeek(int64_t days) {
  int64_t thursday = days - WeekDay(days) + 3;
  CivilTime civil = types::ToCivil(thursday * kDay);
  return (thursday - DayStart(civil.year, 1, 1) / kDay) / 7 + 1;
}

int64_t Extract(Unit unit, int64_t t) {
  int64_t days = FloorDiv(t, kDay);
  CivilTime civil = types::ToCivil(t);
  switch (unit) {
    case Unit::kYear:
      return civil.year;
    case Unit::kQuarter:
      return (civil.month - 1) / 3 + 1;
    case Unit::kMonth:
      return civil.month;
    case Unit::kWeek:
      return IsoWeek(days);
    case Unit::kDay:
      return civil.day;
    case Unit::kDow:
      return (WeekDay(days) + 1) % 7 + 1;
    case Unit::kDoy:
      return days - DayStart(civil.year, 1, 1) / kDay + 1;
    case Unit::kHour:
      return civil.hour;
    case Unit::kMinute:
      return civil.minute;
    case Unit::kSecond:
      return civil.second;
    default:
      return civil.millis;
  }
}

int64_t FloorToUnit(Unit unit, int64_t t) {
  switch (unit) {
    case Unit::kYear:
      return DayStart(types::ToCivil(t).year, 1, 1);
    case Unit::kQuarter: {
      CivilTime civil = types::ToCivil(t);
      return DayStart(civil.year, (civil.month - 1) / 3 * 3 + 1, 1);
    }
    case Unit::kMonth: {
      CivilTime civil = types::ToCivil(t);
      return DayStart(civil.year, civil.month, 1);
    }
    case Unit::kWeek: {
      int64_t days = FloorDiv(t, kDay);
      return (days - (WeekDay(days) + 1) % 7) * kDay;
    }
    case Unit::kDay:
      return FloorTo(t, kDay);
    case Unit::kHour:
      return FloorTo(t, kHour);
    case Unit::kMinute:
      return FloorTo(t, kMinute);
    case Unit::kSecond:
      return FloorTo(t, kSecond);
    default:
      return t;
  }
}

// Months are added on the calendar: the day is cut to the last one of the month.
int64_t AddMonths(int64_t t, int64_t months) {
  CivilTime civil = types::ToCivil(t);
  int64_t index = int64_t{civil.year} * 12 + (civil.month - 1) + months;
  civil.year = static_cast<int>(FloorDiv(index, 12));
  civil.month = static_cast<int>(index - FloorDiv(index, 12) * 12) + 1;
  int next_year = civil.month == 12 ? civil.year + 1 : civil.year;
  int next_month = civil.month % 12 + 1;
  int64_t days = (DayStart(next_year, next_month, 1) - DayStart(civil.year, civil.month, 1)) / kDay;
  civil.day = std::min(civil.day, static_cast<int>(days));
  return types::FromCivil(civil);
}

// Whole months from a to b, toward zero.
int64_t MonthsBetween(int64_t a, int64_t b) {
  CivilTime x = types::ToCivil(a);
  CivilTime y = types::ToCivil(b);
  int64_t months = (int64_t{y.year} - x.year) * 12 + (y.month - x.month);
  int64_t moved = AddMonths(a, months);
  if (months > 0 && moved > b) {
    --months;
  } else if (months < 0 && moved < b) {
    ++months;
  }
  return months;
}

int64_t Difference(Unit unit, int64_t a, int64_t b) {
  switch (unit) {
    case Unit::kYear:
      return MonthsBetween(a, b) / 12;
    case Unit::kQuarter:
      return MonthsBetween(a, b) / 3;
    case Unit::kMonth:
      return MonthsBetween(a, b);
    case Unit::kWeek:
      return (b - a) / (7 * kDay);
    case Unit::kDay:
      return (b - a) / kDay;
    case Unit::kHour:
      return (b - a) / kHour;
    case Unit::kMinute:
      return (b - a) / kMinute;
    case Unit::kSecond:
      return (b - a) / kSecond;
    default:
      return b - a;
  }
}

bool IsTimestamp(const DataType& type) {
  return type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampLtz;
}

bool IsTime(const DataType& type) {
  return IsTimestamp(type) || type.kind == TypeKind::kDate;
}

// op(millis) of argument `arg`, which may be a DATE; a DATE result is days again.
template <typename Op>
KernelSpec OfTime(size_t arg, const DataType& from, const DataType& to, Op op) {
  int64_t in_unit = from.kind == TypeKind::kDate ? kDay : 1;
  int64_t out_unit = to.kind == TypeKind::kDate ? kDay : 1;
  return {[=](const Call& call) {
    Lane<int64_t> in = Ints(call.args[arg]);
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->ints[row] = FloorDiv(op(in[row] * in_unit), out_unit);
    }
    return base::OkStatus();
  }};
}

base::Result<KernelSpec> AddInterval(bool subtract, const DataType& type, const NodeList& args) {
  if (args.size() != 2 || !(IsTime(args[0]->type()) || args[0]->type().kind == TypeKind::kTime) ||
      type.physical() != Physical::kInt64) {
    return NoSuchCall("interval arithmetic", args);
  }
  TypeKind interval = args[1]->type().kind;
  bool months = interval == TypeKind::kIntervalMonth;
  bool time_of_day = args[0]->type().kind == TypeKind::kTime;
  if ((!months && interval != TypeKind::kIntervalDay) || (months && time_of_day)) {
    return NoSuchCall("interval arithmetic", args);
  }
  int64_t in_unit = args[0]->type().kind == TypeKind::kDate ? kDay : 1;
  int64_t out_unit = type.kind == TypeKind::kDate ? kDay : 1;
  return KernelSpec{[=](const Call& call) {
    Lane<int64_t> in = Ints(call.args[0]);
    Lane<int64_t> by = Ints(call.args[1]);
    for (size_t row = 0; row < call.rows; ++row) {
      int64_t delta = subtract ? -by[row] : by[row];
      int64_t t = in[row] * in_unit;
      int64_t moved =
          months ? AddMonths(t, delta)
                 : static_cast<int64_t>(static_cast<uint64_t>(t) + static_cast<uint64_t>(delta));
      moved = time_of_day ? moved - FloorTo(moved, kDay) : moved;
      call.out->ints[row] = out_unit == 1 ? moved : FloorDiv(moved, out_unit);
    }
    return base::OkStatus();
  }};
}

base::Result<KernelSpec> DateFormat(const NodeList& args) {
  if (args.size() != 2 || !IsTime(args[0]->type()) || LiteralOf(*args[1]) == nullptr) {
    return NoSuchCall("DATE_FORMAT", args);
  }
  SJ_ASSIGN_OR_RETURN(DatePattern compiled, DatePattern::Compile(LiteralText(*args[1])));
  auto pattern = std::make_shared<const DatePattern>(std::move(compiled));  // by kernel copies
  int64_t unit = args[0]->type().kind == TypeKind::kDate ? kDay : 1;
  return KernelSpec{[pattern, unit](const Call& call) {
    Lane<int64_t> in = Ints(call.args[0]);
    std::string text;
    for (size_t row = 0; row < call.rows; ++row) {
      if (!call.out->IsNull(row)) {
        text.clear();
        pattern->Append(in[row] * unit, &text);
        call.out->strings[row] = call.out->arena().Copy(text);
      }
    }
    return base::OkStatus();
  }};
}

base::Result<KernelSpec> TimestampDiff(const NodeList& args) {
  Unit unit = args.empty() ? Unit::kUnknown : UnitOf(LiteralText(*args[0]));
  if (args.size() != 3 || unit == Unit::kUnknown || unit == Unit::kDow || unit == Unit::kDoy ||
      !IsTime(args[1]->type()) || !IsTime(args[2]->type())) {
    return NoSuchCall("TIMESTAMPDIFF", args);
  }
  int64_t unit_a = args[1]->type().kind == TypeKind::kDate ? kDay : 1;
  int64_t unit_b = args[2]->type().kind == TypeKind::kDate ? kDay : 1;
  return KernelSpec{[=](const Call& call) {
    Lane<int64_t> a = Ints(call.args[1]);
    Lane<int64_t> b = Ints(call.args[2]);
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->ints[row] =
          WrapInt(call.out->type().kind, Difference(unit, a[row] * unit_a, b[row] * unit_b));
    }
    return base::OkStatus();
  }};
}

}  // namespace

base::Result<KernelSpec> MakeTime(Function function, const DataType& type, const NodeList& args) {
  switch (function) {
    case Function::kAddInterval:
    case Function::kSubtractInterval:
      return AddInterval(function == Function::kSubtractInterval, type, args);
    case Function::kDateFormat:
      return DateFormat(args);
    case Function::kTimestampDiff:
      return TimestampDiff(args);
    case Function::kExtract: {
      Unit unit = args.size() == 2 ? UnitOf(LiteralText(*args[0])) : Unit::kUnknown;
      if (unit == Unit::kUnknown || !IsTime(args[1]->type())) {
        return NoSuchCall("EXTRACT", args);
      }
      return OfTime(1, args[1]->type(), type, [unit](int64_t t) { return Extract(unit, t); });
    }
    case Function::kFloorTo: {
      Unit unit = args.size() == 2 ? UnitOf(LiteralText(*args[1])) : Unit::kUnknown;
      if (unit == Unit::kUnknown || unit == Unit::kDow || unit == Unit::kDoy ||
          !IsTime(args[0]->type())) {
        return NoSuchCall("FLOOR ... TO", args);
      }
      return OfTime(0, args[0]->type(), type, [unit](int64_t t) { return FloorToUnit(unit, t); });
    }
    default:
      return NoSuchCall("time function", args);
  }
}

}  // namespace sj::worker::exec::eval
