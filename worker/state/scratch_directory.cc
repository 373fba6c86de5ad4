// SPDX-License-Identifier: Apache-2.0
// Wiping, with a guard against the one mistake that cannot be undone.
#include "worker/state/scratch_directory.h"

#include <fmt/format.h>

#include <filesystem>

namespace sj::worker::state {

namespace fs = std::filesystem;

base::Status WipeScratchDirectory(const std::string& directory) {
  fs::path path = fs::path(directory).lexically_normal();
  if (!path.is_absolute() || path == path.root_path()) {
    return base::InvalidArgument(
        fmt::format("wipe \"{}\": not an absolute path below the root", directory));
  }
  std::error_code error;
  fs::create_directories(path, error);
  fs::directory_iterator it(path, error);
  while (!error && it != fs::directory_iterator()) {
    fs::remove_all(it->path(), error);
    if (!error) {
      it.increment(error);
    }
  }
  if (error) {
    return base::Unavailable(fmt::format("wipe \"{}\": {}", directory, error.message()));
  }
  return base::OkStatus();
}

}  // namespace sj::worker::state
