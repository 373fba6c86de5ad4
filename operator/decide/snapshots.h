// SPDX-License-Identifier: Apache-2.0
// Snapshots: the StreamJobSnapshots of one job name, as one decision: which of them worker 0 takes
// or removes now, what their statuses say, which periodic ones are made and which have had their
// time. One at a time, in the order they were made. Pure; status first, then the order, so that a
// new leader goes on from what is stored.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/v1alpha1/stream_job_snapshot.h"
#include "operator/decide/decide.h"

namespace sj::op::decide {

struct SnapshotObject {
  v1alpha1::StreamJobSnapshot snapshot;
  v1alpha1::Findings findings;  // of reading it
};

struct SnapshotsInput {
  std::string namespace_name;
  std::string job_name;
  const v1alpha1::StreamJob* job = nullptr;  // null: there is none of that name
  std::span<const SnapshotObject> snapshots;
  const WorkerReport* worker = nullptr;  // the newest of ordinal 0; null: none
  WallTime now;
  const Settings& settings;
};

enum class SnapshotActionKind : uint8_t {
  kCreate,  // `object`
  kAddFinalizer,
  kRemoveFinalizer,
  kDelete,
};
struct SnapshotAction {
  SnapshotActionKind kind = SnapshotActionKind::kCreate;
  std::string name;
  Json object;  // kCreate only
  std::string why;
};
// "delete StreamJobSnapshot orders-20260101000000: 7 newer ones are kept".
std::string ToString(const SnapshotAction& action);

struct SnapshotStatusWrite {
  std::string name;
  v1alpha1::StreamJobSnapshotStatus status;
};
struct SnapshotEvent {
  std::string name;  // of the snapshot
  Event event;
};

struct SnapshotsOutput {
  std::vector<SnapshotStatusWrite> statuses;  // those that change; written first
  std::vector<SnapshotAction> actions;
  std::vector<SnapshotEvent> events;
  // For worker 0, by what is stored. Absent: nothing.
  std::optional<control::SnapshotOrder> order;
  std::optional<Millis> requeue_after;
};

SnapshotsOutput DecideSnapshots(const SnapshotsInput& in);

// Where a new job begins, as spec.restoreFrom names it: `snapshot` is what was found under that
// name. Both absent: it begins with nothing, or has begun already.
struct RestoreChoice {
  std::optional<v1alpha1::RestoredFrom> source;
  std::optional<v1alpha1::Finding> problem;  // it does not begin before this is gone
};
RestoreChoice ChooseRestore(const v1alpha1::StreamJob& job,
                            const v1alpha1::StreamJobSnapshot* snapshot, WallTime now);

}  // namespace sj::op::decide
