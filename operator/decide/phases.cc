// SPDX-License-Identifier: Apache-2.0
// See phases.h.
#include "operator/decide/phases.h"

namespace sj::op::decide {
namespace {

using enum v1alpha1::Phase;

constexpr PhaseMove kMoves[] = {
    {kPending, kStarting},  // children exist
    {kPending, kFailed},    // the spec is bad
    {kPending, kFailing},   // a pod or a name is in trouble
    {kPending, kRunning},   // seen late: the operator was away
    {kPending, kSuspending},
    {kPending, kSuspended},
    {kStarting, kPending},  // the StatefulSet was deleted by hand
    {kStarting, kRunning},
    {kStarting, kFailing},  // a pod in trouble, a store or a broker out of reach
    {kStarting, kFailed},   // a worker refused: the user must act
    {kStarting, kSuspending},
    {kStarting, kSuspended},
    {kStarting, kCompleted},  // short bounded job
    {kRunning, kStarting},    // new generation
    {kRunning, kPending},     // the StatefulSet was deleted by hand
    {kRunning, kFailing},
    {kRunning, kFailed},
    {kRunning, kSuspending},
    {kRunning, kSuspended},  // seen late
    {kRunning, kCompleted},
    {kSuspending, kSuspended},
    {kSuspending, kStarting},  // resumed before it stopped
    {kSuspending, kRunning},
    {kSuspending, kFailing},
    {kSuspending, kFailed},
    {kSuspending, kCompleted},  // the last epoch was the last one
    {kSuspended, kSuspending},  // a pod came back
    {kSuspended, kPending},
    {kSuspended, kStarting},
    {kSuspended, kRunning},  // seen late
    {kSuspended, kFailing},
    {kSuspended, kFailed},    // the spec went bad meanwhile
    {kCompleted, kStarting},  // a new spec runs again
    {kCompleted, kPending},
    {kCompleted, kFailed},
    {kCompleted, kFailing},
    {kCompleted, kSuspended},  // a new spec, suspended
    {kCompleted, kSuspending},
    {kFailing, kPending},
    {kFailing, kStarting},
    {kFailing, kRunning},
    {kFailing, kFailed},
    {kFailing, kSuspending},
    {kFailing, kSuspended},
    {kFailing, kCompleted},
    {kFailed, kPending},  // the user acted
    {kFailed, kStarting},
    {kFailed, kRunning},
    {kFailed, kFailing},
    {kFailed, kSuspending},
    {kFailed, kSuspended},
    {kFailed, kCompleted},  // e.g. the bad spec was reverted
    {kPending, kDeleting},
    {kStarting, kDeleting},
    {kRunning, kDeleting},
    {kSuspending, kDeleting},
    {kSuspended, kDeleting},
    {kCompleted, kDeleting},
    {kFailing, kDeleting},
    {kFailed, kDeleting},  // and nothing leaves Deleting
};

}  // namespace

std::span<const PhaseMove> LegalMoves() {
  return kMoves;
}

bool IsLegalMove(std::optional<v1alpha1::Phase> from, v1alpha1::Phase to) {
  if (!from) {
    return to != kCompleted;
  }
  if (*from == to) {
    return true;
  }
  for (const PhaseMove& move : kMoves) {
    if (move.from == *from && move.to == to) {
      return true;
    }
  }
  return false;
}

}  // namespace sj::op::decide
