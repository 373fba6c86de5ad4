// SPDX-License-Identifier: Apache-2.0
// See generation.h. Each step below is one status write.
#include "operator/decide/generation.h"

#include <fmt/format.h>

#include <algorithm>

#include "operator/decide/hand_over.h"
#include "operator/decide/pod_trouble.h"
#include "operator/decide/rollout.h"

namespace sj::op::decide {
namespace {

using control::WorkerPhase;
using v1alpha1::GenerationStatus;
using v1alpha1::GenerationStep;

// A worker started with `spec_hash` that knows its plan and can work.
const WorkerReport* PlannedWorker(const View& view, const std::string& spec_hash) {
  for (const auto& [ordinal, worker] : view.workers) {
    const WorkerReport* report = worker.report;
    if (report != nullptr && worker.fresh && report->spec_hash == spec_hash &&
        !report->plan_hash.empty() && report->beat.phase != WorkerPhase::kFailed) {
      return report;
    }
  }
  return nullptr;
}

int OrdinalsSeen(const View& view) {
  int seen = std::max(view.wanted_replicas, view.set_replicas.value_or(0));
  if (!view.workers.empty()) {
    seen = std::max(seen, view.workers.rbegin()->first + 1);
  }
  return seen;
}

// One above every number anybody has seen: also right when the status was lost.
int64_t NextNumber(const View& view) {
  int64_t highest = view.generation() != nullptr ? view.generation()->number : 0;
  for (const auto& [ordinal, worker] : view.workers) {
    if (worker.report != nullptr) {
      highest = std::max(highest, worker.report->beat.generation);
    }
  }
  return highest + 1;
}

// Partition counts only grow; what a worker of the generation sees beyond the plan is news.
std::map<std::string, int> GrownPartitions(const View& view, const GenerationStatus& generation) {
  std::map<std::string, int> grown = generation.partitions;
  for (const auto& [ordinal, worker] : view.workers) {
    if (worker.report == nullptr || !worker.fresh || worker.spec_hash != generation.spec_hash) {
      continue;
    }
    for (const auto& [topic, count] : worker.report->partitions) {
      auto it = grown.find(topic);
      if (it != grown.end()) {
        it->second = std::max(it->second, count);
      }
    }
  }
  return grown;
}

GenerationPlan First(const View& view) {
  const WorkerReport* report = PlannedWorker(view, view.wanted_hash);
  if (report == nullptr) {
    return {};
  }
  GenerationStatus next;
  next.number = NextNumber(view);
  next.plan_hash = report->plan_hash;
  next.spec_hash = view.wanted_hash;
  next.replicas = view.wanted_replicas;
  next.partitions = report->partitions;
  next.shards = view.effective.shards;
  next.ordinals_used = OrdinalsSeen(view);
  next.started_at = view.in.now;
  if (next.number == 1) {  // a later one means that a status was lost
    next.committed_partitions.emplace();
  }
  return {next, "GenerationPrepared",
          fmt::format("Generation {} is prepared for {}.", next.number, Workers(next.replicas)),
          ""};
}

// Somebody works, or may: a pod this operator process has not heard of.
bool AnybodyWorks(const View& view) {
  return std::any_of(view.workers.begin(), view.workers.end(), [](const auto& entry) {
    const Worker& worker = entry.second;
    const bool runs = worker.pod != nullptr && ContainerRuns(*worker.pod);
    return runs && (worker.report == nullptr || Active(worker.report->beat.phase));
  });
}

std::string PodWords(const Worker& worker) {
  const std::optional<PodTrouble> trouble =
      worker.pod != nullptr ? TroubleOf(*worker.pod) : std::nullopt;
  return trouble ? fmt::format(" ({})", trouble->message) : "";
}

// What a rescale of running workers waits for; a phrase, or empty.
std::string RescaleVeto(const View& view) {
  const GenerationStatus& generation = *view.generation();
  if (generation.step == GenerationStep::kPrepare || !AnybodyWorks(view)) {
    return "";
  }
  for (int i = 0; i < view.wanted_replicas; ++i) {
    auto it = view.workers.find(i);
    const bool known = it != view.workers.end() && it->second.report != nullptr &&
                       it->second.fresh && it->second.spec_hash == view.wanted_hash;
    const bool member = i < generation.replicas;
    if (!known) {
      return fmt::format("worker {} to {}{}", i, member ? "report again" : "start",
                         it != view.workers.end() ? PodWords(it->second) : "");
    }
    if (member && !RunsGeneration(it->second, generation.number)) {
      return fmt::format("worker {} to run", i);
    }
  }
  return "";
}

std::string PreparedWords(int64_t number, const std::string& why, int64_t before) {
  return fmt::format("Generation {} is prepared ({}); generation {} commits a last epoch.", number,
                     why, before);
}

GenerationPlan Switch(const View& view) {
  const GenerationStatus& old = *view.generation();
  GenerationStatus next = old;
  next.number = NextNumber(view);
  next.step = GenerationStep::kPrepare;
  next.spec_hash = view.wanted_hash;
  next.replicas = view.wanted_replicas;
  next.shards = view.effective.shards;
  next.ordinals_used = std::max(old.ordinals_used, OrdinalsSeen(view));
  next.started_at = view.in.now;
  next.hand_over.reset();
  std::string why;
  if (old.spec_hash != view.wanted_hash) {
    next.plan_hash.clear();
    next.partitions.clear();
    why = DescribeChange(view);
  } else {
    next.partitions = GrownPartitions(view, old);
    why = next.replicas != old.replicas
              ? fmt::format("rescale: {} to {}", old.replicas, Workers(next.replicas))
              : "rescale: a source topic has more partitions";
  }
  if (CanHandOver(view, next)) {
    next.hand_over = v1alpha1::HandOverFrom{old.number, old.replicas};
    return {next, "GenerationPrepared",
            fmt::format("Generation {} is prepared ({}); generation {} goes on and hands over.",
                        next.number, why, old.number),
            ""};
  }
  return {next, "GenerationPrepared", PreparedWords(next.number, why, old.number), ""};
}

// A worker that restores may not have fenced yet; one that runs has.
bool Fenced(WorkerPhase phase) {
  return phase == WorkerPhase::kFenced || phase == WorkerPhase::kRunning ||
         phase == WorkerPhase::kCompleted;
}

bool AllFenced(const View& view, const GenerationStatus& generation) {
  for (int i = 0; i < generation.replicas; ++i) {
    auto it = view.workers.find(i);
    if (it == view.workers.end() || it->second.report == nullptr || !it->second.fresh) {
      return false;
    }
    const control::HeartbeatRequest& beat = it->second.report->beat;
    const bool fenced = Fenced(beat.phase);
    if (beat.generation != generation.number || !fenced) {
      return false;
    }
  }
  return true;
}

GenerationPlan Advance(const View& view) {
  const GenerationStatus& now = *view.generation();
  if (!Drained(view)) {
    return {};
  }
  GenerationStatus next = now;
  if (now.plan_hash.empty()) {
    const WorkerReport* report = PlannedWorker(view, now.spec_hash);
    if (report == nullptr) {
      return {};
    }
    next.plan_hash = report->plan_hash;
    next.partitions = report->partitions;
    return {next, "GenerationPlanned",
            fmt::format("The plan of generation {} is known; its workers fence the one before.",
                        next.number),
            ""};
  }
  if (!AllFenced(view, now)) {
    return {};
  }
  next.step = GenerationStep::kStarted;
  next.started_at = view.in.now;
  return {next, "GenerationStarted",
          fmt::format("Generation {} started with {}.", next.number, Workers(next.replicas)), ""};
}

// Every member has committed in this generation, and with that all its partitions.
bool AllCommitted(const View& view, const GenerationStatus& generation) {
  for (int i = 0; i < generation.replicas; ++i) {
    auto it = view.workers.find(i);
    if (it == view.workers.end() || it->second.report == nullptr) {
      return false;
    }
    const control::HeartbeatRequest& beat = it->second.report->beat;
    // 0 is known too: it refers to objects of the snapshot that the job began with.
    if (beat.generation != generation.number || !beat.oldest_generation) {
      return false;
    }
  }
  return true;
}

// A generation that runs. What has no position in Kafka is new or lost: only who remembers what was
// committed can tell.
GenerationPlan NoteCommitted(const View& view) {
  const GenerationStatus& now = *view.generation();
  if (now.committed_partitions == now.partitions || !AllCommitted(view, now)) {
    return {};
  }
  GenerationStatus next = now;
  next.committed_partitions = now.partitions;
  return {next, "", "", ""};
}

GenerationPlan GoOn(const View& view) {
  return view.started() ? NoteCommitted(view) : Advance(view);
}

// Nothing new may begin: what has begun ends.
bool StandsStill(const View& view) {
  return view.goal == Goal::kHold || view.pause || view.held_lost;
}

// The whole-job switch that takes the place of a hand-over: the same spec, and no more workers, for
// their pods are not there yet.
GenerationPlan FallBack(const View& view, const std::string& trouble) {
  const GenerationStatus& old = *view.generation();
  GenerationStatus next = old;
  next.number = NextNumber(view);
  next.step = GenerationStep::kPrepare;
  if (!StandsStill(view)) {
    next.replicas = std::min(old.replicas, view.wanted_replicas);
  }
  next.ordinals_used = std::max(old.ordinals_used, OrdinalsSeen(view));
  next.started_at = view.in.now;
  next.hand_over.reset();
  const std::string why =
      fmt::format("the hand-over to generation {} ended: {}", old.number, trouble);
  return {next, "GenerationPrepared", PreparedWords(next.number, why, old.number), ""};
}

// The next step of a hand-over: START, complete, or the whole-job switch it falls back to.
GenerationPlan AdvanceHandOver(const View& view) {
  const GenerationStatus& now = *view.generation();
  const HandOverProgress progress = ProgressOf(view);
  if (!progress.trouble.empty()) {
    return FallBack(view, progress.trouble);
  }
  GenerationStatus next = now;
  if (now.step == GenerationStep::kPrepare) {
    if (!progress.prepared) {
      return {};
    }
    next.step = GenerationStep::kStarted;
    next.started_at = view.in.now;
    return {next, "GenerationStarted",
            fmt::format("Generation {} started; {} hand over to {}.", next.number,
                        Workers(now.hand_over->replicas), Workers(next.replicas)),
            ""};
  }
  if (progress.done < progress.total) {
    return {};
  }
  next.hand_over.reset();
  return {next, "HandOverComplete",
          fmt::format("Generation {} is complete with {}.", next.number, Workers(next.replicas)),
          ""};
}

bool NeedsSwitch(const View& view) {
  const GenerationStatus& now = *view.generation();
  return now.spec_hash != view.wanted_hash || now.replicas != view.wanted_replicas ||
         now.shards != view.effective.shards ||
         (!now.plan_hash.empty() && GrownPartitions(view, now) != now.partitions);
}

}  // namespace

GenerationPlan PlanGeneration(const View& view) {
  const bool held = view.goal == Goal::kHold && !view.in.children.foreign && view.generation();
  if (view.goal != Goal::kRun && !held) {
    return {};
  }
  if (view.generation() == nullptr) {
    return view.pause ? GenerationPlan{} : First(view);
  }
  const bool same_spec = view.generation()->spec_hash == view.wanted_hash;
  if (view.generation()->hand_over && (same_spec || StandsStill(view))) {
    return AdvanceHandOver(view);  // another number of workers waits until it has ended
  }
  if (!StandsStill(view) && NeedsSwitch(view)) {
    if (same_spec) {
      const std::string veto = RescaleVeto(view);
      if (!veto.empty()) {
        return {std::nullopt, "", "", veto};
      }
    }
    return Switch(view);
  }
  return GoOn(view);
}

}  // namespace sj::op::decide
