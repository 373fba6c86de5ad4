// SPDX-License-Identifier: Apache-2.0
// QueryBinder: a query to a logical plan. Views and WITH queries are bound in place at every use.
// What Flink SQL has and this binder has not is refused with its position. Used by one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/catalog.h"
#include "worker/plan/logical.h"
#include "worker/plan/scope.h"
#include "worker/sql/ast.h"

namespace sj::worker::plan {

// A bound query: its plan, and what its columns are called and are to event time.
struct Relation {
  LogicalNodePtr node;
  std::vector<ScopeColumn> columns;
  // Rows have windows (a window table function) and are not grouped by them yet. time_column is not
  // set: columns with a window role hold the time.
  std::optional<WindowSpec> window;
};

// SELECT items with their output names.
struct Projection {
  std::vector<Expr> exprs;
  std::vector<ScopeColumn> columns;
};

class QueryBinder {
 public:
  // All outlive the binder.
  QueryBinder(const Catalog& catalog, BindBudget* budget, int depth_max)
      : catalog_(catalog), budget_(budget), depth_max_(depth_max) {}

  base::Result<Relation> BindQuery(const sql::Query& query);

 private:
  base::Status RefuseClauses(const sql::Query& query) const;
  base::Result<Relation> BindSelect(const sql::Select& select);
  base::Result<Relation> BindFrom(const sql::TableRef& ref);
  base::Result<Relation> BindTable(const std::vector<sql::Identifier>& path);
  base::Result<Relation> BindView(const sql::CreateView& view);
  base::Result<Relation> BindWindowTable(const sql::TableRef& ref);
  base::Result<std::optional<Relation>> BindCommonTable(const std::vector<sql::Identifier>& path);
  base::Result<Projection> BindItems(const sql::Select& select, const Relation& input);

  const Catalog& catalog_;
  BindBudget* const budget_;
  const int depth_max_;
  int depth_ = 0;
  std::vector<const sql::CommonTable*> with_;  // visible, innermost last
};

// The plan of SELECT ... GROUP BY over `input` (WHERE applied), HAVING and items included.
base::Result<Relation> BindGrouped(const sql::Select& select, Relation input, BindBudget* budget);

// Whether a SELECT groups: GROUP BY, HAVING, or an aggregate call among its items.
bool IsGrouped(const sql::Select& select);

// The size or offset of a window: a positive interval of milliseconds.
base::Result<int64_t> BindWindowInterval(const sql::Expression& node, std::string_view what,
                                         BindBudget* budget);

// Projects `input` to `projection`; roles and names go to the new relation.
Relation Project(Relation input, Projection projection);
std::string ItemName(const sql::SelectItem& item, size_t index);
base::Status RenameColumns(const std::vector<sql::Identifier>& names, Relation* relation);

}  // namespace sj::worker::plan
