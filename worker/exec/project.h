// SPDX-License-Identifier: Apache-2.0
// Projection and filter as plain functions over batches, and as operators around them. A column
// that is only passed on is moved, not copied. Owned by one task thread.
#pragma once

#include <memory>
#include <vector>

#include "worker/exec/eval/evaluator.h"
#include "worker/exec/operator.h"

namespace sj::worker::exec {

class Projection {
 public:
  static base::Result<Projection> Compile(const std::vector<plan::Expr>& exprs,
                                          const types::Schema& input);
  base::Result<types::Batch> Apply(types::Batch batch) const;

 private:
  std::vector<eval::Evaluator> exprs_;
};

class Filter {
 public:
  static base::Result<Filter> Compile(const plan::Expr& condition, const types::Schema& input);
  base::Result<types::Batch> Apply(types::Batch batch) const;

 private:
  explicit Filter(eval::Evaluator condition) : condition_(std::move(condition)) {}
  eval::Evaluator condition_;
};

// `output` is not owned and outlives the operator.
std::unique_ptr<Operator> MakeProjectOperator(Projection projection, Output* output);
std::unique_ptr<Operator> MakeFilterOperator(Filter filter, Output* output);

}  // namespace sj::worker::exec
