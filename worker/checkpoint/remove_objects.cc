// SPDX-License-Identifier: Apache-2.0
// List, delete, list again: a worker that was cut off may have been in the middle of an upload.
#include "worker/checkpoint/remove_objects.h"

#include <fmt/format.h>

#include "worker/checkpoint/object_name.h"

namespace sj::worker::checkpoint {
namespace {

constexpr int kListsMax = 5;

}  // namespace

base::Status RemoveObjects(store::ObjectStore& store, const std::string& job_uid,
                           int64_t* removed) {
  SJ_RETURN_IF_ERROR(CheckNamePart("job uid", job_uid, true));
  const std::string prefix = job_uid + "/";
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

}  // namespace sj::worker::checkpoint
