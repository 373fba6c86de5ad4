// SPDX-License-Identifier: Apache-2.0
// The one health function: an ordered list of checks over the view, each of which either says what
// the job's state is or passes. Phase, Ready, Reconciling and Stalled all follow from the first
// that speaks, so they cannot disagree. Pure, thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "operator/decide/generation.h"
#include "operator/decide/view.h"

namespace sj::op::decide {

struct Verdict {
  v1alpha1::Phase phase = v1alpha1::Phase::kPending;
  v1alpha1::ConditionStatus ready = v1alpha1::ConditionStatus::kFalse;
  std::string reason;   // CamelCase
  std::string message;  // one sentence
  std::string next;     // what to do, as a sentence; empty: nothing
  bool reconciling = false;
  bool stalled = false;  // nothing moves until the user acts
};

struct HealthInput {
  const View& view;
  const GenerationPlan& plan;
};
struct HealthCheck {
  std::string_view name;
  std::optional<Verdict> (*run)(const HealthInput& in);
};

// First match wins; the last one always speaks.
std::span<const HealthCheck> HealthChecks();
Verdict Judge(const HealthInput& in);

// `message` and what to do next, as conditions and events say it.
std::string FullMessage(const Verdict& verdict);

// One word for dashboards, metrics and Argo CD, from the conditions alone.
enum class Light : uint8_t {
  kReady,
  kProgressing,  // it moves by itself
  kStalled,      // the user must act
  kStopped,      // suspended: nothing is wrong
};
Light LightOf(const v1alpha1::StreamJobStatus& status);
std::string_view ToString(Light light);

// Reasons of a worker that speak about the spec rather than about the world.
bool IsSpecReason(std::string_view reason);
// The first worker whose error the user must act on (fault user), by ordinal; null: none.
const control::WorkerError* UserError(const View& view);

}  // namespace sj::op::decide
