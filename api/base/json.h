// SPDX-License-Identifier: Apache-2.0
// The JSON type of the control plane: nlohmann/json, reached by every other folder through this
// header. Not for the record path (worker/connect/json uses simdjson there).
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "api/base/status.h"

namespace sj::base {

// Keeps insertion order out of it: keys are sorted, so dumps are deterministic.
using Json = nlohmann::json;

struct JsonLimits {
  size_t bytes_max = 8u << 20;
  int depth_max = 64;
};

// Parses untrusted text: size and depth are bounded before anything is built, no exception leaves.
// Errors: kInvalidArgument with the byte position.
Result<Json> ParseJson(std::string_view text, const JsonLimits& limits = {});

// Dumps with invalid UTF-8 replaced; never throws. indent < 0: one line.
std::string DumpJson(const Json& value, int indent = -1);

// Parses one YAML document (manifest files only, never the wire) into JSON: duplicate keys, aliases
// that multiply, merge keys, depth > limits and several documents are refused, with line and
// column. Plain scalars get JSON types by the YAML 1.2 core schema; quoted ones stay strings.
Result<Json> ParseYaml(std::string_view text, const JsonLimits& limits = {});
// The same for a stream of documents separated by `---`.
Result<std::vector<Json>> ParseYamlDocuments(std::string_view text, const JsonLimits& limits = {});

}  // namespace sj::base
