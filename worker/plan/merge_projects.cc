// SPDX-License-Identifier: Apache-2.0
// Rule: a projection over a projection becomes one, unless that would compute something costly more
// than once or make an expression large.
#include <algorithm>
#include <utility>

#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/plan/logical.h"

namespace sj::worker::plan {
namespace {

constexpr int kMergedDepthMax = 100;

void CountReads(const Expr& expr, std::vector<int>* reads) {
  if (expr.kind == ExprKind::kColumn) {
    ++(*reads)[static_cast<size_t>(expr.column)];
  }
  for (const Expr& arg : expr.args) {
    CountReads(arg, reads);
  }
}

bool CanMerge(const LogicalNode& upper, const LogicalNode& lower, RewriteBudget* budget) {
  std::vector<int> reads(lower.exprs.size(), 0);
  int upper_depth = 0;
  int64_t size = 0;
  for (const Expr& expr : upper.exprs) {
    size += ExprSize(expr);
    CountReads(expr, &reads);
    upper_depth = std::max(upper_depth, ExprDepth(expr));
  }
  for (size_t i = 0; i < lower.exprs.size(); ++i) {
    const bool computed = lower.exprs[i].kind == ExprKind::kCall;
    if (computed && (reads[i] > 1 || ExprDepth(lower.exprs[i]) + upper_depth > kMergedDepthMax)) {
      return false;
    }
    size += reads[i] == 0 ? 0 : int64_t{reads[i]} * ExprSize(lower.exprs[i]);
  }
  return budget->Take(size);
}

}  // namespace

void MergeProjects(LogicalNodePtr* node, RewriteBudget* budget) {
  LogicalNode& current = **node;
  for (LogicalNodePtr& input : current.inputs) {
    MergeProjects(&input, budget);
  }
  if (current.kind != LogicalKind::kProject || current.input().kind != LogicalKind::kProject ||
      !CanMerge(current, current.input(), budget)) {
    return;
  }
  LogicalNode& lower = current.input();
  for (Expr& expr : current.exprs) {
    expr = FoldConstants(Substitute(expr, lower.exprs));
  }
  LogicalNodePtr input = std::move(lower.inputs.front());
  current.inputs.front() = std::move(input);
}

}  // namespace sj::worker::plan
