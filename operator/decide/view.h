// SPDX-License-Identifier: Apache-2.0
// View: the input, sorted for questions. What is wanted (goal, spec hash, replicas), what is there
// (ordinals with their pod and report), and the one derived fact the protocol hangs on: is the old
// generation drained? Built once per decision; refers to its Input.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "operator/decide/input.h"

namespace sj::op::decide {

enum class Goal : uint8_t {
  kRun,
  kSuspend,
  kComplete,  // bounded job, all done
  kDelete,
  kHold,  // the spec is bad: what runs keeps running
};

struct Worker {
  int ordinal = -1;
  const Json* pod = nullptr;
  const WorkerReport* report = nullptr;
  std::string spec_hash;  // reported, else the pod's annotation
  bool fresh = false;     // the report is recent
};

// The annotation that keeps the operator from beginning anything.
struct Pause {
  std::string reason;
  std::optional<WallTime> until;
  std::string problem;  // why `until` could not be read; the pause has no end then
};

// What is decided about the user's edit before anything stops for it (rollout.h).
struct Rollout {
  std::optional<v1alpha1::ChangeStatus> change;      // as it will be stored
  std::optional<v1alpha1::RollbackStatus> rollback;  // as it will be stored
  // The spec that stays in force instead of the user's; empty: the user's is.
  std::string held_hash;
};

// What a deletion removes outside Kubernetes, and how far that is (cleanup.h).
struct Cleanup {
  control::Remains wanted;
  control::CleanupStep step = control::CleanupStep::kNone;  // what its worker is to be told
  std::optional<v1alpha1::CleanupStatus> status;            // as it will be stored
};

struct View {
  const Input& in;
  v1alpha1::EffectiveSpec user_effective;
  v1alpha1::EffectiveSpec effective;  // of the spec in force; replicas and state are the user's
  v1alpha1::Findings findings;        // of the user's spec; empty: valid
  Goal goal = Goal::kRun;
  std::string user_hash;    // of what the user wrote
  std::string wanted_hash;  // of the spec in force
  int wanted_replicas = 0;
  std::optional<int> set_replicas;  // spec.replicas of the StatefulSet
  std::string set_hash;             // spec hash of its template
  std::map<int, Worker> workers;    // by ordinal
  std::optional<Pause> pause;
  Rollout rollout;
  std::optional<v1alpha1::StreamJobSpec> held;  // the manifest of rollout.held_hash
  bool held_lost = false;  // it was deleted by hand: nothing can be built, what runs goes on
  Cleanup cleanup = {};

  const v1alpha1::GenerationStatus* generation() const {
    return in.job.status.generation ? &*in.job.status.generation : nullptr;
  }
  bool started() const {
    return generation() != nullptr && generation()->step == v1alpha1::GenerationStep::kStarted;
  }
  // True when the generation in force is the one the spec asks for.
  bool settled() const {
    return started() && !generation()->hand_over && generation()->spec_hash == wanted_hash &&
           generation()->replicas == wanted_replicas;
  }
  resources::Blueprint blueprint() const {
    return {in.job, effective, in.sql.text, in.settings.worker, held ? &*held : nullptr};
  }
  // Of what the user wrote, in force or not.
  resources::Blueprint user_blueprint() const {
    return {in.job, user_effective, in.sql.text, in.settings.worker};
  }
  // The job is to stand still, or to go: nothing is rolled out.
  bool stops() const {
    return in.job.metadata.deletion_timestamp ||
           user_effective.state == v1alpha1::DesiredState::kSuspended;
  }
};

View MakeView(const Input& in);

// True when no worker of a generation before the current one can still commit, or the time to wait
// for it is over (fencing does the rest). Once true for a generation it stays true.
bool Drained(const View& view);
// When waiting ends at the latest; nothing when it is not bounded by time.
std::optional<WallTime> DrainDeadline(const View& view);

// The worker owns partitions now: fenced, restoring, running or draining.
bool Active(control::WorkerPhase phase);
// The pod exists and its container runs.
bool ContainerRuns(const Json& pod);
// The worker of this ordinal is known to run `generation`, or to have read it to its end.
bool RunsGeneration(const Worker& worker, int64_t generation);
// Its error, or that of the incarnation before it.
const control::WorkerError* ErrorOf(const WorkerReport& report);

// "1 worker", "2 workers".
std::string Workers(int count);
// With a full stop at its end.
std::string Sentence(std::string text);
std::string Capital(std::string text);

}  // namespace sj::op::decide
