// SPDX-License-Identifier: Apache-2.0
// FragmentInstance: wires a fragment's operators back to front, so every operator is made with its
// output. Ops up to kWatermark form the prefix that AssignTimes runs; what Push feeds begins behind
// it.
#include <fmt/format.h>

#include <utility>
#include <variant>

#include "worker/exec/assign_times.h"
#include "worker/exec/global_window.h"
#include "worker/exec/local_window.h"
#include "worker/exec/operator.h"
#include "worker/exec/project.h"

namespace sj::worker::exec {
namespace {

using plan::Fragment;
using plan::OpKind;
using plan::PhysicalOp;
using types::Batch;

// Several receivers of one stream. Each but the last gets a copy; string bytes are shared.
class FanOut final : public Output {
 public:
  explicit FanOut(std::vector<Output*> outputs) : outputs_(std::move(outputs)) {}
  base::Status Push(Batch batch) override {
    for (size_t i = 0; i + 1 < outputs_.size(); ++i) {
      SJ_RETURN_IF_ERROR(outputs_[i]->Push(batch));
    }
    return outputs_.empty() ? base::OkStatus() : outputs_.back()->Push(std::move(batch));
  }
  base::Status PushWatermark(int64_t watermark_ms) override {
    for (Output* output : outputs_) {
      SJ_RETURN_IF_ERROR(output->PushWatermark(watermark_ms));
    }
    return base::OkStatus();
  }

 private:
  std::vector<Output*> outputs_;
};

bool IsTerminal(OpKind kind) {
  return kind == OpKind::kSendEdge || kind == OpKind::kSink;
}

// Every index in range and every `next` forward; terminals end a branch and nothing else does.
base::Status CheckWiring(const Fragment& fragment) {
  auto bad = [&fragment](std::string_view what) {
    return base::Internal(fmt::format("make fragment {}: {}", fragment.id, what));
  };
  auto count = static_cast<int>(fragment.ops.size());
  if (fragment.heads.empty()) {
    return bad("it has no head");
  }
  for (int head : fragment.heads) {
    if (head < 0 || head >= count) {
      return bad("a head does not exist");
    }
  }
  for (int i = 0; i < count; ++i) {
    const PhysicalOp& op = fragment.ops[static_cast<size_t>(i)];
    if (op.next.empty() != IsTerminal(op.kind)) {
      return bad("a branch ends without an edge or a sink");
    }
    for (int next : op.next) {
      if (next <= i || next >= count) {
        return bad("an op points back or to nothing");
      }
    }
  }
  return base::OkStatus();
}

// Ops whose rows have passed the prefix; for each op the schema of what enters it.
std::vector<const types::Schema*> InputSchemas(const Fragment& fragment) {
  std::vector<const types::Schema*> schemas(fragment.ops.size(), nullptr);
  for (int head : fragment.heads) {
    schemas[static_cast<size_t>(head)] = &fragment.input_schema;
  }
  for (const PhysicalOp& op : fragment.ops) {
    for (int next : op.next) {
      schemas[static_cast<size_t>(next)] = &op.output;
    }
  }
  return schemas;
}

using PrefixStep = std::variant<Projection, Filter, TimeAssigner>;

}  // namespace

struct FragmentInstance::State {
  std::vector<PrefixStep> prefix;
  std::vector<std::unique_ptr<Operator>> operators;  // by op; null: terminal, prefix or unreached
  std::vector<std::unique_ptr<FanOut>> fan_outs;
  Output* entry = nullptr;  // where Push goes

  // One output for a list of ops that are already made.
  Output* Join(const std::vector<int>& next, const std::vector<Output*>& made) {
    if (next.size() == 1) {
      return made[static_cast<size_t>(next[0])];
    }
    std::vector<Output*> outputs;
    for (int index : next) {
      outputs.push_back(made[static_cast<size_t>(index)]);
    }
    fan_outs.push_back(std::make_unique<FanOut>(std::move(outputs)));
    return fan_outs.back().get();
  }
};

namespace {

// The ops from the only head to kWatermark; empty when the fragment has no watermark.
base::Result<std::vector<int>> PrefixOf(const Fragment& fragment) {
  std::vector<int> prefix;
  bool found = false;
  for (const PhysicalOp& op : fragment.ops) {
    found = found || op.kind == OpKind::kWatermark;
  }
  if (!found) {
    return prefix;
  }
  const std::vector<int>* next = &fragment.heads;
  while (next->size() == 1) {
    int index = next->front();
    const PhysicalOp& op = fragment.ops[static_cast<size_t>(index)];
    prefix.push_back(index);
    if (op.kind == OpKind::kWatermark) {
      return prefix;
    }
    if (op.kind != OpKind::kProject && op.kind != OpKind::kFilter) {
      break;
    }
    next = &op.next;
  }
  return base::Internal(
      fmt::format("make fragment {}: the watermark does not come first", fragment.id));
}

base::Result<PrefixStep> MakeStep(const PhysicalOp& op, const types::Schema& input) {
  if (op.exprs.empty() && op.kind != OpKind::kProject) {
    return base::Internal("make fragment: an op has no expression");
  }
  if (op.kind == OpKind::kProject) {
    SJ_ASSIGN_OR_RETURN(Projection projection, Projection::Compile(op.exprs, input));
    return PrefixStep(std::move(projection));
  }
  if (op.kind == OpKind::kFilter) {
    SJ_ASSIGN_OR_RETURN(Filter filter, Filter::Compile(op.exprs[0], input));
    return PrefixStep(std::move(filter));
  }
  types::Schema timed = input;
  timed.rowtime = op.output.rowtime;
  SJ_ASSIGN_OR_RETURN(TimeAssigner assigner, TimeAssigner::Compile(op.exprs[0], timed));
  return PrefixStep(std::move(assigner));
}

base::Result<std::unique_ptr<Operator>> MakeOperator(const PhysicalOp& op,
                                                     const types::Schema& input,
                                                     const OperatorContext& context,
                                                     Output* output) {
  switch (op.kind) {
    case OpKind::kProject: {
      SJ_ASSIGN_OR_RETURN(PrefixStep step, MakeStep(op, input));
      return MakeProjectOperator(std::get<Projection>(std::move(step)), output);
    }
    case OpKind::kFilter: {
      SJ_ASSIGN_OR_RETURN(PrefixStep step, MakeStep(op, input));
      return MakeFilterOperator(std::get<Filter>(std::move(step)), output);
    }
    case OpKind::kLocalWindow:
      return MakeLocalWindow(op, input, output);
    case OpKind::kGlobalWindow:
      return MakeGlobalWindow(op, input, context, output);
    default:
      return base::Internal("make fragment: an op of an unknown kind");
  }
}

}  // namespace

FragmentInstance::FragmentInstance() : state_(std::make_unique<State>()) {
}
FragmentInstance::~FragmentInstance() = default;

base::Result<std::unique_ptr<FragmentInstance>> FragmentInstance::Make(
    const plan::PhysicalPlan& plan, const Fragment& fragment, const OperatorContext& context,
    Terminals* terminals) {
  (void)plan;
  SJ_RETURN_IF_ERROR(CheckWiring(fragment));
  std::unique_ptr<FragmentInstance> made(new FragmentInstance());
  State& state = *made->state_;
  std::vector<const types::Schema*> inputs = InputSchemas(fragment);
  SJ_ASSIGN_OR_RETURN(std::vector<int> prefix, PrefixOf(fragment));
  std::vector<bool> in_prefix(fragment.ops.size(), false);
  for (int index : prefix) {
    auto i = static_cast<size_t>(index);
    in_prefix[i] = true;
    SJ_ASSIGN_OR_RETURN(PrefixStep step, MakeStep(fragment.ops[i], *inputs[i]));
    state.prefix.push_back(std::move(step));
  }
  std::vector<Output*> outputs(fragment.ops.size(), nullptr);
  state.operators.resize(fragment.ops.size());
  for (size_t i = fragment.ops.size(); i-- > 0;) {
    const PhysicalOp& op = fragment.ops[i];
    if (in_prefix[i] || inputs[i] == nullptr) {
      continue;
    }
    if (IsTerminal(op.kind)) {
      outputs[i] = op.kind == OpKind::kSink ? terminals->Sink(op.table) : terminals->Edge(op.edge);
      continue;
    }
    Output* output = state.Join(op.next, outputs);
    SJ_ASSIGN_OR_RETURN(state.operators[i], MakeOperator(op, *inputs[i], context, output));
    outputs[i] = state.operators[i].get();
  }
  const std::vector<int>& first =
      prefix.empty() ? fragment.heads : fragment.ops[static_cast<size_t>(prefix.back())].next;
  state.entry = state.Join(first, outputs);
  return made;
}

base::Status FragmentInstance::Push(Batch batch) {
  return batch.rows == 0 ? base::OkStatus() : state_->entry->Push(std::move(batch));
}

base::Status FragmentInstance::PushWatermark(int64_t watermark_ms) {
  return state_->entry->PushWatermark(watermark_ms);
}

base::Status FragmentInstance::EndEpoch() {
  for (const auto& op : state_->operators) {
    if (op != nullptr) {
      SJ_RETURN_IF_ERROR(op->EndEpoch());
    }
  }
  return base::OkStatus();
}

void FragmentInstance::TakeFrozen(std::vector<state::FrozenRun>* out) {
  for (const auto& op : state_->operators) {
    if (op != nullptr) {
      op->TakeFrozen(out);
    }
  }
}

size_t FragmentInstance::StateBytes() const {
  size_t bytes = 0;
  for (const auto& op : state_->operators) {
    bytes += op != nullptr ? op->StateBytes() : 0;
  }
  return bytes;
}

uint64_t FragmentInstance::LateRows() const {
  uint64_t rows = 0;
  for (const auto& op : state_->operators) {
    rows += op != nullptr ? op->LateRows() : 0;
  }
  return rows;
}

base::Result<FragmentInstance::Timed> FragmentInstance::AssignTimes(Batch batch) {
  for (const PrefixStep& step : state_->prefix) {
    if (const auto* projection = std::get_if<Projection>(&step)) {
      SJ_ASSIGN_OR_RETURN(batch, projection->Apply(std::move(batch)));
    } else if (const auto* filter = std::get_if<Filter>(&step)) {
      SJ_ASSIGN_OR_RETURN(batch, filter->Apply(std::move(batch)));
    } else {
      return std::get<TimeAssigner>(step).Apply(std::move(batch));
    }
  }
  Timed out;
  out.batch = std::move(batch);
  return out;
}

bool FragmentInstance::has_watermark() const {
  return !state_->prefix.empty();
}

}  // namespace sj::worker::exec
