// SPDX-License-Identifier: Apache-2.0
// Paths and metadata accessors. Nothing here trusts the shape of an object.
#include "operator/kube/resource.h"

#include <charconv>

#include "api/base/http_client.h"

namespace sj::op::kube {
namespace {

const std::string& Empty() {
  static const std::string empty;
  return empty;
}

const std::string& StringAt(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* found = FindPath(object, path);
  if (found == nullptr || !found->is_string()) {
    return Empty();
  }
  return found->get_ref<const std::string&>();
}

const std::string& MemberString(const Json& object, const char* key) {
  return StringAt(object, {key});
}

}  // namespace

const Json* FindPath(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* at = &object;
  for (std::string_view part : path) {
    if (!at->is_object()) {
      return nullptr;
    }
    auto it = at->find(part);
    if (it == at->end()) {
      return nullptr;
    }
    at = &*it;
  }
  return at;
}

std::string ApiVersion(const Resource& resource) {
  if (resource.group.empty()) {
    return std::string(resource.version);
  }
  return std::string(resource.group) + "/" + std::string(resource.version);
}

std::string ResourcePath(const Resource& resource, std::string_view ns, std::string_view name) {
  std::string path = resource.group.empty() ? "/api/" : "/apis/";
  path += ApiVersion(resource);
  if (resource.namespaced && !ns.empty()) {
    path += "/namespaces/" + base::UrlEncode(ns);
  }
  path += "/";
  path += resource.plural;
  if (!name.empty()) {
    path += "/" + base::UrlEncode(name);
  }
  return path;
}

std::string ObjectKey::ToString() const {
  return ns.empty() ? name : ns + "/" + name;
}

const std::string& NameOf(const Json& object) {
  return StringAt(object, {"metadata", "name"});
}

const std::string& NamespaceOf(const Json& object) {
  return StringAt(object, {"metadata", "namespace"});
}

const std::string& UidOf(const Json& object) {
  return StringAt(object, {"metadata", "uid"});
}

const std::string& ResourceVersionOf(const Json& object) {
  return StringAt(object, {"metadata", "resourceVersion"});
}

ObjectKey KeyOf(const Json& object) {
  return {NamespaceOf(object), NameOf(object)};
}

int64_t GenerationOf(const Json& object) {
  const Json* generation = FindPath(object, {"metadata", "generation"});
  return generation != nullptr && generation->is_number_integer() ? generation->get<int64_t>() : 0;
}

bool IsDeleting(const Json& object) {
  return !StringAt(object, {"metadata", "deletionTimestamp"}).empty();
}

bool HasFinalizer(const Json& object, std::string_view finalizer) {
  const Json* list = FindPath(object, {"metadata", "finalizers"});
  if (list == nullptr || !list->is_array()) {
    return false;
  }
  for (const Json& entry : *list) {
    if (entry.is_string() && entry.get_ref<const std::string&>() == finalizer) {
      return true;
    }
  }
  return false;
}

const std::string& LabelOf(const Json& object, std::string_view label) {
  return StringAt(object, {"metadata", "labels", label});
}

std::optional<OwnerRef> ControllerOf(const Json& object) {
  const Json* owners = FindPath(object, {"metadata", "ownerReferences"});
  if (owners == nullptr || !owners->is_array()) {
    return std::nullopt;
  }
  for (const Json& owner : *owners) {
    const Json* controller = FindPath(owner, {"controller"});
    if (controller != nullptr && controller->is_boolean() && controller->get<bool>()) {
      return OwnerRef{MemberString(owner, "apiVersion"), MemberString(owner, "kind"),
                      MemberString(owner, "name"), MemberString(owner, "uid")};
    }
  }
  return std::nullopt;
}

uint64_t VersionNumber(std::string_view resource_version) {
  uint64_t value = 0;
  const char* end = resource_version.data() + resource_version.size();
  auto [at, error] = std::from_chars(resource_version.data(), end, value);
  return error == std::errc() && at == end ? value : 0;
}

}  // namespace sj::op::kube
