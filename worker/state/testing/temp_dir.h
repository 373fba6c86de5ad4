// SPDX-License-Identifier: Apache-2.0
// TempDir: a directory of a test's own, removed with it. Thread-compatible.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "api/base/check.h"

namespace sj::worker::state::testing {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sj-test-XXXXXX").string();
    SJ_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace sj::worker::state::testing
