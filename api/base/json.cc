// SPDX-License-Identifier: Apache-2.0
// JSON text in and out. Size and nesting are measured on the text before nlohmann builds anything,
// because copying and dumping a deep value recurse.
#include "api/base/json.h"

#include <fmt/format.h>

namespace sj::base {
namespace {

// Deepest nesting of brackets outside strings; stops counting at `stop`.
int Depth(std::string_view text, int stop) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size() && deepest <= stop; ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Result<Json> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return InvalidArgument(fmt::format("JSON of {} bytes is larger than the limit of {}",
                                       text.size(), limits.bytes_max));
  }
  if (Depth(text, limits.depth_max) > limits.depth_max) {
    return InvalidArgument(
        fmt::format("JSON is nested deeper than the limit of {}", limits.depth_max));
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    return InvalidArgument(fmt::format("JSON syntax error at byte {}", e.byte));
  } catch (const std::exception&) {
    // A number beyond any type, or memory.
    return InvalidArgument("JSON cannot be represented");
  }
}

std::string DumpJson(const Json& value, int indent) {
  try {
    return value.dump(indent, ' ', false, Json::error_handler_t::replace);
  } catch (const std::exception&) {
    return "null";
  }
}

}  // namespace sj::base
