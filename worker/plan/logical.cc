// SPDX-License-Identifier: Apache-2.0
// Constructors of logical nodes and the order of the rewrite rules.
#include "worker/plan/logical.h"

#include <numeric>
#include <utility>

namespace sj::worker::plan {

LogicalNodePtr MakeScan(int table, const BoundTable& bound) {
  auto node = std::make_unique<LogicalNode>();
  node->kind = LogicalKind::kScan;
  node->table = table;
  node->schema = bound.row;
  node->columns.resize(bound.row.fields.size());
  std::iota(node->columns.begin(), node->columns.end(), 0);
  return node;
}

LogicalNodePtr MakeFilter(LogicalNodePtr input, std::vector<Expr> conjuncts) {
  auto node = std::make_unique<LogicalNode>();
  node->kind = LogicalKind::kFilter;
  node->schema = input->schema;
  node->exprs = std::move(conjuncts);
  node->inputs.push_back(std::move(input));
  return node;
}

LogicalNodePtr MakeProject(LogicalNodePtr input, std::vector<Expr> exprs, types::Schema schema) {
  auto node = std::make_unique<LogicalNode>();
  node->kind = LogicalKind::kProject;
  node->schema = std::move(schema);
  node->exprs = std::move(exprs);
  node->inputs.push_back(std::move(input));
  return node;
}

void Optimize(LogicalPlan* plan) {
  RewriteBudget budget;
  for (LogicalSink& sink : plan->sinks) {
    PushFilters(&sink.input, &budget);
    MergeProjects(&sink.input, &budget);
    PruneColumns(sink.input.get());
  }
}

}  // namespace sj::worker::plan
