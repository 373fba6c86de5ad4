// SPDX-License-Identifier: Apache-2.0
// EXPLAIN: the physical plan as a tree of text, one line for each operator. The same plan always
// gives the same text; goldens hold it.
#include <fmt/format.h>

#include "worker/plan/expr_tree.h"
#include "worker/plan/functions.h"
#include "worker/plan/physical.h"

namespace sj::worker::plan {
namespace {

std::string Columns(const types::Schema& schema) {
  std::string out;
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    out += fmt::format("{}{} {}{}", i == 0 ? "" : ", ", schema.fields[i].name,
                       schema.fields[i].type.ToString(),
                       static_cast<int>(i) == schema.rowtime ? " *ROWTIME*" : "");
  }
  return "(" + out + ")";
}

std::string Name(const types::Schema& schema, int column) {
  return column >= 0 && static_cast<size_t>(column) < schema.fields.size()
             ? schema.fields[static_cast<size_t>(column)].name
             : fmt::format("${}", column);
}

std::string WindowText(const WindowSpec& window) {
  static constexpr std::string_view kKinds[] = {"TUMBLE", "HOP", "SESSION"};
  std::string out =
      fmt::format("{} size {} ms", kKinds[static_cast<size_t>(window.kind)], window.size_ms);
  if (window.slide_ms != window.size_ms) {
    out += fmt::format(" slide {} ms", window.slide_ms);
  }
  return window.offset_ms == 0 ? out : out + fmt::format(" offset {} ms", window.offset_ms);
}

class Explainer {
 public:
  explicit Explainer(const PhysicalPlan& plan) : plan_(plan) {}

  std::string Run() {
    for (const Setting& setting : plan_.settings) {
      out_ += fmt::format("set {} = {}\n", setting.key, setting.value);
    }
    for (const Fragment& fragment : plan_.fragments) {
      const bool source = fragment.input == InputKind::kSource;
      out_ += fmt::format(
          "fragment {}: {} {}\n", fragment.id,
          source ? "source " + TableName(fragment.table) : fmt::format("edge {}", fragment.edge),
          Columns(fragment.input_schema));
      for (int head : fragment.heads) {
        Print(fragment, head, 1, fragment.input_schema);
      }
    }
    out_ += "state " + plan_.state_hash + "\n";
    return std::move(out_);
  }

 private:
  std::string TableName(int table) const { return plan_.tables[static_cast<size_t>(table)].name; }

  // As deep as views are nested, which the binder bounds.
  void Print(const Fragment& fragment, int op_index, int depth, const types::Schema& input) {
    const PhysicalOp& op = fragment.ops[static_cast<size_t>(op_index)];
    out_ += fmt::format("{:{}}#{} {}\n", "", depth * 2, op.id, Text(op, input));
    for (int next : op.next) {
      Print(fragment, next, depth + 1, op.output);
    }
  }

  std::string Text(const PhysicalOp& op, const types::Schema& input) const {
    switch (op.kind) {
      case OpKind::kProject:
        return "project " + Projected(op, input);
      case OpKind::kFilter:
        return "filter " + op.exprs[0].ToString(input);
      case OpKind::kWatermark:
        return fmt::format("watermark for {} as {}", Name(op.output, op.output.rowtime),
                           op.exprs[0].ToString(input));
      case OpKind::kLocalWindow:
        return "local window " + Aggregate(op.aggregate, input);
      case OpKind::kGlobalWindow:
        return fmt::format("global window {} -> {}", WindowText(op.aggregate.window),
                           Columns(op.output));
      case OpKind::kSendEdge:
        return fmt::format("send to edge {} keyed by [{}]", op.edge, EdgeKeys(op.edge));
      case OpKind::kSink:
        break;
    }
    return fmt::format("sink {} {}", TableName(op.table), Columns(op.output));
  }

  std::string EdgeKeys(int edge_index) const {
    const Edge& edge = plan_.edges[static_cast<size_t>(edge_index)];
    std::string out;
    for (int key : edge.keys) {
      out += (out.empty() ? "" : ", ") + Name(edge.schema, key);
    }
    return out;
  }

  static std::string Projected(const PhysicalOp& op, const types::Schema& input) {
    std::string out;
    for (size_t i = 0; i < op.exprs.size(); ++i) {
      const types::Field& field = op.output.fields[i];
      const std::string text = op.exprs[i].ToString(input);
      out += i == 0 ? "" : ", ";
      out += text == field.name ? text : text + " AS " + field.name;
      out += " " + field.type.ToString();
      out += static_cast<int>(i) == op.output.rowtime ? " *ROWTIME*" : "";
    }
    return out;
  }

  static std::string Aggregate(const WindowAggregate& aggregate, const types::Schema& input) {
    std::string out = fmt::format("{} on {} keys [", WindowText(aggregate.window),
                                  Name(input, aggregate.window.time_column));
    for (size_t i = 0; i < aggregate.keys.size(); ++i) {
      out += (i == 0 ? "" : ", ") + Name(input, aggregate.keys[i]);
    }
    out += "] calls [";
    for (size_t i = 0; i < aggregate.calls.size(); ++i) {
      const AggregateCall& call = aggregate.calls[i];
      out +=
          fmt::format("{}{}({}) {}", i == 0 ? "" : ", ", ToString(call.function),
                      call.argument < 0 ? "*" : Name(input, call.argument), call.type.ToString());
      out += call.filter < 0 ? "" : fmt::format(" where {}", Name(input, call.filter));
    }
    return out + "]";
  }

  const PhysicalPlan& plan_;
  std::string out_;
};

}  // namespace

std::string PhysicalPlan::Explain() const {
  return Explainer(*this).Run();
}

}  // namespace sj::worker::plan
