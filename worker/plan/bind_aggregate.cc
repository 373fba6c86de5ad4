// SPDX-License-Identifier: Apache-2.0
// GROUP BY with a window. The query becomes projection (keys, arguments, filters, time) -> window
// aggregate -> HAVING filter -> projection of the SELECT items. Output columns of the aggregate
// are: keys, window_start, window_end, then one for each distinct call.
#include <fmt/format.h>

#include <algorithm>

#include "worker/plan/bind_expression.h"
#include "worker/plan/bind_query.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/plan/functions.h"
#include "worker/plan/type_rules.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

using base::Result;
using base::Status;
using types::DataType;
using types::TypeKind;

constexpr size_t kCallsMax = 1000;
constexpr std::string_view kWindowHint =
    "Group by TUMBLE(time, INTERVAL ...), or by window_start and window_end of TABLE(TUMBLE(...)).";

std::string CallName(const sql::Expression& node) {
  const bool plain = node.kind == sql::ExprKind::kCall && node.path.size() == 1;
  return plain ? sql::ToUpper(node.path[0].name) : "";
}

bool IsAggregateCall(const sql::Expression& node) {
  return node.over == nullptr && FindAggregate(CallName(node)).has_value();
}

bool ContainsAggregate(const sql::Expression& node) {
  return IsAggregateCall(node) ||
         std::any_of(node.args.begin(), node.args.end(),
                     [](const sql::ExpressionPtr& arg) { return ContainsAggregate(*arg); });
}

DataType WindowBoundType() {
  DataType type = DataType::Timestamp();
  type.nullable = false;
  return type;
}

class GroupedBinder : public ExpressionBinder {
 public:
  GroupedBinder(const Scope& scope, const Relation& input, BindBudget* budget)
      : ExpressionBinder(scope, budget, "SELECT"), input_(input) {}

  void set_clause(std::string_view clause) { clause_ = clause; }
  Status AddGroupItems(const sql::Select& select);
  // Whether an item of SELECT is the window's time attribute.
  bool IsWindowTime(const sql::Expression& node) const;
  // The projection and the aggregate, after every item was bound.
  LogicalNodePtr Build(LogicalNodePtr input);
  DataType time_type() const { return scope_.column(time_).type; }

 protected:
  Result<std::optional<Expr>> BindFirst(const sql::Expression& node) override;
  Result<Expr> BindColumn(const sql::Expression& node) override;

 private:
  struct Key {
    const sql::Expression* node;
    Expr expr;
    std::string name;
  };
  Status AddWindow(const sql::Expression& node);
  Result<WindowSpec> BindTumble(const sql::Expression& node) const;
  Result<Expr> BindWindowPart(const sql::Expression& node, std::string_view name);
  Result<Expr> BindAggregate(const sql::Expression& node, AggregateFunction function);
  Expr WindowBound(bool end) const;
  Expr WindowTime() const;
  int Slot(Expr expr);

  const Relation& input_;
  std::vector<Key> keys_;
  std::optional<WindowSpec> window_;
  bool table_function_ = false;
  int time_ = -1;
  std::vector<Expr> slots_;  // of the projection below the aggregate
  std::vector<AggregateCall> calls_;
};

int GroupedBinder::Slot(Expr expr) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (SameExpr(slots_[i], expr)) {
      return static_cast<int>(i);
    }
  }
  slots_.push_back(std::move(expr));
  return static_cast<int>(slots_.size() - 1);
}

Result<WindowSpec> GroupedBinder::BindTumble(const sql::Expression& node) const {
  if (node.args.size() != 2 || node.args[0]->kind != sql::ExprKind::kColumn) {
    return sql::ErrorAt(node.pos, fmt::format("malformed {}", CallName(node)),
                        "Write TUMBLE(time, INTERVAL '1' MINUTE).");
  }
  SJ_ASSIGN_OR_RETURN(const int time, scope_.Resolve(node.args[0]->path));
  if (scope_.column(time).role != ColumnRole::kRowtime) {
    return sql::ErrorAt(
        node.args[0]->pos,
        fmt::format("column {} is not an event time", sql::Quoted(scope_.column(time).name)),
        "Give its table a WATERMARK FOR it.");
  }
  WindowSpec window;
  window.time_column = time;
  SJ_ASSIGN_OR_RETURN(window.size_ms, BindWindowInterval(*node.args[1], "size", budget_));
  if (window.size_ms <= 0) {
    return sql::ErrorAt(node.args[1]->pos, "the size of a window must be positive");
  }
  window.slide_ms = window.size_ms;
  return window;
}

Status GroupedBinder::AddWindow(const sql::Expression& node) {
  const std::string name = CallName(node);
  if (name != "TUMBLE") {
    const bool known = name == "HOP" || name == "SESSION";
    return known ? NotSupportedYet(node.pos, fmt::format("the window {} is", name))
                 : sql::ErrorAt(node.pos, fmt::format("{} is not allowed in GROUP BY", name));
  }
  if (window_.has_value()) {
    return sql::ErrorAt(node.pos, "GROUP BY has more than one window");
  }
  SJ_ASSIGN_OR_RETURN(window_, BindTumble(node));
  time_ = window_->time_column;
  return base::OkStatus();
}

Status GroupedBinder::AddGroupItems(const sql::Select& select) {
  bool start = false;
  bool end = false;
  for (const sql::ExpressionPtr& item : select.group_by) {
    if (IsGroupWindowName(CallName(*item))) {
      SJ_RETURN_IF_ERROR(AddWindow(*item));
      continue;
    }
    if (item->kind == sql::ExprKind::kColumn) {
      SJ_ASSIGN_OR_RETURN(const int index, scope_.Resolve(item->path));
      const ColumnRole role = scope_.column(index).role;
      start = start || role == ColumnRole::kWindowStart;
      end = end || role == ColumnRole::kWindowEnd;
      if (role >= ColumnRole::kWindowStart) {
        time_ = index;
        continue;
      }
    }
    SJ_ASSIGN_OR_RETURN(Expr expr, ExpressionBinder(scope_, budget_, "GROUP BY").Bind(*item));
    expr = FoldConstants(std::move(expr));
    if (expr.type.kind == TypeKind::kNull || expr.type.kind >= TypeKind::kIntervalDay) {
      return sql::ErrorAt(item->pos, fmt::format("GROUP BY does not take {}", TypeText(expr.type)));
    }
    const bool column = item->kind == sql::ExprKind::kColumn;
    std::string name = column ? item->path.back().name : fmt::format("key{}", keys_.size());
    keys_.push_back({item.get(), std::move(expr), std::move(name)});
  }
  if (start && end && !window_.has_value()) {
    window_ = input_.window;
    table_function_ = true;
  } else if (start || end) {
    return sql::ErrorAt(select.group_pos, "GROUP BY has only one end of the window",
                        "Group by both window_start and window_end.");
  }
  if (!window_.has_value()) {
    const bool global = select.group_pos.line == 0;
    return NotSupportedYet(
        global ? select.pos : select.group_pos,
        global ? "an aggregate without GROUP BY is" : "GROUP BY without a window is", kWindowHint);
  }
  // Keys come first in the projection, one slot each even when two are equal.
  for (const Key& key : keys_) {
    slots_.push_back(key.expr);
  }
  return base::OkStatus();
}

Expr GroupedBinder::WindowBound(bool end) const {
  return ColumnRef(static_cast<int>(keys_.size()) + (end ? 1 : 0), WindowBoundType());
}

// The last millisecond of the window: what a later window over the results is fed with.
Expr GroupedBinder::WindowTime() const {
  std::vector<Expr> args;
  args.push_back(WindowBound(true));
  args.push_back(Int64Literal(TypeKind::kIntervalDay, 1));
  DataType type = time_type();
  type.nullable = false;
  return CastTo(Call(Function::kSubtractInterval, WindowBoundType(), std::move(args)), type);
}

bool GroupedBinder::IsWindowTime(const sql::Expression& node) const {
  if (node.kind == sql::ExprKind::kColumn && table_function_) {
    const Result<int> index = scope_.Resolve(node.path);
    return index.ok() && scope_.column(*index).role == ColumnRole::kWindowTime;
  }
  return CallName(node) == "TUMBLE_ROWTIME";
}

Result<Expr> GroupedBinder::BindWindowPart(const sql::Expression& node, std::string_view name) {
  const bool known = name == "TUMBLE_START" || name == "TUMBLE_END" || name == "TUMBLE_ROWTIME";
  if (!known) {
    return sql::ErrorAt(node.pos, fmt::format("{} is not allowed in {}", name, clause_),
                        "Use TUMBLE_START, TUMBLE_END and TUMBLE_ROWTIME.");
  }
  SJ_ASSIGN_OR_RETURN(const WindowSpec window, BindTumble(node));
  if (table_function_ || window.size_ms != window_->size_ms || window.time_column != time_) {
    return sql::ErrorAt(node.pos, fmt::format("{} names another window than GROUP BY", name),
                        "Give it the arguments of the TUMBLE in GROUP BY.");
  }
  return name == "TUMBLE_ROWTIME" ? WindowTime() : WindowBound(name == "TUMBLE_END");
}

Result<Expr> GroupedBinder::BindAggregate(const sql::Expression& node, AggregateFunction function) {
  const std::string_view name = ToString(function);
  if (node.distinct) {
    return NotSupportedYet(node.pos, fmt::format("{}(DISTINCT ...) is", name), "");
  }
  if (calls_.size() >= kCallsMax) {
    return sql::ErrorAt(node.pos, fmt::format("more than {} aggregate calls", kCallsMax));
  }
  const bool star = node.args.size() == 1 && node.args[0]->kind == sql::ExprKind::kStar;
  if (node.args.size() != 1 || (star && function != AggregateFunction::kCount)) {
    return sql::ErrorAt(node.pos, fmt::format("{} takes one argument", name));
  }
  AggregateCall call;
  call.function = function;
  call.argument_type = DataType::Of(TypeKind::kBigint);
  ExpressionBinder inner(scope_, budget_, "an aggregate function");
  if (!star) {
    SJ_ASSIGN_OR_RETURN(Expr argument, inner.Bind(*node.args[0]));
    argument = FoldConstants(std::move(argument));
    call.argument_type = argument.type;
    const bool counts_rows = function == AggregateFunction::kCount && !argument.type.nullable;
    call.argument = counts_rows ? -1 : Slot(std::move(argument));
  }
  if (node.filter != nullptr) {
    ExpressionBinder filter(scope_, budget_, "FILTER");
    SJ_ASSIGN_OR_RETURN(Expr condition, filter.BindCondition(*node.filter));
    call.filter = Slot(std::move(condition));
  }
  std::optional<DataType> type = AggregateType(function, call.argument_type);
  if (!type.has_value()) {
    return sql::ErrorAt(node.args[0]->pos,
                        fmt::format("{} does not take {}", name, TypeText(call.argument_type)));
  }
  call.type = *std::move(type);
  if (function != AggregateFunction::kCount) {
    call.type.nullable = call.argument_type.nullable || call.filter >= 0;
  }
  size_t index = 0;
  while (index < calls_.size() &&
         (calls_[index].function != call.function || calls_[index].argument != call.argument ||
          calls_[index].filter != call.filter)) {
    ++index;
  }
  DataType result = call.type;
  if (index == calls_.size()) {
    calls_.push_back(std::move(call));
  }
  return ColumnRef(static_cast<int>(keys_.size() + 2 + index), std::move(result));
}

Result<std::optional<Expr>> GroupedBinder::BindFirst(const sql::Expression& node) {
  const std::string name = CallName(node);
  if (IsAggregateCall(node)) {
    SJ_ASSIGN_OR_RETURN(Expr call, BindAggregate(node, *FindAggregate(name)));
    return std::optional<Expr>(std::move(call));
  }
  if (IsGroupWindowName(name)) {
    SJ_ASSIGN_OR_RETURN(Expr part, BindWindowPart(node, name));
    return std::optional<Expr>(std::move(part));
  }
  for (size_t i = 0; i < keys_.size(); ++i) {
    const sql::Expression& key = *keys_[i].node;
    if (key.kind == sql::ExprKind::kColumn || key.kind != node.kind || key.depth != node.depth) {
      continue;
    }
    Result<Expr> same = ExpressionBinder(scope_, budget_, "GROUP BY").Bind(node);
    if (same.ok() && SameExpr(FoldConstants(std::move(same).value()), keys_[i].expr)) {
      return std::optional<Expr>(ColumnRef(static_cast<int>(i), keys_[i].expr.type));
    }
  }
  return std::optional<Expr>();
}

Result<Expr> GroupedBinder::BindColumn(const sql::Expression& node) {
  SJ_ASSIGN_OR_RETURN(const int index, scope_.Resolve(node.path));
  const ColumnRole role = scope_.column(index).role;
  if (role >= ColumnRole::kWindowStart && table_function_) {
    return role == ColumnRole::kWindowTime ? WindowTime()
                                           : WindowBound(role == ColumnRole::kWindowEnd);
  }
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i].expr.kind == ExprKind::kColumn && keys_[i].expr.column == index) {
      return ColumnRef(static_cast<int>(i), keys_[i].expr.type);
    }
  }
  return sql::ErrorAt(node.pos,
                      fmt::format("column {} is neither in GROUP BY nor in an aggregate function",
                                  sql::Quoted(scope_.column(index).name)));
}

LogicalNodePtr GroupedBinder::Build(LogicalNodePtr input) {
  auto node = std::make_unique<LogicalNode>();
  node->kind = LogicalKind::kWindowAggregate;
  const types::Field& time = input->schema.fields[static_cast<size_t>(time_)];
  types::Schema below;
  slots_.push_back(ColumnRef(time_, time.type));
  for (size_t i = 0; i < slots_.size(); ++i) {
    below.fields.push_back({fmt::format("arg{}", i), slots_[i].type});
    if (slots_[i].kind == ExprKind::kColumn) {
      below.fields.back().name = input->schema.fields[static_cast<size_t>(slots_[i].column)].name;
    }
  }
  below.rowtime = static_cast<int>(slots_.size()) - 1;
  if (table_function_) {
    below.fields.back().name = "window_time";
  }
  for (size_t i = 0; i < keys_.size(); ++i) {
    below.fields[i].name = keys_[i].name;
    node->aggregate.keys.push_back(static_cast<int>(i));
    node->schema.fields.push_back({keys_[i].name, keys_[i].expr.type});
  }
  node->aggregate.window = *window_;
  node->aggregate.window.time_column = below.rowtime;
  node->schema.fields.push_back({"window_start", WindowBoundType()});
  node->schema.fields.push_back({"window_end", WindowBoundType()});
  for (const AggregateCall& call : calls_) {
    const size_t index = node->schema.fields.size() - keys_.size() - 2;
    node->schema.fields.push_back({fmt::format("agg{}", index), call.type});
  }
  node->aggregate.calls = std::move(calls_);
  node->inputs.push_back(MakeProject(std::move(input), std::move(slots_), std::move(below)));
  return node;
}

}  // namespace

bool IsGrouped(const sql::Select& select) {
  return select.group_pos.line != 0 || select.having != nullptr ||
         std::any_of(select.items.begin(), select.items.end(),
                     [](const sql::SelectItem& item) { return ContainsAggregate(*item.expr); });
}

Result<Relation> BindGrouped(const sql::Select& select, Relation input, BindBudget* budget) {
  if (select.grouping != sql::GroupingKind::kPlain) {
    return NotSupportedYet(select.group_pos, "GROUPING SETS, ROLLUP and CUBE are");
  }
  const Scope scope(input.columns);
  GroupedBinder binder(scope, input, budget);
  SJ_RETURN_IF_ERROR(binder.AddGroupItems(select));
  Projection projection;
  for (size_t i = 0; i < select.items.size(); ++i) {
    const sql::SelectItem& item = select.items[i];
    if (item.expr->kind == sql::ExprKind::kStar) {
      return sql::ErrorAt(item.expr->pos, "\"*\" has no meaning with GROUP BY",
                          "Name the columns.");
    }
    SJ_ASSIGN_OR_RETURN(Expr expr, binder.Bind(*item.expr));
    expr = FoldConstants(std::move(expr));
    const bool time = binder.IsWindowTime(*item.expr);
    projection.columns.push_back(
        {"", ItemName(item, i), expr.type, time ? ColumnRole::kRowtime : ColumnRole::kPlain});
    projection.exprs.push_back(std::move(expr));
  }
  std::vector<Expr> having;
  if (select.having != nullptr) {
    binder.set_clause("HAVING");
    SJ_ASSIGN_OR_RETURN(Expr condition, binder.BindCondition(*select.having));
    having = SplitConjunction(std::move(condition));
  }
  Relation grouped;
  grouped.node = binder.Build(std::move(input.node));
  if (!having.empty()) {
    grouped.node = MakeFilter(std::move(grouped.node), std::move(having));
  }
  return Project(std::move(grouped), std::move(projection));
}

}  // namespace sj::worker::plan
