// SPDX-License-Identifier: Apache-2.0
// A commit log that says, at debug level, what the protocol's invariants speak of: ids taken over,
// positions read, epochs committed with their positions, and being fenced. What the lines must
// satisfy is checked by e2e/lib/python/streamjob_e2e/trace.py; docs/design/0004-model.md says why.
#pragma once

#include <memory>

#include "worker/connect/commit_log.h"

namespace sj::worker::connect {

struct TraceIdentity {
  // The generation in force, which a hand-over changes. Not owned; read in calls of the epoch
  // thread.
  const types::Generation* generation = nullptr;
  int ordinal = 0;
};

// `log` itself unless debug lines are written. Thread rules as of CommitLog.
std::unique_ptr<CommitLog> Traced(std::unique_ptr<CommitLog> log, const TraceIdentity& identity);

}  // namespace sj::worker::connect
