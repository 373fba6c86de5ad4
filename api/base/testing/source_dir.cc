// SPDX-License-Identifier: Apache-2.0
#include "api/base/testing/source_dir.h"

namespace sj::base::testing {

std::string SourceDir() {
  return SJ_SOURCE_DIR;
}

}  // namespace sj::base::testing
