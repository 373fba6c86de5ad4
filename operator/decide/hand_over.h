// SPDX-License-Identifier: Apache-2.0
// Hand-over of a generation while it runs (docs/design/0003-hand-over.md), as the operator sees it:
// when it may be tried, and what the workers' reports say of the one in force. Pure.
#pragma once

#include <optional>
#include <string>

#include "operator/decide/view.h"

namespace sj::op::decide {

// `next` differs from the generation in force in its number of workers only, and every worker of it
// runs, has reported lately, and knows what a hand-over is.
bool CanHandOver(const View& view, const v1alpha1::GenerationStatus& next);

struct HandOverProgress {
  bool prepared = false;  // every new ordinal has fenced, and the others have prefetched
  int done = 0;           // workers that gave and took their share, or left
  int total = 0;          // of both generations
  int waits_for = -1;     // the first one that is not through
  std::string trouble;    // why it cannot go on, as a phrase; empty: it can
};
// REQUIRES: the generation in force has hand_over.
HandOverProgress ProgressOf(const View& view);

// Until when START waits for workers that have not prefetched; nothing when it waits for none.
std::optional<WallTime> PrefetchDeadline(const View& view);

// When the step in force is given up; nothing when no hand-over is.
std::optional<WallTime> HandOverDeadline(const View& view);

}  // namespace sj::op::decide
