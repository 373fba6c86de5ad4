// SPDX-License-Identifier: Apache-2.0
// The functions SQL may call, by name. docs/reference/sql.md lists the same signatures; a test
// compares the two. Read-only tables, thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/expr.h"
#include "worker/plan/physical.h"
#include "worker/sql/ast.h"

namespace sj::worker::plan {

// One call being bound: `args` are bound, units like HOUR as string literals in upper case.
struct FunctionCall {
  const sql::Expression& node;
  std::string name;  // upper case
  std::vector<Expr> args;

  sql::SourcePos ArgPos(size_t i) const { return node.args[i]->pos; }
};

struct FunctionEntry {
  std::string_view name;
  int args_min = 0;
  int args_max = 0;  // -1: any number
  std::string_view signature;
  base::Result<Expr> (*bind)(FunctionCall*) = nullptr;
};

// nullptr: there is none. `name` in upper case.
const FunctionEntry* FindFunction(std::string_view name);
const std::vector<FunctionEntry>& Functions();

std::optional<AggregateFunction> FindAggregate(std::string_view name);
std::string_view ToString(AggregateFunction function);
// "COUNT(*)", "SUM(number)", ...: for the reference page.
std::vector<std::string> AggregateSignatures();

// TUMBLE, HOP, SESSION, CUMULATE and their _START, _END, _ROWTIME, _PROCTIME.
bool IsGroupWindowName(std::string_view name);

// Unknown to all of the above: the error, with the nearest name.
base::Status UnknownFunction(const sql::Expression& call);

}  // namespace sj::worker::plan
