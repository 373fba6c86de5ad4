// SPDX-License-Identifier: Apache-2.0
// Any text as a manifest: no crash, and what is accepted survives a round trip through JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/base/json.h"
#include "api/v1alpha1/checks.h"
#include "api/v1alpha1/effective.h"
#include "api/v1alpha1/manifest_file.h"
#include "api/v1alpha1/stream_job_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sj;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto job = v1alpha1::ReadManifest(text, "fuzz.yaml");
  if (!job.ok()) {
    return 0;
  }
  const base::Json spec = v1alpha1::SpecToJson(job->spec);
  const auto again = v1alpha1::ParseStreamJob(v1alpha1::StreamJobToJson(*job));
  if (!again.ok() || v1alpha1::SpecToJson(again->spec) != spec) {
    std::abort();
  }
  const v1alpha1::EffectiveSpec effective = v1alpha1::Effective(job->spec, {});
  static_cast<void>(v1alpha1::Validate({*job, effective, {}}));
  return 0;
}
