// SPDX-License-Identifier: Apache-2.0
// FieldOwners: which leaf fields of one object our applies own and which others have written: what
// server-side apply needs to know to remove a field that is applied no longer. A leaf is a value
// that is no object, or an empty object; lists are leaves.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "api/base/json.h"

namespace sj::op::kube::testing {

using FieldPath = std::vector<std::string>;

// Owned by FakeKube, under its lock.
class FieldOwners {
 public:
  // Merges `applied` into `object` as a forced server-side apply of our manager.
  void Apply(const base::Json& applied, base::Json& object);
  // Another writer turned `before` into `after`.
  void OthersWrote(const base::Json& before, const base::Json& after);

 private:
  std::set<FieldPath> ours_;
  std::set<FieldPath> others_;
};

}  // namespace sj::op::kube::testing
