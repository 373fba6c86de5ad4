// SPDX-License-Identifier: Apache-2.0
// FakeStore: the objects, versions and history behind FakeKube: what etcd and the registry layer
// are to a real API server. No faults, no locks.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "operator/kube/client.h"
#include "operator/kube/testing/field_owners.h"

namespace sj::op::kube::testing {

struct HistoryEntry {
  uint64_t version = 0;
  Resource resource;
  WatchEvent::Type type = WatchEvent::Type::kAdded;
  Json object;
  Json before;  // null for kAdded
};

using ObjectTable = std::map<Resource, std::map<ObjectKey, Json>>;

// Who writes: our own verbs, or somebody else in the cluster.
enum class Writer : uint8_t { kUs, kOther };

// Owned by FakeKube, under its lock.
class FakeStore {
 public:
  explicit FakeStore(const base::Clock& clock) : clock_(clock) {}
  // The objects and versions of `from`, without its history.
  FakeStore(const base::Clock& clock, const FakeStore& from);

  const Json* Find(const Resource& resource, const ObjectKey& key) const;
  bool UidExists(const std::string& uid) const;
  const ObjectTable& objects() const { return objects_; }
  uint64_t version() const { return version_; }
  const std::deque<HistoryEntry>& history() const { return history_; }
  // Watches from versions below this have lost their history.
  uint64_t compacted() const { return compacted_; }
  void Compact();

  Result<Json> Create(const Resource& resource, Json object, Writer writer);
  // `object` replaces what is stored: spec or status only where a status subresource divides them.
  enum class Part : uint8_t { kMain, kStatus, kBoth };
  Result<Json> Update(const Resource& resource, Json object, Part part, Writer writer);
  Result<Json> Apply(const Resource& resource, const Json& applied);
  Status Delete(const Resource& resource, const ObjectKey& key, const DeleteOptions& options);
  void Erase(const Resource& resource, const ObjectKey& key);
  void Evict(const ObjectKey& pod, int grace_seconds);
  int CollectGarbage();

 private:
  Json Store(const Resource& resource, Json object, WatchEvent::Type type);
  void StripOwner(const std::string& uid);
  bool CollectOnce(int& removed);

  const base::Clock& clock_;
  ObjectTable objects_;
  std::map<std::string, FieldOwners> owners_;  // by object UID
  std::deque<HistoryEntry> history_;
  uint64_t version_ = 1000;
  uint64_t compacted_ = 0;
  uint64_t uids_ = 0;
};

// "a=b,c!=d,e,!f" on metadata.labels.
bool MatchesLabels(const Json& object, const std::string& selector);

}  // namespace sj::op::kube::testing
