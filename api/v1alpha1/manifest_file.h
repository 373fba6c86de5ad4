// SPDX-License-Identifier: Apache-2.0
// A manifest on a laptop: the text of a StreamJob in YAML (or JSON), or of a plain .sql file, which
// is a job with nothing but SQL. Used by `streamjob-worker run|validate|explain FILE`; never by the
// operator, which reads JSON from the API server only.
#pragma once

#include <string_view>

#include "api/base/status.h"
#include "api/v1alpha1/stream_job.h"

namespace sj::v1alpha1 {

// `file_name` decides the format (".sql" or not) and names the job when the text does not: its
// stem, turned into a DNS label. Other documents in a YAML stream are skipped when exactly one is a
// StreamJob. A ConfigMap of the same file resolves spec.sqlFrom. Errors: kInvalidArgument with the
// field path or line.
base::Result<StreamJob> ReadManifest(std::string_view text, std::string_view file_name);

}  // namespace sj::v1alpha1
