// SPDX-License-Identifier: Apache-2.0
// Comparisons and IN. One template per (storage, operator) makes both the BOOLEAN column and the
// selection loop, so a filter never materialises booleans. Strings compare by bytes, as Flink's.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_set>

#include "worker/exec/eval/node.h"
#include "worker/types/decimal_math.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Function;
using types::Column;
using types::DataType;
using types::Physical;
using types::StringRef;
using types::TypeKind;

int CompareStrings(const StringRef& a, const StringRef& b) {
  size_t n = std::min(a.size, b.size);
  int c = n == 0 ? 0 : std::memcmp(a.data, b.data, n);
  return c != 0 ? c : (a.size < b.size ? -1 : (a.size > b.size ? 1 : 0));
}

bool EqualStrings(const StringRef& a, const StringRef& b) {
  return a.size == b.size && (a.size == 0 || std::memcmp(a.data, b.data, a.size) == 0);
}

struct StringPair {
  Lane<StringRef> a, b;
  template <Function kOp>
  bool Test(size_t row) const {
    if constexpr (kOp == Function::kEqual) {
      return EqualStrings(a[row], b[row]);
    } else if constexpr (kOp == Function::kNotEqual) {
      return !EqualStrings(a[row], b[row]);
    } else {
      int c = CompareStrings(a[row], b[row]);
      return kOp == Function::kLess        ? c < 0
             : kOp == Function::kLessEqual ? c <= 0
             : kOp == Function::kGreater   ? c > 0
                                           : c >= 0;
    }
  }
};

template <Function kOp, typename T>
bool Holds(const T& a, const T& b) {
  if constexpr (kOp == Function::kEqual) {
    return a == b;
  } else if constexpr (kOp == Function::kNotEqual) {
    return a != b;
  } else if constexpr (kOp == Function::kLess) {
    return a < b;
  } else if constexpr (kOp == Function::kLessEqual) {
    return a <= b;
  } else if constexpr (kOp == Function::kGreater) {
    return a > b;
  } else {
    return a >= b;
  }
}

template <typename L>
struct PlainPair {
  L a, b;
  template <Function kOp>
  bool Test(size_t row) const {
    return Holds<kOp>(a[row], b[row]);
  }
};

// DECIMALs of different scales.
struct DecimalPair {
  WideLane a, b;
  int a_scale, b_scale;
  template <Function kOp>
  bool Test(size_t row) const {
    auto order = types::DecimalCompare({a[row], a_scale}, {b[row], b_scale});
    return Holds<kOp>(order < 0 ? -1 : order > 0 ? 1 : 0, 0);
  }
};

// Calls use(test), test(row) being the comparison of one row.
template <typename Pair, typename Use>
void WithOperator(Function op, const Pair& pair, const Use& use) {
  switch (op) {
    case Function::kEqual:
      return use([&pair](size_t row) { return pair.template Test<Function::kEqual>(row); });
    case Function::kNotEqual:
      return use([&pair](size_t row) { return pair.template Test<Function::kNotEqual>(row); });
    case Function::kLess:
      return use([&pair](size_t row) { return pair.template Test<Function::kLess>(row); });
    case Function::kLessEqual:
      return use([&pair](size_t row) { return pair.template Test<Function::kLessEqual>(row); });
    case Function::kGreater:
      return use([&pair](size_t row) { return pair.template Test<Function::kGreater>(row); });
    default:
      return use([&pair](size_t row) { return pair.template Test<Function::kGreaterEqual>(row); });
  }
}

template <typename Use>
void WithComparison(Function op, const Value& a, const Value& b, const Use& use) {
  const Column& x = a.column();
  const Column& y = b.column();
  if (x.physical() == Physical::kString) {
    return WithOperator(op, StringPair{Strings(a), Strings(b)}, use);
  }
  if (x.physical() == Physical::kBool) {
    return WithOperator(op, PlainPair<Lane<uint8_t>>{Bools(a), Bools(b)}, use);
  }
  if (x.physical() == Physical::kDouble) {
    return WithOperator(op, PlainPair<Lane<double>>{Doubles(a), Doubles(b)}, use);
  }
  int x_scale = x.type().kind == TypeKind::kDecimal ? x.type().scale : 0;
  int y_scale = y.type().kind == TypeKind::kDecimal ? y.type().scale : 0;
  if (x_scale != y_scale) {
    return WithOperator(op, DecimalPair{Wides(a), Wides(b), x_scale, y_scale}, use);
  }
  if (x.physical() == Physical::kInt64 && y.physical() == Physical::kInt64) {
    return WithOperator(op, PlainPair<Lane<int64_t>>{Ints(a), Ints(b)}, use);
  }
  WithOperator(op, PlainPair<WideLane>{Wides(a), Wides(b)}, use);
}

class ComparisonNode final : public Node {
 public:
  ComparisonNode(Function op, NodePtr left, NodePtr right)
      : Node(DataType::Of(TypeKind::kBoolean)),
        op_(op),
        left_(std::move(left)),
        right_(std::move(right)) {
    set_may_fail(left_->may_fail() || right_->may_fail());
  }

  base::Result<Value> Eval(const Scope& scope) const override {
    SJ_ASSIGN_OR_RETURN(Value a, left_->Eval(scope));
    SJ_ASSIGN_OR_RETURN(Value b, right_->Eval(scope));
    bool constant = a.constant() && b.constant();
    size_t rows = constant ? 1 : scope.rows;
    Column out(type());
    out.bools.resize(rows);
    WithComparison(op_, a, b, [&](const auto& test) {
      for (size_t row = 0; row < rows; ++row) {
        out.bools[row] = test(row) ? 1 : 0;
      }
    });
    if (!a.column().valid.empty() || !b.column().valid.empty()) {
      for (size_t row = 0; row < rows; ++row) {
        if (a.IsNull(row) || b.IsNull(row)) {
          out.SetNull(row);
        }
      }
    }
    return Value::Own(std::move(out), constant);
  }

  base::Status Select(const Scope& scope, const std::vector<uint32_t>* in,
                      std::vector<uint32_t>* out) const override {
    if (may_fail()) {
      return Node::Select(scope, in, out);
    }
    SJ_ASSIGN_OR_RETURN(Value a, left_->Eval(scope));
    SJ_ASSIGN_OR_RETURN(Value b, right_->Eval(scope));
    bool nulls = !a.column().valid.empty() || !b.column().valid.empty();
    size_t count = in != nullptr ? in->size() : scope.rows;
    out->resize(count);
    size_t found = 0;
    uint32_t* to = out->data();
    WithComparison(op_, a, b, [&](const auto& test) {
      for (size_t i = 0; i < count; ++i) {
        size_t row = in != nullptr ? (*in)[i] : i;
        to[found] = static_cast<uint32_t>(row);
        found += test(row) && !(nulls && (a.IsNull(row) || b.IsNull(row))) ? 1 : 0;
      }
    });
    out->resize(found);
    return base::OkStatus();
  }

 private:
  Function op_;
  NodePtr left_, right_;
};

bool Comparable(const DataType& a, const DataType& b) {
  Physical x = a.physical();
  Physical y = b.physical();
  auto whole = [](Physical p) { return p == Physical::kInt64 || p == Physical::kInt128; };
  return x != Physical::kNested && (x == y || (whole(x) && whole(y)));
}

// Literals that are not NULL, ready to be looked up.
struct InSet {
  std::vector<int64_t> ints;  // sorted
  std::unordered_set<std::string> text_owner;
  std::unordered_set<std::string_view> texts;
  std::vector<Column> others;  // doubles, wide decimals, decimals of other scales: one by one
  bool has_null = false;

  bool Holds(Lane<int64_t> lane, size_t row) const {
    return std::binary_search(ints.begin(), ints.end(), lane[row]);
  }
  bool Holds(Lane<StringRef> lane, size_t row) const { return texts.contains(lane[row].view()); }
};

template <typename L>
void LookUp(const InSet& set, L lane, const Call& call) {
  for (size_t row = 0; row < call.rows; ++row) {
    call.out->bools[row] = set.Holds(lane, row) ? 1 : 0;
  }
}

base::Status RunIn(const InSet& set, const Call& call) {
  const Value& value = call.args[0];
  if (!set.ints.empty()) {
    LookUp(set, Ints(value), call);
  } else if (!set.texts.empty()) {
    LookUp(set, Strings(value), call);
  }
  std::vector<uint8_t>& found = call.out->bools;
  for (const Column& other : set.others) {
    WithComparison(Function::kEqual, value, Value::Borrow(&other, true), [&](const auto& test) {
      for (size_t row = 0; row < call.rows; ++row) {
        found[row] |= test(row) ? 1 : 0;
      }
    });
  }
  for (size_t row = 0; set.has_null && row < call.rows; ++row) {
    if (found[row] == 0) {
      call.out->SetNull(row);
    }
  }
  return base::OkStatus();
}

}  // namespace

base::Result<NodePtr> MakeComparison(Function function, NodeList args) {
  bool null_type = false;
  for (const NodePtr& arg : args) {
    null_type = null_type || arg->type().kind == TypeKind::kNull;
  }
  if (args.size() == 2 && null_type) {
    Column unknown(DataType::Of(TypeKind::kBoolean));
    unknown.AppendNull();
    return MakeLiteral(std::move(unknown));
  }
  if (args.size() != 2 || !Comparable(args[0]->type(), args[1]->type())) {
    return NoSuchCall("comparison", args);
  }
  NodePtr node = std::make_unique<ComparisonNode>(function, std::move(args[0]), std::move(args[1]));
  return node;
}

base::Result<NodePtr> MakeIn(NodeList args) {
  if (args.size() < 2) {
    return NoSuchCall("IN", args);
  }
  const DataType value_type = args[0]->type();
  auto set = std::make_shared<InSet>();  // shared by the copies of the kernel
  for (size_t i = 1; i < args.size(); ++i) {
    const Column* literal = LiteralOf(*args[i]);
    if (literal == nullptr) {
      return NoSuchCall("IN with an element that is not a literal", args);
    }
    if (literal->IsNull(0)) {
      set->has_null = true;
      continue;
    }
    if (!Comparable(literal->type(), value_type)) {
      return NoSuchCall("IN", args);
    }
    bool same =
        literal->physical() == value_type.physical() && literal->type().scale == value_type.scale;
    if (same && value_type.physical() == Physical::kInt64) {
      set->ints.push_back(literal->ints[0]);
    } else if (same && value_type.physical() == Physical::kString) {
      set->texts.insert(*set->text_owner.emplace(literal->strings[0].view()).first);
    } else {
      set->others.push_back(*literal);
    }
  }
  std::sort(set->ints.begin(), set->ints.end());
  Kernel kernel = [set](const Call& call) { return RunIn(*set, call); };
  NodeList value;
  value.push_back(std::move(args[0]));
  return MakeStrict(DataType::Of(TypeKind::kBoolean), std::move(value), {std::move(kernel), false});
}

}  // namespace sj::worker::exec::eval
