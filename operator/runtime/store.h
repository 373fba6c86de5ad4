// SPDX-License-Identifier: Apache-2.0
// Store: the watched objects, indexed by key and by controller owner's UID. Objects are kept packed
// (about a tenth of the memory of a parsed tree) and unpacked when read. Filled by reflectors; a
// writer also puts the answers of its own writes in, so that it reads what it wrote. A version
// older than the one held, or than the deletion seen, never goes in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "operator/kube/client.h"
#include "operator/kube/reflector.h"

namespace sj::op::runtime {

using kube::Json;
using kube::ObjectKey;
using kube::OwnerRef;
using kube::Resource;

// One accepted change, told after it is visible in the store.
struct Change {
  enum class Type : uint8_t {
    kAdded,
    kModified,
    kDeleted,
    kResync,  // found by a list again, same version
  };
  Type type = Type::kAdded;
  Resource resource;
  ObjectKey key;
  std::string uid;
  std::optional<OwnerRef> controller;
};

struct StoreCount {
  size_t objects = 0;
  size_t bytes = 0;  // packed
};

// Thread-safe. Reads give copies.
class Store {
 public:
  Store();
  ~Store();

  std::optional<Json> Get(const Resource& resource, const ObjectKey& key) const;
  // Objects whose controller owner has this UID, sorted by key.
  std::vector<Json> OwnedBy(const Resource& resource, std::string_view owner_uid) const;
  std::vector<ObjectKey> Keys(const Resource& resource) const;
  StoreCount Count(const Resource& resource) const;

  // An object as read from a watch or answered to a write of ours.
  void Put(const Resource& resource, const Json& object);
  // An object seen deleted (the last state, as a watch gives it).
  void Remove(const Resource& resource, const Json& object);
  // A complete list of one namespace (empty: of all): what is not in it is gone, unless it is newer
  // than the list.
  void ReplaceAll(const Resource& resource, std::string_view ns, const kube::ListResult& list);
  // The same item by item: PutListed each (told as kResync when its version is known), then Retain.
  void PutListed(const Resource& resource, const Json& object);
  void Retain(const Resource& resource, std::string_view ns, const std::set<ObjectKey>& listed,
              std::string_view list_version);

  // Called for every accepted change, on the thread that made it, without a lock held. Register
  // before anything is put.
  void OnChange(std::function<void(const Change&)> handler);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Puts what one reflector sees into a store. Owned by the reflector's thread.
class StoreSink final : public kube::ObjectSink {
 public:
  // `store` outlives the sink.
  StoreSink(Store& store, const Resource& resource, std::string ns);

  void BeginList() override;
  void EndList(const std::string& resource_version) override;
  void Put(Json object) override;
  void Remove(Json object) override;

 private:
  Store& store_;
  const Resource resource_;
  const std::string ns_;
  std::set<ObjectKey> listed_;
  bool listing_ = false;
};

}  // namespace sj::op::runtime
