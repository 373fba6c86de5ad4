// SPDX-License-Identifier: Apache-2.0
// StreamJob to and from JSON. The spec is read strictly: an unknown field, a wrong type or a bad
// duration is a finding that names the field path. Metadata and status are read leniently, because
// newer versions write more. No function throws.
#pragma once

#include <string>
#include <vector>

#include "api/base/json.h"
#include "api/base/status.h"
#include "api/v1alpha1/stream_job.h"

namespace sj::v1alpha1 {

// What is wrong with a manifest: one line, fit for a condition. `reason` is CamelCase, `field` a
// path such as `spec.checkpoint.interval` (may be empty), `message` a lower-case phrase that names
// it.
struct Finding {
  std::string reason;
  std::string field;
  std::string message;
};
using Findings = std::vector<Finding>;

// Reads as much as can be read and says what could not, so that the status of a job with a bad spec
// can still be written.
struct ReadStreamJobResult {
  StreamJob job;
  Findings findings;  // empty: every field was understood
};
ReadStreamJobResult ReadStreamJob(const base::Json& object);

// The same, but any finding is an error (kInvalidArgument; the first ones in its text).
base::Result<StreamJob> ParseStreamJob(const base::Json& object);

// Only what the user wrote: absent fields stay absent.
base::Json SpecToJson(const StreamJobSpec& spec);
// What the operator writes to the status subresource. Deterministic: equal values, equal text.
// Texts are cut to the bounds of the schema.
base::Json StatusToJson(const StreamJobStatus& status);
// Whole object with apiVersion, kind, metadata bits, spec and status (status left out when nothing
// was observed). For tests and the worker's `run`; never sent to the API server.
base::Json StreamJobToJson(const StreamJob& job);

// For an inline sql and for one resolved from a ConfigMap (put it into `sql`, clear `sql_from`):
// SHA-256 (hex, first 16 characters) of the spec as JSON without the fields that never change what
// workers do: replicas, state, autoscaling, rollout, deletionPolicy, snapshots, restoreFrom. Stable
// across processes.
std::string SpecHash(const StreamJobSpec& spec);

// "a; b; and 3 more": findings as one line of at most `findings_max` entries.
std::string JoinFindings(const Findings& findings, int findings_max = 5);

}  // namespace sj::v1alpha1
