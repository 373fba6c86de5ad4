// SPDX-License-Identifier: Apache-2.0
// The field lists of what a StreamJob says of snapshots: part of stream_job_fields.h, which is the
// only one to include it.
#pragma once

#include "api/base/json_fields.h"
#include "api/v1alpha1/stream_job.h"

namespace sj::v1alpha1 {

using base::Need;

template <typename V>
void Fields(V& v, SnapshotRetain& s) {
  v("count", s.count);
  v("age", s.age);
}

template <typename V>
void Fields(V& v, SnapshotsSpec& s) {
  v("every", s.every);
  v("retain", s.retain);
}

template <typename V>
void Fields(V& v, SnapshotName& s) {
  v("name", s.name, Need::kRequired);
  v("namespace", s.namespace_name);
}

template <typename V>
void Fields(V& v, RestoreFrom& s) {
  v("snapshot", s.snapshot, Need::kRequired);
}

template <typename V>
void Fields(V& v, RestoredFrom& s) {
  v("namespace", s.namespace_name);
  v("name", s.name);
  v("uid", s.uid);
  v("location", s.location);
  v("manifest", s.manifest);
  v("sha256", s.sha256);
  v("time", s.time);
}

}  // namespace sj::v1alpha1
