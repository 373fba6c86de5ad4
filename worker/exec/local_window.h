// SPDX-License-Identifier: Apache-2.0
// LocalWindow: the local half of a window aggregate. Rows are grouped by key and window in memory
// and leave as partials: keys..., window_end, partial columns. Nothing here survives an epoch: the
// groups go out before the end of an epoch, before a watermark that closes one of their windows,
// and when there are too many. A watermark that closes none passes at once, so a frequent watermark
// does not undo the pre-aggregation. Lateness is the global half's business. Owned by one task
// thread.
#pragma once

#include <memory>

#include "worker/exec/operator.h"

namespace sj::worker::exec {

struct LocalWindowLimits {
  size_t groups_max = 64u << 10;     // checked after every batch
  size_t text_bytes_max = 8u << 20;  // of keys and of strings in MIN and MAX
};

// `op`: kLocalWindow. `input`: of the rows that enter. `output` is not owned and outlives the
// operator. Errors: kInvalidArgument for what cannot be run.
base::Result<std::unique_ptr<Operator>> MakeLocalWindow(const plan::PhysicalOp& op,
                                                        const types::Schema& input, Output* output,
                                                        const LocalWindowLimits& limits = {});

}  // namespace sj::worker::exec
