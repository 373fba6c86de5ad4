// SPDX-License-Identifier: Apache-2.0
// Reads a manifest file. One StreamJob for each file: which of two should a laptop run?
#include "api/v1alpha1/manifest_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/base/json.h"
#include "api/v1alpha1/stream_job_json.h"

namespace sj::v1alpha1 {
namespace {

using base::InvalidArgument;
using base::Json;
using base::Result;

constexpr base::JsonLimits kLimits{1u << 20, 64};
constexpr size_t kNameMax = 45;  // as in checks.cc

// The file's stem as a DNS label: "Purchases per minute.sql" -> "purchases-per-minute".
std::string NameFromFile(std::string_view file_name) {
  file_name.remove_prefix(std::min(file_name.rfind('/') + 1, file_name.size()));
  file_name = file_name.substr(0, file_name.rfind('.'));
  std::string name;
  for (const char c : file_name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (plain) {
      name.push_back(lower);
    } else if (!name.empty() && name.back() != '-') {
      name.push_back('-');
    }
  }
  name.resize(std::min(name.size(), kNameMax));
  while (name.ends_with('-')) {
    name.pop_back();
  }
  return name.empty() ? "job" : name;
}

std::string TextAt(const Json& object, const Json::json_pointer& at) {
  return object.contains(at) && object[at].is_string() ? object[at].get<std::string>() : "";
}

std::string KindOf(const Json& document) {
  return document.is_object() ? TextAt(document, Json::json_pointer("/kind")) : "";
}

// Puts the SQL of a ConfigMap of the same file in place of the reference.
base::Status ResolveSql(const std::vector<Json>& documents, StreamJob& job) {
  if (!job.spec.sql_from) {
    return base::OkStatus();
  }
  const ConfigMapKeyRef& ref = job.spec.sql_from->config_map_key_ref;
  for (const Json& document : documents) {
    if (KindOf(document) != "ConfigMap" ||
        TextAt(document, Json::json_pointer("/metadata/name")) != ref.name) {
      continue;
    }
    const auto data = document.find("data");
    if (data != document.end() && data->is_object() && data->contains(ref.key) &&
        (*data)[ref.key].is_string()) {
      job.spec.sql = (*data)[ref.key].get<std::string>();
      job.spec.sql_from.reset();
      return base::OkStatus();
    }
  }
  return InvalidArgument(fmt::format(
      "spec.sqlFrom: no ConfigMap \"{}\" with key \"{}\" in this file. Outside a cluster the "
      "ConfigMap must be a document of the same file.",
      ref.name, ref.key));
}

Result<StreamJob> ReadYaml(std::string_view text, std::string_view file_name) {
  SJ_ASSIGN_OR_RETURN(const std::vector<Json> documents, base::ParseYamlDocuments(text, kLimits));
  const Json* found = nullptr;
  for (const Json& document : documents) {
    if (KindOf(document) != kKind) {
      continue;
    }
    if (found != nullptr) {
      return InvalidArgument("the file holds more than one StreamJob");
    }
    found = &document;
  }
  if (found == nullptr) {
    return InvalidArgument("the file holds no object of kind StreamJob");
  }
  if (TextAt(*found, Json::json_pointer("/apiVersion")).empty()) {
    return InvalidArgument(fmt::format("apiVersion: expected \"{}\"", kApiVersion));
  }
  SJ_ASSIGN_OR_RETURN(StreamJob job, ParseStreamJob(*found));
  SJ_RETURN_IF_ERROR(ResolveSql(documents, job));
  if (job.metadata.name.empty()) {
    job.metadata.name = NameFromFile(file_name);
  }
  return job;
}

}  // namespace

Result<StreamJob> ReadManifest(std::string_view text, std::string_view file_name) {
  if (text.size() > kLimits.bytes_max) {
    return InvalidArgument(fmt::format("the file is larger than {} bytes", kLimits.bytes_max));
  }
  StreamJob job;
  if (file_name.ends_with(".sql")) {
    job.metadata.name = NameFromFile(file_name);
    job.spec.sql = std::string(text);
  } else {
    SJ_ASSIGN_OR_RETURN(job, ReadYaml(text, file_name));
  }
  if (job.spec.sql.find_first_not_of(" \t\r\n") == std::string::npos) {
    return InvalidArgument("spec.sql: there is no SQL in the file");
  }
  return job;
}

}  // namespace sj::v1alpha1
