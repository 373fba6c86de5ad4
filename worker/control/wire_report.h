// SPDX-License-Identifier: Apache-2.0
// What the status board holds, as the control API says it. Pure functions.
#pragma once

#include "api/control/messages.h"
#include "worker/runtime/job_status.h"

namespace sj::worker::control {

sj::control::InputReport ReportOf(const runtime::InputLoad& load);
sj::control::WorkerPhase PhaseOf(runtime::JobPhase phase);

}  // namespace sj::worker::control
