// SPDX-License-Identifier: Apache-2.0
// See snapshot_cut.h.
#include "worker/runtime/snapshot_cut.h"

#include <algorithm>
#include <tuple>

#include "worker/checkpoint/object_name.h"
#include "worker/connect/commit_log.h"
#include "worker/runtime/marks.h"

namespace sj::worker::runtime {
namespace {

using checkpoint::Checkpointer;

std::string Name(const Checkpointer::CommittedRef& input) {
  return InstanceName(input.partition.topic, input.partition.partition);
}

// The footer that all of an ordinal's inputs name.
base::Result<ExchangeOrigin> LastOf(int ordinal,
                                    const std::vector<Checkpointer::CommittedRef>& inputs) {
  checkpoint::ObjectName name;
  for (const Checkpointer::CommittedRef& input : inputs) {
    if (input.offset == connect::kNoOffset) {
      return base::Conflict(Name(input) + " was not committed yet");
    }
    SJ_ASSIGN_OR_RETURN(const auto ref, checkpoint::ParseCommitMetadata(input.metadata));
    if (ref.released_to > 0) {
      return base::Conflict(Name(input) + " is being handed over");
    }
    if (input.metadata != inputs.front().metadata ||
        !checkpoint::ParseObjectName(ref.object, &name) || name.ordinal != ordinal) {
      return base::Conflict(Name(input) + " was not committed by its owner yet");
    }
  }
  return ExchangeOrigin{ordinal, name.generation, name.epoch};
}

}  // namespace

bool SnapshotCut::Has(const ExchangeOrigin& origin) const {
  if (origin.ordinal >= static_cast<int>(last.size()) || !last[origin.ordinal]) {
    return origin.generation < generation;
  }
  const ExchangeOrigin& until = *last[origin.ordinal];
  return std::tie(origin.generation, origin.epoch) <= std::tie(until.generation, until.epoch);
}

base::Result<SnapshotCut> MakeCut(
    types::Generation generation, bool keyed,
    const std::vector<std::vector<Checkpointer::CommittedRef>>& inputs) {
  SnapshotCut cut;
  cut.generation = generation;
  for (size_t ordinal = 0; ordinal < inputs.size(); ++ordinal) {
    cut.last.emplace_back();
    if (inputs[ordinal].empty()) {
      if (keyed) {
        return base::InvalidArgument("worker " + std::to_string(ordinal) +
                                     " has no partition and no shard: a job with more workers than "
                                     "shards cannot be told apart from one that moves them");
      }
      continue;
    }
    SJ_ASSIGN_OR_RETURN(cut.last.back(), LastOf(static_cast<int>(ordinal), inputs[ordinal]));
    cut.inputs.insert(cut.inputs.end(), inputs[ordinal].begin(), inputs[ordinal].end());
  }
  return cut;
}

}  // namespace sj::worker::runtime
