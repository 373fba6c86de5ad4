// SPDX-License-Identifier: Apache-2.0
// Fills what the manifest left out.
#include "api/v1alpha1/effective.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sj::v1alpha1 {
namespace {

constexpr int kThreadsMax = 256;

// A CPU quantity ("500m", "2", "1.5") as whole CPUs, rounded up; 0 when it is none.
int WholeCpus(const std::string& quantity) {
  double value = 0;
  const char* end = quantity.data() + quantity.size();
  const auto [at, error] = std::from_chars(quantity.data(), end, value);
  if (error != std::errc() || !(value > 0)) {
    return 0;
  }
  const std::string_view unit(at, static_cast<size_t>(end - at));
  if (unit == "m") {
    value /= 1000;
  } else if (!unit.empty()) {
    return 0;
  }
  return static_cast<int>(std::clamp(std::ceil(value), 1.0, double{kThreadsMax}));
}

int ThreadsOf(const WorkerSpec& worker, const Resources& resources) {
  if (worker.threads) {
    return *worker.threads;
  }
  for (const StringMap* list : {&resources.limits, &resources.requests}) {
    const auto cpu = list->find("cpu");
    const int cpus = cpu == list->end() ? 0 : WholeCpus(cpu->second);
    if (cpus > 0) {
      return cpus;
    }
  }
  return 1;
}

// Shards are equal ranges of key groups: the largest power of two that divides them and is no
// larger than wanted.
int DefaultShards(int wanted, int max_parallelism) {
  int shards = 1;
  while (shards * 2 <= wanted && max_parallelism % (shards * 2) == 0) {
    shards *= 2;
  }
  return shards;
}

EffectiveCheckpoint CheckpointOf(const CheckpointSpec& spec, const Defaults& defaults) {
  EffectiveCheckpoint out;
  out.interval = spec.interval.value_or(defaults.checkpoint_interval);
  out.retain = spec.retain.value_or(defaults.checkpoint_retain);
  const bool own = !spec.location.empty();
  out.location = own ? spec.location : defaults.checkpoint_location;
  out.endpoint = own || !spec.endpoint.empty() ? spec.endpoint : defaults.checkpoint_endpoint;
  out.region = spec.region.empty() ? defaults.checkpoint_region : spec.region;
  if (spec.secret_ref) {
    out.secret_name = spec.secret_ref->name;
  } else if (!own) {
    out.secret_name = defaults.checkpoint_secret_name;
  }
  out.path_style = spec.path_style.value_or(!own && defaults.checkpoint_path_style);
  return out;
}

EffectiveAutoscaling AutoscalingOf(const AutoscalingSpec& spec, const Defaults& defaults,
                                   int replicas) {
  EffectiveAutoscaling out;
  out.enabled = spec.enabled.value_or(false);
  out.min_replicas = spec.min_replicas.value_or(1);
  out.max_replicas = spec.max_replicas.value_or(std::max(replicas, out.min_replicas));
  out.target_utilization =
      spec.target_utilization.empty() ? defaults.target_utilization : spec.target_utilization;
  out.catch_up = spec.catch_up.value_or(defaults.catch_up);
  out.mode = spec.mode.value_or(AutoscalingMode::kAuto);
  out.scale_up_after = spec.scale_up_after.value_or(defaults.scale_up_after);
  out.scale_down_after = spec.scale_down_after.value_or(defaults.scale_down_after);
  out.schedules = spec.schedules;
  return out;
}

}  // namespace

DesiredState StateOf(const StreamJobSpec& spec) {
  return spec.replicas == 0 ? DesiredState::kSuspended
                            : spec.state.value_or(DesiredState::kRunning);
}

EffectiveSpec Effective(const StreamJobSpec& spec, const Defaults& defaults) {
  EffectiveSpec out;
  const int unsaid =
      std::max(defaults.replicas, spec.autoscaling.min_replicas.value_or(defaults.replicas));
  out.replicas = spec.replicas == 0 ? unsaid : spec.replicas.value_or(unsaid);
  out.state = StateOf(spec);
  out.max_parallelism = spec.max_parallelism.value_or(defaults.max_parallelism);
  out.shards = spec.shards.value_or(DefaultShards(defaults.shards, out.max_parallelism));
  out.checkpoint = CheckpointOf(spec.checkpoint, defaults);
  out.image = spec.worker.image.empty() ? defaults.image : spec.worker.image;
  const bool own_resources =
      !spec.worker.resources.requests.empty() || !spec.worker.resources.limits.empty();
  out.resources = own_resources ? spec.worker.resources : defaults.resources;
  out.threads = ThreadsOf(spec.worker, out.resources);
  out.log_level = spec.worker.log_level.value_or(WorkerLogLevel::kInfo);
  out.autoscaling = AutoscalingOf(spec.autoscaling, defaults, out.replicas);
  out.rollout.rollback = spec.rollout.rollback.value_or(RollbackMode::kAuto);
  out.rollout.stable_after = spec.rollout.stable_after.value_or(defaults.stable_after);
  out.rollout.on_incompatible_state =
      spec.rollout.on_incompatible_state.value_or(IncompatibleState::kRefuse);
  const DeletionPolicy& on_delete = spec.deletion_policy;
  out.checkpoints_on_delete = on_delete.checkpoints.value_or(OnDelete::kRetain);
  out.exchange_topics_on_delete = on_delete.exchange_topics.value_or(OnDelete::kRetain);
  out.consumer_group_on_delete = on_delete.consumer_group.value_or(OnDelete::kRetain);
  return out;
}

}  // namespace sj::v1alpha1
