// SPDX-License-Identifier: Apache-2.0
// Observe: what exists for a job, from the store, by owner UID. A child that seems missing is asked
// for by name with a quorum read, so that a stale store never leads to a second one and an object
// of somebody else is noticed before it is overwritten. Reads only.
#pragma once

#include "api/base/status.h"
#include "operator/decide/input.h"
#include "operator/kube/client.h"
#include "operator/runtime/store.h"

namespace sj::op::reconcile {

struct Observation {
  decide::SqlText sql;
  decide::Children children;
};

// Errors: those of KubeClient.
base::Result<Observation> Observe(const v1alpha1::StreamJob& job, const decide::Settings& settings,
                                  kube::KubeClient& client, runtime::Store& store);

}  // namespace sj::op::reconcile
