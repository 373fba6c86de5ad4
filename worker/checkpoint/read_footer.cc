// SPDX-License-Identifier: Apache-2.0
// See read_footer.h.
#include "worker/checkpoint/read_footer.h"

#include "api/base/hash.h"

namespace sj::worker::checkpoint {
namespace {

constexpr uint64_t kTailBytes = 64u << 10;

base::Result<std::string> Tail(store::ObjectStore* store, const std::string& object,
                               uint64_t bytes) {
  base::Result<std::string> tail = store->GetTail(object, bytes);
  if (!tail.ok() && tail.status().kind() == base::ErrorKind::kNotFound) {
    return base::Corrupt(
        "the committed checkpoint is missing from the store. Look for lifecycle rules or "
        "deletions in the bucket, and that it is the same bucket and prefix as before");
  }
  return tail;
}

}  // namespace

base::Result<LoadedFooter> ReadFooter(store::ObjectStore* store, const std::string& object) {
  size_t wanted = 0;
  SJ_ASSIGN_OR_RETURN(std::string tail, Tail(store, object, kTailBytes));
  SJ_ASSIGN_OR_RETURN(std::string_view json, FindFooter(tail, &wanted));
  if (wanted > 0) {
    SJ_ASSIGN_OR_RETURN(tail, Tail(store, object, wanted));
    SJ_ASSIGN_OR_RETURN(json, FindFooter(tail, &wanted));
    if (wanted > 0) {
      return base::Corrupt("the object is shorter than its footer");
    }
  }
  LoadedFooter loaded;
  loaded.hash = base::Sha256Hex(json).substr(0, 16);
  SJ_ASSIGN_OR_RETURN(loaded.footer, DecodeFooter(json));
  return loaded;
}

}  // namespace sj::worker::checkpoint
