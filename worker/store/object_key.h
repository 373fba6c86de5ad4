// SPDX-License-Identifier: Apache-2.0
// What names an object store may see. The same rules for every store, so that a job that runs on a
// directory also runs on S3. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/base/status.h"

namespace sj::worker::store {

inline constexpr size_t kKeyBytesMax = 900;

// kInvalidArgument for anything object_store.h does not allow; a prefix for List may also be empty
// or end in '/' or in the middle of a segment.
base::Status CheckKey(std::string_view key);
base::Status CheckPrefix(std::string_view prefix);

struct Location {
  bool s3 = false;
  std::string bucket;  // S3
  std::string path;    // S3: the prefix, without slashes at its ends; file: the absolute directory
};
base::Result<Location> ParseLocation(std::string_view location);

}  // namespace sj::worker::store
