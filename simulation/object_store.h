// SPDX-License-Identifier: Apache-2.0
// SimStore: the bucket of a simulated run, and each worker's way to it. A PUT can be slow, or
// carried out with its answer lost. Deleting an object that committed checkpoints need is a broken
// promise. Owned by the run.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "simulation/commit_log.h"
#include "worker/store/object_store.h"

namespace sj::simulation {

class SimStore {
 public:
  SimStore(World* world, Kafka* kafka) : world_(world), kafka_(kafka) {}

  // What requests do when they arrive.
  base::Status Put(const std::string& key, std::string bytes);
  base::Result<std::string> Get(const std::string& key) const;
  std::vector<worker::store::ObjectInfo> List(const std::string& prefix) const;
  void Delete(const std::string& key);
  uint64_t deleted() const { return deleted_; }

 private:
  // By shard, what the footer of this object names; it is in none of them itself.
  using Refers = std::map<int, std::set<std::string>>;

  // Every object a restore from the committed positions would read.
  std::set<std::string> Live();
  const Refers& RefersOf(const std::string& key);

  World* world_;
  Kafka* kafka_;
  std::map<std::string, std::string> objects_;
  std::map<std::string, Refers> refers_;  // by object
  uint64_t deleted_ = 0;
};

std::unique_ptr<worker::store::ObjectStore> MakeStoreClient(WorkerIo* io, SimStore* store);

}  // namespace sj::simulation
