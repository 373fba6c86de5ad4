// SPDX-License-Identifier: Apache-2.0
// The parts of the field visitors that need no template: texts, scalars, unknown fields.
#include "api/base/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace sj::base {
namespace {

std::string_view TypeOf(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
  }
}

}  // namespace

bool FieldReader::IsObject() {
  if (object_.is_object()) {
    return true;
  }
  Expected(path_, "an object", object_);
  return false;
}

const Json* FieldReader::Find(const char* name, Need need) {
  known_.emplace_back(name);
  const auto at = object_.find(name);
  if (at != object_.end() && !at->is_null()) {
    return &*at;
  }
  if (need == Need::kRequired) {
    Problem(fields::Join(path_, name), "is required");
  }
  return nullptr;
}

void FieldReader::Problem(const std::string& path, std::string_view what) {
  if (problems_.size() < kFieldProblemsMax) {
    problems_.push_back({path, fmt::format("{}: {}", path.empty() ? "message" : path, what)});
  }
}

void FieldReader::Expected(const std::string& path, std::string_view what, const Json& found) {
  const std::string shown =
      found.is_string() ? fmt::format("\"{}\"", found.get_ref<const std::string&>().substr(0, 64))
                        : std::string(TypeOf(found));
  Problem(path, fmt::format("expected {}, found {}", what, shown));
}

void FieldReader::Finish() {
  if (unknown_ == UnknownFields::kIgnore) {
    return;
  }
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      Problem(fields::Join(path_, key.substr(0, 64)), "unknown field");
    }
  }
}

void FieldReader::Quantities(const char* name, std::map<std::string, std::string>& out) {
  const Json* value = Find(name, Need::kOptional);
  if (value == nullptr) {
    return;
  }
  const std::string path = fields::Join(path_, name);
  if (!value->is_object()) {
    Expected(path, "an object", *value);
    return;
  }
  for (const auto& [key, item] : value->items()) {
    if (item.is_number_integer()) {
      out[key] = DumpJson(item);
    } else {
      ScalarValue(item, fields::Join(path, key), out[key]);
    }
  }
}

void FieldReader::ScalarValue(const Json& value, const std::string& path, std::string& out) {
  if (value.is_string()) {
    out = value.get<std::string>();
  } else {
    Expected(path, "a string", value);
  }
}

void FieldReader::ScalarValue(const Json& value, const std::string& path, bool& out) {
  if (value.is_boolean()) {
    out = value.get<bool>();
  } else {
    Expected(path, "a boolean", value);
  }
}

void FieldReader::ScalarValue(const Json& value, const std::string& path, int64_t& out) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX}) {
    Problem(path, "the number is too large");
  } else if (value.is_number_integer()) {
    out = value.get<int64_t>();
  } else {
    Expected(path, "an integer", value);
  }
}

void FieldReader::ScalarValue(const Json& value, const std::string& path, int& out) {
  int64_t wide = out;
  ScalarValue(value, path, wide);
  if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max()) {
    Problem(path, "the number is too large");
  } else {
    out = static_cast<int>(wide);
  }
}

void FieldReader::ScalarValue(const Json& value, const std::string& path, double& out) {
  if (value.is_number()) {
    out = value.get<double>();
  } else {
    Expected(path, "a number", value);
  }
}

void FieldReader::ScalarValue(const Json& value, const std::string& path, Millis& out) {
  if (!value.is_string()) {
    Expected(path, "a duration such as \"1s\"", value);
    return;
  }
  const auto parsed = ParseDuration(value.get_ref<const std::string&>());
  if (parsed.ok()) {
    out = *parsed;
  } else {
    Problem(path, parsed.status().message());
  }
}

void FieldReader::ScalarValue(const Json& value, const std::string& path, WallTime& out) {
  if (!value.is_string()) {
    Expected(path, "an RFC 3339 time", value);
    return;
  }
  const auto parsed = ParseTime(value.get_ref<const std::string&>());
  if (parsed.ok()) {
    out = *parsed;
  } else {
    Problem(path, parsed.status().message());
  }
}

Json FieldWriter::RawToJson(const std::string& text) {
  if (text.empty()) {
    return nullptr;
  }
  auto parsed = ParseJson(text);
  return parsed.ok() ? std::move(parsed).value() : Json(nullptr);
}

}  // namespace sj::base
