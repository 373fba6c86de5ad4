// SPDX-License-Identifier: Apache-2.0
// Evaluator: a plan::Expr compiled once and run over batches, a column at a time, with Flink's
// semantics: three-valued logic; integers wrap at their width; decimals are NULL when they
// overflow; division by zero of integers and decimals, and CAST of a text that is not a value of
// the type, are errors of the job (kInvalidArgument, user), TRY_CAST gives NULL. Only rows that
// are really asked for can fail: the branches of CASE, AND and OR that SQL would not look at do
// not. The session time zone is UTC. Thread-compatible: const after Compile.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/expr.h"
#include "worker/types/column.h"

namespace sj::worker::exec::eval {

class Node;

class Evaluator {
 public:
  // Errors: kInvalidArgument when a call has no meaning for its argument types or literals.
  static base::Result<Evaluator> Compile(const plan::Expr& expr, const types::Schema& input);
  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;
  ~Evaluator();

  // One value a row.
  base::Result<types::Column> Eval(const types::Batch& batch) const;
  // REQUIRES: a BOOLEAN expression. The rows where it is TRUE, ascending.
  base::Status Select(const types::Batch& batch, std::vector<uint32_t>* selection) const;
  // The input column this expression is, or -1: then Eval would only copy.
  int column() const { return column_; }
  const types::DataType& type() const;

 private:
  Evaluator(std::unique_ptr<Node> root, int column);
  std::unique_ptr<Node> root_;
  int column_ = -1;
};

}  // namespace sj::worker::exec::eval
