// SPDX-License-Identifier: Apache-2.0
// Catalog: the tables and views one job's text has declared so far. One namespace, case-sensitive.
// Used by one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/logical.h"
#include "worker/plan/scope.h"
#include "worker/sql/ast.h"

namespace sj::worker::plan {

class Catalog {
 public:
  // Adds what a statement declares. Nothing changes on error. The statement must outlive the
  // catalog where it is a view. Does nothing for IF NOT EXISTS when the name is taken.
  base::Status AddTable(const sql::CreateTable& create, BindBudget* budget);
  base::Status AddView(const sql::CreateView& create);

  struct Entry {
    int table = -1;                         // index into tables()
    const sql::CreateView* view = nullptr;  // exactly one of the two
  };
  base::Result<Entry> Find(const std::vector<sql::Identifier>& path) const;

  const std::vector<BoundTable>& tables() const { return tables_; }
  std::vector<BoundTable> TakeTables() { return std::move(tables_); }

 private:
  base::Result<bool> MayAdd(const sql::Identifier& name, bool if_not_exists) const;

  std::vector<BoundTable> tables_;
  std::map<std::string, Entry> entries_;
};

}  // namespace sj::worker::plan
