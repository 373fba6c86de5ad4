// SPDX-License-Identifier: Apache-2.0
// JsonRow: typed, range-checked access to one JSON object or array. The first thing wrong is noted
// in a shared error text; from then on reads give harmless values, so a reader checks once at the
// end. Owned by one reader.
#pragma once

#include <string>
#include <string_view>

#include "api/base/json.h"
#include "api/base/status.h"

namespace sj::worker::checkpoint {

// What a program of ours has stored. kCorrupt, in words that name `what`, when it is no JSON of
// this size.
inline base::Result<base::Json> ParseStored(std::string_view json, size_t bytes_max,
                                            const char* what) {
  base::JsonLimits limits;
  limits.bytes_max = bytes_max;
  limits.depth_max = 8;
  base::Result<base::Json> root = base::ParseJson(json, limits);
  return root.ok() ? std::move(root)
                   : base::Corrupt(std::string("read ") + what + ": " + root.status().message());
}

class JsonRow {
 public:
  // Neither is owned.
  JsonRow(const base::Json& value, std::string* error) : value_(value), error_(error) {}

  int64_t Int(const char* name, int64_t min = INT64_MIN, int64_t max = INT64_MAX) {
    return AsInt(Member(name), name, min, max);
  }
  std::string Text(const char* name) { return AsText(Member(name), name); }
  const base::Json& List(const char* name) {
    static const base::Json empty = base::Json::array();
    const base::Json* found = Member(name);
    if (found == nullptr || !found->is_array()) {
      Bad(name);
      return empty;
    }
    return *found;
  }

  int64_t IntAt(size_t i, int64_t min = INT64_MIN, int64_t max = INT64_MAX) {
    return AsInt(Element(i), "number in a list", min, max);
  }
  std::string TextAt(size_t i) { return AsText(Element(i), "text in a list"); }
  bool BoolAt(size_t i) {
    const base::Json* found = Element(i);
    if (found == nullptr || !found->is_boolean()) {
      Bad("true or false in a list");
      return false;
    }
    return found->get<bool>();
  }

 private:
  void Bad(std::string_view what) {
    if (error_->empty()) {
      *error_ = what;
    }
  }
  const base::Json* Member(const char* name) const {
    if (!value_.is_object()) {
      return nullptr;
    }
    auto it = value_.find(name);
    return it == value_.end() ? nullptr : &*it;
  }
  const base::Json* Element(size_t i) const {
    return value_.is_array() && i < value_.size() ? &value_[i] : nullptr;
  }
  int64_t AsInt(const base::Json* value, std::string_view what, int64_t min, int64_t max) {
    bool fits = value != nullptr && value->is_number_integer() &&
                !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX);
    int64_t number = fits ? value->get<int64_t>() : 0;
    if (!fits || number < min || number > max) {
      Bad(what);
      return min > 0 ? min : 0;
    }
    return number;
  }
  std::string AsText(const base::Json* value, std::string_view what) {
    if (value == nullptr || !value->is_string()) {
      Bad(what);
      return {};
    }
    return value->get<std::string>();
  }

  const base::Json& value_;
  std::string* error_;
};

}  // namespace sj::worker::checkpoint
