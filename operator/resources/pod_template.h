// SPDX-License-Identifier: Apache-2.0
// The pod template of a job's workers: the `restricted` Pod Security level, a read-only root file
// system, no API token but one for our control endpoint. Pure, thread-safe.
#pragma once

#include <string>

#include "operator/resources/children.h"

namespace sj::op::resources {

// `spec` and `spec_hash` are ManifestSpec(blueprint) and its hash.
Json BuildPodTemplate(const Blueprint& blueprint, const v1alpha1::StreamJobSpec& spec,
                      const std::string& spec_hash);

}  // namespace sj::op::resources
