// SPDX-License-Identifier: Apache-2.0
// + - * / % and negation. Integers wrap at their width; decimals are NULL when they overflow;
// dividing integers or decimals by zero is an error, doubles follow IEEE 754.
#include <fmt/format.h>

#include <cmath>

#include "worker/exec/eval/node.h"
#include "worker/types/decimal_math.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Function;
using types::DataType;
using types::DecimalOperand;
using types::DecimalShape;
using types::Int128;
using types::Physical;
using types::TypeKind;

base::Status DivisionByZero() {
  return base::InvalidArgument(
      "evaluate expression: division by zero. Guard it with NULLIF(divisor, 0) or CASE.");
}

uint64_t U(int64_t v) {
  return static_cast<uint64_t>(v);
}

template <typename Op>
Kernel IntKernel(TypeKind kind, Op op) {
  return [kind, op](const Call& call) {
    Lane<int64_t> a = Ints(call.args[0]);
    Lane<int64_t> b = Ints(call.args[1]);
    int64_t* out = call.out->ints.data();
    for (size_t row = 0; row < call.rows; ++row) {
      out[row] = op(a[row], b[row]);
    }
    if (kind != TypeKind::kBigint) {
      for (size_t row = 0; row < call.rows; ++row) {
        out[row] = WrapInt(kind, out[row]);
      }
    }
    return base::OkStatus();
  };
}

template <typename Op>
Kernel IntDivideKernel(TypeKind kind, Op op) {
  return [kind, op](const Call& call) -> base::Status {
    Lane<int64_t> a = Ints(call.args[0]);
    Lane<int64_t> b = Ints(call.args[1]);
    for (size_t row = 0; row < call.rows; ++row) {
      if (b[row] != 0) {
        call.out->ints[row] = WrapInt(kind, op(a[row], b[row]));
      } else if (call.Live(row)) {
        return DivisionByZero();
      }
    }
    return base::OkStatus();
  };
}

KernelSpec IntArithmetic(Function function, TypeKind kind) {
  switch (function) {
    case Function::kAdd:
      return {
          IntKernel(kind, [](int64_t a, int64_t b) { return static_cast<int64_t>(U(a) + U(b)); })};
    case Function::kSubtract:
      return {
          IntKernel(kind, [](int64_t a, int64_t b) { return static_cast<int64_t>(U(a) - U(b)); })};
    case Function::kMultiply:
      return {
          IntKernel(kind, [](int64_t a, int64_t b) { return static_cast<int64_t>(U(a) * U(b)); })};
    case Function::kDivide:
      // INT64_MIN / -1 wraps to itself, as in Java.
      return {IntDivideKernel(kind,
                              [](int64_t a, int64_t b) {
                                return b == -1 ? static_cast<int64_t>(0 - U(a)) : a / b;
                              }),
              true};
    default:
      return {IntDivideKernel(kind, [](int64_t a, int64_t b) { return b == -1 ? 0 : a % b; }),
              true};
  }
}

template <typename Op>
Kernel DoubleKernel(bool single, Op op) {
  return [single, op](const Call& call) {
    Lane<double> a = Doubles(call.args[0]);
    Lane<double> b = Doubles(call.args[1]);
    for (size_t row = 0; row < call.rows; ++row) {
      double v = op(a[row], b[row]);
      call.out->doubles[row] = single ? static_cast<double>(static_cast<float>(v)) : v;
    }
    return base::OkStatus();
  };
}

KernelSpec DoubleArithmetic(Function function, bool single) {
  switch (function) {
    case Function::kAdd:
      return {DoubleKernel(single, [](double a, double b) { return a + b; })};
    case Function::kSubtract:
      return {DoubleKernel(single, [](double a, double b) { return a - b; })};
    case Function::kMultiply:
      return {DoubleKernel(single, [](double a, double b) { return a * b; })};
    case Function::kDivide:
      return {DoubleKernel(single, [](double a, double b) { return a / b; })};
    default:
      return {DoubleKernel(single, [](double a, double b) { return std::fmod(a, b); })};
  }
}

// Which of the two ends of a decimal call the operands and the result have.
struct DecimalCall {
  Function function;
  int a_scale, b_scale;
  DecimalShape result;
};

std::optional<Int128> Apply(const DecimalCall& c, Int128 a, Int128 b) {
  DecimalOperand x{a, c.a_scale};
  DecimalOperand y{b, c.b_scale};
  switch (c.function) {
    case Function::kAdd:
      return types::DecimalAdd(x, y, c.result);
    case Function::kSubtract:
      return types::DecimalAdd(x, {-b, c.b_scale}, c.result);
    case Function::kMultiply:
      return types::DecimalMultiply(x, y, c.result);
    case Function::kDivide:
      return types::DecimalDivide(x, y, c.result);
    default:
      return types::DecimalRemainder(x, y, c.result);
  }
}

// Sums, differences and products of operands whose exact result needs no rescaling.
template <typename Op>
Kernel DirectDecimalKernel(int precision, Op op) {
  const Int128 bound = types::PowerOfTen(precision);
  return [bound, op](const Call& call) {
    WideLane a = Wides(call.args[0]);
    WideLane b = Wides(call.args[1]);
    for (size_t row = 0; row < call.rows; ++row) {
      Int128 v = 0;
      if (op(a[row], b[row], &v) || v >= bound || v <= -bound) {
        call.out->SetNull(row);
      } else {
        StoreWide(call.out, row, v);
      }
    }
    return base::OkStatus();
  };
}

Kernel GeneralDecimalKernel(const DecimalCall& c) {
  return [c](const Call& call) -> base::Status {
    WideLane a = Wides(call.args[0]);
    WideLane b = Wides(call.args[1]);
    bool divides = c.function == Function::kDivide || c.function == Function::kModulo;
    for (size_t row = 0; row < call.rows; ++row) {
      if (call.out->IsNull(row)) {
        continue;
      }
      if (divides && b[row] == 0) {
        if (call.Live(row)) {
          return DivisionByZero();
        }
        continue;
      }
      std::optional<Int128> v = Apply(c, a[row], b[row]);
      if (v) {
        StoreWide(call.out, row, *v);
      } else {
        call.out->SetNull(row);
      }
    }
    return base::OkStatus();
  };
}

KernelSpec DecimalArithmetic(Function function, const DataType& type, const NodeList& args) {
  auto scale_of = [](const DataType& t) { return t.kind == TypeKind::kDecimal ? t.scale : 0; };
  DecimalCall c{
      function, scale_of(args[0]->type()), scale_of(args[1]->type()), {type.precision, type.scale}};
  bool aligned = c.a_scale == c.b_scale && c.a_scale == type.scale;
  if (function == Function::kAdd && aligned) {
    return {DirectDecimalKernel(type.precision, [](Int128 a, Int128 b, Int128* v) {
      return __builtin_add_overflow(a, b, v);
    })};
  }
  if (function == Function::kSubtract && aligned) {
    return {DirectDecimalKernel(type.precision, [](Int128 a, Int128 b, Int128* v) {
      return __builtin_sub_overflow(a, b, v);
    })};
  }
  if (function == Function::kMultiply && c.a_scale + c.b_scale == type.scale) {
    return {DirectDecimalKernel(type.precision, [](Int128 a, Int128 b, Int128* v) {
      return __builtin_mul_overflow(a, b, v);
    })};
  }
  bool divides = function == Function::kDivide || function == Function::kModulo;
  return {GeneralDecimalKernel(c), divides};
}

base::Result<KernelSpec> Negate(const DataType& type, const NodeList& args) {
  if (args.size() != 1 || args[0]->type().physical() != type.physical()) {
    return NoSuchCall("negation", args);
  }
  TypeKind kind = type.kind;
  return KernelSpec{[kind](const Call& call) {
    const Value& arg = call.args[0];
    for (size_t row = 0; row < call.rows; ++row) {
      if (call.out->physical() == Physical::kDouble) {
        call.out->doubles[row] = -Doubles(arg)[row];
      } else if (call.out->physical() == Physical::kInt128) {
        call.out->wides[row] = -Wides(arg)[row];
      } else {
        call.out->ints[row] = WrapInt(kind, static_cast<int64_t>(0 - U(Ints(arg)[row])));
      }
    }
    return base::OkStatus();
  }};
}

}  // namespace

base::Result<KernelSpec> MakeArithmetic(Function function, const DataType& type,
                                        const NodeList& args) {
  if (function == Function::kNegate) {
    return Negate(type, args);
  }
  auto all = [&args](auto test) {
    return args.size() == 2 && test(args[0]->type()) && test(args[1]->type());
  };
  auto is_double = [](const DataType& t) { return t.physical() == Physical::kDouble; };
  auto is_int = [](const DataType& t) {
    return t.physical() == Physical::kInt64 && t.kind != TypeKind::kDecimal;
  };
  auto is_exact = [](const DataType& t) { return t.is_integer() || t.kind == TypeKind::kDecimal; };
  if (type.physical() == Physical::kDouble && all(is_double)) {
    return DoubleArithmetic(function, type.kind == TypeKind::kFloat);
  }
  if (type.kind == TypeKind::kDecimal && all(is_exact)) {
    return DecimalArithmetic(function, type, args);
  }
  if (type.physical() == Physical::kInt64 && type.kind != TypeKind::kDecimal && all(is_int)) {
    return IntArithmetic(function, type.kind);
  }
  // The remainder of exact numbers has the type of the divisor, which may be an integer.
  if (type.is_integer() && all(is_exact)) {
    DecimalCall c{function, args[0]->type().scale, args[1]->type().scale, {19, 0}};
    return KernelSpec{GeneralDecimalKernel(c), true};
  }
  return NoSuchCall("arithmetic", args);
}

}  // namespace sj::worker::exec::eval
