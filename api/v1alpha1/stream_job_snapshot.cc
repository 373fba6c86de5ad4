// SPDX-License-Identifier: Apache-2.0
// See stream_job_snapshot.h.
#include "api/v1alpha1/stream_job_snapshot.h"

#include <algorithm>

#include "api/v1alpha1/stream_job_snapshot_fields.h"

namespace sj::v1alpha1 {
namespace {

using base::Json;
using base::UnknownFields;

// Bounds of the schema.
constexpr size_t kMessageMax = 4096;
constexpr size_t kReasonMax = 256;

template <typename T>
void ReadPart(const Json& object, const char* name, UnknownFields unknown, T& out,
              Findings* findings) {
  const auto at = object.find(name);
  if (at == object.end() || at->is_null()) {
    return;
  }
  std::vector<base::FieldProblem> problems;
  base::FieldReader::Struct(*at, name, unknown, problems, out);
  for (base::FieldProblem& problem : problems) {
    if (findings != nullptr) {
      findings->push_back({"InvalidField", std::move(problem.path), std::move(problem.message)});
    }
  }
}

}  // namespace

std::string_view ToString(SnapshotPhase phase) {
  return base::NameOf(phase);
}

ReadSnapshotResult ReadSnapshot(const Json& object) {
  ReadSnapshotResult result;
  if (!object.is_object()) {
    result.findings.push_back({"InvalidField", "", "expected an object"});
    return result;
  }
  ReadPart(object, "metadata", UnknownFields::kIgnore, result.snapshot.metadata, nullptr);
  ReadPart(object, "spec", UnknownFields::kRefuse, result.snapshot.spec, &result.findings);
  // A status that cannot be read is written anew.
  ReadPart(object, "status", UnknownFields::kIgnore, result.snapshot.status, nullptr);
  if (result.findings.empty() && result.snapshot.spec.job_ref.name.empty()) {
    result.findings.push_back({"InvalidField", "spec.jobRef", "spec.jobRef.name: is missing"});
  }
  return result;
}

Json SnapshotSpecToJson(const StreamJobSnapshotSpec& spec) {
  return base::FieldWriter::Struct(spec);
}

Json SnapshotStatusToJson(const StreamJobSnapshotStatus& status) {
  StreamJobSnapshotStatus bounded = status;
  bounded.message.resize(std::min(bounded.message.size(), kMessageMax));
  bounded.reason.resize(std::min(bounded.reason.size(), kReasonMax));
  return base::FieldWriter::Struct(bounded);
}

bool Grants(const StreamJobSnapshot& snapshot, std::string_view namespace_name) {
  const std::vector<SnapshotGrant>& grants = snapshot.spec.grants;
  return snapshot.metadata.namespace_name == namespace_name ||
         std::any_of(grants.begin(), grants.end(), [&](const SnapshotGrant& grant) {
           return grant.namespace_name == namespace_name;
         });
}

}  // namespace sj::v1alpha1
