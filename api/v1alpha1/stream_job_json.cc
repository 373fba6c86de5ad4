// SPDX-License-Identifier: Apache-2.0
// StreamJob to and from JSON by the field lists of stream_job_fields.h.
#include "api/v1alpha1/stream_job_json.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/base/hash.h"
#include "api/v1alpha1/stream_job_fields.h"

namespace sj::v1alpha1 {
namespace {

using base::FieldReader;
using base::FieldWriter;
using base::Json;
using base::UnknownFields;

constexpr std::string_view kSpecHashSkips[] = {
    "replicas", "state", "autoscaling", "rollout", "deletionPolicy", "snapshots", "restoreFrom"};

// Bounds of the schema: a longer text would make the API server refuse the whole status.
constexpr size_t kMessageMax = 4096;
constexpr size_t kReasonMax = 256;

// Cuts at a character's beginning.
void Clip(std::string& text, size_t max) {
  if (text.size() <= max) {
    return;
  }
  while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xC0) == 0x80) {
    --max;
  }
  text.resize(max);
}

// apiVersion and kind may be absent (items of a list); when present they must be ours.
void CheckKind(const Json& object, Findings& findings) {
  for (const auto& [key, wanted] : {std::pair("apiVersion", kApiVersion), {"kind", kKind}}) {
    const auto at = object.find(key);
    if (at != object.end() && (!at->is_string() || at->get_ref<const std::string&>() != wanted)) {
      findings.push_back({"WrongKind", key, fmt::format("{}: expected \"{}\"", key, wanted)});
    }
  }
}

void CheckTopLevel(const Json& object, Findings& findings) {
  for (const auto& [key, value] : object.items()) {
    const std::initializer_list<std::string_view> known{"apiVersion", "kind", "metadata", "spec",
                                                        "status"};
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::string shown = key.substr(0, 64);
      findings.push_back({"UnknownField", shown, fmt::format("{}: unknown field", shown)});
    }
  }
}

// Reads one part of the object; problems become findings.
template <typename T>
void ReadPart(const Json& object, const char* name, UnknownFields unknown, T& out,
              Findings& findings) {
  const auto at = object.find(name);
  if (at == object.end() || at->is_null()) {
    return;
  }
  std::vector<base::FieldProblem> problems;
  FieldReader::Struct(*at, name, unknown, problems, out);
  for (base::FieldProblem& problem : problems) {
    const bool is_unknown = problem.message.ends_with(": unknown field");
    findings.push_back({is_unknown ? "UnknownField" : "InvalidField", std::move(problem.path),
                        std::move(problem.message)});
  }
}

}  // namespace

ReadStreamJobResult ReadStreamJob(const Json& object) {
  ReadStreamJobResult result;
  if (!object.is_object()) {
    result.findings.push_back({"InvalidField", "", "expected an object"});
    return result;
  }
  CheckKind(object, result.findings);
  CheckTopLevel(object, result.findings);
  ReadPart(object, "metadata", UnknownFields::kIgnore, result.job.metadata, result.findings);
  ReadPart(object, "spec", UnknownFields::kRefuse, result.job.spec, result.findings);
  // A status we cannot read is written anew: it is no reason to refuse the spec.
  Findings ignored;
  ReadPart(object, "status", UnknownFields::kIgnore, result.job.status, ignored);
  return result;
}

base::Result<StreamJob> ParseStreamJob(const Json& object) {
  ReadStreamJobResult result = ReadStreamJob(object);
  if (!result.findings.empty()) {
    return base::InvalidArgument(JoinFindings(result.findings));
  }
  return std::move(result.job);
}

Json SpecToJson(const StreamJobSpec& spec) {
  return FieldWriter::Struct(spec);
}

Json StatusToJson(const StreamJobStatus& status) {
  StreamJobStatus bounded = status;
  for (Condition& condition : bounded.conditions) {
    Clip(condition.message, kMessageMax);
    Clip(condition.reason, kReasonMax);
  }
  if (bounded.autoscaling) {
    Clip(bounded.autoscaling->message, kMessageMax);
    Clip(bounded.autoscaling->veto, kReasonMax);
  }
  if (bounded.last_error) {
    Clip(bounded.last_error->message, kMessageMax);
  }
  if (bounded.change) {
    Clip(bounded.change->message, kMessageMax);
    Clip(bounded.change->reason, kReasonMax);
  }
  if (bounded.rollback) {
    Clip(bounded.rollback->message, kMessageMax);
    Clip(bounded.rollback->reason, kReasonMax);
  }
  return FieldWriter::Struct(bounded);
}

Json StreamJobToJson(const StreamJob& job) {
  Json object = Json::object();
  object["apiVersion"] = std::string(kApiVersion);
  object["kind"] = std::string(kKind);
  object["metadata"] = FieldWriter::Struct(job.metadata);
  object["spec"] = SpecToJson(job.spec);
  if (job.status.observed_generation > 0 || job.status.phase || !job.status.conditions.empty()) {
    object["status"] = StatusToJson(job.status);
  }
  return object;
}

std::string SpecHash(const StreamJobSpec& spec) {
  Json json = SpecToJson(spec);
  for (const std::string_view name : kSpecHashSkips) {
    json.erase(std::string(name));
  }
  return base::Sha256Hex(base::DumpJson(json)).substr(0, 16);
}

std::string JoinFindings(const Findings& findings, int findings_max) {
  std::string text;
  const int shown = std::min(static_cast<int>(findings.size()), std::max(findings_max, 1));
  for (int i = 0; i < shown; ++i) {
    text += (i == 0 ? "" : "; ") + findings[static_cast<size_t>(i)].message;
  }
  const int more = static_cast<int>(findings.size()) - shown;
  return more > 0 ? text + fmt::format("; and {} more", more) : text;
}

}  // namespace sj::v1alpha1
