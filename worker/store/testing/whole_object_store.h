// SPDX-License-Identifier: Apache-2.0
// WholeObjectStore: an ObjectStore for tests that reads parts of an object by reading all of it.
// Reads beyond the end are corruption, as with the real ones. As thread-safe as its Get.
#pragma once

#include <algorithm>
#include <string>

#include "worker/store/object_store.h"

namespace sj::worker::store::testing {

class WholeObjectStore : public ObjectStore {
 public:
  base::Result<std::string> GetRange(const std::string& key, uint64_t offset,
                                     uint64_t length) override {
    SJ_ASSIGN_OR_RETURN(std::string whole, Get(key));
    if (offset > whole.size() || length > whole.size() - offset) {
      return base::Corrupt("object \"" + key + "\" is shorter");
    }
    return whole.substr(offset, length);
  }
  base::Result<std::string> GetTail(const std::string& key, uint64_t length) override {
    SJ_ASSIGN_OR_RETURN(std::string whole, Get(key));
    return whole.substr(whole.size() - std::min<uint64_t>(whole.size(), length));
  }
};

}  // namespace sj::worker::store::testing
