// SPDX-License-Identifier: Apache-2.0
// Reading the footer at the end of a checkpoint object. Whether it is the one that was committed,
// and of the right job, is for the caller to check.
#pragma once

#include <string>

#include "api/base/status.h"
#include "worker/checkpoint/footer.h"
#include "worker/store/object_store.h"

namespace sj::worker::checkpoint {

struct LoadedFooter {
  std::string hash;  // as in commit metadata
  Footer footer;
};

// One or two small reads. kCorrupt when the object is missing or does not end like one.
base::Result<LoadedFooter> ReadFooter(store::ObjectStore* store, const std::string& object);

}  // namespace sj::worker::checkpoint
