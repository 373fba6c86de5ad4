// SPDX-License-Identifier: Apache-2.0
// FileObjectStore: objects as files below one directory, for single-node clusters and tests.
#pragma once

#include <memory>
#include <string>

#include "api/base/status.h"
#include "worker/store/object_store.h"

namespace sj::worker::store {

// Makes the directory when missing.
base::Result<std::unique_ptr<ObjectStore>> OpenFileObjectStore(const std::string& directory);

}  // namespace sj::worker::store
