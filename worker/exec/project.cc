// SPDX-License-Identifier: Apache-2.0
// Projection and filter.
#include "worker/exec/project.h"

#include <utility>

namespace sj::worker::exec {
namespace {

// A stateless step: batches through `step`, watermarks unchanged. Empty batches stop here.
template <typename Step>
class StepOperator final : public Operator {
 public:
  StepOperator(Step step, Output* output) : step_(std::move(step)), output_(output) {}
  base::Status Push(types::Batch batch) override {
    SJ_ASSIGN_OR_RETURN(types::Batch out, step_.Apply(std::move(batch)));
    return out.rows == 0 ? base::OkStatus() : output_->Push(std::move(out));
  }
  base::Status PushWatermark(int64_t watermark_ms) override {
    return output_->PushWatermark(watermark_ms);
  }

 private:
  Step step_;
  Output* output_;
};

}  // namespace

base::Result<Projection> Projection::Compile(const std::vector<plan::Expr>& exprs,
                                             const types::Schema& input) {
  Projection out;
  for (const plan::Expr& expr : exprs) {
    SJ_ASSIGN_OR_RETURN(eval::Evaluator evaluator, eval::Evaluator::Compile(expr, input));
    out.exprs_.push_back(std::move(evaluator));
  }
  return out;
}

base::Result<types::Batch> Projection::Apply(types::Batch batch) const {
  types::Batch out;
  out.rows = batch.rows;
  out.columns.resize(exprs_.size());
  std::vector<int> uses(batch.columns.size(), 0);
  for (size_t i = 0; i < exprs_.size(); ++i) {
    if (exprs_[i].column() >= 0) {
      ++uses[static_cast<size_t>(exprs_[i].column())];
      continue;
    }
    SJ_ASSIGN_OR_RETURN(out.columns[i], exprs_[i].Eval(batch));
  }
  for (size_t i = 0; i < exprs_.size(); ++i) {
    if (exprs_[i].column() < 0) {
      continue;
    }
    auto from = static_cast<size_t>(exprs_[i].column());
    if (--uses[from] == 0) {
      out.columns[i] = std::move(batch.columns[from]);
    } else {
      out.columns[i] = batch.columns[from];
    }
  }
  out.kinds = std::move(batch.kinds);
  return out;
}

base::Result<Filter> Filter::Compile(const plan::Expr& condition, const types::Schema& input) {
  SJ_ASSIGN_OR_RETURN(eval::Evaluator evaluator, eval::Evaluator::Compile(condition, input));
  if (evaluator.type().kind != types::TypeKind::kBoolean) {
    return base::Internal("compile filter: the condition is not BOOLEAN");
  }
  return Filter(std::move(evaluator));
}

base::Result<types::Batch> Filter::Apply(types::Batch batch) const {
  std::vector<uint32_t> selection;
  SJ_RETURN_IF_ERROR(condition_.Select(batch, &selection));
  if (selection.size() == batch.rows) {
    return batch;
  }
  return batch.Gather(selection);
}

std::unique_ptr<Operator> MakeProjectOperator(Projection projection, Output* output) {
  return std::make_unique<StepOperator<Projection>>(std::move(projection), output);
}

std::unique_ptr<Operator> MakeFilterOperator(Filter filter, Output* output) {
  return std::make_unique<StepOperator<Filter>>(std::move(filter), output);
}

}  // namespace sj::worker::exec
