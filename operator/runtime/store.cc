// SPDX-License-Identifier: Apache-2.0
// Objects are kept as MessagePack. A deletion leaves a small tombstone, so that the late answer of
// an own write cannot bring the object back.
#include "operator/runtime/store.h"

#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace sj::op::runtime {
namespace {

constexpr size_t kTombstonesMax = 4'096;  // per resource

struct Entry {
  std::vector<uint8_t> packed;
  std::string uid;
  std::string owner_uid;
  uint64_t version = 0;
};

struct Table {
  std::map<ObjectKey, Entry> objects;
  std::map<std::string, std::set<ObjectKey>, std::less<>> by_owner;
  std::unordered_map<std::string, uint64_t> tombstones;  // uid -> version of the deletion
  std::deque<std::string> tombstone_order;
  size_t bytes = 0;

  void Unlink(const ObjectKey& key, const Entry& entry) {
    auto it = by_owner.find(entry.owner_uid);
    if (it != by_owner.end()) {
      it->second.erase(key);
      if (it->second.empty()) {
        by_owner.erase(it);
      }
    }
    bytes -= entry.packed.size();
  }

  void Bury(const std::string& uid, uint64_t version) {
    if (tombstones.insert_or_assign(uid, version).second) {
      tombstone_order.push_back(uid);
    }
    if (tombstone_order.size() > kTombstonesMax) {
      tombstones.erase(tombstone_order.front());
      tombstone_order.pop_front();
    }
  }

  bool Buried(const std::string& uid, uint64_t version) const {
    auto it = tombstones.find(uid);
    return it != tombstones.end() && version <= it->second;
  }
};

Json Unpack(const std::vector<uint8_t>& packed) {
  return Json::from_msgpack(packed, true, false);
}

Change MakeChange(Change::Type type, const Resource& resource, const Json& object) {
  return {type, resource, kube::KeyOf(object), kube::UidOf(object), kube::ControllerOf(object)};
}

}  // namespace

struct Store::State {
  mutable std::shared_mutex mu;
  std::map<Resource, Table> tables;                          // guarded by mu
  std::vector<std::function<void(const Change&)>> handlers;  // constant once objects come in

  const Table* Find(const Resource& resource) const {
    auto it = tables.find(resource);
    return it == tables.end() ? nullptr : &it->second;
  }

  void Tell(const Change& change) const {
    for (const auto& handler : handlers) {
      handler(change);
    }
  }

  // Nothing when the object is older than what is known.
  std::optional<Change::Type> Accept(const Resource& resource, const Json& object, bool listed) {
    const ObjectKey key = kube::KeyOf(object);
    const uint64_t version = kube::VersionNumber(kube::ResourceVersionOf(object));
    const std::string& uid = kube::UidOf(object);
    std::unique_lock lock(mu);
    Table& table = tables[resource];
    if (table.Buried(uid, version)) {
      return std::nullopt;
    }
    auto it = table.objects.find(key);
    Change::Type type = Change::Type::kAdded;
    if (it != table.objects.end()) {
      if (version < it->second.version) {
        return std::nullopt;
      }
      if (version == it->second.version && uid == it->second.uid) {
        return listed ? std::optional(Change::Type::kResync) : std::nullopt;
      }
      table.Unlink(key, it->second);
      type = Change::Type::kModified;
    }
    Entry& entry = it != table.objects.end() ? it->second : table.objects[key];
    entry.packed = Json::to_msgpack(object);
    entry.packed.shrink_to_fit();
    entry.uid = uid;
    entry.version = version;
    const auto owner = kube::ControllerOf(object);
    entry.owner_uid = owner ? owner->uid : "";
    table.bytes += entry.packed.size();
    if (owner) {
      table.by_owner[entry.owner_uid].insert(key);
    }
    return type;
  }

  void PutAndTell(const Resource& resource, const Json& object, bool listed) {
    if (kube::NameOf(object).empty()) {
      return;
    }
    if (auto type = Accept(resource, object, listed)) {
      Tell(MakeChange(*type, resource, object));
    }
  }
};

Store::Store() : state_(std::make_unique<State>()) {
}

Store::~Store() = default;

std::optional<Json> Store::Get(const Resource& resource, const ObjectKey& key) const {
  std::vector<uint8_t> packed;
  {
    std::shared_lock lock(state_->mu);
    const Table* table = state_->Find(resource);
    if (table == nullptr) {
      return std::nullopt;
    }
    auto it = table->objects.find(key);
    if (it == table->objects.end()) {
      return std::nullopt;
    }
    packed = it->second.packed;
  }
  return Unpack(packed);
}

std::vector<Json> Store::OwnedBy(const Resource& resource, std::string_view owner_uid) const {
  std::vector<std::vector<uint8_t>> packed;
  {
    std::shared_lock lock(state_->mu);
    const Table* table = state_->Find(resource);
    if (table == nullptr) {
      return {};
    }
    auto it = table->by_owner.find(owner_uid);
    if (it == table->by_owner.end()) {
      return {};
    }
    for (const ObjectKey& key : it->second) {
      packed.push_back(table->objects.at(key).packed);
    }
  }
  std::vector<Json> objects;
  objects.reserve(packed.size());
  for (const auto& one : packed) {
    objects.push_back(Unpack(one));
  }
  return objects;
}

std::vector<ObjectKey> Store::Keys(const Resource& resource) const {
  std::shared_lock lock(state_->mu);
  std::vector<ObjectKey> keys;
  const Table* table = state_->Find(resource);
  if (table != nullptr) {
    for (const auto& [key, entry] : table->objects) {
      keys.push_back(key);
    }
  }
  return keys;
}

StoreCount Store::Count(const Resource& resource) const {
  std::shared_lock lock(state_->mu);
  const Table* table = state_->Find(resource);
  return table == nullptr ? StoreCount{} : StoreCount{table->objects.size(), table->bytes};
}

void Store::Put(const Resource& resource, const Json& object) {
  state_->PutAndTell(resource, object, false);
}

void Store::PutListed(const Resource& resource, const Json& object) {
  state_->PutAndTell(resource, object, true);
}

void Store::Remove(const Resource& resource, const Json& object) {
  const ObjectKey key = kube::KeyOf(object);
  const uint64_t version = kube::VersionNumber(kube::ResourceVersionOf(object));
  {
    std::unique_lock lock(state_->mu);
    Table& table = state_->tables[resource];
    table.Bury(kube::UidOf(object), version);
    auto it = table.objects.find(key);
    // A deletion of an older object of the same name says nothing about the one that is there.
    const bool held = it != table.objects.end() &&
                      (it->second.uid == kube::UidOf(object) || it->second.version < version);
    if (!held) {
      return;
    }
    table.Unlink(key, it->second);
    table.objects.erase(it);
  }
  state_->Tell(MakeChange(Change::Type::kDeleted, resource, object));
}

void Store::Retain(const Resource& resource, std::string_view ns, const std::set<ObjectKey>& listed,
                   std::string_view list_version) {
  const uint64_t version = kube::VersionNumber(list_version);
  std::vector<Change> gone;
  {
    std::unique_lock lock(state_->mu);
    Table& table = state_->tables[resource];
    for (auto it = table.objects.begin(); it != table.objects.end();) {
      const auto& [key, entry] = *it;
      if ((!ns.empty() && key.ns != ns) || entry.version > version || listed.contains(key)) {
        ++it;
        continue;
      }
      gone.push_back(MakeChange(Change::Type::kDeleted, resource, Unpack(entry.packed)));
      table.Bury(entry.uid, version);
      table.Unlink(key, entry);
      it = table.objects.erase(it);
    }
  }
  for (const Change& change : gone) {
    state_->Tell(change);
  }
}

void Store::ReplaceAll(const Resource& resource, std::string_view ns,
                       const kube::ListResult& list) {
  std::set<ObjectKey> listed;
  for (const Json& item : list.items) {
    listed.insert(kube::KeyOf(item));
    PutListed(resource, item);
  }
  Retain(resource, ns, listed, list.resource_version);
}

void Store::OnChange(std::function<void(const Change&)> handler) {
  state_->handlers.push_back(std::move(handler));
}

StoreSink::StoreSink(Store& store, const Resource& resource, std::string ns)
    : store_(store), resource_(resource), ns_(std::move(ns)) {
}

void StoreSink::BeginList() {
  listing_ = true;
  listed_.clear();
}

void StoreSink::EndList(const std::string& resource_version) {
  store_.Retain(resource_, ns_, listed_, resource_version);
  listing_ = false;
  listed_.clear();
}

void StoreSink::Put(Json object) {
  if (listing_) {
    listed_.insert(kube::KeyOf(object));
    store_.PutListed(resource_, object);
  } else {
    store_.Put(resource_, object);
  }
}

void StoreSink::Remove(Json object) {
  listed_.erase(kube::KeyOf(object));
  store_.Remove(resource_, object);
}

}  // namespace sj::op::runtime
