// SPDX-License-Identifier: Apache-2.0
// What is wrong with a spec, seen by the operator: what could not be read, the API's own checks,
// what may not change any more, and what this operator does not do yet. Pure, thread-safe.
#pragma once

#include "operator/decide/input.h"

namespace sj::op::decide {

v1alpha1::Findings SpecFindings(const Input& in, const v1alpha1::EffectiveSpec& effective);

}  // namespace sj::op::decide
