// SPDX-License-Identifier: Apache-2.0
// ABS, FLOOR, CEIL, ROUND, POWER, SQRT. Rounding of decimals and doubles is HALF_UP on the decimal
// digits a user sees, as Flink does by way of BigDecimal.
#include <cmath>

#include "worker/exec/eval/node.h"
#include "worker/types/decimal.h"
#include "worker/types/float_text.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Function;
using types::DataType;
using types::Int128;
using types::Physical;
using types::TypeKind;

template <typename Op>
KernelSpec OnDoubles(Op op) {
  return {[op](const Call& call) {
    Lane<double> in = Doubles(call.args[0]);
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->doubles[row] = op(in[row]);
    }
    return base::OkStatus();
  }};
}

// op(value) in 128 bits; nullopt is NULL.
template <typename Op>
KernelSpec OnWides(Op op) {
  return {[op](const Call& call) {
    WideLane in = Wides(call.args[0]);
    for (size_t row = 0; row < call.rows; ++row) {
      std::optional<Int128> v = op(in[row]);
      if (v) {
        StoreWide(call.out, row, *v);
      } else {
        call.out->SetNull(row);
      }
    }
    return base::OkStatus();
  }};
}

KernelSpec Abs(const DataType& type) {
  if (type.physical() == Physical::kDouble) {
    return OnDoubles([](double v) { return std::fabs(v); });
  }
  TypeKind kind = type.kind;
  return OnWides([kind](Int128 v) -> std::optional<Int128> {
    Int128 magnitude = v < 0 ? -v : v;
    return kind == TypeKind::kDecimal ? magnitude : WrapInt(kind, static_cast<int64_t>(magnitude));
  });
}

KernelSpec FloorOrCeil(bool floor, const DataType& from, const DataType& to) {
  if (from.physical() == Physical::kDouble) {
    return floor ? OnDoubles([](double v) { return std::floor(v); })
                 : OnDoubles([](double v) { return std::ceil(v); });
  }
  if (from.kind != TypeKind::kDecimal) {
    return OnWides([](Int128 v) -> std::optional<Int128> { return v; });
  }
  int from_scale = from.scale;
  int to_scale = to.kind == TypeKind::kDecimal ? to.scale : 0;
  int precision = to.kind == TypeKind::kDecimal ? to.precision : 19;
  return OnWides([=](Int128 v) {
    Int128 unit = types::PowerOfTen(from_scale);
    Int128 whole = v / unit;
    if (floor ? v % unit < 0 : v % unit > 0) {
      whole += floor ? -1 : 1;
    }
    return types::Rescale(whole, 0, to_scale, precision);
  });
}

double RoundDouble(double v, int64_t digits) {
  if (!std::isfinite(v) || digits > 30 || digits < -308) {
    return v;
  }
  if (digits < 0) {
    double unit = std::pow(10.0, static_cast<double>(-digits));
    return std::round(v / unit) * unit;
  }
  std::string text;
  types::AppendJavaDouble(v, &text);
  std::optional<Int128> rounded = types::ParseDecimal(text, 38, static_cast<int>(digits));
  if (!rounded) {
    return v;  // so large that no digit of it lies behind the point
  }
  return types::ParseDouble(types::DecimalToString(*rounded, static_cast<int>(digits))).value_or(v);
}

// v at from_scale, rounded to `digits` after (negative: before) the point, then at the result's
// scale.
std::optional<Int128> RoundExact(Int128 v, int from_scale, int64_t digits, const DataType& to) {
  int to_scale = to.kind == TypeKind::kDecimal ? to.scale : 0;
  int precision = to.kind == TypeKind::kDecimal ? to.precision : 19;
  if (digits < from_scale) {
    int64_t drop = from_scale - digits;
    if (drop > types::kDecimalPrecisionMax) {
      return 0;
    }
    Int128 unit = types::PowerOfTen(static_cast<int>(drop));
    std::optional<Int128> kept = types::Rescale(v, static_cast<int>(drop), 0, 38);
    if (!kept || __builtin_mul_overflow(*kept, unit, &v)) {
      return std::nullopt;
    }
  }
  return types::Rescale(v, from_scale, to_scale, precision);
}

base::Result<KernelSpec> Round(const DataType& type, const NodeList& args) {
  bool with_digits = args.size() == 2;
  if (with_digits && args[1]->type().physical() != Physical::kInt64) {
    return NoSuchCall("ROUND", args);
  }
  auto digits_of = [with_digits](const Call& call, size_t row) {
    return with_digits ? Ints(call.args[1])[row] : 0;
  };
  const DataType from = args[0]->type();
  if (from.physical() == Physical::kDouble) {
    return KernelSpec{[digits_of](const Call& call) {
      for (size_t row = 0; row < call.rows; ++row) {
        call.out->doubles[row] = RoundDouble(Doubles(call.args[0])[row], digits_of(call, row));
      }
      return base::OkStatus();
    }};
  }
  int scale = from.kind == TypeKind::kDecimal ? from.scale : 0;
  return KernelSpec{[digits_of, scale, type](const Call& call) {
    for (size_t row = 0; row < call.rows; ++row) {
      std::optional<Int128> v =
          RoundExact(Wides(call.args[0])[row], scale, digits_of(call, row), type);
      if (v) {
        StoreWide(call.out, row, *v);
      } else {
        call.out->SetNull(row);
      }
    }
    return base::OkStatus();
  }};
}

}  // namespace

base::Result<KernelSpec> MakeMath(Function function, const DataType& type, const NodeList& args) {
  bool two = function == Function::kPower;
  bool one_or_two = function == Function::kRound;
  for (const NodePtr& arg : args) {
    if (!arg->type().is_numeric()) {
      return NoSuchCall("numeric function", args);
    }
  }
  if (args.empty() || args.size() > 2 || (!one_or_two && args.size() != (two ? 2u : 1u))) {
    return NoSuchCall("numeric function", args);
  }
  bool from_double = args[0]->type().physical() == Physical::kDouble;
  if (from_double != (type.physical() == Physical::kDouble)) {
    return NoSuchCall("numeric function", args);
  }
  switch (function) {
    case Function::kAbs:
      return Abs(type);
    case Function::kFloor:
    case Function::kCeil:
      return FloorOrCeil(function == Function::kFloor, args[0]->type(), type);
    case Function::kRound:
      return Round(type, args);
    case Function::kSqrt:
      if (from_double) {
        return OnDoubles([](double v) { return std::sqrt(v); });
      }
      break;
    case Function::kPower:
      if (from_double && args[1]->type().physical() == Physical::kDouble) {
        return KernelSpec{[](const Call& call) {
          for (size_t row = 0; row < call.rows; ++row) {
            call.out->doubles[row] =
                std::pow(Doubles(call.args[0])[row], Doubles(call.args[1])[row]);
          }
          return base::OkStatus();
        }};
      }
      break;
    default:
      break;
  }
  return NoSuchCall("numeric function", args);
}

}  // namespace sj::worker::exec::eval
