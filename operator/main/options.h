// SPDX-License-Identifier: Apache-2.0
// The command line of streamjob-operator. A flag is a short way to say one entry of operator.yaml
// (--config) and wins over it; both end in the same strict reader.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "operator/reconcile/config.h"

namespace sj::op::main {

struct Options {
  reconcile::OperatorConfig config;
  std::string kubeconfig;  // empty: the pod's service account
  std::string context;
  std::string lease_namespace;  // empty: the operator's own namespace
  std::string watch_label;      // selector of StreamJobs; empty: all
  bool leader_elect = true;
  int workers = 8;
};

// What to do with the command line: run with options, or print a text and exit with a code.
struct Parsed {
  std::optional<Options> options;
  std::string text;
  int exit_code = 0;
};

Parsed ParseCommandLine(int argc, const char* const* argv);

}  // namespace sj::op::main
