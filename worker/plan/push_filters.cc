// SPDX-License-Identifier: Apache-2.0
// Rule: filters move towards the scan. Through a projection a conjunct reads the expressions it
// read the results of; through a window aggregate it may pass when it reads keys only, for then it
// drops whole groups. It never passes the scan, so the watermark sees every row.
#include <algorithm>
#include <utility>

#include "worker/plan/expr_tree.h"
#include "worker/plan/fold_constants.h"
#include "worker/plan/logical.h"

namespace sj::worker::plan {
namespace {

// A rewritten conjunct must not grow past this: column definitions are copied into it.
constexpr int kPushedSizeMax = 500;
constexpr int kPushedDepthMax = 100;

bool IsTrue(const Expr& expr) {
  return expr.kind == ExprKind::kLiteral && !expr.literal.is_null && expr.literal.i != 0;
}

// Size of Substitute(expr, replacements), found without making it.
int64_t SubstitutedSize(const Expr& expr, const std::vector<int>& sizes) {
  if (expr.kind == ExprKind::kColumn) {
    return sizes[static_cast<size_t>(expr.column)];
  }
  int64_t size = 1;
  for (const Expr& arg : expr.args) {
    size += SubstitutedSize(arg, sizes);
  }
  return size;
}

// Splits `conjuncts` into those that go below `node` (rewritten for its input) and those that stay.
std::vector<Expr> TakeThroughProject(const LogicalNode& node, std::vector<Expr>* conjuncts,
                                     RewriteBudget* budget) {
  std::vector<int> sizes;
  int depth = 0;
  for (const Expr& expr : node.exprs) {
    sizes.push_back(ExprSize(expr));
    depth = std::max(depth, ExprDepth(expr));
  }
  std::vector<Expr> below;
  std::vector<Expr> stay;
  for (Expr& conjunct : *conjuncts) {
    const int64_t size = SubstitutedSize(conjunct, sizes);
    const bool small = size <= kPushedSizeMax && ExprDepth(conjunct) + depth <= kPushedDepthMax;
    if (small && budget->Take(size)) {
      below.push_back(FoldConstants(Substitute(conjunct, node.exprs)));
    } else {
      stay.push_back(std::move(conjunct));
    }
  }
  *conjuncts = std::move(stay);
  return below;
}

std::vector<Expr> TakeThroughAggregate(const LogicalNode& node, std::vector<Expr>* conjuncts) {
  const std::vector<int>& keys = node.aggregate.keys;
  std::vector<Expr> below;
  std::vector<Expr> stay;
  for (Expr& conjunct : *conjuncts) {
    std::vector<bool> used(node.schema.fields.size(), false);
    MarkColumns(conjunct, &used);
    const auto after_keys = used.begin() + static_cast<std::ptrdiff_t>(keys.size());
    const bool any_key = std::find(used.begin(), after_keys, true) != after_keys;
    const bool any_other = std::find(after_keys, used.end(), true) != used.end();
    if (any_key && !any_other) {
      RemapColumns(keys, &conjunct);
      below.push_back(std::move(conjunct));
    } else {
      stay.push_back(std::move(conjunct));
    }
  }
  *conjuncts = std::move(stay);
  return below;
}

void Push(LogicalNodePtr* node, std::vector<Expr> conjuncts, RewriteBudget* budget) {
  LogicalNode& current = **node;
  if (current.kind == LogicalKind::kFilter) {
    std::vector<Expr> merged = std::move(current.exprs);
    for (Expr& conjunct : conjuncts) {
      merged.push_back(std::move(conjunct));
    }
    LogicalNodePtr input = std::move(current.inputs.front());
    *node = std::move(input);
    Push(node, std::move(merged), budget);
    return;
  }
  std::vector<Expr> below;
  if (current.kind == LogicalKind::kProject) {
    below = TakeThroughProject(current, &conjuncts, budget);
  } else if (current.kind == LogicalKind::kWindowAggregate) {
    below = TakeThroughAggregate(current, &conjuncts);
  }
  for (LogicalNodePtr& input : current.inputs) {
    Push(&input, std::move(below), budget);
  }
  std::vector<Expr> kept;
  for (Expr& conjunct : conjuncts) {
    for (Expr& term : SplitConjunction(std::move(conjunct))) {
      if (!IsTrue(term)) {
        kept.push_back(std::move(term));
      }
    }
  }
  if (!kept.empty()) {
    *node = MakeFilter(std::move(*node), std::move(kept));
  }
}

}  // namespace

void PushFilters(LogicalNodePtr* node, RewriteBudget* budget) {
  Push(node, {}, budget);
}

}  // namespace sj::worker::plan
