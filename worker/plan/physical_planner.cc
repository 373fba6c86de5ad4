// SPDX-License-Identifier: Apache-2.0
// Logical plan to fragments. All scans of a table share one source fragment: its columns are the
// union of what the INSERTs read; after the watermark it fans out, one branch for each INSERT. A
// window aggregate cuts: its local half ends the branch, its global half heads a keyed fragment.
#include <algorithm>
#include <map>
#include <utility>

#include "api/base/hash.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/logical.h"

namespace sj::worker::plan {
namespace {

using types::DataType;
using types::TypeKind;

// Where the rows of a node come out: the fragment, its op (-1: the fragment's input), and for each
// column of the node the column there.
struct Place {
  size_t fragment = 0;
  int op = -1;
  std::vector<int> columns;
};

std::vector<int> Identity(size_t n) {
  std::vector<int> columns(n);
  for (size_t i = 0; i < n; ++i) {
    columns[i] = static_cast<int>(i);
  }
  return columns;
}

class Planner {
 public:
  explicit Planner(LogicalPlan plan) : logical_(std::move(plan)) {}

  PhysicalPlan Run();

 private:
  void NumberTables();
  void CollectColumns(const LogicalNode& node);
  void MakeSource(int table, const std::vector<bool>& needed);
  Place Build(const LogicalNode& node);
  Place BuildScan(const LogicalNode& node);
  Place BuildFilter(const LogicalNode& node);
  Place BuildProject(const LogicalNode& node);
  Place BuildWindow(const LogicalNode& node);
  void BuildSink(const LogicalSink& sink);
  // Appends `op` behind `after`, whose fragment it joins; gives its index.
  int Append(const Place& after, PhysicalOp op);
  types::Schema SchemaAt(const Place& place) const;
  void NumberOps();

  LogicalPlan logical_;
  PhysicalPlan plan_;
  std::vector<int> table_numbers_;               // logical table -> plan table, -1: not used
  std::map<int, std::vector<bool>> read_;        // logical table -> columns of its row read
  std::map<int, size_t> source_fragments_;       // logical table -> fragment
  std::map<int, std::vector<int>> source_rows_;  // logical table -> row column -> place there
  std::map<int, int> source_ends_;               // logical table -> last op before the fan-out
};

void Planner::CollectColumns(const LogicalNode& node) {
  if (node.kind == LogicalKind::kScan) {
    const BoundTable& table = logical_.tables[static_cast<size_t>(node.table)];
    std::vector<bool>& read = read_[node.table];
    read.resize(table.row.fields.size(), false);
    for (int column : node.columns) {
      read[static_cast<size_t>(column)] = true;
    }
  }
  for (const LogicalNodePtr& input : node.inputs) {
    CollectColumns(*input);
  }
}

void Planner::NumberTables() {
  std::vector<bool> used(logical_.tables.size(), false);
  for (const LogicalSink& sink : logical_.sinks) {
    used[static_cast<size_t>(sink.table)] = true;
    CollectColumns(*sink.input);
  }
  for (const auto& [table, columns] : read_) {
    used[static_cast<size_t>(table)] = true;
  }
  table_numbers_.assign(logical_.tables.size(), -1);
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i]) {
      table_numbers_[i] = static_cast<int>(plan_.tables.size());
      plan_.tables.push_back(logical_.tables[i].spec);
    }
  }
}

types::Schema Planner::SchemaAt(const Place& place) const {
  const Fragment& fragment = plan_.fragments[place.fragment];
  return place.op < 0 ? fragment.input_schema : fragment.ops[static_cast<size_t>(place.op)].output;
}

int Planner::Append(const Place& after, PhysicalOp op) {
  Fragment& fragment = plan_.fragments[after.fragment];
  const int index = static_cast<int>(fragment.ops.size());
  if (after.op < 0) {
    fragment.heads.push_back(index);
  } else {
    fragment.ops[static_cast<size_t>(after.op)].next.push_back(index);
  }
  fragment.ops.push_back(std::move(op));
  return index;
}

void Planner::MakeSource(int table_index, const std::vector<bool>& read) {
  const BoundTable& table = logical_.tables[static_cast<size_t>(table_index)];
  std::vector<bool> needed = read;
  if (table.watermark.has_value()) {
    needed[static_cast<size_t>(table.row.rowtime)] = true;
    MarkColumns(*table.watermark, &needed);
  }
  std::vector<bool> physical(table.spec.schema.fields.size(), false);
  bool computes = false;
  for (size_t i = 0; i < needed.size(); ++i) {
    const BoundTable::Column& column = table.columns[i];
    if (needed[i] && column.computed.has_value()) {
      computes = true;
      MarkColumns(*column.computed, &physical);
    } else if (needed[i]) {
      physical[static_cast<size_t>(column.physical)] = true;
    }
  }
  Fragment fragment;
  fragment.id = static_cast<int>(plan_.fragments.size());
  fragment.table = table_numbers_[static_cast<size_t>(table_index)];
  std::vector<int> physical_places(physical.size(), -1);
  for (size_t i = 0; i < physical.size(); ++i) {
    if (physical[i]) {
      physical_places[i] = static_cast<int>(fragment.columns.size());
      fragment.columns.push_back(static_cast<int>(i));
      fragment.input_schema.fields.push_back(table.spec.schema.fields[i]);
    }
  }
  types::Schema row;
  std::vector<int> places(needed.size(), -1);
  std::vector<Expr> exprs;
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) {
      continue;
    }
    places[i] = static_cast<int>(row.fields.size());
    row.fields.push_back(table.row.fields[i]);
    const BoundTable::Column& column = table.columns[i];
    Expr expr = column.computed.has_value() ? *column.computed
                                            : ColumnRef(column.physical, table.row.fields[i].type);
    RemapColumns(physical_places, &expr);
    exprs.push_back(std::move(expr));
  }
  row.rowtime = table.row.rowtime < 0 ? -1 : places[static_cast<size_t>(table.row.rowtime)];
  Place place{plan_.fragments.size(), -1, {}};
  plan_.fragments.push_back(std::move(fragment));
  if (computes) {
    PhysicalOp project;
    project.kind = OpKind::kProject;
    project.exprs = std::move(exprs);
    project.output = row;
    place.op = Append(place, std::move(project));
  } else {
    plan_.fragments.back().input_schema.rowtime = row.rowtime;
  }
  if (table.watermark.has_value()) {
    PhysicalOp watermark;
    watermark.kind = OpKind::kWatermark;
    watermark.exprs.push_back(*table.watermark);
    RemapColumns(places, watermark.exprs.data());
    watermark.output = row;
    place.op = Append(place, std::move(watermark));
  }
  source_fragments_[table_index] = place.fragment;
  source_ends_[table_index] = place.op;
  source_rows_[table_index] = std::move(places);
}

Place Planner::BuildScan(const LogicalNode& node) {
  Place place{source_fragments_[node.table], source_ends_[node.table], {}};
  const std::vector<int>& rows = source_rows_[node.table];
  for (int column : node.columns) {
    place.columns.push_back(rows[static_cast<size_t>(column)]);
  }
  return place;
}

Place Planner::BuildFilter(const LogicalNode& node) {
  Place place = Build(node.input());
  PhysicalOp filter;
  filter.kind = OpKind::kFilter;
  filter.output = SchemaAt(place);
  filter.exprs.push_back(Conjunction(node.exprs));
  RemapColumns(place.columns, filter.exprs.data());
  place.op = Append(place, std::move(filter));
  return place;
}

Place Planner::BuildProject(const LogicalNode& node) {
  Place place = Build(node.input());
  PhysicalOp project;
  project.kind = OpKind::kProject;
  project.output = node.schema;
  project.exprs = node.exprs;
  for (Expr& expr : project.exprs) {
    RemapColumns(place.columns, &expr);
  }
  place.op = Append(place, std::move(project));
  place.columns = Identity(node.schema.fields.size());
  return place;
}

Place Planner::BuildWindow(const LogicalNode& node) {
  Place place = Build(node.input());
  PhysicalOp local;
  local.kind = OpKind::kLocalWindow;
  local.aggregate = node.aggregate;
  const std::vector<types::Field>& input = node.input().schema.fields;
  for (int key : node.aggregate.keys) {
    local.output.fields.push_back(input[static_cast<size_t>(key)]);
  }
  DataType bigint = DataType::Of(TypeKind::kBigint);
  bigint.nullable = false;
  local.output.fields.push_back({"window_end", bigint});
  for (size_t i = 0; i < node.aggregate.calls.size(); ++i) {
    const std::string& name = node.schema.fields[node.aggregate.keys.size() + 2 + i].name;
    const std::vector<DataType> partials = PartialTypes(node.aggregate.calls[i]);
    for (size_t p = 0; p < partials.size(); ++p) {
      local.output.fields.push_back({name + (p == 0 ? "" : "_count"), partials[p]});
    }
  }
  Edge edge;
  edge.id = static_cast<int>(plan_.edges.size());
  edge.schema = local.output;
  edge.keys = Identity(node.aggregate.keys.size());
  PhysicalOp send;
  send.kind = OpKind::kSendEdge;
  send.edge = edge.id;
  send.output = edge.schema;
  place.op = Append(place, std::move(local));
  Append(place, std::move(send));

  Fragment keyed;
  keyed.id = static_cast<int>(plan_.fragments.size());
  keyed.input = InputKind::kEdge;
  keyed.edge = edge.id;
  keyed.input_schema = edge.schema;
  PhysicalOp global;
  global.kind = OpKind::kGlobalWindow;
  global.aggregate = node.aggregate;
  global.output = node.schema;
  plan_.edges.push_back(std::move(edge));
  plan_.fragments.push_back(std::move(keyed));
  Place result{plan_.fragments.size() - 1, -1, Identity(node.schema.fields.size())};
  result.op = Append(result, std::move(global));
  return result;
}

Place Planner::Build(const LogicalNode& node) {
  switch (node.kind) {
    case LogicalKind::kScan:
      return BuildScan(node);
    case LogicalKind::kFilter:
      return BuildFilter(node);
    case LogicalKind::kProject:
      return BuildProject(node);
    case LogicalKind::kWindowAggregate:
      break;
  }
  return BuildWindow(node);
}

void Planner::BuildSink(const LogicalSink& sink) {
  Place place = Build(*sink.input);
  PhysicalOp op;
  op.kind = OpKind::kSink;
  op.table = table_numbers_[static_cast<size_t>(sink.table)];
  op.output = SchemaAt(place);
  Append(place, std::move(op));
}

// Stateful operators first: their names in state do not move when others come or go.
void Planner::NumberOps() {
  int next = 1;
  for (const bool stateful : {true, false}) {
    for (Fragment& fragment : plan_.fragments) {
      for (PhysicalOp& op : fragment.ops) {
        if ((op.kind == OpKind::kGlobalWindow) == stateful) {
          op.id = next++;
        }
      }
    }
  }
}

PhysicalPlan Planner::Run() {
  NumberTables();
  for (const auto& [table, read] : read_) {
    MakeSource(table, read);
  }
  for (const LogicalSink& sink : logical_.sinks) {
    BuildSink(sink);
  }
  NumberOps();
  plan_.settings = logical_.settings;
  plan_.state_text = StateText(logical_);
  plan_.state_hash = base::Sha256Hex(plan_.state_text);
  return std::move(plan_);
}

}  // namespace

std::vector<DataType> PartialTypes(const AggregateCall& call) {
  DataType count = DataType::Of(TypeKind::kBigint);
  count.nullable = false;
  DataType value = call.type;
  value.nullable = true;
  switch (call.function) {
    case AggregateFunction::kCount:
      return {count};
    case AggregateFunction::kSum:
      return {value, count};
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      return {value};
    case AggregateFunction::kAvg:
      break;
  }
  if (call.argument_type.is_integer()) {
    value = DataType::Of(TypeKind::kBigint);
  } else if (call.argument_type.kind == TypeKind::kDecimal) {
    value = DataType::Decimal(38, call.argument_type.scale);
  } else {
    value = DataType::Of(TypeKind::kDouble);
  }
  return {value, count};
}

PhysicalPlan PlanPhysical(LogicalPlan plan) {
  return Planner(std::move(plan)).Run();
}

}  // namespace sj::worker::plan
