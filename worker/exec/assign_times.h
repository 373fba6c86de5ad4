// SPDX-License-Identifier: Apache-2.0
// The watermark operator: finds how far event time has come in a batch, and drops rows without a
// time. It holds no time of its own: watermarks are kept per partition by the runtime. Owned by one
// task thread.
#pragma once

#include "worker/exec/eval/evaluator.h"
#include "worker/exec/operator.h"

namespace sj::worker::exec {

class TimeAssigner {
 public:
  // `schema`: what enters and leaves; schema.rowtime is the time column.
  static base::Result<TimeAssigner> Compile(const plan::Expr& watermark,
                                            const types::Schema& schema);
  base::Result<FragmentInstance::Timed> Apply(types::Batch batch) const;

 private:
  TimeAssigner(eval::Evaluator watermark, size_t time_column)
      : watermark_(std::move(watermark)), time_column_(time_column) {}
  eval::Evaluator watermark_;
  size_t time_column_;
};

}  // namespace sj::worker::exec
