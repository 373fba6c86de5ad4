// SPDX-License-Identifier: Apache-2.0
// PhysicalPlan: what the workers run. Fragments are cut at keyed edges: a fragment starts at a
// source table or at the receiving end of a keyed edge, and everything in it happens on one task
// thread. Plain values; deterministic from (SQL text, settings), so every worker makes the same
// plan.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/expr.h"
#include "worker/types/table.h"

namespace sj::worker::plan {

enum class AggregateFunction : uint8_t { kCount, kSum, kMin, kMax, kAvg };

struct AggregateCall {
  AggregateFunction function = AggregateFunction::kCount;
  int argument = -1;  // input column; -1: COUNT(*)
  int filter = -1;    // BOOLEAN input column of FILTER (WHERE ...), or -1
  types::DataType argument_type;
  types::DataType type;  // of the result
};

enum class WindowKind : uint8_t { kTumble, kHop, kSession };

// Window [start, end) in event time, milliseconds; end is exclusive and is the window's name in
// state.
struct WindowSpec {
  WindowKind kind = WindowKind::kTumble;
  int64_t size_ms = 0;
  int64_t slide_ms = 0;
  int64_t offset_ms = 0;
  int time_column = -1;  // input column of the time attribute
};

// Grouping by key columns and a window. Rows between the local and the global half are "partials":
//   key columns..., window_end BIGINT (ms), then PartialTypes(call) for every call.
// The global half's output: key columns..., window_start, window_end TIMESTAMP(3), results...
struct WindowAggregate {
  WindowSpec window;
  std::vector<int> keys;  // of the local half's input
  std::vector<AggregateCall> calls;
};

// The columns in which a call's accumulator travels and is stored: COUNT: [BIGINT]; SUM: [sum,
// BIGINT count of non-NULL]; MIN/MAX: [value]; AVG: [sum, BIGINT count].
std::vector<types::DataType> PartialTypes(const AggregateCall& call);

enum class OpKind : uint8_t {
  kProject,       // exprs: also adds computed columns
  kFilter,        // exprs[0]: rows where it is TRUE go on
  kWatermark,     // exprs[0]: watermark expression over the input; output.rowtime names the column
  kLocalWindow,   // aggregate: to partials, flushed before a watermark or an epoch's end passes
  kGlobalWindow,  // aggregate: partials to results when the watermark reaches end - 1
  kSendEdge,      // edge: into a keyed edge, the end of a fragment's branch
  kSink,          // table: the end of a branch
};

struct PhysicalOp {
  OpKind kind = OpKind::kProject;
  int id = 0;  // unique in the plan; a stateful operator's name in state
  types::Schema output;
  std::vector<Expr> exprs;
  WindowAggregate aggregate;
  int edge = -1;          // kSendEdge
  int table = -1;         // kSink: index into PhysicalPlan::tables
  std::vector<int> next;  // indices into the fragment's ops; several: fan out
};

enum class InputKind : uint8_t { kSource, kEdge };

struct Fragment {
  int id = 0;
  InputKind input = InputKind::kSource;
  int table = -1;               // kSource: index into tables
  std::vector<int> columns;     // kSource: physical columns the plan needs, ascending
  int edge = -1;                // kEdge
  types::Schema input_schema;   // of the rows that enter
  std::vector<PhysicalOp> ops;  // ops in an order where `next` points forward
  std::vector<int> heads;       // ops that get the fragment's input
};

// A keyed edge: rows go to the shard of their key. Its exchange topic has one partition a shard.
struct Edge {
  int id = 0;
  types::Schema schema;
  std::vector<int> keys;  // columns hashed (AppendKeyBytes, in this order)
};

struct Setting {
  std::string key, value;
};

struct PhysicalPlan {
  std::vector<types::TableSpec> tables;
  std::vector<Fragment> fragments;  // sources first; an edge's receiver after its senders
  std::vector<Edge> edges;
  std::vector<Setting> settings;  // SET statements
  // Hash (hex) over what the stored state means: stateful operators with ids, keys, windows, calls,
  // and the source topics. Equal hashes: a checkpoint of one plan can start the other.
  std::string state_hash;
  // What is hashed: a line a fact, "window 1 ..." and its "key ..." and "call ..." lines for each
  // stateful operator (the number is its id), then "source ..." lines. For plan_diff.h.
  std::string state_text;
  std::string Explain() const;
};

struct PlanOptions {
  size_t sql_bytes_max = 1u << 20;
  int depth_max = 200;
};

// The whole front end: text -> plan. Errors: kInvalidArgument, message "line:column: text" with a
// hint as a second sentence where there is one; bounded time for any input.
base::Result<PhysicalPlan> PlanSql(std::string_view sql, const PlanOptions& options = {});

}  // namespace sj::worker::plan
