// SPDX-License-Identifier: Apache-2.0
// The way back: when a spec counts as stable, when an unproven one has failed, and where the job
// goes then. Pure.
//
//   started --ready: trial begins--> trial --time, checkpoints, no restart, lag not growing-->
//   stable not ready in time, or its pods keep exiting, and a stable spec is known --> rolled back
//   the user writes another spec --> the rollback is over
#pragma once

#include <optional>
#include <span>

#include "operator/decide/view.h"

namespace sj::op::decide {

std::optional<v1alpha1::RollbackStatus> PlanRollback(const View& view);
std::optional<WallTime> NextRollbackLook(const View& view);

// Where the job stands now, for the trial.
struct Standing {
  bool ready = false;  // the verdict says Ready and Running
  bool checkpoints_healthy = false;
  std::span<const WorkerReport* const> members;  // all of the generation; empty: not known
};
// Begins, continues or ends the trial in `status`; records the spec as stable.
void PutTrial(const View& view, const Standing& standing, v1alpha1::StreamJobStatus& status);

}  // namespace sj::op::decide
