// SPDX-License-Identifier: Apache-2.0
// See action.h. The order of PlanActions is the order of effects: finalizer, children, scale,
// removal of what is old.
#include "operator/decide/action.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/decide/cleanup.h"
#include "operator/decide/lost_pod.h"
#include "operator/resources/diff.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

using resources::Text;
using v1alpha1::GenerationStatus;

bool HasFinalizer(const View& view) {
  const std::vector<std::string>& finalizers = view.in.job.metadata.finalizers;
  return std::find(finalizers.begin(), finalizers.end(), resources::kFinalizer) != finalizers.end();
}

// Why `desired` has to be applied over `observed`; nothing when it has not.
std::optional<std::string> WhyApply(const Json& desired, const Json* observed) {
  if (observed == nullptr) {
    return "missing";
  }
  // A field we no longer name shows only in the seal.
  const std::string& sealed = resources::Annotation(*observed, resources::kAppliedAnnotation);
  std::optional<std::string> difference = resources::FirstDifference(desired, *observed);
  const bool other_seal = sealed != resources::Annotation(desired, resources::kAppliedAnnotation);
  if (difference && other_seal && difference->starts_with("metadata.annotations")) {
    Json plain = desired;
    plain["metadata"].erase("annotations");
    difference = resources::FirstDifference(plain, *observed).value_or("fields were removed");
  }
  return difference;
}

void Apply(Json desired, const Json* observed, bool destructive, std::vector<Action>& actions) {
  std::optional<std::string> why = WhyApply(desired, observed);
  if (!why) {
    return;
  }
  if (observed != nullptr) {
    // Locks the write on what was decided about.
    desired["metadata"]["uid"] = Text(*observed, {"metadata", "uid"});
    desired["metadata"]["resourceVersion"] = Text(*observed, {"metadata", "resourceVersion"});
  }
  actions.push_back(
      {ActionKind::kApply, std::move(desired), 0, *why, destructive && observed != nullptr});
}

const Json* Pointer(const std::optional<Json>& object) {
  return object ? &*object : nullptr;
}

const Json* ConfigMapOf(const View& view, const std::string& spec_hash) {
  for (const Json& map : view.in.children.config_maps) {
    if (resources::Annotation(map, resources::kSpecHashAnnotation) == spec_hash) {
      return &map;
    }
  }
  return nullptr;
}

// The template may be that of the wanted spec: nobody of an older generation still works.
bool MayApplyTemplate(const View& view) {
  const GenerationStatus* generation = view.generation();
  if (generation == nullptr) {
    return true;
  }
  return generation->spec_hash == view.wanted_hash && (view.started() || Drained(view));
}

// How many pods there should be now.
int TargetReplicas(const View& view) {
  const GenerationStatus* generation = view.generation();
  const int now = view.set_replicas.value_or(0);
  if (generation == nullptr) {
    return view.wanted_replicas;
  }
  if (generation->hand_over) {  // those that leave still have something to give
    return std::max(generation->replicas, generation->hand_over->replicas);
  }
  if (!view.started()) {
    return Drained(view) ? generation->replicas : std::max(now, generation->replicas);
  }
  // A rescale up starts the new pods first; a rescale down waits for its generation.
  return std::max(generation->replicas, view.wanted_replicas);
}

void Scale(const View& view, int replicas, const std::string& why, std::vector<Action>& actions) {
  if (!view.set_replicas || *view.set_replicas == replicas) {
    return;
  }
  actions.push_back({ActionKind::kScale, *view.in.children.stateful_set, replicas, why,
                     replicas < *view.set_replicas});
}

void Delete(const Json& object, const std::string& why, std::vector<Action>& actions) {
  if (resources::Find(object, {"metadata", "deletionTimestamp"}) == nullptr) {
    actions.push_back({ActionKind::kDelete, object, 0, why, true});
  }
}

// The StatefulSet controller has seen the template, so a deleted pod comes back new.
bool TemplateSeen(const View& view) {
  const Json& set = *view.in.children.stateful_set;
  return resources::Number(set, {"status", "observedGeneration"}) >=
         resources::Number(set, {"metadata", "generation"});
}

void DeleteOldPods(const View& view, std::vector<Action>& actions) {
  if (!view.set_replicas || view.set_hash != view.wanted_hash || !TemplateSeen(view)) {
    return;
  }
  for (const auto& [ordinal, worker] : view.workers) {
    if (worker.pod == nullptr) {
      continue;
    }
    const std::string& hash = resources::Annotation(*worker.pod, resources::kSpecHashAnnotation);
    if (hash != view.wanted_hash) {
      Delete(*worker.pod, "started with an older spec", actions);
    }
  }
}

// Whatever the job is to do next, a name that nobody frees is in its way.
void RemoveLostPods(const View& view, std::vector<Action>& actions) {
  for (const auto& [ordinal, worker] : view.workers) {
    if (LostWithNode(view, worker)) {
      actions.push_back(
          {ActionKind::kForceDelete, *worker.pod, 0, "its node does not answer", true});
    }
  }
}

bool PodUses(const View& view, const std::string& spec_hash) {
  const std::vector<Json>& pods = view.in.children.pods;
  return std::any_of(pods.begin(), pods.end(), [&](const Json& pod) {
    return resources::Annotation(pod, resources::kSpecHashAnnotation) == spec_hash;
  });
}

void DeleteOldConfigMaps(const View& view, std::vector<Action>& actions) {
  if (!view.settled()) {
    return;
  }
  for (const Json& map : view.in.children.config_maps) {
    const std::string& hash = resources::Annotation(map, resources::kSpecHashAnnotation);
    const std::optional<v1alpha1::StableStatus>& stable = view.in.job.status.stable;
    const bool kept = stable && stable->spec_hash == hash;  // a rollback needs it
    if (!hash.empty() && hash != view.wanted_hash && hash != view.set_hash && !kept &&
        !PodUses(view, hash)) {
      Delete(map, "no pod reads it any more", actions);
    }
  }
}

void ApplyFixedChildren(const View& view, std::vector<Action>& actions) {
  const resources::Blueprint blueprint = view.blueprint();
  const Children& children = view.in.children;
  Apply(resources::BuildServiceAccount(blueprint), Pointer(children.service_account), false,
        actions);
  Apply(resources::BuildConfigMap(blueprint), ConfigMapOf(view, view.wanted_hash), false, actions);
  Apply(resources::BuildService(blueprint), Pointer(children.service), false, actions);
  Apply(resources::BuildPodDisruptionBudget(blueprint), Pointer(children.disruption_budget), false,
        actions);
}

void RunActions(const View& view, std::vector<Action>& actions) {
  ApplyFixedChildren(view, actions);
  const int replicas = TargetReplicas(view);
  if (!MayApplyTemplate(view)) {
    Scale(view, std::max(replicas, view.set_replicas.value_or(0)), "the generation needs them",
          actions);
    return;
  }
  Apply(resources::BuildStatefulSet(view.blueprint(), replicas),
        Pointer(view.in.children.stateful_set), true, actions);
  DeleteOldPods(view, actions);
  DeleteOldConfigMaps(view, actions);
}

void SuspendActions(const View& view, std::vector<Action>& actions) {
  ApplyFixedChildren(view, actions);
  if (!view.set_replicas) {
    Apply(resources::BuildStatefulSet(view.blueprint(), 0), nullptr, false, actions);
  } else if (Drained(view)) {
    Scale(view, 0, "suspended", actions);
  }
}

void DeleteActions(const View& view, std::vector<Action>& actions) {
  if (!HasFinalizer(view)) {
    return;
  }
  const WallTime give_up = *view.in.job.metadata.deletion_timestamp + view.in.settings.delete_max;
  const bool cleans = CleanupUnderWay(view);
  const bool gone = !cleans && view.in.children.pods.empty() && view.set_replicas.value_or(0) == 0;
  if (gone || view.in.now >= give_up) {
    actions.push_back({ActionKind::kRemoveFinalizer,
                       {},
                       0,
                       gone ? "no worker is left" : "the time for a clean stop is over",
                       true});
    return;
  }
  if (!Drained(view)) {
    return;
  }
  if (cleans) {
    Scale(view, std::min(view.set_replicas.value_or(0), 1), "one worker cleans up", actions);
  } else {
    Scale(view, 0, "deleted", actions);
  }
}

}  // namespace

std::string ToString(const Action& action) {
  const std::string object = fmt::format("{} {}", Text(action.object, {"kind"}),
                                         Text(action.object, {"metadata", "name"}));
  switch (action.kind) {
    case ActionKind::kAddFinalizer:
      return "add finalizer";
    case ActionKind::kApply:
      return fmt::format("apply {}: {}", object, action.why);
    case ActionKind::kScale:
      return fmt::format("scale {} to {}: {}", object, action.replicas, action.why);
    case ActionKind::kDelete:
      return fmt::format("delete {}: {}", object, action.why);
    case ActionKind::kForceDelete:
      return fmt::format("delete {} by force: {}", object, action.why);
    case ActionKind::kRemoveFinalizer:
      return fmt::format("remove finalizer: {}", action.why);
  }
  return "";
}

std::vector<Action> PlanActions(const View& view) {
  std::vector<Action> actions;
  if (view.goal == Goal::kDelete) {
    DeleteActions(view, actions);
    RemoveLostPods(view, actions);
    return actions;
  }
  const bool switching = view.generation() != nullptr && !view.started();
  if (view.pause && !switching) {
    return actions;
  }
  RemoveLostPods(view, actions);
  if (view.goal == Goal::kHold || view.held_lost) {
    return actions;
  }
  if (!HasFinalizer(view)) {
    actions.push_back({ActionKind::kAddFinalizer, {}, 0, "", false});
  }
  switch (view.goal) {
    case Goal::kRun:
      RunActions(view, actions);
      break;
    case Goal::kSuspend:
      SuspendActions(view, actions);
      break;
    case Goal::kComplete:
      Scale(view, 0, "completed", actions);
      break;
    case Goal::kDelete:
    case Goal::kHold:
      break;
  }
  return actions;
}

}  // namespace sj::op::decide
