// SPDX-License-Identifier: Apache-2.0
// Leaf paths are compared as sets; metadata that the server sets is nobody's.
#include "operator/kube/testing/field_owners.h"

namespace sj::op::kube::testing {
namespace {

using base::Json;

const std::set<std::string>& ServerSet() {
  static const std::set<std::string> names = {"name",
                                              "namespace",
                                              "uid",
                                              "resourceVersion",
                                              "generation",
                                              "creationTimestamp",
                                              "deletionTimestamp",
                                              "deletionGracePeriodSeconds",
                                              "managedFields"};
  return names;
}

bool IsServerSet(const FieldPath& path) {
  if (path.size() == 1) {
    return path[0] == "apiVersion" || path[0] == "kind" || path[0] == "status";
  }
  return path.size() == 2 && path[0] == "metadata" && ServerSet().contains(path[1]);
}

void Leaves(const Json& value, FieldPath& path, std::set<FieldPath>& into) {
  if (IsServerSet(path)) {
    return;
  }
  if (!value.is_object() || value.empty()) {
    if (!path.empty()) {
      into.insert(path);
    }
    return;
  }
  for (const auto& [key, member] : value.items()) {
    path.push_back(key);
    Leaves(member, path, into);
    path.pop_back();
  }
}

const Json* At(const Json& object, const FieldPath& path) {
  const Json* at = &object;
  for (const std::string& part : path) {
    auto it = at->is_object() ? at->find(part) : at->end();
    if (!at->is_object() || it == at->end()) {
      return nullptr;
    }
    at = &*it;
  }
  return at;
}

void Put(Json& object, const FieldPath& path, const Json& value) {
  Json* at = &object;
  for (const std::string& part : path) {
    if (!at->is_object()) {
      *at = Json::object();
    }
    at = &(*at)[part];
  }
  if (!(value.is_object() && at->is_object())) {
    *at = value;
  }
}

// Removes the leaf and the objects that become empty by it.
void Drop(Json& object, const FieldPath& path, size_t depth = 0) {
  if (!object.is_object() || !object.contains(path[depth])) {
    return;
  }
  Json& member = object[path[depth]];
  if (depth + 1 < path.size()) {
    Drop(member, path, depth + 1);
    if (!member.is_object() || !member.empty()) {
      return;
    }
  }
  object.erase(path[depth]);
}

}  // namespace

void FieldOwners::Apply(const Json& applied, Json& object) {
  std::set<FieldPath> now;
  FieldPath path;
  Leaves(applied, path, now);
  for (const FieldPath& old : ours_) {
    if (!now.contains(old) && !others_.contains(old)) {
      Drop(object, old);
    }
  }
  for (const FieldPath& leaf : now) {
    const Json* value = At(applied, leaf);
    const Json* held = At(object, leaf);
    if (held == nullptr || *held != *value) {
      others_.erase(leaf);
    }
    Put(object, leaf, *value);
  }
  ours_ = std::move(now);
}

void FieldOwners::OthersWrote(const Json& before, const Json& after) {
  std::set<FieldPath> now;
  FieldPath path;
  Leaves(after, path, now);
  for (const FieldPath& leaf : now) {
    const Json* value = At(after, leaf);
    const Json* held = At(before, leaf);
    if (held == nullptr || *held != *value) {
      others_.insert(leaf);
      ours_.erase(leaf);
    }
  }
}

}  // namespace sj::op::kube::testing
