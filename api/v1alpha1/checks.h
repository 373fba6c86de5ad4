// SPDX-License-Identifier: Apache-2.0
// Validation as a list of pure checks: each looks at one rule and says reason, field and message.
// The CRD's schema and CEL rules refuse most of this earlier; the operator checks again because a
// schema can be old. Order of the list = order of the findings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/v1alpha1/stream_job.h"
#include "api/v1alpha1/stream_job_json.h"

namespace sj::v1alpha1 {

// What the operator's administrator allows. Empty list: nothing but the default.
struct Policy {
  std::vector<std::string> images;            // exact names allowed in spec.worker.image
  std::vector<std::string> priority_classes;  // allowed in spec.worker.priorityClassName
  int replicas_max = 256;
  bool file_locations = false;  // file:// checkpoints: the laptop, never the cluster
};

struct CheckInput {
  const StreamJob& job;
  const EffectiveSpec& effective;
  const Policy& policy;
};

struct Check {
  std::string_view name;
  std::optional<Finding> (*run)(const CheckInput& input);
};

std::span<const Check> SpecChecks();
// Runs all checks; empty: valid.
Findings Validate(const CheckInput& input);

// What may not change once a generation exists (`before` = status.effective).
Findings ValidateChange(const EffectiveSpec& before, const EffectiveSpec& after);

// True for librdkafka properties a manifest may set in connections[].kafka.properties. Never file
// locations, plug-ins, shell commands, token endpoints, or anything the worker sets itself.
bool KafkaPropertyAllowed(std::string_view name);

}  // namespace sj::v1alpha1
