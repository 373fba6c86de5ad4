// SPDX-License-Identifier: Apache-2.0
// The status to write: conditions from the one verdict, numbers from the workers' reports. Numbers
// that only count up are quantised: alone they cause a write once per status_refresh, so a quiet
// job costs the API server almost nothing. Pure.
#pragma once

#include "operator/decide/health.h"
#include "operator/decide/view.h"

namespace sj::op::decide {

v1alpha1::StreamJobStatus MakeStatus(const View& view, const GenerationPlan& plan,
                                     const Verdict& verdict);

}  // namespace sj::op::decide
