// SPDX-License-Identifier: Apache-2.0
// All phases and the legal moves between them, in one list. A phase is one word for a column; no
// decision reads it back, except that Completed is remembered. Pure, thread-safe.
#pragma once

#include <optional>
#include <span>

#include "api/v1alpha1/stream_job.h"

namespace sj::op::decide {

struct PhaseMove {
  v1alpha1::Phase from;
  v1alpha1::Phase to;
};
std::span<const PhaseMove> LegalMoves();
// Staying is legal, so is any first phase but Completed.
bool IsLegalMove(std::optional<v1alpha1::Phase> from, v1alpha1::Phase to);

}  // namespace sj::op::decide
