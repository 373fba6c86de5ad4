// SPDX-License-Identifier: Apache-2.0
// The StreamJobSnapshots of a *.reconcile file: `snapshots` of the world, `snapshot` of a worker's
// report, and what is decided about them as lines. For tests only.
#pragma once

#include <string>
#include <vector>

#include "operator/decide/snapshots.h"

namespace sj::op::decide::testing {

// Whole objects, as the API server would hold them.
std::vector<SnapshotObject> MakeSnapshots(const Json& world);
control::SnapshotReport MakeSnapshotReport(const Json& json);
// What spec.restoreFrom of the job names, or null. The pointer is into `snapshots`.
const v1alpha1::StreamJobSnapshot* RestoreOf(const v1alpha1::StreamJob& job,
                                             const std::vector<SnapshotObject>& snapshots);
// Decides about those of the job.
SnapshotsOutput DecideOf(const v1alpha1::StreamJob& job,
                         const std::vector<SnapshotObject>& snapshots,
                         const std::vector<WorkerReport>& workers, WallTime now,
                         const Settings& settings);
std::string Print(const SnapshotsOutput& output);
// " snapshot=take a in generation 1 of 2 workers"; empty: nothing.
std::string Print(const std::optional<control::SnapshotOrder>& order);

}  // namespace sj::op::decide::testing
