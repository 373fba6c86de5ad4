// SPDX-License-Identifier: Apache-2.0
// Rule: constants are folded while plans are made, as far as it needs no evaluator: casts of
// literals, signs, and TRUE, FALSE and NULL in AND, OR and NOT. What could fail at run time is left
// for run time. Pure functions.
#pragma once

#include "worker/plan/expr.h"

namespace sj::worker::plan {

// Turns a literal into the literal of type `to` that CAST gives; false (and no change) when the
// value does not convert exactly by a rule this folds.
bool FoldCast(const types::DataType& to, Expr* literal);

// An expression of the same value with its constant parts folded. The type is kept, but may become
// NOT NULL.
Expr FoldConstants(Expr expr);

}  // namespace sj::worker::plan
