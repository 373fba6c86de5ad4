// SPDX-License-Identifier: Apache-2.0
// Positions: what the group has committed of units, offsets and metadata, as a start or a take-over
// needs it. REQUIRES: called behind the fence, by the thread that opens the run or by the epoch
// thread.
#pragma once

#include <chrono>

#include <vector>

#include "worker/runtime/run_context.h"

namespace sj::worker::runtime {

using CommittedRef = checkpoint::Checkpointer::CommittedRef;

// What the group has committed of our inputs.
struct Positions {
  std::vector<CommittedRef> committed;
  std::vector<CommittedRef> missing;
};

// The input partitions of these units, as a restore wants them; offsets and metadata are empty.
std::vector<CommittedRef> InputsOf(const RunContext& run, const UnitSet& units);

// For whoever reads what is committed of `inputs`, and what has been read in any order: offsets and
// metadata in their places.
std::vector<types::InputPartition> PartitionsOf(const std::vector<CommittedRef>& inputs);
Positions PositionsOf(std::vector<CommittedRef> inputs,
                      const std::vector<connect::CommittedPosition>& read);

// Of everything this worker owns. kCorrupt: an input that was committed has lost its position.
base::Result<Positions> ReadPositions(RunContext* run);
// Source partitions without a position, after a restore: by the startup mode before the first
// commit of the job, from their beginning when the topic got them later.
base::Status StartSources(RunContext* run, const Positions& positions);
// Shards without a position have no state: they begin with the first record of their partitions.
base::Status StartShards(RunContext* run, const Positions& positions);

// Who waits longer for a release waits in vain, and registers again: the operator has given the
// hand-over up by then, or another process under this worker's name has taken its units.
inline constexpr std::chrono::seconds kReleasesMax{60};

// Reads the stable committed positions of `inputs` into them. True: every one carries the mark of
// a release to `generation`.
base::Result<bool> ReadReleased(RunContext* run, types::Generation generation,
                                std::vector<CommittedRef>* inputs);
base::Status NotReleased(types::Generation generation);
// Waits until the workers of the generation before have released all that is this worker's, one
// after the other. Nothing is missing then: a unit without a position has no mark either.
// kCancelled: stopped. kUnavailable: kReleasesMax is over.
base::Result<Positions> AwaitReleases(RunContext* run, const JobHooks& hooks);

}  // namespace sj::worker::runtime
