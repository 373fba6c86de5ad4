// SPDX-License-Identifier: Apache-2.0
// Queries without grouping: FROM, WHERE, SELECT items, views, WITH and window table functions.
#include "worker/plan/bind_query.h"

#include <fmt/format.h>

#include "worker/plan/bind_expression.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {

using base::Result;
using base::Status;
using types::DataType;

Relation Project(Relation input, Projection projection) {
  types::Schema schema;
  for (size_t i = 0; i < projection.exprs.size(); ++i) {
    const bool rowtime = projection.columns[i].role == ColumnRole::kRowtime;
    schema.rowtime = schema.rowtime < 0 && rowtime ? static_cast<int>(i) : schema.rowtime;
    schema.fields.push_back({projection.columns[i].name, projection.exprs[i].type});
  }
  Relation result;
  result.node = MakeProject(std::move(input.node), std::move(projection.exprs), std::move(schema));
  result.columns = std::move(projection.columns);
  result.window = input.window;
  return result;
}

std::string ItemName(const sql::SelectItem& item, size_t index) {
  if (!item.alias.name.empty()) {
    return item.alias.name;
  }
  return item.expr->kind == sql::ExprKind::kColumn ? item.expr->path.back().name
                                                   : fmt::format("EXPR${}", index);
}

Status RenameColumns(const std::vector<sql::Identifier>& names, Relation* relation) {
  if (names.empty()) {
    return base::OkStatus();
  }
  if (names.size() != relation->columns.size()) {
    return sql::ErrorAt(names[0].pos, fmt::format("{} names for {} column(s)", names.size(),
                                                  relation->columns.size()));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    relation->columns[i].name = names[i].name;
  }
  return base::OkStatus();
}

Status QueryBinder::RefuseClauses(const sql::Query& query) const {
  if (!query.operators.empty()) {
    const sql::SetOperator& op = query.operators[0];
    return NotSupportedYet(op.pos, fmt::format("{}{} is", op.name, op.all ? " ALL" : ""));
  }
  if (query.order_pos.line != 0) {
    return NotSupportedYet(query.order_pos, "ORDER BY is");
  }
  if (query.limit != nullptr || query.offset != nullptr) {
    const sql::Expression& count = query.limit != nullptr ? *query.limit : *query.offset;
    return NotSupportedYet(count.pos, "LIMIT, OFFSET and FETCH are");
  }
  return base::OkStatus();
}

Result<Relation> QueryBinder::BindQuery(const sql::Query& query) {
  SJ_RETURN_IF_ERROR(budget_->Charge(1, query.pos));
  if (depth_ >= depth_max_) {
    return sql::ErrorAt(query.pos,
                        fmt::format("views are nested more than {} levels deep", depth_max_));
  }
  SJ_RETURN_IF_ERROR(RefuseClauses(query));
  const size_t outer = with_.size();
  for (const sql::CommonTable& table : query.with) {
    with_.push_back(&table);
  }
  ++depth_;
  const sql::QueryTerm& term = query.terms[0];
  Result<Relation> result = term.select != nullptr ? BindSelect(*term.select)
                            : term.nested != nullptr
                                ? BindQuery(*term.nested)
                                : Result<Relation>(NotSupportedYet(term.pos, "VALUES is"));
  --depth_;
  with_.resize(outer);
  return result;
}

Result<Relation> QueryBinder::BindSelect(const sql::Select& select) {
  if (select.distinct) {
    return NotSupportedYet(select.distinct_pos, "SELECT DISTINCT is");
  }
  if (select.qualify != nullptr) {
    return NotSupportedYet(select.qualify->pos, "QUALIFY is");
  }
  if (select.from == nullptr) {
    return NotSupportedYet(select.pos, "SELECT without FROM is");
  }
  SJ_ASSIGN_OR_RETURN(Relation input, BindFrom(*select.from));
  if (select.where != nullptr) {
    const Scope scope(input.columns);
    SJ_ASSIGN_OR_RETURN(Expr where,
                        ExpressionBinder(scope, budget_, "WHERE").BindCondition(*select.where));
    input.node = MakeFilter(std::move(input.node), SplitConjunction(std::move(where)));
  }
  if (IsGrouped(select)) {
    return BindGrouped(select, std::move(input), budget_);
  }
  SJ_ASSIGN_OR_RETURN(Projection projection, BindItems(select, input));
  return Project(std::move(input), std::move(projection));
}

Result<Projection> QueryBinder::BindItems(const sql::Select& select, const Relation& input) {
  const Scope scope(input.columns);
  Projection projection;
  auto take = [&](int index) {
    projection.exprs.push_back(
        ColumnRef(index, input.node->schema.fields[static_cast<size_t>(index)].type));
    projection.columns.push_back(scope.column(index));
    projection.columns.back().qualifier.clear();
  };
  for (size_t i = 0; i < select.items.size(); ++i) {
    const sql::SelectItem& item = select.items[i];
    if (item.expr->kind == sql::ExprKind::kStar) {
      const std::vector<sql::Identifier>& path = item.expr->path;
      if (!path.empty() && (path.size() > 1 || !scope.HasQualifier(path[0].name))) {
        return sql::ErrorAt(path[0].pos,
                            fmt::format("unknown table {}", sql::Quoted(sql::PathText(path))));
      }
      SJ_RETURN_IF_ERROR(
          budget_->Charge(static_cast<int64_t>(scope.columns().size()), item.expr->pos));
      for (size_t c = 0; c < scope.columns().size(); ++c) {
        take(static_cast<int>(c));
      }
      continue;
    }
    if (item.expr->kind == sql::ExprKind::kColumn) {
      SJ_ASSIGN_OR_RETURN(const int index, scope.Resolve(item.expr->path));
      take(index);
      projection.columns.back().name = ItemName(item, i);
      continue;
    }
    SJ_ASSIGN_OR_RETURN(Expr expr, ExpressionBinder(scope, budget_, "SELECT").Bind(*item.expr));
    expr = FoldConstants(std::move(expr));
    projection.columns.push_back({"", ItemName(item, i), expr.type, ColumnRole::kPlain});
    projection.exprs.push_back(std::move(expr));
  }
  return projection;
}

Result<Relation> QueryBinder::BindFrom(const sql::TableRef& ref) {
  Result<Relation> bound = Status();
  switch (ref.kind) {
    case sql::TableKind::kTable:
      if (ref.expr != nullptr) {
        return NotSupportedYet(ref.expr->pos, "FOR SYSTEM_TIME AS OF is");
      }
      bound = BindTable(ref.path);
      break;
    case sql::TableKind::kSubquery:
      bound = BindQuery(*ref.query);
      break;
    case sql::TableKind::kFunction:
      bound = BindWindowTable(ref);
      break;
    case sql::TableKind::kJoin:
      return NotSupportedYet(ref.pos, "a join is");
    case sql::TableKind::kUnnest:
      return NotSupportedYet(ref.pos, "UNNEST is");
  }
  SJ_RETURN_IF_ERROR(bound.status());
  const std::string qualifier = !ref.alias.name.empty() ? ref.alias.name
                                : ref.path.empty() || ref.kind == sql::TableKind::kFunction
                                    ? ""
                                    : ref.path.back().name;
  for (ScopeColumn& column : bound->columns) {
    column.qualifier = qualifier;
  }
  SJ_RETURN_IF_ERROR(RenameColumns(ref.column_aliases, &*bound));
  return bound;
}

Result<std::optional<Relation>> QueryBinder::BindCommonTable(
    const std::vector<sql::Identifier>& path) {
  for (size_t i = with_.size(); path.size() == 1 && i > 0; --i) {
    const sql::CommonTable& table = *with_[i - 1];
    if (table.name.name != path[0].name) {
      continue;
    }
    // Its body sees only what was named before it.
    const std::vector<const sql::CommonTable*> hidden(
        with_.begin() + static_cast<std::ptrdiff_t>(i - 1), with_.end());
    with_.resize(i - 1);
    Result<Relation> bound = BindQuery(*table.query);
    with_.insert(with_.end(), hidden.begin(), hidden.end());
    SJ_RETURN_IF_ERROR(bound.status());
    SJ_RETURN_IF_ERROR(RenameColumns(table.columns, &*bound));
    return std::optional<Relation>(std::move(bound).value());
  }
  return std::optional<Relation>();
}

Result<Relation> QueryBinder::BindTable(const std::vector<sql::Identifier>& path) {
  SJ_ASSIGN_OR_RETURN(std::optional<Relation> common, BindCommonTable(path));
  if (common.has_value()) {
    return *std::move(common);
  }
  SJ_ASSIGN_OR_RETURN(const Catalog::Entry entry, catalog_.Find(path));
  if (entry.view != nullptr) {
    return BindView(*entry.view);
  }
  const BoundTable& table = catalog_.tables()[static_cast<size_t>(entry.table)];
  SJ_RETURN_IF_ERROR(budget_->Charge(static_cast<int64_t>(table.row.fields.size()), path[0].pos));
  Relation relation;
  relation.node = MakeScan(entry.table, table);
  for (size_t i = 0; i < table.row.fields.size(); ++i) {
    const types::Field& field = table.row.fields[i];
    const bool rowtime = static_cast<int>(i) == table.row.rowtime;
    relation.columns.push_back(
        {"", field.name, field.type, rowtime ? ColumnRole::kRowtime : ColumnRole::kPlain});
  }
  return relation;
}

Result<Relation> QueryBinder::BindView(const sql::CreateView& view) {
  std::vector<const sql::CommonTable*> outer;
  outer.swap(with_);  // a view does not see the WITH of the query that uses it
  Result<Relation> bound = BindQuery(*view.query);
  outer.swap(with_);
  SJ_RETURN_IF_ERROR(bound.status());
  SJ_RETURN_IF_ERROR(RenameColumns(view.columns, &*bound));
  return bound;
}

}  // namespace sj::worker::plan
