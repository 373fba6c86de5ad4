// SPDX-License-Identifier: Apache-2.0
// CREATE TABLE and CREATE VIEW: columns, computed columns, primary key and watermark are bound
// here; what the options mean is the connectors' business.
#include "worker/plan/catalog.h"

#include <fmt/format.h>

#include <set>

#include "worker/plan/bind_expression.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/plan/type_rules.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

using base::Result;
using base::Status;
using types::DataType;
using types::TypeKind;

Status CheckUnique(const std::vector<sql::ColumnDefinition>& columns) {
  std::set<std::string_view> seen;
  for (const sql::ColumnDefinition& column : columns) {
    if (!seen.insert(column.name.name).second) {
      return sql::ErrorAt(column.name.pos, fmt::format("column {} is declared twice",
                                                       sql::Quoted(column.name.name)));
    }
  }
  return base::OkStatus();
}

Scope ScopeOf(const std::string& table, const types::Schema& schema) {
  std::vector<ScopeColumn> columns;
  for (const types::Field& field : schema.fields) {
    columns.push_back({table, field.name, field.type, ColumnRole::kPlain});
  }
  return Scope(std::move(columns));
}

Status AddOptions(const sql::CreateTable& create, types::TableSpec* spec) {
  std::set<std::string_view> seen;
  for (const sql::OptionDefinition& option : create.options) {
    if (!seen.insert(option.key).second) {
      return sql::ErrorAt(option.key_pos,
                          fmt::format("option {} is given twice", sql::Quoted(option.key)));
    }
    spec->options.push_back({option.key, option.value, option.key_pos, option.value_pos});
  }
  return base::OkStatus();
}

Status AddPhysicalColumns(const sql::CreateTable& create, types::TableSpec* spec) {
  for (const sql::ColumnDefinition& column : create.columns) {
    if (column.kind == sql::ColumnKind::kMetadata) {
      return NotSupportedYet(column.name.pos, "METADATA columns are", "");
    }
    if (column.kind == sql::ColumnKind::kPhysical) {
      SJ_ASSIGN_OR_RETURN(DataType type, ResolveType(column.type));
      spec->schema.fields.push_back({column.name.name, std::move(type)});
    }
  }
  for (const sql::Identifier& key : create.primary_key) {
    const int index = spec->schema.IndexOf(key.name);
    if (index < 0) {
      return sql::ErrorAt(key.pos, fmt::format("PRIMARY KEY names {}, which is no physical column",
                                               sql::Quoted(key.name)));
    }
    spec->schema.fields[static_cast<size_t>(index)].type.nullable = false;
    spec->primary_key.push_back(key.name);
  }
  return base::OkStatus();
}

Status AddRow(const sql::CreateTable& create, BindBudget* budget, BoundTable* table) {
  const Scope scope = ScopeOf(create.name.name, table->spec.schema);
  int physical = 0;
  for (const sql::ColumnDefinition& column : create.columns) {
    BoundTable::Column bound;
    if (column.kind == sql::ColumnKind::kPhysical) {
      bound.physical = physical++;
      table->row.fields.push_back(table->spec.schema.fields[static_cast<size_t>(bound.physical)]);
    } else {
      ExpressionBinder binder(scope, budget, "a computed column");
      SJ_ASSIGN_OR_RETURN(Expr expr, binder.Bind(*column.expr));
      if (expr.type.kind == TypeKind::kNull || expr.type.kind >= TypeKind::kIntervalDay) {
        return sql::ErrorAt(column.expr->pos,
                            fmt::format("a column cannot be of type {}", TypeText(expr.type)));
      }
      bound.computed = FoldConstants(std::move(expr));
      table->row.fields.push_back({column.name.name, bound.computed->type});
    }
    table->columns.push_back(std::move(bound));
  }
  return base::OkStatus();
}

Status AddWatermark(const sql::CreateTable& create, BindBudget* budget, BoundTable* table) {
  if (create.watermark == nullptr) {
    return base::OkStatus();
  }
  const Scope scope = ScopeOf(create.name.name, table->row);
  SJ_ASSIGN_OR_RETURN(const int index, scope.Resolve({create.watermark_column}));
  const DataType& type = table->row.fields[static_cast<size_t>(index)].type;
  if (type.kind != TypeKind::kTimestamp && type.kind != TypeKind::kTimestampLtz) {
    return sql::ErrorAt(create.watermark_column.pos,
                        fmt::format("WATERMARK is on column {} of type {}",
                                    sql::Quoted(create.watermark_column.name), TypeText(type)),
                        "It must be a TIMESTAMP(3) or TIMESTAMP_LTZ(3).");
  }
  ExpressionBinder binder(scope, budget, "WATERMARK");
  SJ_ASSIGN_OR_RETURN(Expr expr, binder.Bind(*create.watermark));
  if (expr.type.kind != type.kind) {
    return sql::ErrorAt(create.watermark->pos,
                        fmt::format("WATERMARK expression is {}, the column is {}",
                                    TypeText(expr.type), TypeText(type)));
  }
  table->watermark = FoldConstants(std::move(expr));
  table->row.rowtime = index;
  table->spec.schema.rowtime = table->columns[static_cast<size_t>(index)].physical;
  return base::OkStatus();
}

}  // namespace

Result<bool> Catalog::MayAdd(const sql::Identifier& name, bool if_not_exists) const {
  if (!entries_.contains(name.name)) {
    return true;
  }
  if (if_not_exists) {
    return false;
  }
  return sql::ErrorAt(name.pos, fmt::format("{} is declared twice", sql::Quoted(name.name)),
                      "Tables and views share their names.");
}

Status Catalog::AddTable(const sql::CreateTable& create, BindBudget* budget) {
  SJ_ASSIGN_OR_RETURN(const bool add, MayAdd(create.name, create.if_not_exists));
  if (!add) {
    return base::OkStatus();
  }
  if (create.as_query != nullptr) {
    return NotSupportedYet(create.as_query->pos, "CREATE TABLE ... AS is",
                           "Write CREATE TABLE and INSERT INTO.");
  }
  if (create.partitioned_pos.line != 0) {
    return NotSupportedYet(create.partitioned_pos, "PARTITIONED BY is", "");
  }
  if (create.columns.empty()) {
    return sql::ErrorAt(create.name.pos,
                        fmt::format("table {} has no columns", sql::Quoted(create.name.name)));
  }
  SJ_RETURN_IF_ERROR(CheckUnique(create.columns));
  BoundTable table;
  table.spec.name = create.name.name;
  table.spec.pos = create.name.pos;
  SJ_RETURN_IF_ERROR(AddOptions(create, &table.spec));
  SJ_RETURN_IF_ERROR(AddPhysicalColumns(create, &table.spec));
  SJ_RETURN_IF_ERROR(AddRow(create, budget, &table));
  SJ_RETURN_IF_ERROR(AddWatermark(create, budget, &table));
  if (table.spec.schema.fields.empty()) {
    return sql::ErrorAt(create.name.pos, fmt::format("table {} has no physical columns",
                                                     sql::Quoted(create.name.name)));
  }
  entries_[create.name.name] = Entry{static_cast<int>(tables_.size()), nullptr};
  tables_.push_back(std::move(table));
  return base::OkStatus();
}

Status Catalog::AddView(const sql::CreateView& create) {
  SJ_ASSIGN_OR_RETURN(const bool add, MayAdd(create.name, create.if_not_exists));
  if (add) {
    entries_[create.name.name] = Entry{-1, &create};
  }
  return base::OkStatus();
}

Result<Catalog::Entry> Catalog::Find(const std::vector<sql::Identifier>& path) const {
  if (path.size() > 1) {
    return sql::ErrorAt(
        path[0].pos,
        fmt::format("table name {} has more than one part", sql::Quoted(sql::PathText(path))),
        "A job has one catalog: the tables and views of its own text.");
  }
  auto found = entries_.find(path[0].name);
  if (found != entries_.end()) {
    return found->second;
  }
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    names.push_back(name);
  }
  return sql::ErrorAt(path[0].pos, fmt::format("unknown table {}", sql::Quoted(path[0].name)),
                      sql::DidYouMean(path[0].name, names));
}

}  // namespace sj::worker::plan
