// SPDX-License-Identifier: Apache-2.0
// The registry rules of a real API server, for the kinds we use.
#include "operator/kube/testing/fake_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

namespace sj::op::kube::testing {
namespace {

constexpr std::string_view kForeground = "foregroundDeletion";
constexpr size_t kHistoryMax = 100'000;

bool HasStatus(const Resource& resource) {
  return resource != kConfigMaps && resource != kServiceAccounts && resource != kEvents &&
         resource != kLeases;
}

bool HasGeneration(const Resource& resource) {
  return !resource.group.empty() && HasStatus(resource);
}

std::string Name(const Resource& resource, const ObjectKey& key) {
  return fmt::format("{} \"{}\"", resource.plural, key.name);
}

// Everything but metadata and status: what a generation counts.
Json Desired(const Json& object) {
  Json copy = object;
  copy.erase("metadata");
  copy.erase("status");
  return copy;
}

Json& Meta(Json& object) {
  Json& meta = object["metadata"];
  if (!meta.is_object()) {
    meta = Json::object();
  }
  return meta;
}

bool HasFinalizers(const Json& object) {
  const Json* list = FindPath(object, {"metadata", "finalizers"});
  return list != nullptr && list->is_array() && !list->empty();
}

std::set<std::string> Finalizers(const Json& object) {
  std::set<std::string> names;
  if (HasFinalizers(object)) {
    for (const Json& name : object["metadata"]["finalizers"]) {
      names.insert(name.get<std::string>());
    }
  }
  return names;
}

std::vector<std::string> OwnerUids(const Json& object) {
  std::vector<std::string> uids;
  const Json* owners = FindPath(object, {"metadata", "ownerReferences"});
  if (owners != nullptr && owners->is_array()) {
    for (const Json& owner : *owners) {
      uids.push_back(owner.value("uid", ""));
    }
  }
  return uids;
}

template <typename Visit>
void ForEach(const ObjectTable& objects, const Visit& visit) {
  for (const auto& [resource, table] : objects) {
    for (const auto& [key, object] : table) {
      visit(resource, key, object);
    }
  }
}

Status CheckOwners(const Resource& resource, const Json& object) {
  const Json* owners = FindPath(object, {"metadata", "ownerReferences"});
  if (owners == nullptr || !owners->is_array()) {
    return {};
  }
  int controllers = 0;
  for (const Json& owner : *owners) {
    const Json* controller = FindPath(owner, {"controller"});
    controllers += controller != nullptr && *controller == true ? 1 : 0;
  }
  if (controllers > 1) {
    return base::InvalidArgument(Name(resource, KeyOf(object)) +
                                 " is invalid: only one reference can have controller set to true");
  }
  return {};
}

Status CheckUpdate(const Resource& resource, const Json& before, const Json& after) {
  SJ_RETURN_IF_ERROR(CheckOwners(resource, after));
  const ObjectKey key = KeyOf(before);
  if (IsDeleting(before)) {
    const auto old = Finalizers(before);
    for (const std::string& name : Finalizers(after)) {
      if (!old.contains(name)) {
        return base::InvalidArgument(Name(resource, key) +
                                     " is invalid: metadata.finalizers: no new finalizers can be "
                                     "added if the object is being deleted");
      }
    }
  }
  if (resource != kStatefulSets) {
    return {};
  }
  static constexpr std::array kMutable{"replicas",
                                       "ordinals",
                                       "template",
                                       "updateStrategy",
                                       "minReadySeconds",
                                       "persistentVolumeClaimRetentionPolicy",
                                       "revisionHistoryLimit"};
  Json old_spec = before.value("spec", Json::object());
  Json new_spec = after.value("spec", Json::object());
  for (const char* field : kMutable) {
    old_spec.erase(field);
    new_spec.erase(field);
  }
  if (old_spec != new_spec) {
    return base::InvalidArgument(Name(resource, key) +
                                 " is invalid: spec: Forbidden: updates to statefulset spec for "
                                 "fields other than 'replicas', 'template' are forbidden");
  }
  return {};
}

}  // namespace

bool MatchesLabels(const Json& object, const std::string& selector) {
  std::istringstream parts(selector);
  std::string part;
  while (std::getline(parts, part, ',')) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos) {
      const bool wanted = part[0] != '!';
      const std::string key = wanted ? part : part.substr(1);
      if ((FindPath(object, {"metadata", "labels", key}) != nullptr) != wanted) {
        return false;
      }
      continue;
    }
    const bool differs = equals > 0 && part[equals - 1] == '!';
    const std::string key = part.substr(0, differs ? equals - 1 : equals);
    const size_t from = part.compare(equals, 2, "==") == 0 ? equals + 2 : equals + 1;
    if ((LabelOf(object, key) == part.substr(from)) == differs) {
      return false;
    }
  }
  return true;
}

FakeStore::FakeStore(const base::Clock& clock, const FakeStore& from)
    : clock_(clock),
      objects_(from.objects_),
      owners_(from.owners_),
      version_(from.version_),
      compacted_(from.version_),
      uids_(from.uids_) {
}

const Json* FakeStore::Find(const Resource& resource, const ObjectKey& key) const {
  auto table = objects_.find(resource);
  if (table == objects_.end()) {
    return nullptr;
  }
  auto it = table->second.find(key);
  return it == table->second.end() ? nullptr : &it->second;
}

bool FakeStore::UidExists(const std::string& uid) const {
  for (const auto& [resource, table] : objects_) {
    for (const auto& [key, object] : table) {
      if (UidOf(object) == uid) {
        return true;
      }
    }
  }
  return false;
}

void FakeStore::Compact() {
  history_.clear();
  compacted_ = ++version_;
}

Json FakeStore::Store(const Resource& resource, Json object, WatchEvent::Type type) {
  const ObjectKey key = KeyOf(object);
  HistoryEntry entry{++version_, resource, type, Json(), Json()};
  const Json* before = Find(resource, key);
  if (before != nullptr) {
    entry.before = *before;
  }
  Meta(object)["resourceVersion"] = std::to_string(version_);
  entry.object = object;
  if (type == WatchEvent::Type::kDeleted) {
    owners_.erase(UidOf(object));
    objects_[resource].erase(key);
  } else {
    objects_[resource][key] = object;
  }
  history_.push_back(std::move(entry));
  if (history_.size() > kHistoryMax) {
    compacted_ = history_.front().version;
    history_.pop_front();
  }
  return object;
}

Result<Json> FakeStore::Create(const Resource& resource, Json object, Writer writer) {
  const ObjectKey key = KeyOf(object);
  if (key.name.empty() || (resource.namespaced && key.ns.empty())) {
    return base::InvalidArgument(std::string(resource.kind) +
                                 " is invalid: metadata.name and namespace are required");
  }
  if (Find(resource, key) != nullptr) {
    return base::Conflict(Name(resource, key) + " already exists");
  }
  if (!ResourceVersionOf(object).empty() && writer == Writer::kUs) {
    return base::InvalidArgument("resourceVersion should not be set on objects to be created");
  }
  SJ_RETURN_IF_ERROR(CheckOwners(resource, object));
  object["apiVersion"] = ApiVersion(resource);
  object["kind"] = resource.kind;
  Json& meta = Meta(object);
  meta["uid"] = fmt::format("00000000-0000-4000-8000-{:012x}", ++uids_);
  meta["creationTimestamp"] = base::FormatTime(clock_.Wall());
  meta.erase("deletionTimestamp");
  if (HasGeneration(resource)) {
    meta["generation"] = 1;
  }
  if (HasStatus(resource) && writer == Writer::kUs) {
    object.erase("status");
  }
  owners_[meta["uid"]].OthersWrote(Json::object(), object);
  return Store(resource, std::move(object), WatchEvent::Type::kAdded);
}

Result<Json> FakeStore::Update(const Resource& resource, Json object, Part part, Writer writer) {
  const ObjectKey key = KeyOf(object);
  const Json* found = Find(resource, key);
  if (found == nullptr) {
    return base::NotFound(Name(resource, key) + " not found");
  }
  const Json before = *found;
  const std::string& version = ResourceVersionOf(object);
  if (!version.empty() && version != ResourceVersionOf(before)) {
    return base::Conflict("operation cannot be fulfilled on " + Name(resource, key) +
                          ": the object has been modified");
  }
  if (!UidOf(object).empty() && UidOf(object) != UidOf(before)) {
    return base::Conflict("operation cannot be fulfilled on " + Name(resource, key) +
                          ": precondition failed: UID in object meta differs");
  }
  if (HasStatus(resource) && part != Part::kBoth) {
    const Json& kept = before;
    const char* keep = "status";
    if (part == Part::kStatus) {
      Json status = object.value("status", Json());
      object = before;
      object["status"] = std::move(status);
    } else if (kept.contains(keep)) {
      object[keep] = kept[keep];
    } else {
      object.erase(keep);
    }
  }
  object["apiVersion"] = ApiVersion(resource);
  object["kind"] = resource.kind;
  Json& meta = Meta(object);
  for (const char* field : {"uid", "creationTimestamp", "deletionTimestamp", "generation",
                            "deletionGracePeriodSeconds", "resourceVersion"}) {
    meta.erase(field);
    if (before["metadata"].contains(field)) {
      meta[field] = before["metadata"][field];
    }
  }
  SJ_RETURN_IF_ERROR(CheckUpdate(resource, before, object));
  if (IsDeleting(before) && !HasFinalizers(object)) {
    return Store(resource, std::move(object), WatchEvent::Type::kDeleted);
  }
  if (HasGeneration(resource) && Desired(before) != Desired(object)) {
    meta["generation"] = GenerationOf(before) + 1;
  }
  if (object == before) {
    return object;  // a write that changes nothing makes no version
  }
  if (writer == Writer::kOther || part != Part::kStatus) {
    owners_[UidOf(before)].OthersWrote(before, object);
  }
  return Store(resource, std::move(object), WatchEvent::Type::kModified);
}

Result<Json> FakeStore::Apply(const Resource& resource, const Json& applied) {
  const ObjectKey key = KeyOf(applied);
  const Json* found = Find(resource, key);
  if (found == nullptr) {
    if (!UidOf(applied).empty() || !ResourceVersionOf(applied).empty()) {
      return base::Conflict("operation cannot be fulfilled on " + Name(resource, key) +
                            ": no existing object was found");
    }
    FieldOwners owners;
    Json object = {{"metadata", {{"name", key.name}}}};
    if (resource.namespaced) {
      object["metadata"]["namespace"] = key.ns;
    }
    owners.Apply(applied, object);
    SJ_ASSIGN_OR_RETURN(Json created, Create(resource, std::move(object), Writer::kUs));
    owners_[UidOf(created)] = std::move(owners);
    return created;
  }
  const std::string uid = UidOf(*found);
  FieldOwners owners = owners_[uid];
  Json object = *found;
  Meta(object)["uid"] = UidOf(applied).empty() ? uid : UidOf(applied);
  if (!ResourceVersionOf(applied).empty()) {
    Meta(object)["resourceVersion"] = ResourceVersionOf(applied);
  }
  owners.Apply(applied, object);
  SJ_ASSIGN_OR_RETURN(Json stored, Update(resource, std::move(object), Part::kMain, Writer::kUs));
  if (UidExists(uid)) {
    owners_[uid] = std::move(owners);
  }
  return stored;
}

void FakeStore::StripOwner(const std::string& uid) {
  const ObjectTable copy = objects_;
  for (const auto& [resource, table] : copy) {
    for (const auto& [key, object] : table) {
      const Json* owners = FindPath(object, {"metadata", "ownerReferences"});
      if (owners == nullptr) {
        continue;
      }
      Json kept = Json::array();
      for (const Json& owner : *owners) {
        if (owner.value("uid", "") != uid) {
          kept.push_back(owner);
        }
      }
      if (kept.size() != owners->size()) {
        Json changed = object;
        changed["metadata"]["ownerReferences"] = std::move(kept);
        Store(resource, std::move(changed), WatchEvent::Type::kModified);
      }
    }
  }
}

Status FakeStore::Delete(const Resource& resource, const ObjectKey& key,
                         const DeleteOptions& options) {
  const Json* found = Find(resource, key);
  if (found == nullptr) {
    return base::NotFound(Name(resource, key) + " not found");
  }
  if (!options.uid.empty() && options.uid != UidOf(*found)) {
    return base::Conflict("operation cannot be fulfilled on " + Name(resource, key) +
                          ": the UID in the precondition does not match");
  }
  if (!options.resource_version.empty() && options.resource_version != ResourceVersionOf(*found)) {
    return base::Conflict("operation cannot be fulfilled on " + Name(resource, key) +
                          ": the resourceVersion in the precondition does not match");
  }
  if (options.propagation == DeleteOptions::Propagation::kOrphan) {
    StripOwner(UidOf(*found));
  }
  Json object = *Find(resource, key);
  if (options.propagation == DeleteOptions::Propagation::kForeground &&
      !HasFinalizer(object, kForeground)) {
    Json& list = Meta(object)["finalizers"];
    if (!list.is_array()) {
      list = Json::array();
    }
    list.push_back(kForeground);
  }
  // Of what is being deleted without finalizers a kubelet has not confirmed the end yet.
  const bool at_once = !IsDeleting(object) || options.grace_seconds == 0;
  if (!HasFinalizers(object) && at_once) {
    Store(resource, std::move(object), WatchEvent::Type::kDeleted);
    return {};
  }
  if (IsDeleting(object)) {
    return {};
  }
  Json& meta = Meta(object);
  meta["deletionTimestamp"] = base::FormatTime(clock_.Wall());
  meta["deletionGracePeriodSeconds"] = 0;
  if (HasGeneration(resource)) {
    meta["generation"] = GenerationOf(object) + 1;
  }
  Store(resource, std::move(object), WatchEvent::Type::kModified);
  return {};
}

void FakeStore::Evict(const ObjectKey& pod, int grace_seconds) {
  const Json* found = Find(kPods, pod);
  if (found == nullptr || IsDeleting(*found)) {
    return;
  }
  Json object = *found;
  Json& meta = Meta(object);
  meta["deletionTimestamp"] = base::FormatTime(clock_.Wall() + base::Millis(1'000 * grace_seconds));
  meta["deletionGracePeriodSeconds"] = grace_seconds;
  object["status"]["conditions"].push_back(
      {{"type", "DisruptionTarget"}, {"status", "True"}, {"reason", "DeletionByTaintManager"}});
  Store(kPods, std::move(object), WatchEvent::Type::kModified);
}

void FakeStore::Erase(const Resource& resource, const ObjectKey& key) {
  const Json* found = Find(resource, key);
  if (found != nullptr) {
    Store(resource, *found, WatchEvent::Type::kDeleted);
  }
}

bool FakeStore::CollectOnce(int& removed) {
  const ObjectTable copy = objects_;
  std::set<std::string> holding;  // UIDs of live objects that keep their dependents
  ForEach(copy, [&](const Resource&, const ObjectKey&, const Json& object) {
    if (!HasFinalizer(object, kForeground)) {
      holding.insert(UidOf(object));
    }
  });
  bool changed = false;
  std::set<std::string> owning;  // UIDs that some dependent still names
  ForEach(copy, [&](const Resource& resource, const ObjectKey& key, const Json& object) {
    const std::vector<std::string> owners = OwnerUids(object);
    owning.insert(owners.begin(), owners.end());
    const bool held = std::any_of(owners.begin(), owners.end(),
                                  [&](const std::string& uid) { return holding.contains(uid); });
    if (!owners.empty() && !held && !IsDeleting(object)) {
      changed = Delete(resource, key, {}).ok() || changed;
      ++removed;
    }
  });
  ForEach(copy, [&](const Resource& resource, const ObjectKey& key, const Json& object) {
    if (HasFinalizer(object, kForeground) && !owning.contains(UidOf(object))) {
      Json freed = *Find(resource, key);
      std::set<std::string> kept = Finalizers(freed);
      kept.erase(std::string(kForeground));
      freed["metadata"]["finalizers"] = kept;
      changed = Update(resource, std::move(freed), Part::kBoth, Writer::kOther).ok() || changed;
    }
  });
  return changed;
}

int FakeStore::CollectGarbage() {
  int removed = 0;
  while (CollectOnce(removed)) {
  }
  return removed;
}

}  // namespace sj::op::kube::testing
