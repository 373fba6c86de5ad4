// SPDX-License-Identifier: Apache-2.0
// ObjectPlan: which fields of a JSON object are wanted and how each is read; made once for a
// reader from the columns' types. Owned by one task thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/json/field_table.h"
#include "worker/types/data_type.h"

namespace sj::worker::connect::json {

// The wanted fields of one object: of the record, or of a ROW.
struct ObjectPlan {
  std::vector<std::string> names;
  std::vector<types::DataType> types;
  std::vector<std::unique_ptr<ObjectPlan>> children;  // of a ROW or of an ARRAY's ROWs; else null
  std::unique_ptr<FieldTable> table;
  std::vector<uint64_t> seen;  // by field: number of the object it was last seen in
  uint64_t objects = 0;
};

std::unique_ptr<ObjectPlan> PlanObject(const std::vector<std::string>& names,
                                       const std::vector<types::DataType>& types);

// A value of this type may be a view into the record's bytes.
bool HoldsViews(const types::DataType& type);

// kInvalidArgument for a type JSON has no values for.
base::Status CheckJsonTypes(const types::Schema& schema);

// JSON text without the spaces between tokens.
std::string CompactJson(std::string_view json);

}  // namespace sj::worker::connect::json
