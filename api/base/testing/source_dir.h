// SPDX-License-Identifier: Apache-2.0
// Where the source tree lies, for tests that read data files. One small file knows the path, so
// that all other objects are the same wherever the tree is built. Thread-safe.
#pragma once

#include <string>

namespace sj::base::testing {

// Absolute, without a slash at its end.
std::string SourceDir();

}  // namespace sj::base::testing
