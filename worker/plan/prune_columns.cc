// SPDX-License-Identifier: Apache-2.0
// Rule: a node makes only the columns that something above it reads, so that a scan names only the
// fields that must be decoded. Aggregate keys are never dropped: they decide the groups.
#include <utility>

#include "worker/plan/expr_tree.h"
#include "worker/plan/logical.h"

namespace sj::worker::plan {
namespace {

// Old column to new column; -1: dropped.
using Mapping = std::vector<int>;

Mapping Keep(const std::vector<bool>& needed, types::Schema* schema) {
  Mapping mapping(needed.size(), -1);
  types::Schema kept;
  for (size_t i = 0; i < needed.size(); ++i) {
    if (needed[i]) {
      mapping[i] = static_cast<int>(kept.fields.size());
      kept.fields.push_back(std::move(schema->fields[i]));
    }
  }
  kept.rowtime = schema->rowtime < 0 ? -1 : mapping[static_cast<size_t>(schema->rowtime)];
  *schema = std::move(kept);
  return mapping;
}

template <typename T>
void KeepElements(const Mapping& mapping, std::vector<T>* elements) {
  std::vector<T> kept;
  for (size_t i = 0; i < mapping.size(); ++i) {
    if (mapping[i] >= 0) {
      kept.push_back(std::move((*elements)[i]));
    }
  }
  *elements = std::move(kept);
}

Mapping Prune(LogicalNode* node, std::vector<bool> needed);

std::vector<bool> Reads(const LogicalNode& node) {
  std::vector<bool> used(node.input().schema.fields.size(), false);
  for (const Expr& expr : node.exprs) {
    MarkColumns(expr, &used);
  }
  return used;
}

void RemapExprs(const Mapping& mapping, LogicalNode* node) {
  for (Expr& expr : node->exprs) {
    RemapColumns(mapping, &expr);
  }
}

Mapping PruneProject(LogicalNode* node, const std::vector<bool>& needed) {
  Mapping mapping = Keep(needed, &node->schema);
  KeepElements(mapping, &node->exprs);
  RemapExprs(Prune(&node->input(), Reads(*node)), node);
  return mapping;
}

Mapping PruneFilter(LogicalNode* node, std::vector<bool> needed) {
  const std::vector<bool> used = Reads(*node);
  for (size_t i = 0; i < used.size(); ++i) {
    needed[i] = needed[i] || used[i];
  }
  Mapping mapping = Prune(&node->input(), std::move(needed));
  RemapExprs(mapping, node);
  node->schema = node->input().schema;
  return mapping;
}

Mapping PruneAggregate(LogicalNode* node, std::vector<bool> needed) {
  WindowAggregate& aggregate = node->aggregate;
  const size_t fixed = aggregate.keys.size() + 2;  // keys, window_start, window_end
  for (size_t i = 0; i < fixed; ++i) {
    needed[i] = true;
  }
  Mapping mapping = Keep(needed, &node->schema);
  std::vector<AggregateCall> calls;
  for (size_t i = 0; i < aggregate.calls.size(); ++i) {
    if (needed[fixed + i]) {
      calls.push_back(std::move(aggregate.calls[i]));
    }
  }
  aggregate.calls = std::move(calls);
  std::vector<bool> used(node->input().schema.fields.size(), false);
  auto mark = [&used](int column) {
    if (column >= 0) {
      used[static_cast<size_t>(column)] = true;
    }
  };
  mark(aggregate.window.time_column);
  for (int key : aggregate.keys) {
    mark(key);
  }
  for (const AggregateCall& call : aggregate.calls) {
    mark(call.argument);
    mark(call.filter);
  }
  const Mapping below = Prune(&node->input(), std::move(used));
  auto remap = [&below](int* column) {
    *column = *column < 0 ? *column : below[static_cast<size_t>(*column)];
  };
  remap(&aggregate.window.time_column);
  for (int& key : aggregate.keys) {
    remap(&key);
  }
  for (AggregateCall& call : aggregate.calls) {
    remap(&call.argument);
    remap(&call.filter);
  }
  return mapping;
}

Mapping Prune(LogicalNode* node, std::vector<bool> needed) {
  switch (node->kind) {
    case LogicalKind::kProject:
      return PruneProject(node, needed);
    case LogicalKind::kFilter:
      return PruneFilter(node, std::move(needed));
    case LogicalKind::kWindowAggregate:
      return PruneAggregate(node, std::move(needed));
    case LogicalKind::kScan:
      break;
  }
  Mapping mapping = Keep(needed, &node->schema);
  KeepElements(mapping, &node->columns);
  return mapping;
}

}  // namespace

void PruneColumns(LogicalNode* root) {
  Prune(root, std::vector<bool>(root->schema.fields.size(), true));
}

}  // namespace sj::worker::plan
