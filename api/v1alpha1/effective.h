// SPDX-License-Identifier: Apache-2.0
// Defaulting: the CRD has no defaults and the user's spec is never written, so the values in force
// are computed here and shown in status.effective. Pure.
#pragma once

#include <string>

#include "api/v1alpha1/stream_job.h"

namespace sj::v1alpha1 {

// The product's defaults; the operator overrides them from its flags (the chart's values).
struct Defaults {
  int replicas = 1;
  int max_parallelism = 128;
  int shards = 16;
  base::Millis checkpoint_interval{1'000};
  std::string checkpoint_location;  // empty: the manifest must name one
  std::string checkpoint_endpoint;
  std::string checkpoint_region = "us-east-1";
  std::string checkpoint_secret_name;
  bool checkpoint_path_style = false;
  int checkpoint_retain = 3;
  std::string image;
  Resources resources{{{"cpu", "500m"}, {"memory", "512Mi"}}, {{"memory", "512Mi"}}};
  std::string target_utilization = "0.7";
  base::Millis catch_up{600'000};
  base::Millis scale_up_after{30'000};
  base::Millis scale_down_after{600'000};
  base::Millis stable_after{120'000};
};

// Suspended when the manifest says so, or when it is scaled to zero: `kubectl scale --replicas=0`
// and `state: Suspended` are the same wish.
DesiredState StateOf(const StreamJobSpec& spec);

// `replicas` is never 0 in the result: zero is a state, and the number is as if none was written.
// The checkpoint endpoint, region, secret and path style default together with the location: a
// manifest that names its own location gets none of the operator's store settings but the region.
// Without autoscaling.enabled the autoscaler is off. `threads` left out follows the CPU limit, then
// the CPU request, rounded up, at least 1.
EffectiveSpec Effective(const StreamJobSpec& spec, const Defaults& defaults);

}  // namespace sj::v1alpha1
