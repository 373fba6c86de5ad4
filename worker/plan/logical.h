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

// Bounds what the rules copy for one plan. When it is spent the rules leave the rest as it is,
// which is as right, only slower to run.
class RewriteBudget {
 public:
  // Takes `nodes` of expressions; false when there are not so many left.
  bool Take(int64_t nodes) {
    left_ -= nodes <= left_ ? nodes : left_;
    return left_ > 0;
  }

 private:
  int64_t left_ = 1'000'000;
};

// The rules, applied in this order by Optimize, each in the file of its name.
// Filters go below projections and, on keys, aggregates.
void PushFilters(LogicalNodePtr* node, RewriteBudget* budget);
// A projection of a projection becomes one.
void MergeProjects(LogicalNodePtr* node, RewriteBudget* budget);
// Drops columns and aggregate calls nobody above needs. The root keeps all of its columns.
void PruneColumns(LogicalNode* root);
void Optimize(LogicalPlan* plan);

// See PhysicalPlan::state_text, whose hash is state_hash. Over the optimized plan.
std::string StateText(const LogicalPlan& plan);

PhysicalPlan PlanPhysical(LogicalPlan plan);

}  // namespace sj::worker::plan
