// SPDX-License-Identifier: Apache-2.0
// Where an observed object differs from the desired one, in words: the stated reason of a write.
// Only fields the desired object names count, as with server-side apply; quantities are compared by
// value ("1000m" is "1"), because the API server rewrites them. Pure, thread-safe.
#pragma once

#include <optional>
#include <string>

#include "operator/resources/object.h"

namespace sj::op::resources {

// The first difference, such as `spec.replicas: 3, want 2`; nothing when there is none.
std::optional<std::string> FirstDifference(const Json& desired, const Json& observed);

// True when two Kubernetes quantities are the same amount. Texts that are no quantities are equal
// only when the same.
bool SameQuantity(std::string_view a, std::string_view b);

}  // namespace sj::op::resources
