// SPDX-License-Identifier: Apache-2.0
// MemoryStateStore: a StateStore in a map, for tests that open thousands of them: opening a RocksDB
// takes milliseconds. Takes in the same chunk files. Thread-compatible.
#pragma once

#include <map>

#include "worker/state/state_store.h"

namespace sj::worker::state::testing {

class MemoryStateStore final : public StateStore {
 public:
  base::Result<std::string> Get(std::string_view key) override;
  base::Status Write(const std::vector<FrozenEntry>& entries) override;
  base::Status Scan(std::string_view from, std::string_view to,
                    const std::function<bool(std::string_view, std::string_view)>& visit) override;
  base::Status DeleteRange(std::string_view from, std::string_view to) override;
  base::Status Ingest(const std::string& file) override;
  uint64_t ApproximateBytes() override;

 private:
  std::map<std::string, std::string, std::less<>> entries_;
};

}  // namespace sj::worker::state::testing
