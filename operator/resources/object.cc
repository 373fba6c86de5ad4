// SPDX-License-Identifier: Apache-2.0
// See object.h.
#include "operator/resources/object.h"

#include <charconv>

namespace sj::op::resources {
namespace {

const std::string kEmptyText;
const Json kEmptyList = Json::array();

}  // namespace

const Json* Find(const Json& object, Path path) {
  const Json* at = &object;
  for (std::string_view key : path) {
    if (!at->is_object()) {
      return nullptr;
    }
    auto it = at->find(key);
    if (it == at->end()) {
      return nullptr;
    }
    at = &*it;
  }
  return at;
}

const std::string& Text(const Json& object, Path path) {
  const Json* at = Find(object, path);
  return at != nullptr && at->is_string() ? at->get_ref<const std::string&>() : kEmptyText;
}

int64_t Number(const Json& object, Path path, int64_t otherwise) {
  const Json* at = Find(object, path);
  return at != nullptr && at->is_number_integer() ? at->get<int64_t>() : otherwise;
}

bool Flag(const Json& object, Path path) {
  const Json* at = Find(object, path);
  return at != nullptr && at->is_boolean() && at->get<bool>();
}

const Json& List(const Json& object, Path path) {
  const Json* at = Find(object, path);
  return at != nullptr && at->is_array() ? *at : kEmptyList;
}

const std::string& Annotation(const Json& object, std::string_view key) {
  return Text(object, {"metadata", "annotations", key});
}

const std::string& ControllerUid(const Json& object) {
  for (const Json& owner : List(object, {"metadata", "ownerReferences"})) {
    if (Flag(owner, {"controller"})) {
      return Text(owner, {"uid"});
    }
  }
  return kEmptyText;
}

int OrdinalOf(std::string_view pod_name) {
  const size_t dash = pod_name.rfind('-');
  if (dash == std::string_view::npos || dash + 1 == pod_name.size()) {
    return -1;
  }
  const std::string_view digits = pod_name.substr(dash + 1);
  int ordinal = -1;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && ordinal >= 0 ? ordinal : -1;
}

}  // namespace sj::op::resources
