// SPDX-License-Identifier: Apache-2.0
// What stored state means, as the text that is hashed. It covers, in order, every window aggregate:
// its window, and its keys and calls written in terms of the columns of the source tables; and
// every source's connector and topic. It does not cover WHERE, HAVING, the SELECT list, sinks,
// names of tables, views and columns that are only passed on, nor settings: those may change under
// a checkpoint.
#include <fmt/format.h>

#include <set>

#include "api/base/hash.h"
#include "worker/plan/expr_tree.h"
#include "worker/plan/functions.h"
#include "worker/plan/logical.h"

namespace sj::worker::plan {
namespace {

constexpr size_t kPlainDigestMax = 128;

// Long texts are replaced by their hash, so that chains of views cannot grow them without bound.
std::string Shortened(std::string text) {
  return text.size() <= kPlainDigestMax ? text : "#" + base::Sha256Hex(text).substr(0, 32);
}

types::Schema Named(const std::vector<std::string>& names) {
  types::Schema schema;
  for (const std::string& name : names) {
    schema.fields.push_back({name, {}});
  }
  return schema;
}

std::string SourceName(const types::TableSpec& spec) {
  std::string name;
  for (std::string_view key : {"connector", "topic", "topic-pattern", "path"}) {
    if (std::optional<std::string_view> value = spec.Option(key)) {
      name += fmt::format("{}={};", key, *value);
    }
  }
  const bool placed = spec.Option("topic").has_value() ||
                      spec.Option("topic-pattern").has_value() || spec.Option("path").has_value();
  return placed ? name : fmt::format("{}table={};", name, spec.name);
}

class Digester {
 public:
  explicit Digester(const LogicalPlan& plan) : plan_(plan) {}

  std::string Run() {
    for (const LogicalSink& sink : plan_.sinks) {
      Columns(*sink.input);
    }
    for (const std::string& source : sources_) {
      text_ += "source " + source + "\n";
    }
    return std::move(text_);
  }

 private:
  std::vector<std::string> Columns(const LogicalNode& node) {
    switch (node.kind) {
      case LogicalKind::kScan:
        return ScanColumns(node);
      case LogicalKind::kFilter:
        return Columns(node.input());
      case LogicalKind::kProject:
        break;
      case LogicalKind::kWindowAggregate:
        return AggregateColumns(node);
    }
    const types::Schema names = Named(Columns(node.input()));
    std::vector<std::string> columns;
    for (const Expr& expr : node.exprs) {
      columns.push_back(Shortened(expr.ToString(names)));
    }
    return columns;
  }

  std::vector<std::string> ScanColumns(const LogicalNode& node) {
    const BoundTable& table = plan_.tables[static_cast<size_t>(node.table)];
    const std::string source = SourceName(table.spec);
    sources_.insert(source);
    std::vector<std::string> columns;
    for (int index : node.columns) {
      const BoundTable::Column& column = table.columns[static_cast<size_t>(index)];
      columns.push_back(column.computed.has_value()
                            ? Shortened(column.computed->ToString(table.spec.schema))
                            : table.row.fields[static_cast<size_t>(index)].name);
    }
    return columns;
  }

  std::vector<std::string> AggregateColumns(const LogicalNode& node) {
    const std::vector<std::string> below = Columns(node.input());
    const std::vector<types::Field>& fields = node.input().schema.fields;
    const WindowAggregate& aggregate = node.aggregate;
    auto name = [&below](int column) {
      return column < 0 ? std::string("*") : below[static_cast<size_t>(column)];
    };
    const int number = ++aggregates_;
    text_ += fmt::format("window {} kind={} size={} slide={} offset={} time={}\n", number,
                         static_cast<int>(aggregate.window.kind), aggregate.window.size_ms,
                         aggregate.window.slide_ms, aggregate.window.offset_ms,
                         name(aggregate.window.time_column));
    std::vector<std::string> columns;
    for (int key : aggregate.keys) {
      types::DataType type = fields[static_cast<size_t>(key)].type;
      type.nullable = true;
      text_ += fmt::format("key {} {}\n", name(key), type.ToString());
      columns.push_back(name(key));
    }
    columns.push_back(fmt::format("window{}.start", number));
    columns.push_back(fmt::format("window{}.end", number));
    for (const AggregateCall& call : aggregate.calls) {
      types::DataType type = call.type;
      type.nullable = true;
      std::string text = fmt::format("{}({})", ToString(call.function), name(call.argument));
      text += call.filter < 0 ? "" : " where " + name(call.filter);
      text_ += fmt::format("call {} {}\n", text, type.ToString());
      columns.push_back(Shortened(fmt::format("window{}.{}", number, text)));
    }
    return columns;
  }

  const LogicalPlan& plan_;
  std::string text_;
  std::set<std::string> sources_;
  int aggregates_ = 0;
};

}  // namespace

std::string StateText(const LogicalPlan& plan) {
  return Digester(plan).Run();
}

}  // namespace sj::worker::plan
