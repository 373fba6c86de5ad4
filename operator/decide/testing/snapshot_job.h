// SPDX-License-Identifier: Apache-2.0
// A job that runs on three workers and can be taken snapshots of. For tests only.
#pragma once

#include "api/v1alpha1/stream_job.h"
#include "operator/decide/input.h"

namespace sj::op::decide::testing {

// orders in shop, of generation 4; its checkpoints lie in s3://b/p.
inline v1alpha1::StreamJob SnapshotJob() {
  v1alpha1::StreamJob job;
  job.metadata.name = "orders";
  job.metadata.namespace_name = "shop";
  job.metadata.uid = "uid-1";
  job.status.generation.emplace();
  job.status.generation->number = 4;
  job.status.generation->replicas = 3;
  job.status.generation->step = v1alpha1::GenerationStep::kStarted;
  job.status.effective.emplace().checkpoint.location = "s3://b/p";
  return job;
}

// Its worker 0, which takes them; heard of at `seen_at`.
inline WorkerReport SnapshotWorker(WallTime seen_at) {
  WorkerReport worker;
  worker.ordinal = 0;
  worker.seen_at = seen_at;
  worker.beat.phase = control::WorkerPhase::kRunning;
  worker.beat.generation = 4;
  worker.beat.snapshot.emplace();
  return worker;
}

}  // namespace sj::op::decide::testing
