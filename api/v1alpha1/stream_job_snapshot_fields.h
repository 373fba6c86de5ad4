// SPDX-License-Identifier: Apache-2.0
// The field lists of StreamJobSnapshot, as stream_job_fields.h. Included by this folder's sources
// and tests only.
#pragma once

#include "api/v1alpha1/stream_job_fields.h"
#include "api/v1alpha1/stream_job_snapshot.h"

namespace sj::v1alpha1 {

inline std::span<const base::EnumName<SnapshotPhase>> EnumNames(SnapshotPhase) {
  static constexpr std::array<base::EnumName<SnapshotPhase>, 4> kNames{
      {{SnapshotPhase::kPending, "Pending"},
       {SnapshotPhase::kInProgress, "InProgress"},
       {SnapshotPhase::kCompleted, "Completed"},
       {SnapshotPhase::kFailed, "Failed"}}};
  return kNames;
}

template <typename V>
void Fields(V& v, JobNameRef& s) {
  v("name", s.name, Need::kRequired);
}

template <typename V>
void Fields(V& v, SnapshotGrant& s) {
  v("namespace", s.namespace_name, Need::kRequired);
}

template <typename V>
void Fields(V& v, StreamJobSnapshotSpec& s) {
  v("jobRef", s.job_ref, Need::kRequired);
  v("onDelete", s.on_delete);
  v("grants", s.grants);
}

template <typename V>
void Fields(V& v, StreamJobSnapshotStatus& s) {
  v("phase", s.phase);
  v("reason", s.reason);
  v("message", s.message);
  v("startedAt", s.started_at);
  v("takenAt", s.taken_at);
  v("jobUid", s.job_uid);
  v("stateHash", s.state_hash);
  v("epoch", s.epoch);
  v("location", s.location);
  v("manifest", s.manifest);
  v("sha256", s.sha256);
  v("objects", s.objects);
  v("rowsInFlight", s.rows_in_flight);
  v("sizeBytes", s.size_bytes);
}

}  // namespace sj::v1alpha1
