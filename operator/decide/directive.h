// SPDX-License-Identifier: Apache-2.0
// Directive: what the workers of one job are to be told now, derived from the job as stored (never
// from a status that is still to be written). The answers to single workers follow from it without
// any further knowledge, so that the control endpoint decides nothing. Pure values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/decide/view.h"

namespace sj::op::decide {

struct Directive {
  int64_t generation = 0;          // whose assignment may be handed out; 0: none yet
  int64_t started_generation = 0;  // START was given up to here
  std::optional<control::Assignment> assignment;
  std::string spec_hash;    // a worker started with another spec gets no assignment
  bool drain = false;       // everybody stops: suspend, delete, or PREPARE before it is drained
  std::string wait_reason;  // CamelCase, for those that wait
  Millis late_after{};      // an older epoch is a reason to look at the job; 0: none is
  // What the worker of `check_ordinal` is to look at beside its work.
  std::optional<control::SpecCheck> check;
  int check_ordinal = -1;
  std::optional<control::CleanupOrder> cleanup;    // for the worker that outlives the others
  std::optional<control::SnapshotOrder> snapshot;  // for ordinal 0
  bool operator==(const Directive&) const = default;
};

Directive MakeDirective(const View& view);

control::RegisterResponse AnswerRegister(const Directive& directive,
                                         const control::RegisterRequest& request);
// The answer to a heartbeat as of now; whether it is news is NewsFor.
control::HeartbeatResponse AnswerHeartbeat(const Directive& directive,
                                           const control::HeartbeatRequest& request,
                                           const std::string& worker_spec_hash);
// The oldest generation any footer of the job may name, given the last report of each ordinal that
// reported (in any order). Nothing while the generation is not started, a member has not reported
// in it, or one does not know its own. See worker/checkpoint/README.md for why that is safe.
std::optional<int64_t> GenerationFloor(const Directive& directive,
                                       const std::vector<const control::HeartbeatRequest*>& beats);
// True when `response` differs from what the request says the worker knows.
bool NewsFor(const control::HeartbeatRequest& request, const control::HeartbeatResponse& response);

// The answer of any replica of the operator, from a fresh read of the job.
control::GenerationResponse AnswerGeneration(const v1alpha1::StreamJob& job);

}  // namespace sj::op::decide
