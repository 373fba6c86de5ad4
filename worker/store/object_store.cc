// SPDX-License-Identifier: Apache-2.0
// Choosing a store by its location, and the probe that tells a user what is wrong before a job
// runs.
#include "worker/store/object_store.h"

#include <fmt/format.h>

#include "api/base/hash.h"
#include "worker/store/file_object_store.h"
#include "worker/store/object_key.h"
#include "worker/store/s3_object_store.h"

namespace sj::worker::store {

base::Result<std::unique_ptr<ObjectStore>> OpenObjectStore(const ObjectStoreOptions& options) {
  SJ_ASSIGN_OR_RETURN(Location location, ParseLocation(options.location));
  if (location.s3) {
    return OpenS3ObjectStore(options);
  }
  return OpenFileObjectStore(location.path);
}

base::Status ObjectStore::Copy(const std::string& from, const std::string& to) {
  SJ_ASSIGN_OR_RETURN(const std::string bytes, Get(from));
  base::Status put = Put(to, bytes);
  return !put.ok() && put.kind() == base::ErrorKind::kConflict ? base::OkStatus() : put;
}

base::Status ProbeObjectStore(ObjectStore& store, const std::string& key) {
  const std::string bytes = base::RandomHex(256);
  auto context = [&](const char* what) { return fmt::format("{} {}", what, store.Describe()); };
  base::Status put = store.Put(key, bytes);
  if (!put.ok()) {
    return std::move(put).WithContext(context("write to"));
  }
  base::Result<std::string> got = store.GetRange(key, 0, bytes.size());
  base::Status deleted = store.Delete(key);
  if (!got.ok()) {
    return std::move(got).status().WithContext(context("read from"));
  }
  if (*got != bytes) {
    return base::Corrupt(
        fmt::format("{}: other bytes came back than were written", context("read from")));
  }
  return std::move(deleted).WithContext(context("delete from"));
}

}  // namespace sj::worker::store
