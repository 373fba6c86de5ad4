// SPDX-License-Identifier: Apache-2.0
// See rollout.h. The pre-flight is in this file, the way back in rollback.cc.
#include "operator/decide/rollout.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/v1alpha1/change_class.h"
#include "operator/decide/rollback.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using control::SpecVerdict;
using v1alpha1::ChangeStatus;
using v1alpha1::ChangeVerdict;
using v1alpha1::GenerationStatus;

// The class and the fields of the user's edit, from the manifest that runs.
std::string FieldWords(const View& view) {
  const std::optional<v1alpha1::StreamJobSpec> running =
      StoredManifest(view.in.children, view.generation()->spec_hash);
  if (!running) {
    return "the spec changed";
  }
  return v1alpha1::DescribeFields(
      v1alpha1::CompareSpecs(v1alpha1::SpecToJson(*running),
                             v1alpha1::SpecToJson(resources::ManifestSpec(view.user_blueprint()))));
}

ChangeStatus MakeChange(const View& view, ChangeVerdict verdict, std::string message) {
  ChangeStatus change;
  change.spec_hash = view.user_hash;
  change.change_class = "restart";
  change.verdict = verdict;
  change.message = std::move(message);
  change.since = view.in.now;
  return change;
}

// Runs what is in force and reports: it can be asked.
bool CanJudge(const View& view, const Worker& worker) {
  return worker.report != nullptr && worker.fresh &&
         worker.spec_hash == view.generation()->spec_hash &&
         worker.report->beat.phase == control::WorkerPhase::kRunning;
}

// What runs can be kept in force meanwhile, and the question is not too long.
bool CanAsk(const View& view) {
  return view.started() && StoredManifest(view.in.children, view.generation()->spec_hash) &&
         base::DumpJson(base::Json(CheckManifest(view))).size() <= control::kCheckManifestBytesMax;
}

int FirstJudge(const View& view) {
  const auto judge =
      std::find_if(view.workers.begin(), view.workers.end(),
                   [&view](const auto& entry) { return CanJudge(view, entry.second); });
  return judge != view.workers.end() && CanAsk(view) ? judge->first : -1;
}

// It may run before long: not heard of yet by this operator process, or restarting.
bool MayJudgeSoon(const View& view, const Worker& worker) {
  if (worker.pod == nullptr || !ContainerRuns(*worker.pod) ||
      resources::Annotation(*worker.pod, resources::kSpecHashAnnotation) !=
          view.generation()->spec_hash) {
    return false;
  }
  if (worker.report == nullptr || !worker.fresh) {
    return true;
  }
  const control::WorkerPhase phase = worker.report->beat.phase;
  return phase != control::WorkerPhase::kFailed && phase != control::WorkerPhase::kCompleted;
}

bool SomebodyMayJudge(const View& view) {
  return CanAsk(view) &&
         std::any_of(view.workers.begin(), view.workers.end(), [&view](const auto& entry) {
           return CanJudge(view, entry.second) || MayJudgeSoon(view, entry.second);
         });
}

// When an edit is no longer held back for want of a verdict.
WallTime PatienceEnds(const View& view, const ChangeStatus& change) {
  return std::max(*change.since, view.in.leading_since) + view.in.settings.preflight_max;
}

const SpecVerdict* FindVerdict(const View& view) {
  for (const auto& [ordinal, worker] : view.workers) {
    if (CanJudge(view, worker) && worker.report->beat.verdict &&
        worker.report->beat.verdict->spec_hash == view.user_hash) {
      return &*worker.report->beat.verdict;
    }
  }
  return nullptr;
}

bool ImageChanges(const View& view) {
  const std::optional<v1alpha1::StreamJobSpec> running =
      StoredManifest(view.in.children, view.generation()->spec_hash);
  return running && running->worker.image != view.user_effective.image;
}

ChangeStatus Judged(const View& view, const SpecVerdict& verdict) {
  if (verdict.fits) {
    return MakeChange(view, ChangeVerdict::kAccepted,
                      fmt::format("{}; {}", FieldWords(view), verdict.message));
  }
  if (ImageChanges(view)) {
    return MakeChange(view, ChangeVerdict::kUnchecked,
                      fmt::format("{}; the image that runs refuses it ({}: {}), but the edit "
                                  "changes the image, which decides",
                                  FieldWords(view), verdict.reason, verdict.message));
  }
  ChangeStatus change = MakeChange(view, ChangeVerdict::kRefused, verdict.message);
  change.reason = verdict.reason;
  if (verdict.reason == "StateIncompatible") {
    change.change_class = "state-incompatible";
  }
  return change;
}

// What is known about the edit now; `before` is what was known.
ChangeStatus Examine(const View& view, const std::optional<ChangeStatus>& before) {
  if (const SpecVerdict* verdict = FindVerdict(view)) {
    ChangeStatus now = Judged(view, *verdict);
    const bool same = before && before->verdict == now.verdict && before->message == now.message;
    return same ? *before : now;
  }
  if (before && before->verdict == ChangeVerdict::kRefused) {
    return *before;  // until somebody says otherwise
  }
  if (!SomebodyMayJudge(view)) {
    return MakeChange(view, ChangeVerdict::kUnchecked,
                      fmt::format("{}; no worker runs that could check it", FieldWords(view)));
  }
  if (!before) {
    return MakeChange(view, ChangeVerdict::kChecking,
                      fmt::format("{}; a running worker checks it", FieldWords(view)));
  }
  if (view.in.now >= PatienceEnds(view, *before)) {
    return MakeChange(view, ChangeVerdict::kUnchecked,
                      fmt::format("{}; no worker has judged it within {}", FieldWords(view),
                                  base::FormatDuration(view.in.settings.preflight_max)));
  }
  return *before;
}

std::optional<ChangeStatus> PlanChange(const View& view) {
  const GenerationStatus* generation = view.generation();
  std::optional<ChangeStatus> before = view.in.job.status.change;
  if (before && (before->spec_hash != view.user_hash || !before->since)) {
    before.reset();
  }
  if (generation == nullptr || view.stops()) {
    return std::nullopt;
  }
  if (generation->spec_hash == view.user_hash) {
    return view.started() ? std::nullopt : before;
  }
  const bool decided = before && (before->verdict == ChangeVerdict::kAccepted ||
                                  before->verdict == ChangeVerdict::kUnchecked);
  if (decided || !view.findings.empty()) {
    return before;
  }
  if (view.pause) {  // looked at afterwards
    return before && before->verdict == ChangeVerdict::kRefused ? before : std::nullopt;
  }
  return Examine(view, before);
}

bool HoldsEdit(const std::optional<ChangeStatus>& change) {
  return change && (change->verdict == ChangeVerdict::kChecking ||
                    change->verdict == ChangeVerdict::kRefused);
}

}  // namespace

std::optional<v1alpha1::StreamJobSpec> StoredManifest(const Children& children,
                                                      const std::string& spec_hash) {
  for (const Json& map : children.config_maps) {
    if (resources::Annotation(map, resources::kSpecHashAnnotation) != spec_hash) {
      continue;
    }
    const base::Result<Json> manifest = base::ParseJson(resources::Text(map, {"data", "job.yaml"}));
    if (!manifest.ok()) {
      continue;
    }
    v1alpha1::ReadStreamJobResult read = v1alpha1::ReadStreamJob(*manifest);
    if (read.findings.empty() && v1alpha1::SpecHash(read.job.spec) == spec_hash) {
      return std::move(read.job.spec);
    }
  }
  return std::nullopt;
}

std::string DescribeChange(const View& view) {
  if (view.rollout.rollback) {
    return "rollback to the last stable spec";
  }
  return fmt::format("restart: {}", FieldWords(view));
}

Rollout PlanRollout(const View& view) {
  Rollout rollout;
  rollout.rollback = PlanRollback(view);
  if (rollout.rollback) {
    rollout.held_hash = rollout.rollback->stable_hash;
    return rollout;
  }
  rollout.change = PlanChange(view);
  const GenerationStatus* generation = view.generation();
  if (generation != nullptr && (HoldsEdit(rollout.change) || view.pause)) {
    rollout.held_hash = generation->spec_hash;
  }
  return rollout;
}

int WorkerToAsk(const View& view) {
  return HoldsEdit(view.rollout.change) && !view.pause ? FirstJudge(view) : -1;
}

std::string CheckManifest(const View& view) {
  return base::DumpJson(resources::ManifestJson(view.user_blueprint()));
}

std::optional<Block> BlockedEdit(const View& view) {
  if (!view.findings.empty()) {
    return Block{view.findings.front().reason, v1alpha1::JoinFindings(view.findings)};
  }
  const std::optional<ChangeStatus>& change = view.rollout.change;
  if (change && change->verdict == ChangeVerdict::kRefused) {
    return Block{change->reason, change->message};
  }
  if (view.rollout.rollback) {
    return Block{"RolledBack", view.rollout.rollback->message};
  }
  return std::nullopt;
}

std::optional<WallTime> NextRolloutLook(const View& view) {
  std::optional<WallTime> next = NextRollbackLook(view);
  const std::optional<ChangeStatus>& change = view.rollout.change;
  if (change && change->verdict == ChangeVerdict::kChecking) {
    const WallTime end = PatienceEnds(view, *change);
    next = next ? std::min(*next, end) : end;
  }
  if (view.pause && view.pause->until) {
    next = next ? std::min(*next, *view.pause->until) : *view.pause->until;
  }
  return next;
}

}  // namespace sj::op::decide
