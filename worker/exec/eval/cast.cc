// SPDX-License-Identifier: Apache-2.0
// CAST and TRY_CAST. Numbers narrow as in Java (integers wrap, doubles saturate), decimals are NULL
// when they do not fit, and a text that is not a value of the type is an error or, for TRY_CAST,
// NULL. The session time zone is UTC, so TIMESTAMP and TIMESTAMP_LTZ convert as they are.
#include <fmt/format.h>

#include <cmath>

#include "worker/exec/eval/node.h"
#include "worker/exec/eval/text_form.h"
#include "worker/types/date_time.h"
#include "worker/types/decimal.h"
#include "worker/types/float_text.h"

namespace sj::worker::exec::eval {
namespace {

using types::Column;
using types::DataType;
using types::Int128;
using types::Physical;
using types::TypeKind;

constexpr int64_t kDayMillis = 86'400'000;
constexpr size_t kShownMax = 64;  // characters of a user's text in an error

int64_t FloorDiv(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

base::Status BadText(std::string_view text, const DataType& to) {
  std::string_view shown = FirstChars(text, kShownMax);
  return base::InvalidArgument(fmt::format(
      "cast \"{}{}\" to {}: not a value of that type. Use TRY_CAST to get NULL instead.", shown,
      shown.size() < text.size() ? "..." : "", to.ToString()));
}

// What one text becomes. ok() without a value: NULL.
enum class Outcome : uint8_t { kValue, kNull, kBad };

template <typename T>
Outcome Store(const std::optional<T>& v, std::vector<T>* column, size_t row) {
  if (!v) {
    return Outcome::kBad;
  }
  (*column)[row] = *v;
  return Outcome::kValue;
}

Outcome DecimalText(std::string_view text, const DataType& to, Column* out, size_t row) {
  text = TrimBlanks(text);
  std::optional<Int128> v = types::ParseDecimal(text, to.precision, to.scale);
  if (!v) {
    return types::IsDecimalText(text) ? Outcome::kNull : Outcome::kBad;
  }
  StoreWide(out, row, *v);
  return Outcome::kValue;
}

Outcome FromText(std::string_view text, const DataType& to, Column* out, size_t row) {
  switch (to.kind) {
    case TypeKind::kBoolean: {
      std::optional<bool> v = BoolFromText(text);
      out->bools[row] = v.value_or(false) ? 1 : 0;
      return v ? Outcome::kValue : Outcome::kBad;
    }
    case TypeKind::kFloat:
    case TypeKind::kDouble: {
      std::optional<double> v = types::ParseDouble(TrimBlanks(text));
      if (v && to.kind == TypeKind::kFloat) {
        v = static_cast<double>(static_cast<float>(*v));
      }
      return Store(v, &out->doubles, row);
    }
    case TypeKind::kDecimal:
      return DecimalText(text, to, out, row);
    case TypeKind::kDate:
      return Store(DateFromText(text), &out->ints, row);
    case TypeKind::kTime:
      return Store(types::ParseTimeOfDay(TrimBlanks(text)), &out->ints, row);
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return Store(TimestampFromText(text, to.kind == TypeKind::kTimestampLtz), &out->ints, row);
    default:
      return Store(IntFromText(text, to.kind), &out->ints, row);
  }
}

KernelSpec TextToAny(const DataType& to, bool or_null) {
  Kernel kernel = [to, or_null](const Call& call) -> base::Status {
    Lane<types::StringRef> in = Strings(call.args[0]);
    for (size_t row = 0; row < call.rows; ++row) {
      if (call.out->IsNull(row)) {
        continue;
      }
      Outcome outcome = FromText(in[row].view(), to, call.out, row);
      if (outcome == Outcome::kValue) {
        continue;
      }
      if (outcome == Outcome::kBad && !or_null && call.Live(row)) {
        return BadText(in[row].view(), to);
      }
      call.out->SetNull(row);
    }
    return base::OkStatus();
  };
  return {std::move(kernel), !or_null};
}

KernelSpec AnyToText(const DataType& to) {
  size_t chars_max = to.kind == TypeKind::kString ? static_cast<size_t>(to.precision) : 0;
  return {[chars_max](const Call& call) {
    const Column& in = call.args[0].column();
    bool views = in.physical() == Physical::kString;
    call.out->ShareOwners(in);
    std::string text;
    for (size_t row = 0; row < call.rows; ++row) {
      if (call.out->IsNull(row)) {
        continue;
      }
      size_t from = row * call.args[0].stride();
      if (views) {
        std::string_view v = in.strings[from].view();
        v = chars_max > 0 ? FirstChars(v, chars_max) : v;
        call.out->strings[row] = {v.data(), static_cast<uint32_t>(v.size())};
        continue;
      }
      text.clear();
      AppendText(in, from, &text);
      call.out->strings[row] =
          call.out->arena().Copy(chars_max > 0 ? FirstChars(text, chars_max) : text);
    }
    return base::OkStatus();
  }};
}

// Java's (long) or (int) of a double: toward zero, saturating, NaN is 0.
int64_t DoubleToInt(double v, TypeKind kind) {
  if (std::isnan(v)) {
    return 0;
  }
  if (kind == TypeKind::kBigint) {
    constexpr double kEdge = 9223372036854775808.0;
    return v >= kEdge ? INT64_MAX : v < -kEdge ? INT64_MIN : static_cast<int64_t>(v);
  }
  int64_t whole = v >= 2147483647.0    ? INT32_MAX
                  : v <= -2147483648.0 ? INT32_MIN
                                       : static_cast<int64_t>(v);
  return WrapInt(kind, whole);
}

// value(row) -> int64.
template <typename Of>
KernelSpec ToInts(Of of) {
  return {[of](const Call& call) {
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->ints[row] = of(call.args[0], row);
    }
    return base::OkStatus();
  }};
}

// value(row) -> optional<Int128>; nullopt is NULL.
template <typename Of>
KernelSpec ToDecimals(Of of) {
  return {[of](const Call& call) {
    for (size_t row = 0; row < call.rows; ++row) {
      std::optional<Int128> v = call.out->IsNull(row) ? 0 : of(call.args[0], row);
      if (v) {
        StoreWide(call.out, row, *v);
      } else {
        call.out->SetNull(row);
      }
    }
    return base::OkStatus();
  }};
}

template <typename Of>
KernelSpec ToDoubles(bool single, Of of) {
  return {[single, of](const Call& call) {
    for (size_t row = 0; row < call.rows; ++row) {
      double v = of(call.args[0], row);
      call.out->doubles[row] = single ? static_cast<double>(static_cast<float>(v)) : v;
    }
    return base::OkStatus();
  }};
}

KernelSpec DoubleToDecimal(const DataType& to) {
  return ToDecimals([to](const Value& v, size_t row) -> std::optional<Int128> {
    std::string text;
    types::AppendJavaDouble(Doubles(v)[row], &text);  // "NaN" and "Infinity" become NULL
    return types::ParseDecimal(text, to.precision, to.scale);
  });
}

base::Result<KernelSpec> NumericCast(const DataType& from, const DataType& to) {
  TypeKind kind = to.kind;
  int scale = from.kind == TypeKind::kDecimal ? from.scale : 0;
  bool from_double = from.physical() == Physical::kDouble;
  if (to.physical() == Physical::kDouble) {
    bool single = kind == TypeKind::kFloat;
    if (from_double) {
      return ToDoubles(single, [](const Value& v, size_t row) { return Doubles(v)[row]; });
    }
    if (scale == 0) {
      return ToDoubles(
          single, [](const Value& v, size_t row) { return static_cast<double>(Wides(v)[row]); });
    }
    return ToDoubles(single, [scale](const Value& v, size_t row) {
      // By way of the digits: dividing by a power of ten would round twice.
      return types::ParseDouble(types::DecimalToString(Wides(v)[row], scale)).value_or(0);
    });
  }
  if (kind == TypeKind::kDecimal) {
    if (from_double) {
      return DoubleToDecimal(to);
    }
    return ToDecimals([to, scale](const Value& v, size_t row) {
      return types::Rescale(Wides(v)[row], scale, to.scale, to.precision);
    });
  }
  if (from_double) {
    return ToInts(
        [kind](const Value& v, size_t row) { return DoubleToInt(Doubles(v)[row], kind); });
  }
  if (from.kind == TypeKind::kDecimal) {
    Int128 unit = types::PowerOfTen(scale);
    return ToInts([kind, unit](const Value& v, size_t row) {
      return WrapInt(kind, static_cast<int64_t>(Wides(v)[row] / unit));
    });
  }
  return ToInts([kind](const Value& v, size_t row) { return WrapInt(kind, Ints(v)[row]); });
}

KernelSpec NumericToBool() {
  return {[](const Call& call) {
    bool doubles = call.args[0].column().physical() == Physical::kDouble;
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->bools[row] =
          doubles ? Doubles(call.args[0])[row] != 0 : Wides(call.args[0])[row] != 0;
    }
    return base::OkStatus();
  }};
}

base::Result<KernelSpec> BoolToNumeric(const DataType& to) {
  auto whole = [](const Value& v, size_t row) { return int64_t{Bools(v)[row]}; };
  if (to.kind == TypeKind::kDecimal) {
    return ToDecimals([to, whole](const Value& v, size_t row) {
      return types::Rescale(whole(v, row), 0, to.scale, to.precision);
    });
  }
  if (to.physical() == Physical::kDouble) {
    return ToDoubles(
        false, [whole](const Value& v, size_t row) { return static_cast<double>(whole(v, row)); });
  }
  return ToInts(whole);
}

bool IsTimestamp(const DataType& type) {
  return type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampLtz;
}

bool IsTemporal(const DataType& type) {
  return IsTimestamp(type) || type.kind == TypeKind::kDate || type.kind == TypeKind::kTime;
}

base::Result<KernelSpec> TemporalCast(const DataType& from, const DataType& to) {
  if (IsTimestamp(from) && to.kind == TypeKind::kDate) {
    return ToInts([](const Value& v, size_t row) { return FloorDiv(Ints(v)[row], kDayMillis); });
  }
  if (IsTimestamp(from) && to.kind == TypeKind::kTime) {
    return ToInts([](const Value& v, size_t row) {
      int64_t t = Ints(v)[row];
      return t - FloorDiv(t, kDayMillis) * kDayMillis;
    });
  }
  if (from.kind == TypeKind::kDate && IsTimestamp(to)) {
    return ToInts([](const Value& v, size_t row) {
      return static_cast<int64_t>(static_cast<uint64_t>(Ints(v)[row]) * kDayMillis);
    });
  }
  bool cuts = IsTimestamp(from) && IsTimestamp(to) && to.precision < 3;
  if (cuts) {
    int64_t unit = to.precision == 0 ? 1000 : to.precision == 1 ? 100 : 10;
    return ToInts(
        [unit](const Value& v, size_t row) { return FloorDiv(Ints(v)[row], unit) * unit; });
  }
  if (from.kind == to.kind || (IsTimestamp(from) && IsTimestamp(to))) {
    return ToInts([](const Value& v, size_t row) { return Ints(v)[row]; });
  }
  return base::InvalidArgument(
      fmt::format("compile expression: no CAST from {} to {}", from.ToString(), to.ToString()));
}

KernelSpec Nulls() {
  return {[](const Call& call) {
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->SetNull(row);
    }
    return base::OkStatus();
  }};
}

}  // namespace

base::Result<KernelSpec> MakeCast(const DataType& from, const DataType& to, bool or_null) {
  bool from_text = from.physical() == Physical::kString;
  bool to_text = to.physical() == Physical::kString;
  bool nested = from.physical() == Physical::kNested || to.physical() == Physical::kNested;
  if (from.kind == TypeKind::kNull && !nested) {
    return Nulls();
  }
  if (from.SameAs(to) && nested) {
    return KernelSpec{[](const Call& call) {
      *call.out = call.args[0].column();
      return base::OkStatus();
    }};
  }
  if (to_text && !nested) {
    return AnyToText(to);
  }
  if (from_text && from.kind == TypeKind::kString && !nested) {
    return TextToAny(to, or_null);
  }
  if (from.is_numeric() && to.is_numeric()) {
    return NumericCast(from, to);
  }
  if (from.kind == TypeKind::kBoolean && to.kind == TypeKind::kBoolean) {
    return KernelSpec{[](const Call& call) {
      for (size_t row = 0; row < call.rows; ++row) {
        call.out->bools[row] = Bools(call.args[0])[row];
      }
      return base::OkStatus();
    }};
  }
  if (from.is_numeric() && to.kind == TypeKind::kBoolean) {
    return NumericToBool();
  }
  if (from.kind == TypeKind::kBoolean && to.is_numeric()) {
    return BoolToNumeric(to);
  }
  bool as_millis = (from.kind == TypeKind::kBigint && IsTimestamp(to)) ||
                   (IsTimestamp(from) && to.kind == TypeKind::kBigint);
  bool interval = from.physical() == Physical::kInt64 && to.physical() == Physical::kInt64 &&
                  (to.kind == TypeKind::kIntervalDay || to.kind == TypeKind::kIntervalMonth);
  if (as_millis || interval) {
    return ToInts([](const Value& v, size_t row) { return Ints(v)[row]; });
  }
  if (IsTemporal(from) && IsTemporal(to)) {
    return TemporalCast(from, to);
  }
  return base::InvalidArgument(
      fmt::format("compile expression: no CAST from {} to {}", from.ToString(), to.ToString()));
}

}  // namespace sj::worker::exec::eval
