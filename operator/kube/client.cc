// SPDX-License-Identifier: Apache-2.0
// Verbs built from KubeClient's own: finalizers and token reviews.
#include "operator/kube/client.h"

namespace sj::op::kube {
namespace {

constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";

std::string StringOr(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* found = FindPath(object, path);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

// The first of status.user.extra[name].
std::string Extra(const Json& review, std::string_view name) {
  const Json* values = FindPath(review, {"status", "user", "extra", name});
  if (values == nullptr || !values->is_array() || values->empty() || !values->front().is_string()) {
    return {};
  }
  return values->front().get<std::string>();
}

bool NamesAudience(const Json& review, std::string_view audience) {
  const Json* list = FindPath(review, {"status", "audiences"});
  if (list == nullptr || !list->is_array()) {
    return false;
  }
  for (const Json& entry : *list) {
    if (entry.is_string() && entry.get_ref<const std::string&>() == audience) {
      return true;
    }
  }
  return false;
}

void SplitUsername(TokenIdentity& identity) {
  const std::string_view name = identity.username;
  if (!name.starts_with(kServiceAccountPrefix)) {
    return;
  }
  const std::string_view rest = name.substr(kServiceAccountPrefix.size());
  const size_t colon = rest.find(':');
  if (colon != std::string_view::npos) {
    identity.ns = rest.substr(0, colon);
    identity.service_account = rest.substr(colon + 1);
  }
}

}  // namespace

Result<Json> SetFinalizer(KubeClient& client, const Resource& resource, const Json& object,
                          std::string_view finalizer, bool present) {
  if (HasFinalizer(object, finalizer) == present) {
    return object;
  }
  Json list = Json::array();
  const Json* old = FindPath(object, {"metadata", "finalizers"});
  if (old != nullptr && old->is_array()) {
    for (const Json& entry : *old) {
      if (entry != finalizer) {
        list.push_back(entry);
      }
    }
  }
  if (present) {
    list.push_back(finalizer);
  }
  const Json patch = {
      {"metadata", {{"finalizers", list}, {"resourceVersion", ResourceVersionOf(object)}}}};
  return client.MergePatch(resource, KeyOf(object), patch);
}

Result<TokenIdentity> ReviewToken(KubeClient& client, std::string_view token,
                                  std::string_view audience) {
  const Json request = {{"apiVersion", ApiVersion(kTokenReviews)},
                        {"kind", kTokenReviews.kind},
                        {"metadata", Json::object()},
                        {"spec", {{"token", token}, {"audiences", Json::array({audience})}}}};
  SJ_ASSIGN_OR_RETURN(const Json review, client.Create(kTokenReviews, request));
  TokenIdentity identity;
  const Json* authenticated = FindPath(review, {"status", "authenticated"});
  identity.authenticated = authenticated != nullptr && authenticated->is_boolean() &&
                           authenticated->get<bool>() && NamesAudience(review, audience);
  if (!identity.authenticated) {
    identity.error = StringOr(review, {"status", "error"});
    if (identity.error.empty()) {
      identity.error = "token is not valid for this audience";
    }
    return identity;
  }
  identity.username = StringOr(review, {"status", "user", "username"});
  SplitUsername(identity);
  identity.pod_name = Extra(review, "authentication.kubernetes.io/pod-name");
  identity.pod_uid = Extra(review, "authentication.kubernetes.io/pod-uid");
  return identity;
}

}  // namespace sj::op::kube
