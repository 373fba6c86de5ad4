// SPDX-License-Identifier: Apache-2.0
// Bind: a parsed script to the logical plan of the whole job: every INSERT of the text, in order.
#pragma once

#include "api/base/status.h"
#include "worker/plan/logical.h"
#include "worker/sql/ast.h"

namespace sj::worker::plan {

// Bounded work for any script. Errors: kInvalidArgument with position.
base::Result<LogicalPlan> Bind(const sql::Script& script, int depth_max);

}  // namespace sj::worker::plan
