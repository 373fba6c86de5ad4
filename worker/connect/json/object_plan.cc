// SPDX-License-Identifier: Apache-2.0
// Plans from types. Pure.
#include "worker/connect/json/object_plan.h"

#include <fmt/core.h>

namespace sj::worker::connect::json {
namespace {

using types::DataType;
using types::TypeKind;

// Nested types below this are refused at MakeSource.
constexpr int kTypeDepthMax = 16;

std::unique_ptr<ObjectPlan> PlanOfType(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kRow:
      return PlanObject(type.field_names, type.children);
    case TypeKind::kArray:
    case TypeKind::kMap:
      return PlanObject(std::vector<std::string>(type.children.size()), type.children);
    default:
      return nullptr;
  }
}

base::Status CheckType(const DataType& type, const std::string& name, int depth) {
  auto refuse = [&](std::string_view why) {
    return base::InvalidArgument(
        fmt::format("column \"{}\" of type {}: {}", name, type.ToString(), why));
  };
  if (depth > kTypeDepthMax) {
    return refuse("is nested too deep for the format json");
  }
  switch (type.kind) {
    case TypeKind::kNull:
    case TypeKind::kIntervalDay:
    case TypeKind::kIntervalMonth:
      return refuse("the format json has no such values");
    case TypeKind::kMap:
      if (type.children[0].kind != TypeKind::kString) {
        return refuse("the format json has only STRING as a map's key");
      }
      break;
    default:
      break;
  }
  for (size_t i = 0; i < type.children.size(); ++i) {
    std::string child = i < type.field_names.size() ? name + "." + type.field_names[i] : name;
    SJ_RETURN_IF_ERROR(CheckType(type.children[i], child, depth + 1));
  }
  return base::OkStatus();
}

}  // namespace

std::unique_ptr<ObjectPlan> PlanObject(const std::vector<std::string>& names,
                                       const std::vector<DataType>& types) {
  auto plan = std::make_unique<ObjectPlan>();
  plan->names = names;
  plan->types = types;
  plan->table = std::make_unique<FieldTable>(names);
  plan->seen.assign(names.size(), 0);
  for (const DataType& type : types) {
    plan->children.push_back(PlanOfType(type));
  }
  return plan;
}

bool HoldsViews(const DataType& type) {
  if (type.kind == TypeKind::kString) {
    return true;
  }
  for (const DataType& child : type.children) {
    if (HoldsViews(child)) {
      return true;
    }
  }
  return false;
}

base::Status CheckJsonTypes(const types::Schema& schema) {
  for (const types::Field& field : schema.fields) {
    SJ_RETURN_IF_ERROR(CheckType(field.type, field.name, 0));
  }
  return base::OkStatus();
}

std::string CompactJson(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (in_string && c == '\\' && i + 1 < json.size()) {
      out += c;
      out += json[++i];
      continue;
    }
    in_string = c == '"' ? !in_string : in_string;
    if (in_string || (c != ' ' && c != '\t' && c != '\n' && c != '\r')) {
      out += c;
    }
  }
  return out;
}

}  // namespace sj::worker::connect::json
