// SPDX-License-Identifier: Apache-2.0
// One *.reconcile data file: a StreamJob, the world around it, and what Decide makes of it as text.
// The format is described in operator/testdata/README.md. For tests only.
#pragma once

#include <string>
#include <string_view>

#include "api/base/status.h"
#include "operator/decide/decide.h"

namespace sj::op::decide::testing {

struct ReconcileCase {
  std::string input;     // up to and including the line "----"
  std::string expected;  // after it
};
base::Result<ReconcileCase> SplitCase(std::string_view text);

// The job of the input and what Decide says about it. Errors as for RunCase.
struct DecidedCase {
  v1alpha1::StreamJob job;
  Output output;
};
base::Result<DecidedCase> DecideCase(const std::string& input);

// Runs Decide on the input and prints the outcome. Errors: kInvalidArgument for a bad file.
base::Result<std::string> RunCase(const std::string& input);

}  // namespace sj::op::decide::testing
