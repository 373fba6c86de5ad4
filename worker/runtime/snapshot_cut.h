// SPDX-License-Identifier: Apache-2.0
// SnapshotCut: the committed positions of a whole job at one moment, and which records of the
// exchange topics belong to it. Why this is a consistent cut: docs/design/0006-snapshots.md.
// Pure values.
#pragma once

#include <optional>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/checkpointer.h"
#include "worker/runtime/exchange_origin.h"

namespace sj::worker::runtime {

struct SnapshotCut {
  std::vector<checkpoint::Checkpointer::CommittedRef> inputs;
  types::Generation generation = 0;  // in which it was read
  // By ordinal, the last epoch it has committed; nothing of one that owns nothing.
  std::vector<std::optional<ExchangeOrigin>> last;

  // The transaction in which a record was written was committed before the cut.
  bool Has(const ExchangeOrigin& origin) const;
};

// `inputs[o]`: what ordinal o owns in `generation`, with the positions and metadata of one stable
// fetch. Errors: kConflict when the fetch met a switch or hand-over of units (fetch again in a
// moment); kInvalidArgument when `keyed` and an ordinal owns nothing; kCorrupt for metadata that is
// not a checkpoint's.
base::Result<SnapshotCut> MakeCut(
    types::Generation generation, bool keyed,
    const std::vector<std::vector<checkpoint::Checkpointer::CommittedRef>>& inputs);

}  // namespace sj::worker::runtime
