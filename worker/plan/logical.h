// SPDX-License-Identifier: Apache-2.0
// The logical plan: what each INSERT computes, as a tree of relational nodes from its scan up to
// its sink. Made by the binder, rewritten by the rules, turned into fragments by the physical
// planner. Plain values; a node owns its inputs. Depth is bounded by the binder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/plan/physical.h"
#include "worker/types/table.h"

namespace sj::worker::plan {

// A table as the job's text declares it.
struct BoundTable {
  struct Column {
    int physical = -1;             // index into spec.schema, or -1
    std::optional<Expr> computed;  // over spec.schema
  };
  types::TableSpec spec;
  types::Schema row;  // all columns, physical and computed, in declared order; rowtime if any
  std::vector<Column> columns;    // of `row`
  std::optional<Expr> watermark;  // over `row`
};

enum class LogicalKind : uint8_t {
  kScan,             // table: `columns` of its row
  kFilter,           // exprs: all must be TRUE
  kProject,          // exprs: one for each output column
  kWindowAggregate,  // aggregate: keys..., window_start, window_end, one for each call
};

struct LogicalNode {
  LogicalKind kind = LogicalKind::kScan;
  types::Schema schema;  // of the output
  std::vector<std::unique_ptr<LogicalNode>> inputs;
  int table = -1;            // kScan: index into LogicalPlan::tables
  std::vector<int> columns;  // kScan: ascending
  std::vector<Expr> exprs;
  WindowAggregate aggregate;

  LogicalNode& input() { return *inputs.front(); }
  const LogicalNode& input() const { return *inputs.front(); }
};
using LogicalNodePtr = std::unique_ptr<LogicalNode>;

// One INSERT: `input` has exactly the physical columns of the table.
struct LogicalSink {
  int table = -1;
  LogicalNodePtr input;
};

struct LogicalPlan {
  std::vector<BoundTable> tables;
  std::vector<LogicalSink> sinks;
  std::vector<Setting> settings;
};

LogicalNodePtr MakeScan(int table, const BoundTable& bound);
LogicalNodePtr MakeFilter(LogicalNodePtr input, std::vector<Expr> conjuncts);
// Fields: name and type of each expr.
LogicalNodePtr MakeProject(LogicalNodePtr input, std::vector<Expr> exprs, types::Schema schema);

// The rules, applied in this order by Optimize, each in the file of its name.
void PushFilters(LogicalNodePtr* node);    // filters below projections and, on keys, aggregates
void MergeProjects(LogicalNodePtr* node);  // a projection of a projection becomes one
// Drops columns and aggregate calls nobody above needs. The root keeps all of its columns.
void PruneColumns(LogicalNode* root);
void Optimize(LogicalPlan* plan);

// See PhysicalPlan::state_hash. Over the optimized plan.
std::string StateHash(const LogicalPlan& plan);

PhysicalPlan PlanPhysical(LogicalPlan plan);

}  // namespace sj::worker::plan
