// SPDX-License-Identifier: Apache-2.0
// Objects, and the footers they end with.
#include "simulation/object_store.h"

#include <algorithm>
#include <utility>

#include "simulation/workload.h"
#include "worker/checkpoint/footer.h"
#include "worker/store/testing/whole_object_store.h"

namespace sj::simulation {
namespace {

using worker::store::ObjectInfo;

constexpr Nanos kDeadline = seconds(15);

base::Status NoAnswer(const std::string& what) {
  return base::Unavailable(what + ": no answer");
}

class StoreClient final : public worker::store::testing::WholeObjectStore {
 public:
  StoreClient(WorkerIo* io, SimStore* store) : io_(io), store_(store) {}

  base::Status Put(const std::string& key, std::string_view bytes) override {
    io_->overlap();
    World* world = io_->world;
    if (world->Strikes(Fault::kStoreSlow)) {
      world->Sleep(world->Between(seconds(1), seconds(20)));
    }
    const bool lost = world->Strikes(Fault::kStoreAnswerLost);
    auto put = world->Call<base::Status>(
        Service::kStore, kDeadline,
        [store = store_, key, copy = std::string(bytes)](std::function<void(base::Status)> reply) {
          reply(store->Put(key, copy));
        });
    return put && !lost ? *put : NoAnswer("put object \"" + key + "\"");
  }

  base::Result<std::string> Get(const std::string& key) override {
    auto got = io_->world->Call<base::Result<std::string>>(
        Service::kStore, kDeadline,
        [store = store_, key](std::function<void(base::Result<std::string>)> reply) {
          reply(store->Get(key));
        });
    return got ? *std::move(got) : NoAnswer("get object \"" + key + "\"");
  }

  base::Result<std::vector<ObjectInfo>> List(const std::string& prefix) override {
    using Listed = std::vector<ObjectInfo>;
    auto listed = io_->world->Call<Listed>(
        Service::kStore, kDeadline, [store = store_, prefix](std::function<void(Listed)> reply) {
          reply(store->List(prefix));
        });
    return listed ? base::Result<Listed>(*std::move(listed)) : NoAnswer("list " + prefix);
  }

  base::Status Delete(const std::string& key) override {
    auto gone = io_->world->Call<bool>(Service::kStore, kDeadline,
                                       [store = store_, key](std::function<void(bool)> reply) {
                                         store->Delete(key);
                                         reply(true);
                                       });
    return gone ? base::OkStatus() : NoAnswer("delete object \"" + key + "\"");
  }

  std::string Describe() const override { return "simulated"; }

 private:
  WorkerIo* io_;
  SimStore* store_;
};

}  // namespace

base::Status SimStore::Put(const std::string& key, std::string bytes) {
  auto [it, made] = objects_.emplace(key, std::move(bytes));
  if (!made) {
    return base::Conflict("object \"" + key + "\" exists");
  }
  return base::OkStatus();
}

base::Result<std::string> SimStore::Get(const std::string& key) const {
  auto it = objects_.find(key);
  if (it == objects_.end()) {
    return base::NotFound("no object \"" + key + "\"");
  }
  return it->second;
}

std::vector<ObjectInfo> SimStore::List(const std::string& prefix) const {
  std::vector<ObjectInfo> out;
  for (auto it = objects_.lower_bound(prefix);
       it != objects_.end() && it->first.starts_with(prefix); ++it) {
    out.push_back({it->first, it->second.size()});
  }
  return out;
}

const SimStore::Refers& SimStore::RefersOf(const std::string& key) {
  static const Refers nothing;
  if (auto known = refers_.find(key); known != refers_.end()) {
    return known->second;
  }
  auto object = objects_.find(key);
  if (object == objects_.end()) {
    return nothing;
  }
  Refers& refers = refers_[key];
  size_t wanted = 0;
  auto json = worker::checkpoint::FindFooter(object->second, &wanted);
  auto footer = json.ok() ? worker::checkpoint::DecodeFooter(*json) : json.status();
  if (footer.ok()) {
    for (const auto& shard : footer->shard_states) {
      for (const auto& op : shard.operators) {
        for (const auto& chunk : op.chunks) {
          refers[shard.shard].insert(chunk.object);
        }
      }
    }
  }
  return refers;
}

// Units with the same object may be of different owners after a hand-over: for a shard its own
// chunks are needed, for a source partition the footer alone.
std::set<std::string> SimStore::Live() {
  std::set<std::string> live;
  for (const worker::connect::CommittedPosition& position : kafka_->LivePositions()) {
    auto ref = worker::checkpoint::ParseCommitMetadata(position.metadata);
    if (!ref.ok()) {
      continue;
    }
    live.insert(ref->object);
    const std::string& topic = position.partition.topic;
    const Refers& refers = RefersOf(ref->object);
    auto chunks = refers.find(position.partition.partition);
    if (topic != kEvents && topic != kLog && chunks != refers.end()) {
      live.insert(chunks->second.begin(), chunks->second.end());
    }
  }
  return live;
}

void SimStore::Delete(const std::string& key) {
  if (objects_.contains(key) && Live().contains(key)) {
    world_->Violation("object " + key + " is deleted while committed positions need it");
  }
  deleted_ += objects_.erase(key);
}

std::unique_ptr<worker::store::ObjectStore> MakeStoreClient(WorkerIo* io, SimStore* store) {
  return std::make_unique<StoreClient>(io, store);
}

}  // namespace sj::simulation
