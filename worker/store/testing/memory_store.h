// SPDX-License-Identifier: Apache-2.0
// MemoryStore: an ObjectStore in a map, for tests that make thousands of objects. It behaves like
// the real ones: a second Put of a key is a conflict, reads beyond the end are corruption.
// Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "worker/store/object_key.h"
#include "worker/store/testing/whole_object_store.h"

namespace sj::worker::store::testing {

class MemoryStore final : public WholeObjectStore {
 public:
  base::Status Put(const std::string& key, std::string_view bytes) override {
    SJ_RETURN_IF_ERROR(CheckKey(key));
    std::lock_guard lock(mu_);
    return objects_.emplace(key, bytes).second ? base::OkStatus()
                                               : base::Conflict("object \"" + key + "\" exists");
  }
  base::Result<std::string> Get(const std::string& key) override {
    std::lock_guard lock(mu_);
    auto it = objects_.find(key);
    if (it == objects_.end()) {
      return base::NotFound("no object \"" + key + "\"");
    }
    return it->second;
  }
  base::Result<std::vector<ObjectInfo>> List(const std::string& prefix) override {
    std::lock_guard lock(mu_);
    std::vector<ObjectInfo> out;
    for (auto it = objects_.lower_bound(prefix);
         it != objects_.end() && it->first.starts_with(prefix); ++it) {
      out.push_back({it->first, it->second.size()});
    }
    return out;
  }
  base::Status Delete(const std::string& key) override {
    std::lock_guard lock(mu_);
    objects_.erase(key);
    return base::OkStatus();
  }
  std::string Describe() const override { return "memory"; }

  // For tests that break things: the stored bytes of an object, or null.
  std::string* Find(const std::string& key) {
    std::lock_guard lock(mu_);
    auto it = objects_.find(key);
    return it == objects_.end() ? nullptr : &it->second;
  }
  size_t size() const {
    std::lock_guard lock(mu_);
    return objects_.size();
  }

 private:
  mutable std::mutex mu_;
  std::map<std::string, std::string> objects_;
};

}  // namespace sj::worker::store::testing
