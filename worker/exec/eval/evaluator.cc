// SPDX-License-Identifier: Apache-2.0
// Compilation of expressions to nodes, constant folding, and the nodes every family shares.
#include "worker/exec/eval/evaluator.h"

#include <fmt/format.h>

#include <cstring>

#include "worker/exec/eval/node.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Expr;
using plan::ExprKind;
using plan::Function;
using types::Column;
using types::DataType;
using types::Physical;

class ColumnNode final : public Node {
 public:
  ColumnNode(DataType type, size_t column) : Node(std::move(type)), column_(column) {}
  base::Result<Value> Eval(const Scope& scope) const override {
    return Value::Borrow(&scope.batch->columns[column_], false);
  }

 private:
  size_t column_;
};

class LiteralNode final : public Node {
 public:
  explicit LiteralNode(Column value) : Node(value.type()), value_(std::move(value)) {}
  base::Result<Value> Eval(const Scope&) const override { return Value::Borrow(&value_, true); }
  bool constant() const override { return true; }
  const Column& value() const { return value_; }

 private:
  Column value_;
};

// Merges the arguments' NULLs into out->valid.
void MergeNulls(const std::vector<Value>& args, size_t rows, Column* out) {
  for (const Value& arg : args) {
    const std::vector<uint8_t>& valid = arg.column().valid;
    if (valid.empty() || (arg.constant() && valid[0] != 0)) {
      continue;
    }
    if (out->valid.empty()) {
      out->valid.assign(rows, 1);
    }
    for (size_t row = 0; row < rows; ++row) {
      out->valid[row] &= valid[row * arg.stride()];
    }
  }
}

class StrictNode final : public Node {
 public:
  StrictNode(DataType type, NodeList args, Kernel kernel)
      : Node(std::move(type)), args_(std::move(args)), kernel_(std::move(kernel)) {}

  base::Result<Value> Eval(const Scope& scope) const override {
    std::vector<Value> args;
    args.reserve(args_.size());
    bool constant = true;
    for (const NodePtr& arg : args_) {
      SJ_ASSIGN_OR_RETURN(Value v, arg->Eval(scope));
      constant = constant && v.constant();
      args.push_back(std::move(v));
    }
    size_t rows = constant ? 1 : scope.rows;
    Column out(type());
    out.Resize(rows);
    MergeNulls(args, rows, &out);
    if (constant && !scope.AnyActive()) {
      out.SetNull(0);  // nobody looks
    }
    SJ_RETURN_IF_ERROR(kernel_({args, scope, rows, constant, &out}));
    ZeroNulls(&out);
    return Value::Own(std::move(out), constant);
  }

 private:
  // Kernels may compute rows that are NULL; their slots hold zero by contract.
  static void ZeroNulls(Column* out) {
    for (size_t row = 0; row < out->valid.size(); ++row) {
      if (out->valid[row] == 0) {
        out->SetNull(row);
      }
    }
  }

  NodeList args_;
  Kernel kernel_;
};

Column LiteralColumn(const Expr& expr) {
  Column column(expr.type);
  const plan::Literal& literal = expr.literal;
  if (literal.is_null) {
    column.AppendNull();
    return column;
  }
  switch (column.physical()) {
    case Physical::kBool:
      column.AppendBool(literal.i != 0);
      break;
    case Physical::kInt64:
      column.AppendInt64(literal.i);
      break;
    case Physical::kInt128:
      column.AppendInt128(literal.wide);
      break;
    case Physical::kDouble:
      column.AppendDouble(literal.d);
      break;
    case Physical::kString:
      column.AppendString(literal.s);
      break;
    case Physical::kNested:
      column.AppendNull();
      break;
  }
  return column;
}

bool Between(Function f, Function first, Function last) {
  return f >= first && f <= last;
}

base::Result<KernelSpec> MakeKernel(const Expr& expr, const NodeList& args) {
  Function f = expr.function;
  if (f == Function::kCast || f == Function::kTryCast) {
    if (args.size() != 1) {
      return NoSuchCall("CAST", args);
    }
    return MakeCast(args[0]->type(), expr.type, f == Function::kTryCast);
  }
  if (Between(f, Function::kAdd, Function::kNegate)) {
    return MakeArithmetic(f, expr.type, args);
  }
  if (Between(f, Function::kAbs, Function::kSqrt)) {
    return MakeMath(f, expr.type, args);
  }
  if (Between(f, Function::kAddInterval, Function::kSubtractInterval) ||
      Between(f, Function::kExtract, Function::kFloorTo)) {
    return MakeTime(f, expr.type, args);
  }
  return MakeText(f, args);
}

base::Result<NodePtr> MakeCall(const Expr& expr, NodeList args) {
  Function f = expr.function;
  if (Between(f, Function::kEqual, Function::kGreaterEqual)) {
    return MakeComparison(f, std::move(args));
  }
  if (f == Function::kIn) {
    return MakeIn(std::move(args));
  }
  if (Between(f, Function::kAnd, Function::kIsNotFalse)) {
    return MakeLogic(f, expr.type, std::move(args));
  }
  if (f == Function::kCase || f == Function::kCoalesce || f == Function::kIf) {
    return MakeChoice(f, expr.type, std::move(args));
  }
  SJ_ASSIGN_OR_RETURN(KernelSpec spec, MakeKernel(expr, args));
  return MakeStrict(expr.type, std::move(args), std::move(spec));
}

}  // namespace

bool Scope::AnyActive() const {
  return rows > 0 && (active == nullptr || std::memchr(active, 1, rows) != nullptr);
}

base::Status Node::Select(const Scope& scope, const std::vector<uint32_t>* in,
                          std::vector<uint32_t>* out) const {
  Scope narrowed = scope;
  std::vector<uint8_t> active;
  if (in != nullptr && may_fail_) {
    active.assign(scope.rows, 0);
    for (uint32_t row : *in) {
      active[row] = 1;
    }
    narrowed.active = active.data();
  }
  SJ_ASSIGN_OR_RETURN(Value v, Eval(narrowed));
  Lane<uint8_t> bools = Bools(v);
  out->clear();
  size_t count = in != nullptr ? in->size() : scope.rows;
  for (size_t i = 0; i < count; ++i) {
    uint32_t row = in != nullptr ? (*in)[i] : static_cast<uint32_t>(i);
    if (bools[row] != 0) {  // a NULL's slot is zero
      out->push_back(row);
    }
  }
  return base::OkStatus();
}

WideLane Wides(const Value& v) {
  const Column& column = v.column();
  bool wide = column.physical() == Physical::kInt128;
  return {wide ? nullptr : column.ints.data(), wide ? column.wides.data() : nullptr, v.stride()};
}

int64_t WrapInt(types::TypeKind kind, int64_t v) {
  switch (kind) {
    case types::TypeKind::kTinyint:
      return static_cast<int8_t>(v);
    case types::TypeKind::kSmallint:
      return static_cast<int16_t>(v);
    case types::TypeKind::kInt:
      return static_cast<int32_t>(v);
    default:
      return v;
  }
}

NodePtr MakeStrict(DataType type, NodeList args, KernelSpec spec) {
  bool may_fail = spec.may_fail;
  for (const NodePtr& arg : args) {
    may_fail = may_fail || arg->may_fail();
  }
  NodePtr node =
      std::make_unique<StrictNode>(std::move(type), std::move(args), std::move(spec.kernel));
  node->set_may_fail(may_fail);
  return node;
}

NodePtr MakeLiteral(Column value) {
  return std::make_unique<LiteralNode>(std::move(value));
}

const Column* LiteralOf(const Node& node) {
  const auto* literal = dynamic_cast<const LiteralNode*>(&node);
  return literal != nullptr ? &literal->value() : nullptr;
}

std::string_view LiteralText(const Node& node) {
  const Column* value = LiteralOf(node);
  if (value == nullptr || value->physical() != Physical::kString) {
    return {};
  }
  return value->strings[0].view();
}

base::Status NoSuchCall(std::string_view what, const NodeList& args) {
  std::string types;
  for (const NodePtr& arg : args) {
    types += (types.empty() ? "" : ", ") + arg->type().ToString();
  }
  return base::InvalidArgument(fmt::format("compile expression: no {} for ({})", what, types));
}

base::Result<NodePtr> CompileNode(const Expr& expr, const types::Schema& input) {
  if (expr.kind == ExprKind::kColumn) {
    if (expr.column < 0 || static_cast<size_t>(expr.column) >= input.fields.size()) {
      return base::Internal(fmt::format("compile expression: no input column {}", expr.column));
    }
    size_t column = static_cast<size_t>(expr.column);
    NodePtr node = std::make_unique<ColumnNode>(input.fields[column].type, column);
    return node;
  }
  if (expr.kind == ExprKind::kLiteral) {
    return MakeLiteral(LiteralColumn(expr));
  }
  NodeList args;
  bool constant = true;
  for (const Expr& arg : expr.args) {
    SJ_ASSIGN_OR_RETURN(NodePtr node, CompileNode(arg, input));
    constant = constant && node->constant();
    args.push_back(std::move(node));
  }
  NodePtr node;
  if (expr.function == Function::kNullIf && args.size() == 2) {
    // The first argument is needed twice: as the value and in the comparison.
    SJ_ASSIGN_OR_RETURN(NodePtr value, CompileNode(expr.args[0], input));
    SJ_ASSIGN_OR_RETURN(NodePtr equal, MakeComparison(Function::kEqual, std::move(args)));
    node = MakeNullIf(std::move(value), std::move(equal));
  } else {
    SJ_ASSIGN_OR_RETURN(node, MakeCall(expr, std::move(args)));
  }
  if (!constant) {
    return node;
  }
  types::Batch none;
  none.rows = 1;
  base::Result<Value> folded = node->Eval({&none, 1, nullptr});
  if (!folded.ok()) {
    return node;  // an error only when a row asks for it
  }
  return MakeLiteral(std::move(*folded).Take());
}

base::Result<Evaluator> Evaluator::Compile(const Expr& expr, const types::Schema& input) {
  SJ_ASSIGN_OR_RETURN(NodePtr root, CompileNode(expr, input));
  return Evaluator(std::move(root), expr.kind == ExprKind::kColumn ? expr.column : -1);
}

Evaluator::Evaluator(std::unique_ptr<Node> root, int column)
    : root_(std::move(root)), column_(column) {
}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator& Evaluator::operator=(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

const DataType& Evaluator::type() const {
  return root_->type();
}

base::Result<Column> Evaluator::Eval(const types::Batch& batch) const {
  SJ_ASSIGN_OR_RETURN(Value v, root_->Eval({&batch, batch.rows, nullptr}));
  if (v.constant()) {
    return v.column().Gather(std::vector<uint32_t>(batch.rows, 0));
  }
  return std::move(v).Take();
}

base::Status Evaluator::Select(const types::Batch& batch, std::vector<uint32_t>* selection) const {
  return root_->Select({&batch, batch.rows, nullptr}, nullptr, selection);
}

}  // namespace sj::worker::exec::eval
