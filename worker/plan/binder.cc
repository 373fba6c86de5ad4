// SPDX-License-Identifier: Apache-2.0
// Statements in order: declarations fill the catalog, every INSERT becomes a sink of the plan.
#include "worker/plan/binder.h"

#include <fmt/format.h>

#include <set>
#include <variant>

#include "worker/plan/bind_query.h"
#include "worker/plan/catalog.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/settings.h"
#include "worker/plan/type_rules.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

using base::Result;
using base::Status;
using types::DataType;
using types::TypeKind;

constexpr size_t kSinksMax = 1000;

// Where the i-th output column of a query is written, as far as its text says so.
sql::SourcePos ItemPos(const sql::Insert& insert, size_t i, size_t columns) {
  const sql::Query& query = *insert.query;
  if (query.terms.size() != 1 || query.terms[0].select == nullptr) {
    return query.pos;
  }
  const std::vector<sql::SelectItem>& items = query.terms[0].select->items;
  const bool one_each = items.size() == columns;
  return one_each ? items[i].expr->pos : query.pos;
}

void ScannedTables(const LogicalNode& node, std::set<int>* tables) {
  if (node.kind == LogicalKind::kScan) {
    tables->insert(node.table);
  }
  for (const LogicalNodePtr& input : node.inputs) {
    ScannedTables(*input, tables);
  }
}

class ScriptBinder {
 public:
  explicit ScriptBinder(int depth_max) : queries_(catalog_, &budget_, depth_max) {}

  Result<LogicalPlan> Run(const sql::Script& script) {
    for (const sql::Statement& statement : script.statements) {
      SJ_RETURN_IF_ERROR(
          std::visit([this](const auto& body) { return Add(body); }, statement.body));
    }
    if (plan_.sinks.empty()) {
      return sql::ErrorAt(script.end, "the job has no INSERT INTO",
                          "A job writes to at least one table.");
    }
    SJ_RETURN_IF_ERROR(CheckDirections());
    plan_.tables = catalog_.TakeTables();
    return std::move(plan_);
  }

 private:
  Status Add(const sql::CreateTable& create) { return catalog_.AddTable(create, &budget_); }
  // A view is bound once to find its errors, before its own name is known: it cannot use itself.
  Status Add(const sql::CreateView& create) {
    SJ_ASSIGN_OR_RETURN(Relation bound, queries_.BindQuery(*create.query));
    SJ_RETURN_IF_ERROR(RenameColumns(create.columns, &bound));
    return catalog_.AddView(create);
  }
  Status Add(const sql::SetOption& set) { return ApplySet(set, &plan_.settings); }
  Status Add(const sql::ResetOption& reset) { return ApplyReset(reset, &plan_.settings); }
  Status Add(const sql::StatementSet& set) {
    for (const sql::Insert& insert : set.inserts) {
      SJ_RETURN_IF_ERROR(Add(insert));
    }
    return base::OkStatus();
  }
  Status Add(const sql::Insert& insert);

  // For each column of the sink the query column that feeds it; -1: NULL.
  Result<std::vector<int>> MapColumns(const sql::Insert& insert, const BoundTable& table,
                                      size_t query_columns) const;
  Result<Expr> SinkColumn(const sql::Insert& insert, const Relation& input, const BoundTable& table,
                          std::pair<size_t, int> column) const;
  Status CheckDirections() const;

  Catalog catalog_;
  BindBudget budget_;
  QueryBinder queries_;
  LogicalPlan plan_;
  std::vector<sql::Identifier> targets_;  // of plan_.sinks
};

Result<std::vector<int>> ScriptBinder::MapColumns(const sql::Insert& insert,
                                                  const BoundTable& table,
                                                  size_t query_columns) const {
  const std::vector<types::Field>& fields = table.spec.schema.fields;
  const size_t wanted = insert.columns.empty() ? fields.size() : insert.columns.size();
  if (query_columns != wanted) {
    return sql::ErrorAt(insert.query->pos,
                        fmt::format("the query has {} column{}, {} {} {}", query_columns,
                                    query_columns == 1 ? "" : "s",
                                    insert.columns.empty() ? "table" : "the column list of",
                                    sql::Quoted(table.spec.name), wanted),
                        insert.columns.empty() ? "Columns are matched by position." : "");
  }
  std::vector<int> mapping(fields.size(), -1);
  for (size_t i = 0; i < query_columns; ++i) {
    int target = static_cast<int>(i);
    if (!insert.columns.empty()) {
      const sql::Identifier& name = insert.columns[i];
      target = table.spec.schema.IndexOf(name.name);
      if (target < 0) {
        std::vector<std::string> names;
        for (const types::Field& field : fields) {
          names.push_back(field.name);
        }
        return sql::ErrorAt(name.pos,
                            fmt::format("table {} has no column {} to write",
                                        sql::Quoted(table.spec.name), sql::Quoted(name.name)),
                            sql::DidYouMean(name.name, names));
      }
      if (mapping[static_cast<size_t>(target)] >= 0) {
        return sql::ErrorAt(name.pos,
                            fmt::format("column {} is named twice", sql::Quoted(name.name)));
      }
    }
    mapping[static_cast<size_t>(target)] = static_cast<int>(i);
  }
  return mapping;
}

// `column`: index in the sink, index in the query or -1.
Result<Expr> ScriptBinder::SinkColumn(const sql::Insert& insert, const Relation& input,
                                      const BoundTable& table,
                                      std::pair<size_t, int> column) const {
  const types::Field& field = table.spec.schema.fields[column.first];
  if (column.second < 0) {
    if (!field.type.nullable) {
      return sql::ErrorAt(insert.pos,
                          fmt::format("column {} of table {} is NOT NULL and gets no value",
                                      sql::Quoted(field.name), sql::Quoted(table.spec.name)));
    }
    return NullLiteral(field.type);
  }
  const auto from = static_cast<size_t>(column.second);
  const types::Field& source = input.node->schema.fields[from];
  const sql::SourcePos at = ItemPos(insert, from, input.columns.size());
  if (input.columns[from].role >= ColumnRole::kWindowStart) {
    return NotSupportedYet(
        at, fmt::format("writing {} without GROUP BY is", sql::Quoted(input.columns[from].name)),
        "Group by window_start and window_end.");
  }
  if (!ImplicitlyCasts(source.type, field.type)) {
    return sql::ErrorAt(
        at,
        fmt::format("column {} of table {} is {}, the query gives {}", sql::Quoted(field.name),
                    sql::Quoted(table.spec.name), TypeText(field.type), TypeText(source.type)),
        fmt::format("Write CAST(... AS {}).", TypeText(field.type)));
  }
  if (source.type.nullable && !field.type.nullable) {
    return sql::ErrorAt(at,
                        fmt::format("column {} of table {} is NOT NULL, the query may give NULL",
                                    sql::Quoted(field.name), sql::Quoted(table.spec.name)),
                        "Use COALESCE, or declare the column without NOT NULL.");
  }
  Expr expr = ColumnRef(static_cast<int>(from), source.type);
  // The length of a VARCHAR sink is not enforced, as in Flink.
  return source.type.kind == TypeKind::kString ? expr : CastTo(std::move(expr), field.type);
}

Status ScriptBinder::Add(const sql::Insert& insert) {
  if (insert.overwrite) {
    return sql::ErrorAt(insert.pos, "INSERT OVERWRITE is not supported", "Use INSERT INTO.");
  }
  if (plan_.sinks.size() >= kSinksMax) {
    return sql::ErrorAt(insert.pos, fmt::format("the job has more than {} INSERTs", kSinksMax));
  }
  SJ_ASSIGN_OR_RETURN(const Catalog::Entry entry, catalog_.Find(insert.table));
  if (entry.view != nullptr) {
    return sql::ErrorAt(insert.table[0].pos, fmt::format("{} is a view, rows go into tables",
                                                         sql::Quoted(insert.table[0].name)));
  }
  SJ_ASSIGN_OR_RETURN(Relation input, queries_.BindQuery(*insert.query));
  const BoundTable& table = catalog_.tables()[static_cast<size_t>(entry.table)];
  SJ_ASSIGN_OR_RETURN(const std::vector<int> mapping,
                      MapColumns(insert, table, input.columns.size()));
  std::vector<Expr> exprs;
  for (size_t i = 0; i < mapping.size(); ++i) {
    SJ_ASSIGN_OR_RETURN(Expr expr, SinkColumn(insert, input, table, {i, mapping[i]}));
    exprs.push_back(std::move(expr));
  }
  types::Schema schema = table.spec.schema;
  schema.rowtime = -1;
  for (size_t i = 0; i < mapping.size(); ++i) {
    const bool timed = mapping[i] >= 0 && mapping[i] == input.node->schema.rowtime;
    schema.rowtime = timed ? static_cast<int>(i) : schema.rowtime;
  }
  plan_.sinks.push_back(
      {entry.table, MakeProject(std::move(input.node), std::move(exprs), std::move(schema))});
  targets_.push_back(insert.table[0]);
  return base::OkStatus();
}

Status ScriptBinder::CheckDirections() const {
  std::set<int> scanned;
  for (const LogicalSink& sink : plan_.sinks) {
    ScannedTables(*sink.input, &scanned);
  }
  for (size_t i = 0; i < plan_.sinks.size(); ++i) {
    if (scanned.contains(plan_.sinks[i].table)) {
      return sql::ErrorAt(
          targets_[i].pos,
          fmt::format("table {} is both read and written", sql::Quoted(targets_[i].name)),
          "Declare a second table for the other direction.");
    }
  }
  return base::OkStatus();
}

}  // namespace

Result<LogicalPlan> Bind(const sql::Script& script, int depth_max) {
  return ScriptBinder(depth_max).Run(script);
}

}  // namespace sj::worker::plan
