// SPDX-License-Identifier: Apache-2.0
// Window table functions: TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL size[, offset])). The
// three columns they add carry the row's own time until GROUP BY window_start, window_end makes
// windows of it; until then they may only be passed on.
#include <fmt/format.h>

#include <array>

#include "worker/plan/bind_expression.h"
#include "worker/plan/bind_query.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {

using base::Result;
using types::DataType;
using types::TypeKind;

namespace {

constexpr std::array<std::string_view, 4> kNames = {"DATA", "TIMECOL", "SIZE", "OFFSET"};
using Arguments = std::array<const sql::TableArgument*, kNames.size()>;

base::Status Malformed(sql::SourcePos pos) {
  return sql::ErrorAt(pos, "malformed TUMBLE",
                      "Write TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL '1' MINUTE)).");
}

// Positional or named arguments in the order of kNames.
Result<Arguments> Order(const sql::TableRef& ref) {
  Arguments ordered{};
  for (size_t i = 0; i < ref.arguments.size(); ++i) {
    const sql::TableArgument& argument = ref.arguments[i];
    size_t slot = i;
    if (!argument.name.name.empty()) {
      const std::string name = sql::ToUpper(argument.name.name);
      slot = 0;
      while (slot < kNames.size() && kNames[slot] != name) {
        ++slot;
      }
    }
    if (slot >= kNames.size() || ordered[slot] != nullptr) {
      return Malformed(argument.pos);
    }
    ordered[slot] = &argument;
  }
  const bool complete = ordered[0] != nullptr && ordered[1] != nullptr && ordered[2] != nullptr &&
                        ordered[1]->descriptor.size() == 1 && ordered[2]->expr != nullptr &&
                        (ordered[3] == nullptr || ordered[3]->expr != nullptr);
  if (!complete) {
    return Malformed(ref.pos);
  }
  return ordered;
}

}  // namespace

Result<int64_t> BindWindowInterval(const sql::Expression& node, std::string_view what,
                                   BindBudget* budget) {
  const Scope nothing;
  SJ_ASSIGN_OR_RETURN(Expr bound, ExpressionBinder(nothing, budget, "a window").Bind(node));
  bound = FoldConstants(std::move(bound));
  if (bound.kind != ExprKind::kLiteral || bound.type.kind != TypeKind::kIntervalDay) {
    return sql::ErrorAt(node.pos, fmt::format("the {} of a window must be an interval", what),
                        "An example is INTERVAL '1' MINUTE.");
  }
  return bound.literal.i;
}

Result<Relation> QueryBinder::BindWindowTable(const sql::TableRef& ref) {
  const std::string name = sql::ToUpper(sql::PathText(ref.path));
  if (name == "HOP" || name == "CUMULATE" || name == "SESSION") {
    return NotSupportedYet(ref.path[0].pos, fmt::format("the window {} is", name));
  }
  if (name != "TUMBLE") {
    return NotSupportedYet(ref.path[0].pos,
                           fmt::format("the table function {} is", sql::Quoted(name)));
  }
  SJ_ASSIGN_OR_RETURN(const Arguments arguments, Order(ref));
  if (arguments[0]->query == nullptr && arguments[0]->table.empty()) {
    return Malformed(arguments[0]->pos);
  }
  Result<Relation> input = arguments[0]->query != nullptr ? BindQuery(*arguments[0]->query)
                                                          : BindTable(arguments[0]->table);
  SJ_RETURN_IF_ERROR(input.status());
  WindowSpec window;
  SJ_ASSIGN_OR_RETURN(window.size_ms, BindWindowInterval(*arguments[2]->expr, "size", budget_));
  if (window.size_ms <= 0) {
    return sql::ErrorAt(arguments[2]->pos, "the size of a window must be positive");
  }
  if (arguments[3] != nullptr) {
    SJ_ASSIGN_OR_RETURN(window.offset_ms,
                        BindWindowInterval(*arguments[3]->expr, "offset", budget_));
    window.offset_ms %= window.size_ms;
  }
  window.slide_ms = window.size_ms;
  const Scope scope(input->columns);
  SJ_ASSIGN_OR_RETURN(const int time, scope.Resolve(arguments[1]->descriptor));
  if (input->window.has_value() || scope.column(time).role != ColumnRole::kRowtime) {
    return sql::ErrorAt(arguments[1]->descriptor[0].pos,
                        fmt::format("column {} is not an event time",
                                    sql::Quoted(arguments[1]->descriptor[0].name)),
                        "Give its table a WATERMARK FOR it.");
  }
  Projection projection;
  projection.columns = input->columns;
  projection.columns[static_cast<size_t>(time)].role = ColumnRole::kPlain;
  for (size_t i = 0; i < input->columns.size(); ++i) {
    projection.exprs.push_back(ColumnRef(static_cast<int>(i), input->node->schema.fields[i].type));
  }
  DataType bound = DataType::Timestamp();
  bound.nullable = false;
  DataType attribute = scope.column(time).type;
  attribute.nullable = false;
  projection.columns.push_back({"", "window_start", bound, ColumnRole::kWindowStart});
  projection.columns.push_back({"", "window_end", bound, ColumnRole::kWindowEnd});
  projection.columns.push_back({"", "window_time", attribute, ColumnRole::kWindowTime});
  for (int i = 0; i < 3; ++i) {
    projection.exprs.push_back(
        ColumnRef(time, input->node->schema.fields[static_cast<size_t>(time)].type));
  }
  Relation result = Project(std::move(input).value(), std::move(projection));
  result.window = window;
  return result;
}

}  // namespace sj::worker::plan
