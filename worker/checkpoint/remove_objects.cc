// SPDX-License-Identifier: Apache-2.0
// List, delete, list again: a worker that was cut off may have been in the middle of an upload.
#include "worker/checkpoint/remove_objects.h"

#include <fmt/format.h>

#include "worker/checkpoint/object_name.h"
#include "worker/checkpoint/snapshot_manifest.h"

namespace sj::worker::checkpoint {
namespace {

constexpr int kListsMax = 5;

base::Status RemoveBelow(store::ObjectStore& store, const std::string& prefix, int64_t* removed) {
  for (int i = 0; i < kListsMax; ++i) {
    SJ_ASSIGN_OR_RETURN(const std::vector<store::ObjectInfo> objects, store.List(prefix));
    if (objects.empty()) {
      return base::OkStatus();
    }
    for (const store::ObjectInfo& object : objects) {
      SJ_RETURN_IF_ERROR(store.Delete(object.key));
      ++*removed;
    }
  }
  return base::Unavailable(fmt::format("delete the objects \"{}\" in {}: there are ever more",
                                       prefix, store.Describe()));
}

}  // namespace

base::Status RemoveObjects(store::ObjectStore& store, const std::string& job_uid,
                           int64_t* removed) {
  SJ_RETURN_IF_ERROR(CheckNamePart("job uid", job_uid, true));
  return RemoveBelow(store, job_uid + "/", removed);
}

base::Status RemoveSnapshot(store::ObjectStore& store, const std::string& job_uid,
                            const std::string& name, const std::string& snapshot_uid,
                            int64_t* removed) {
  SJ_RETURN_IF_ERROR(CheckNamePart("job uid", job_uid, true));
  SJ_RETURN_IF_ERROR(CheckNamePart("snapshot uid", snapshot_uid, true));
  if (name.empty() || name.find('/') != std::string::npos) {
    return base::InvalidArgument(fmt::format("\"{}\" is no snapshot's name", name));
  }
  return RemoveBelow(store, SnapshotPrefix(job_uid, name, snapshot_uid) + "/", removed);
}

}  // namespace sj::worker::checkpoint
