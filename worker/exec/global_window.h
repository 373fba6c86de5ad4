// SPDX-License-Identifier: Apache-2.0
// GlobalWindow: the global half of a window aggregate. Partials are merged into keyed state, one
// namespace per window end; a window's rows leave, in no particular order, when the watermark
// reaches end - 1 ms. Partials of a window that has fired are dropped and counted. Owned by one
// task thread.
#pragma once

#include <memory>

#include "worker/exec/operator.h"

namespace sj::worker::exec {

// `op`: kGlobalWindow. `input`: of the partials. `output` is not owned and outlives the operator.
// Restored windows that had fired at context.restored_watermark_ms are forgotten; the others fire
// in order as the watermark passes.
base::Result<std::unique_ptr<Operator>> MakeGlobalWindow(const plan::PhysicalOp& op,
                                                         const types::Schema& input,
                                                         const OperatorContext& context,
                                                         Output* output);

}  // namespace sj::worker::exec
