// SPDX-License-Identifier: Apache-2.0
// Evaluate: how many workers a job should have. The formula is the published one of Flink's
// Kubernetes operator (true processing rates from busy time, catch-up, headroom), with these
// differences: catch-up may use the headroom; the cost of a rescale is measured; a hot partition
// and the partition count are named instead of scaled for; an unknown lag, an input blocked by an
// open transaction and a slow output are no load; nothing ever scales to zero. Pure: same input,
// same output.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "api/v1alpha1/stream_job.h"
#include "operator/autoscale/track.h"

namespace sj::op::autoscale {

struct Input {
  const v1alpha1::EffectiveAutoscaling& settings;
  const v1alpha1::AutoscalingStatus* last = nullptr;  // as stored; null: the first decision
  const Track& track;
  WallTime now{};
  std::optional<int> pinned = std::nullopt;  // spec.replicas: it rules
  int otherwise = 1;           // replicas when nothing ran and nothing was decided yet
  int current = 0;             // replicas of the generation in force; 0: none yet
  bool running = false;        // all its workers run, and it is what was decided last
  std::string waits_for = "";  // why a rescale under way does not get on; a phrase or empty
  std::map<std::string, int> partitions = {};  // source topic -> count
  int shards = 1;
  int replicas_max = 1'024;  // no worker beyond this could own anything
};

struct Decision {
  v1alpha1::AutoscalingStatus status;  // in full; whether it is worth a write: wording.h
  // What the formula asked for, to be given to Track::Remember with `bucket`.
  int raw = 0;
  Millis bucket{};
  Millis look_again{};  // when to evaluate again at the latest
  Millis spacing{};     // for Track::Note
};

Decision Evaluate(const Input& in);

// How finely reports are to be taken with these settings: before the first Evaluate.
Millis SpacingOf(const v1alpha1::EffectiveAutoscaling& settings);

}  // namespace sj::op::autoscale
