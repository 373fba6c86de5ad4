// SPDX-License-Identifier: Apache-2.0
// ImportSnapshot: the start of a job from a snapshot of another one. Units that were never
// committed get the snapshot's positions, and their shards what was in flight to them
// (docs/design/0006-snapshots.md). The rest of the start is that of any restore. Called by the
// thread that opens the run, behind the fence.
#pragma once

#include "worker/runtime/positions.h"

namespace sj::worker::runtime {

// Moves those of `positions->missing` that the snapshot has to `committed`. REQUIRES:
// config.restore_from, and a store.
base::Status ImportSnapshot(const Connectors& make, RunContext* run, Positions* positions);

}  // namespace sj::worker::runtime
