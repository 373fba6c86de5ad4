// SPDX-License-Identifier: Apache-2.0
// Watermarks are exactly what the WATERMARK expression says, without the extra millisecond the
// DataStream generators take off.
#include "worker/exec/assign_times.h"

#include <algorithm>

namespace sj::worker::exec {

base::Result<TimeAssigner> TimeAssigner::Compile(const plan::Expr& watermark,
                                                 const types::Schema& schema) {
  if (schema.rowtime < 0 || static_cast<size_t>(schema.rowtime) >= schema.fields.size()) {
    return base::Internal("compile watermark: the schema has no time column");
  }
  auto column = static_cast<size_t>(schema.rowtime);
  SJ_ASSIGN_OR_RETURN(eval::Evaluator evaluator, eval::Evaluator::Compile(watermark, schema));
  if (evaluator.type().physical() != types::Physical::kInt64 ||
      schema.fields[column].type.physical() != types::Physical::kInt64) {
    return base::Internal("compile watermark: not a timestamp");
  }
  return TimeAssigner(std::move(evaluator), column);
}

base::Result<FragmentInstance::Timed> TimeAssigner::Apply(types::Batch batch) const {
  FragmentInstance::Timed out;
  const std::vector<uint8_t>& valid = batch.columns[time_column_].valid;
  auto nulls = static_cast<size_t>(std::count(valid.begin(), valid.end(), 0));
  if (nulls > 0) {
    std::vector<uint32_t> selection;
    selection.reserve(batch.rows - nulls);
    for (size_t row = 0; row < batch.rows; ++row) {
      if (valid[row] != 0) {
        selection.push_back(static_cast<uint32_t>(row));
      }
    }
    batch = batch.Gather(selection);
    batch.columns[time_column_].valid.clear();
    out.null_times = nulls;
  }
  SJ_ASSIGN_OR_RETURN(types::Column watermarks, watermark_.Eval(batch));
  for (size_t row = 0; row < batch.rows; ++row) {
    if (!watermarks.IsNull(row)) {
      out.watermark_ms = std::max(out.watermark_ms, watermarks.ints[row]);
    }
  }
  out.batch = std::move(batch);
  return out;
}

}  // namespace sj::worker::exec
