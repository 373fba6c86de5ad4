// SPDX-License-Identifier: Apache-2.0
// Reading Kubernetes objects as JSON: whatever is absent or of another type reads as empty, because
// objects come from outside. Never throws. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "api/base/json.h"

namespace sj::op::resources {

using base::Json;
using Path = std::initializer_list<std::string_view>;

// The member at a path of keys, or null.
const Json* Find(const Json& object, Path path);
// The string there, or "".
const std::string& Text(const Json& object, Path path);
// The integer there, or `otherwise`.
int64_t Number(const Json& object, Path path, int64_t otherwise = 0);
bool Flag(const Json& object, Path path);
// The array there, or an empty one.
const Json& List(const Json& object, Path path);
// metadata.annotations[key] or "".
const std::string& Annotation(const Json& object, std::string_view key);
// UID of the controller owner, or "".
const std::string& ControllerUid(const Json& object);
// The ordinal at the end of a StatefulSet pod's name, or -1.
int OrdinalOf(std::string_view pod_name);

}  // namespace sj::op::resources
