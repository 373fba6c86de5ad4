// SPDX-License-Identifier: Apache-2.0
// AND, OR, NOT, IS ..., and the choices CASE, IF, COALESCE, NULLIF. A later operand is evaluated
// only for the rows the earlier ones left open, so that its errors stay where SQL puts them.
#include <algorithm>
#include <iterator>

#include "worker/exec/eval/node.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Function;
using types::Column;
using types::DataType;
using types::Physical;
using types::TypeKind;

// AND and OR of any number of operands: the deciding value (FALSE of AND, TRUE of OR) wins over
// NULL.
class JunctionNode final : public Node {
 public:
  JunctionNode(bool is_and, NodeList args)
      : Node(DataType::Of(TypeKind::kBoolean)), is_and_(is_and), args_(std::move(args)) {
    for (const NodePtr& arg : args_) {
      set_may_fail(may_fail() || arg->may_fail());
    }
  }

  base::Result<Value> Eval(const Scope& scope) const override {
    const uint8_t decider = is_and_ ? 0 : 1;
    Column out(type());
    out.bools.assign(scope.rows, 1 - decider);
    std::vector<uint8_t> unknown(scope.rows, 0);
    std::vector<uint8_t> open(scope.rows, 1);
    for (size_t row = 0; row < scope.rows; ++row) {
      open[row] = scope.Active(row) ? 1 : 0;
    }
    for (const NodePtr& arg : args_) {
      Scope narrowed = scope;
      narrowed.active = open.data();
      SJ_ASSIGN_OR_RETURN(Value v, arg->Eval(narrowed));
      Lane<uint8_t> bools = Bools(v);
      for (size_t row = 0; row < scope.rows; ++row) {
        if (v.IsNull(row)) {
          unknown[row] = 1;
        } else if (bools[row] == decider) {
          out.bools[row] = decider;
          open[row] = 0;
        }
      }
    }
    for (size_t row = 0; row < scope.rows; ++row) {
      if (unknown[row] != 0 && out.bools[row] != decider) {
        out.SetNull(row);
      }
    }
    return Value::Own(std::move(out), false);
  }

  base::Status Select(const Scope& scope, const std::vector<uint32_t>* in,
                      std::vector<uint32_t>* out) const override {
    return is_and_ ? SelectAll(scope, in, out) : SelectAny(scope, in, out);
  }

 private:
  base::Status SelectAll(const Scope& scope, const std::vector<uint32_t>* in,
                         std::vector<uint32_t>* out) const {
    if (may_fail()) {
      // A NULL on the left keeps the right side's errors alive: only Eval knows NULL from FALSE.
      return Node::Select(scope, in, out);
    }
    std::vector<uint32_t> left;
    for (const NodePtr& arg : args_) {
      SJ_RETURN_IF_ERROR(arg->Select(scope, in, out));
      left.swap(*out);
      in = &left;
    }
    out->swap(left);
    return base::OkStatus();
  }

  base::Status SelectAny(const Scope& scope, const std::vector<uint32_t>* in,
                         std::vector<uint32_t>* out) const {
    std::vector<uint32_t> open;
    if (in == nullptr) {
      open.resize(scope.rows);
      for (size_t row = 0; row < scope.rows; ++row) {
        open[row] = static_cast<uint32_t>(row);
      }
    } else {
      open = *in;
    }
    out->clear();
    for (const NodePtr& arg : args_) {
      std::vector<uint32_t> hit;
      SJ_RETURN_IF_ERROR(arg->Select(scope, &open, &hit));
      std::vector<uint32_t> merged;
      std::merge(out->begin(), out->end(), hit.begin(), hit.end(), std::back_inserter(merged));
      out->swap(merged);
      std::vector<uint32_t> rest;
      std::set_difference(open.begin(), open.end(), hit.begin(), hit.end(),
                          std::back_inserter(rest));
      open.swap(rest);
    }
    return base::OkStatus();
  }

  bool is_and_;
  NodeList args_;
};

// The tests that turn NULL into a truth value.
class TestNode final : public Node {
 public:
  TestNode(Function function, NodePtr arg)
      : Node(DataType::Of(TypeKind::kBoolean)), function_(function), arg_(std::move(arg)) {
    set_may_fail(arg_->may_fail());
  }

  base::Result<Value> Eval(const Scope& scope) const override {
    SJ_ASSIGN_OR_RETURN(Value v, arg_->Eval(scope));
    size_t rows = v.constant() ? 1 : scope.rows;
    Column out(type());
    out.bools.resize(rows);
    for (size_t row = 0; row < rows; ++row) {
      out.bools[row] = Test(v, row) ? 1 : 0;
    }
    return Value::Own(std::move(out), v.constant());
  }

 private:
  bool Test(const Value& v, size_t row) const {
    bool null = v.IsNull(row);
    if (function_ == Function::kIsNull || function_ == Function::kIsNotNull) {
      return null == (function_ == Function::kIsNull);
    }
    bool is = !null && Bools(v)[row] != 0;
    bool is_not = !null && Bools(v)[row] == 0;
    switch (function_) {
      case Function::kIsTrue:
        return is;
      case Function::kIsNotTrue:
        return !is;
      case Function::kIsFalse:
        return is_not;
      default:
        return !is_not;
    }
  }

  Function function_;
  NodePtr arg_;
};

// Copies to out the rows each choice won.
void Assemble(const std::vector<Value>& values, const std::vector<uint32_t>& choice, Column* out) {
  auto copy = [&](auto member) {
    for (size_t row = 0; row < choice.size(); ++row) {
      const Value& from = values[choice[row]];
      (out->*member)[row] = (from.column().*member)[row * from.stride()];
    }
  };
  switch (out->physical()) {
    case Physical::kBool:
      copy(&Column::bools);
      break;
    case Physical::kInt64:
      copy(&Column::ints);
      break;
    case Physical::kInt128:
      copy(&Column::wides);
      break;
    case Physical::kDouble:
      copy(&Column::doubles);
      break;
    case Physical::kString:
      copy(&Column::strings);
      break;
    case Physical::kNested:
      break;
  }
  for (const Value& from : values) {
    out->ShareOwners(from.column());
  }
  for (size_t row = 0; row < choice.size(); ++row) {
    if (values[choice[row]].IsNull(row)) {
      out->SetNull(row);
    }
  }
}

// CASE: conditions_[i] chooses results_[i]; the last result is ELSE. COALESCE: no conditions, the
// first result that is not NULL.
class ChoiceNode final : public Node {
 public:
  ChoiceNode(DataType type, NodeList conditions, NodeList results)
      : Node(std::move(type)), conditions_(std::move(conditions)), results_(std::move(results)) {
    for (const NodeList* list : {&conditions_, &results_}) {
      for (const NodePtr& node : *list) {
        set_may_fail(may_fail() || node->may_fail());
      }
    }
  }

  base::Result<Value> Eval(const Scope& scope) const override {
    const size_t rows = scope.rows;
    std::vector<uint8_t> open(rows);
    for (size_t row = 0; row < rows; ++row) {
      open[row] = scope.Active(row) ? 1 : 0;
    }
    // Rows nobody asked for keep the NULL that is values[0].
    Column null(type());
    null.AppendNull();
    std::vector<Value> values;
    values.push_back(Value::Own(std::move(null), true));
    std::vector<uint32_t> choice(rows, 0);
    for (const NodePtr& result : results_) {
      size_t index = values.size() - 1;
      std::vector<uint8_t> mine = open;
      if (index < conditions_.size()) {
        SJ_RETURN_IF_ERROR(Narrow(*conditions_[index], scope, &mine));
      }
      Scope narrowed{scope.batch, rows, mine.data()};
      if (!narrowed.AnyActive()) {
        values.push_back(values[0]);
        continue;
      }
      SJ_ASSIGN_OR_RETURN(Value v, result->Eval(narrowed));
      bool coalesce = conditions_.empty();
      for (size_t row = 0; row < rows; ++row) {
        if (mine[row] != 0 && !(coalesce && v.IsNull(row))) {
          choice[row] = static_cast<uint32_t>(values.size());
          open[row] = 0;
        }
      }
      values.push_back(std::move(v));
    }
    Column out(type());
    out.Resize(rows);
    Assemble(values, choice, &out);
    return Value::Own(std::move(out), false);
  }

 private:
  // Keeps those rows of *mine where the condition is TRUE.
  static base::Status Narrow(const Node& condition, const Scope& scope,
                             std::vector<uint8_t>* mine) {
    SJ_ASSIGN_OR_RETURN(Value v, condition.Eval({scope.batch, scope.rows, mine->data()}));
    Lane<uint8_t> bools = Bools(v);
    for (size_t row = 0; row < mine->size(); ++row) {
      (*mine)[row] &= bools[row];  // a NULL's slot is zero
    }
    return base::OkStatus();
  }

  NodeList conditions_;
  NodeList results_;
};

// NULLIF(a, b): NULL where they are equal, else a.
class NullIfNode final : public Node {
 public:
  NullIfNode(NodePtr value, NodePtr equal)
      : Node(value->type()), value_(std::move(value)), equal_(std::move(equal)) {
    set_may_fail(value_->may_fail() || equal_->may_fail());
  }
  base::Result<Value> Eval(const Scope& scope) const override {
    SJ_ASSIGN_OR_RETURN(Value v, value_->Eval(scope));
    SJ_ASSIGN_OR_RETURN(Value equal, equal_->Eval(scope));
    Column out = v.constant() ? v.column().Gather(std::vector<uint32_t>(scope.rows, 0))
                              : std::move(v).Take();
    Lane<uint8_t> bools = Bools(equal);
    for (size_t row = 0; row < scope.rows; ++row) {
      if (bools[row] != 0) {
        out.SetNull(row);
      }
    }
    return Value::Own(std::move(out), false);
  }

 private:
  NodePtr value_;
  NodePtr equal_;
};

bool AllBoolean(const NodeList& args) {
  return std::all_of(args.begin(), args.end(),
                     [](const NodePtr& arg) { return arg->type().kind == TypeKind::kBoolean; });
}

bool StoredAs(const NodeList& args, const DataType& type) {
  return std::all_of(args.begin(), args.end(), [&](const NodePtr& arg) {
    return arg->type().physical() == type.physical() && arg->type().scale == type.scale;
  });
}

// A bare NULL takes the type of what it stands for.
void GiveTypeToNulls(const DataType& type, NodeList* args) {
  for (NodePtr& arg : *args) {
    const Column* literal = LiteralOf(*arg);
    if (arg->type().kind == TypeKind::kNull && literal != nullptr) {
      Column null(type);
      null.AppendNull();
      arg = MakeLiteral(std::move(null));
    }
  }
}

}  // namespace

base::Result<NodePtr> MakeLogic(Function function, DataType type, NodeList args) {
  bool any_type = function == Function::kIsNull || function == Function::kIsNotNull;
  if (!any_type) {
    GiveTypeToNulls(DataType::Of(TypeKind::kBoolean), &args);
  }
  bool junction = function == Function::kAnd || function == Function::kOr;
  if ((junction ? args.size() < 2 : args.size() != 1) || (!any_type && !AllBoolean(args))) {
    return NoSuchCall("logical function", args);
  }
  NodePtr node;
  if (junction) {
    node = std::make_unique<JunctionNode>(function == Function::kAnd, std::move(args));
  } else if (function == Function::kNot) {
    node = MakeStrict(std::move(type), std::move(args), {[](const Call& call) {
                        Lane<uint8_t> in = Bools(call.args[0]);
                        for (size_t row = 0; row < call.rows; ++row) {
                          call.out->bools[row] = in[row] == 0 ? 1 : 0;
                        }
                        return base::OkStatus();
                      }});
  } else {
    node = std::make_unique<TestNode>(function, std::move(args[0]));
  }
  return node;
}

base::Result<NodePtr> MakeChoice(Function function, DataType type, NodeList args) {
  if (type.physical() == Physical::kNested) {
    return NoSuchCall("CASE over nested values", args);
  }
  NodeList conditions;
  NodeList results;
  bool coalesce = function == Function::kCoalesce;
  for (size_t i = 0; i < args.size(); ++i) {
    bool condition = !coalesce && i % 2 == 0 && i + 1 < args.size();
    (condition ? conditions : results).push_back(std::move(args[i]));
  }
  GiveTypeToNulls(type, &results);
  GiveTypeToNulls(DataType::Of(TypeKind::kBoolean), &conditions);
  if (results.empty() || (!coalesce && results.size() != conditions.size() + 1) ||
      !AllBoolean(conditions) || !StoredAs(results, type)) {
    return NoSuchCall("CASE", results);
  }
  NodePtr node =
      std::make_unique<ChoiceNode>(std::move(type), std::move(conditions), std::move(results));
  return node;
}

NodePtr MakeNullIf(NodePtr value, NodePtr equal) {
  return std::make_unique<NullIfNode>(std::move(value), std::move(equal));
}

}  // namespace sj::worker::exec::eval
