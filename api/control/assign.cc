// SPDX-License-Identifier: Apache-2.0
// Ordinal i of n gets [i*count/n, (i+1)*count/n).
#include "api/control/assign.h"

#include <cstdint>

#include "api/base/check.h"

namespace sj::control {

Range AssignRange(int count, int replicas, int ordinal) {
  SJ_CHECK(count >= 0 && replicas >= 1 && ordinal >= 0 && ordinal < replicas);
  const auto bound = [&](int64_t i) { return static_cast<int>(i * count / replicas); };
  return {bound(ordinal), bound(int64_t{ordinal} + 1)};
}

int OwnerOf(int count, int replicas, int unit) {
  SJ_CHECK(replicas >= 1 && unit >= 0 && unit < count);
  // The smallest ordinal whose end lies behind the unit.
  return static_cast<int>(((int64_t{unit} + 1) * replicas - 1) / count);
}

}  // namespace sj::control
