// SPDX-License-Identifier: Apache-2.0
// What Decide gives as the text that *.reconcile files expect. For tests only.
#pragma once

#include <string>

#include "operator/decide/decide.h"

namespace sj::op::decide::testing {

// A line for each thing that is there; hashes as they are.
std::string Print(const Output& output);

}  // namespace sj::op::decide::testing
