// SPDX-License-Identifier: Apache-2.0
// Directories of files that are worth nothing after a stop: local state and chunk files.
#pragma once

#include <string>

#include "api/base/status.h"

namespace sj::worker::state {

// Makes the directory when missing and removes everything in it; the directory itself stays, it may
// be a mount point. Refuses a relative path and the root.
base::Status WipeScratchDirectory(const std::string& directory);

}  // namespace sj::worker::state
