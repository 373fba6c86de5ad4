// SPDX-License-Identifier: Apache-2.0
// Removing every object of a job that is deleted: whatever its name starts with "<job uid>/",
// also what no footer names. What retention says does not count any more, because nobody will
// restore from it. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "api/base/status.h"
#include "worker/store/object_store.h"

namespace sj::worker::checkpoint {

// Returns when a list has come back empty; *removed counts what was deleted, also when it fails,
// and goes on from what it is. May be repeated after an error. Errors: kInvalidArgument when
// `job_uid` is not one segment of a name; kUnavailable when somebody keeps writing; those of the
// store.
base::Status RemoveObjects(store::ObjectStore& store, const std::string& job_uid, int64_t* removed);

// The same for one snapshot: what lies below SnapshotPrefix(job_uid, name, snapshot_uid).
base::Status RemoveSnapshot(store::ObjectStore& store, const std::string& job_uid,
                            const std::string& name, const std::string& snapshot_uid,
                            int64_t* removed);

}  // namespace sj::worker::checkpoint
