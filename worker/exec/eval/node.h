// SPDX-License-Identifier: Apache-2.0
// The evaluator's inside: nodes that give a Value (a column, or one constant for all rows) for a
// batch. Most functions are "strict" kernels: NULL in, NULL out; the node merges NULLs and the
// kernel only computes. Nodes are const and shared by nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/expr.h"
#include "worker/types/column.h"

namespace sj::worker::exec::eval {

// A node's result. A borrowed column belongs to the batch or to a literal node.
class Value {
 public:
  static Value Borrow(const types::Column* column, bool constant) {
    Value v;
    v.borrowed_ = column;
    v.constant_ = constant;
    return v;
  }
  static Value Own(types::Column column, bool constant) {
    Value v;
    v.owned_ = std::move(column);
    v.constant_ = constant;
    return v;
  }
  const types::Column& column() const { return borrowed_ != nullptr ? *borrowed_ : owned_; }
  types::Column Take() && {
    return borrowed_ != nullptr ? types::Column(*borrowed_) : std::move(owned_);
  }
  bool constant() const { return constant_; }
  size_t stride() const { return constant_ ? 0 : 1; }
  bool IsNull(size_t row) const { return column().IsNull(row * stride()); }

 private:
  const types::Column* borrowed_ = nullptr;
  types::Column owned_;
  bool constant_ = false;
};

// What is evaluated. Values are computed for all rows; only active rows may raise errors.
struct Scope {
  const types::Batch* batch = nullptr;
  size_t rows = 0;
  const uint8_t* active = nullptr;  // one byte a row; null: all
  bool Active(size_t row) const { return active == nullptr || active[row] != 0; }
  bool AnyActive() const;
};

class Node {
 public:
  explicit Node(types::DataType type) : type_(std::move(type)) {}
  virtual ~Node() = default;
  virtual base::Result<Value> Eval(const Scope& scope) const = 0;
  // Those rows of `in` (ascending; null: all) where the value is TRUE. Errors count only in `in`.
  virtual base::Status Select(const Scope& scope, const std::vector<uint32_t>* in,
                              std::vector<uint32_t>* out) const;
  virtual bool constant() const { return false; }

  const types::DataType& type() const { return type_; }
  bool may_fail() const { return may_fail_; }
  void set_may_fail(bool v) { may_fail_ = v; }

 private:
  types::DataType type_;
  bool may_fail_ = false;
};
using NodePtr = std::unique_ptr<Node>;
using NodeList = std::vector<NodePtr>;

// One call of a kernel. `out` has its rows; rows with a NULL argument are NULL already. In a call
// over constants there is one row and every lane has stride 0 or one element.
struct Call {
  const std::vector<Value>& args;
  const Scope& scope;
  size_t rows;
  bool constant;
  types::Column* out;

  // Whether the row has a value to compute and somebody wants it.
  bool Live(size_t row) const { return !out->IsNull(row) && (constant || scope.Active(row)); }
};
using Kernel = std::function<base::Status(const Call&)>;

// Typed access to an argument, constant or not.
template <typename T>
struct Lane {
  const T* data;
  size_t stride;
  const T& operator[](size_t row) const { return data[row * stride]; }
};
inline Lane<int64_t> Ints(const Value& v) {
  return {v.column().ints.data(), v.stride()};
}
inline Lane<double> Doubles(const Value& v) {
  return {v.column().doubles.data(), v.stride()};
}
inline Lane<uint8_t> Bools(const Value& v) {
  return {v.column().bools.data(), v.stride()};
}
inline Lane<types::StringRef> Strings(const Value& v) {
  return {v.column().strings.data(), v.stride()};
}
// A DECIMAL or an integer, in 64 or 128 bits.
struct WideLane {
  const int64_t* narrow;
  const types::Int128* wide;
  size_t stride;
  types::Int128 operator[](size_t row) const {
    return wide != nullptr ? wide[row * stride] : narrow[row * stride];
  }
};
WideLane Wides(const Value& v);
// Stores a decimal into a column of either width.
inline void StoreWide(types::Column* out, size_t row, types::Int128 v) {
  if (out->physical() == types::Physical::kInt128) {
    out->wides[row] = v;
  } else {
    out->ints[row] = static_cast<int64_t>(v);
  }
}

// Wraps at the width of an integer type, as Java does.
int64_t WrapInt(types::TypeKind kind, int64_t v);

struct KernelSpec {
  Kernel kernel;
  bool may_fail = false;
};

NodePtr MakeStrict(types::DataType type, NodeList args, KernelSpec spec);
// A node that is one value.
NodePtr MakeLiteral(types::Column value);
// The literal of a compiled argument, or null: for functions that need a literal.
const types::Column* LiteralOf(const Node& node);
std::string_view LiteralText(const Node& node);  // "" when it is not a string literal

base::Result<NodePtr> CompileNode(const plan::Expr& expr, const types::Schema& input);
base::Status NoSuchCall(std::string_view what, const NodeList& args);

// The families. Each knows some functions and refuses wrong types.
base::Result<NodePtr> MakeComparison(plan::Function function, NodeList args);
base::Result<NodePtr> MakeIn(NodeList args);
base::Result<NodePtr> MakeLogic(plan::Function function, types::DataType type, NodeList args);
// `equal` is the comparison of the two arguments.
NodePtr MakeNullIf(NodePtr value, NodePtr equal);
base::Result<NodePtr> MakeChoice(plan::Function function, types::DataType type, NodeList args);
base::Result<KernelSpec> MakeCast(const types::DataType& from, const types::DataType& to,
                                  bool or_null);
base::Result<KernelSpec> MakeArithmetic(plan::Function function, const types::DataType& type,
                                        const NodeList& args);
base::Result<KernelSpec> MakeMath(plan::Function function, const types::DataType& type,
                                  const NodeList& args);
base::Result<KernelSpec> MakeText(plan::Function function, const NodeList& args);
base::Result<KernelSpec> MakeTime(plan::Function function, const types::DataType& type,
                                  const NodeList& args);

}  // namespace sj::worker::exec::eval
