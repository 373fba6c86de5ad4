// SPDX-License-Identifier: Apache-2.0
// RestorePlan: from committed metadata to the footers it names, checked, and to the sources, shards
// and chains this worker takes over. Reads footers only; fetching chunks comes after. Functions
// without state.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/chain.h"
#include "worker/checkpoint/checkpointer.h"
#include "worker/checkpoint/footer.h"
#include "worker/store/object_store.h"

namespace sj::worker::checkpoint {

struct RestorePlan {
  Restored restored;  // shards carry their positions; `bytes` and `objects` are filled later
  Chains chains;
  std::set<std::string> objects;  // the footers' own objects and all objects the chains refer to
};

// The order is fixed: metadata, footer bytes, hash, identity, offsets. The first thing wrong ends
// it with words for a condition; nothing is ever guessed or left out.
base::Result<RestorePlan> PlanRestore(const std::vector<Checkpointer::CommittedRef>& committed,
                                      const CheckpointIdentity& identity,
                                      store::ObjectStore* store);

}  // namespace sj::worker::checkpoint
