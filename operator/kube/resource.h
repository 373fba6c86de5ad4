// SPDX-License-Identifier: Apache-2.0
// Names of things the API server serves: resources, object keys and the few metadata fields that
// every object has. Namespaces of operator/ start with sj::op, as `operator` is a C++ keyword.
// All functions accept any JSON (wrong types read as absent), never throw. Values are
// thread-compatible.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/base/json.h"

namespace sj::op::kube {

using base::Json;

// A served resource. Only constants of static lifetime: the fields are views.
struct Resource {
  std::string_view group;  // "" is the core group
  std::string_view version;
  std::string_view plural;
  std::string_view kind;
  bool namespaced = true;

  bool operator==(const Resource& o) const { return group == o.group && plural == o.plural; }
  bool operator<(const Resource& o) const {
    return group != o.group ? group < o.group : plural < o.plural;
  }
};

inline constexpr Resource kStreamJobs{"streamjob.io", "v1alpha1", "streamjobs", "StreamJob"};
inline constexpr Resource kStreamJobSnapshots{"streamjob.io", "v1alpha1", "streamjobsnapshots",
                                              "StreamJobSnapshot"};
inline constexpr Resource kStatefulSets{"apps", "v1", "statefulsets", "StatefulSet"};
inline constexpr Resource kServices{"", "v1", "services", "Service"};
inline constexpr Resource kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Resource kPods{"", "v1", "pods", "Pod"};
inline constexpr Resource kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr Resource kPodDisruptionBudgets{"policy", "v1", "poddisruptionbudgets",
                                                "PodDisruptionBudget"};
inline constexpr Resource kEvents{"", "v1", "events", "Event"};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Resource kNamespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr Resource kTokenReviews{"authentication.k8s.io", "v1", "tokenreviews",
                                        "TokenReview", false};

// "apps/v1", or "v1" for the core group.
std::string ApiVersion(const Resource& resource);
// "/apis/apps/v1/namespaces/ns/statefulsets/name"; ns or name empty: left out. Percent-encoded.
std::string ResourcePath(const Resource& resource, std::string_view ns, std::string_view name);

struct ObjectKey {
  std::string ns;  // empty for cluster-scoped objects
  std::string name;

  auto operator<=>(const ObjectKey&) const = default;
  // "ns/name", or "name" without a namespace.
  std::string ToString() const;
};

// metadata.* or "" when absent.
const std::string& NameOf(const Json& object);
const std::string& NamespaceOf(const Json& object);
const std::string& UidOf(const Json& object);
const std::string& ResourceVersionOf(const Json& object);
ObjectKey KeyOf(const Json& object);
// metadata.generation or 0.
int64_t GenerationOf(const Json& object);
// True when metadata.deletionTimestamp is set.
bool IsDeleting(const Json& object);
bool HasFinalizer(const Json& object, std::string_view finalizer);
// metadata.labels[label] or "".
const std::string& LabelOf(const Json& object, std::string_view label);

struct OwnerRef {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
};
// The owner reference with controller=true.
std::optional<OwnerRef> ControllerOf(const Json& object);

// Resource versions of the API server are decimal numbers that only grow. 0 when it is not one.
uint64_t VersionNumber(std::string_view resource_version);

// A pointer to the member at a path of keys, or null. No part may be an array.
const Json* FindPath(const Json& object, std::initializer_list<std::string_view> path);

}  // namespace sj::op::kube

template <>
struct std::hash<sj::op::kube::ObjectKey> {
  size_t operator()(const sj::op::kube::ObjectKey& key) const noexcept {
    return std::hash<std::string>()(key.ns) * 31 + std::hash<std::string>()(key.name);
  }
};
