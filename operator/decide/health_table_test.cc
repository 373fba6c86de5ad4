// SPDX-License-Identifier: Apache-2.0
// The health table: whatever happens to a job, its phase, conditions, events and health metric
// never contradict each other. Every rule below is asked about every operator/testdata/*.reconcile
// and about a product of worker phases, pod troubles, generation steps and remembered phases.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "api/base/testing/source_dir.h"
#include "operator/decide/health.h"
#include "operator/decide/next_step.h"
#include "operator/decide/testing/reconcile_file.h"

namespace sj::op::decide {
namespace {

using testing::DecidedCase;
using v1alpha1::Condition;
using v1alpha1::ConditionStatus;
using v1alpha1::Phase;

const Condition* Find(const DecidedCase& c, std::string_view type) {
  return v1alpha1::FindCondition(c.output.status, type);
}
bool Is(const DecidedCase& c, std::string_view type, ConditionStatus status) {
  const Condition* condition = Find(c, type);
  return condition != nullptr && condition->status == status;
}
bool Has(const DecidedCase& c, std::string_view type) {
  return Find(c, type) != nullptr;
}
bool Ready(const DecidedCase& c) {
  return Is(c, v1alpha1::kReady, ConditionStatus::kTrue);
}
bool In(const DecidedCase& c, std::initializer_list<Phase> phases) {
  return std::find(phases.begin(), phases.end(), *c.output.status.phase) != phases.end();
}
Light LightIs(const DecidedCase& c) {
  return LightOf(c.output.status);
}

bool IsSentence(const std::string& text) {
  return !text.empty() && text.back() == '.' && text.find('\n') == std::string::npos;
}

bool SomeConditionSays(const DecidedCase& c, const Event& event) {
  const auto& conditions = c.output.status.conditions;
  return std::any_of(conditions.begin(), conditions.end(), [&](const Condition& condition) {
    return condition.message == event.message &&
           (condition.reason == event.reason || condition.type == event.reason);
  });
}

bool EditIsHeld(const DecidedCase& c) {
  const auto& change = c.output.status.change;
  return change && (change->verdict == v1alpha1::ChangeVerdict::kChecking ||
                    change->verdict == v1alpha1::ChangeVerdict::kRefused);
}

bool CleanupEnded(const DecidedCase& c) {
  const auto& cleanup = c.output.status.cleanup;
  return cleanup && (cleanup->state == v1alpha1::CleanupState::kRemoved ||
                     cleanup->state == v1alpha1::CleanupState::kGaveUp);
}

bool HasActions(const DecidedCase& c, ActionKind kind) {
  return std::any_of(c.output.actions.begin(), c.output.actions.end(),
                     [kind](const Action& action) { return action.kind == kind; });
}

struct Rule {
  std::string_view name;
  bool (*holds)(const DecidedCase& c);
};

// Left: what is said. Right: what must then be so.
constexpr Rule kRules[] = {
    {"Ready and SpecValid are always said",
     [](const DecidedCase& c) { return Has(c, "Ready") && Has(c, "SpecValid"); }},
    {"Ready=True <=> phase Running or Completed",
     [](const DecidedCase& c) {
       return Ready(c) == In(c, {Phase::kRunning, Phase::kCompleted});
     }},
    {"Ready is never Unknown",
     [](const DecidedCase& c) { return !Is(c, "Ready", ConditionStatus::kUnknown); }},
    {"Reconciling and Stalled are there only while true",
     [](const DecidedCase& c) {
       return Has(c, "Reconciling") == Is(c, "Reconciling", ConditionStatus::kTrue) &&
              Has(c, "Stalled") == Is(c, "Stalled", ConditionStatus::kTrue);
     }},
    {"never Reconciling and Stalled at once",
     [](const DecidedCase& c) { return !(Has(c, "Reconciling") && Has(c, "Stalled")); }},
    {"not Ready => it moves, or the user must act, or it is suspended",
     [](const DecidedCase& c) {
       return Ready(c) || Has(c, "Reconciling") || Has(c, "Stalled") || In(c, {Phase::kSuspended});
     }},
    {"phase Failed <=> Stalled and not Ready, unless suspended",
     [](const DecidedCase& c) {
       return In(c, {Phase::kFailed, Phase::kSuspended})
                  ? In(c, {Phase::kSuspended}) || (Has(c, "Stalled") && !Ready(c))
                  : !(Has(c, "Stalled") && !Ready(c));
     }},
    {"phase Starting, Pending, Failing, Suspending, Deleting => Reconciling",
     [](const DecidedCase& c) {
       return !In(c, {Phase::kStarting, Phase::kPending, Phase::kFailing, Phase::kSuspending,
                      Phase::kDeleting}) ||
              Has(c, "Reconciling");
     }},
    {"SpecValid=False => not quietly Ready",
     [](const DecidedCase& c) {
       return !Is(c, "SpecValid", ConditionStatus::kFalse) || Has(c, "Stalled") ||
              Has(c, "Reconciling") || In(c, {Phase::kSuspended, Phase::kCompleted});
     }},
    {"checkpoints are judged only while the job runs or fails",
     [](const DecidedCase& c) {
       return Is(c, "CheckpointHealthy", ConditionStatus::kUnknown) ||
              In(c, {Phase::kRunning, Phase::kFailing});
     }},
    {"Stalled says what to do",
     [](const DecidedCase& c) {
       const Condition* stalled = Find(c, "Stalled");
       return stalled == nullptr || stalled->reason == "RolledBack" ||
              stalled->message.find(NextStep(stalled->reason)) != std::string::npos;
     }},
    {"Ready, Reconciling and Stalled speak in sentences of one line",
     [](const DecidedCase& c) {
       for (const char* type : {"Ready", "Reconciling"}) {
         if (const Condition* said = Find(c, type); said != nullptr && !IsSentence(said->message)) {
           return false;
         }
       }
       return true;
     }},
    {"RolledBack <=> status.rollback",
     [](const DecidedCase& c) {
       return Has(c, "RolledBack") == c.output.status.rollback.has_value();
     }},
    {"Paused => nothing but a switch under way goes on",
     [](const DecidedCase& c) {
       return !Has(c, "Paused") || !c.output.generation_changed ||
              (c.job.status.generation &&
               c.job.status.generation->step == v1alpha1::GenerationStep::kPrepare);
     }},
    {"an edit that is held stops nobody",
     [](const DecidedCase& c) {
       return !EditIsHeld(c) || !c.job.status.generation ||
              c.job.status.generation->step != v1alpha1::GenerationStep::kStarted ||
              (!c.output.directive.drain && !HasActions(c, ActionKind::kDelete));
     }},
    {"a warning is what a condition says, or a refused edit, or what a deletion leaves",
     [](const DecidedCase& c) {
       return std::all_of(c.output.events.begin(), c.output.events.end(), [&](const Event& event) {
         return !event.warning || event.reason == "ChangeRefused" ||
                event.reason == "CleanupGaveUp" || SomeConditionSays(c, event);
       });
     }},
    {"a deletion ends only when its clean-up has, and says so",
     [](const DecidedCase& c) {
       return !HasActions(c, ActionKind::kRemoveFinalizer) || !c.output.status.cleanup ||
              CleanupEnded(c);
     }},
    {"nobody is told to clean up unless the job is deleted",
     [](const DecidedCase& c) {
       const auto& order = c.output.directive.cleanup;
       return !order || order->step == control::CleanupStep::kNotice ||
              (c.job.metadata.deletion_timestamp && !CleanupEnded(c));
     }},
    {"health: ready <=> Ready=True and nothing pending",
     [](const DecidedCase& c) {
       return (LightIs(c) == Light::kReady) ==
              (Ready(c) && !Has(c, "Reconciling") && !Has(c, "Stalled"));
     }},
    {"health: stopped => suspended",
     [](const DecidedCase& c) {
       return LightIs(c) != Light::kStopped || In(c, {Phase::kSuspended});
     }},
    {"no illegal move of the phase",
     [](const DecidedCase& c) { return !c.output.defect.has_value(); }},
    {"deciding with a new generation does nothing else",
     [](const DecidedCase& c) { return !c.output.generation_changed || c.output.actions.empty(); }},
};

std::string Shown(const DecidedCase& c) {
  std::string text = fmt::format("phase {}\n", v1alpha1::ToString(*c.output.status.phase));
  for (const Condition& condition : c.output.status.conditions) {
    text += fmt::format("{}={} {}: {}\n", condition.type, static_cast<int>(condition.status),
                        condition.reason, condition.message);
  }
  for (const Event& event : c.output.events) {
    text += fmt::format("event {} {}: {}\n", event.warning, event.reason, event.message);
  }
  return text + c.output.defect.value_or("");
}

void ExpectRules(const std::string& input, const std::string& name) {
  const base::Result<DecidedCase> decided = testing::DecideCase(input);
  ASSERT_TRUE(decided.ok()) << name << ": " << decided.status().ToString();
  ASSERT_TRUE(decided->output.status.phase.has_value()) << name;
  for (const Rule& rule : kRules) {
    EXPECT_TRUE(rule.holds(*decided)) << name << " breaks: " << rule.name << "\n"
                                      << Shown(*decided);
  }
}

TEST(HealthTable, HoldsForEveryDataFile) {
  const std::filesystem::path dir =
      std::filesystem::path(base::testing::SourceDir()) / "operator/testdata";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() != ".reconcile") {
      continue;
    }
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    const auto parts = testing::SplitCase(text.str());
    ASSERT_TRUE(parts.ok()) << entry.path();
    ExpectRules(parts->input, entry.path().stem().string());
    ++files;
  }
  EXPECT_GT(files, 100);
}

// The parts of the product, as they are written in a data file.
constexpr std::string_view kWorkers[] = {
    "",
    "phase: Starting, generation: 0, plan: ''",
    "phase: Starting, generation: 0",
    "phase: Fenced, generation: 2",
    "phase: Restoring, generation: 2",
    "phase: Running, generation: 2, epoch: 9, epochAge: 1s, lag: 10",
    "phase: Running, generation: 2, spec: old, epoch: 9, epochAge: 1s, lag: 10",
    "phase: Running, generation: 2, spec: old, epoch: 9, epochAge: 1s, lag: 10,"
    " verdict: {spec: new, fits: false, reason: SqlInvalid, message: '1:1: no'}",
    "phase: Running, generation: 2, epoch: 9, epochAge: 10m, lag: 10, epochFailures: 5",
    "phase: Running, generation: 2, epoch: 9, epochAge: 1s, seen: 10m",
    "phase: Draining, generation: 1",
    "phase: Stopped, generation: 1",
    "phase: Completed, generation: 2",
    "phase: Failed, generation: 2, error: {class: user, reason: SqlInvalid, message: '1:1: no'}",
    "phase: Failed, generation: 2, error: {class: external, reason: KafkaUnreachable, message: no}",
    "phase: Failed, generation: 2, error: {class: internal, reason: InternalError, message: no}",
    "phase: Failed, generation: 2, error: {class: fenced, reason: Fenced, message: no}",
};
constexpr std::string_view kPods[] = {
    "spec: new",
    "spec: old",
    "spec: new, waiting: CrashLoopBackOff, exitCode: 1, restarts: 2",
    "spec: new, waiting: CrashLoopBackOff, exitCode: 137, exitReason: OOMKilled, restarts: 5",
    "spec: new, waiting: ImagePullBackOff, message: Back-off pulling image",
    "spec: new, unschedulable: 0/3 nodes are available",
};
constexpr std::string_view kGenerations[] = {
    "",
    "{number: 2, step: Prepare, specHash: new, planHash: '', replicas: 1, shards: 16,"
    " ordinalsUsed: 1, startedAt: '2026-01-01T00:57:00Z'}",
    "{number: 2, step: Prepare, specHash: new, planHash: plan-1, replicas: 1, shards: 16,"
    " partitions: {events: 4}, ordinalsUsed: 1, startedAt: '2026-01-01T00:59:59Z'}",
    "{number: 2, step: Started, specHash: new, planHash: plan-1, replicas: 1, shards: 16,"
    " partitions: {events: 4}, ordinalsUsed: 1, startedAt: '2026-01-01T00:57:00Z'}",
    "{number: 2, step: Started, specHash: old, planHash: plan-1, replicas: 1, shards: 16,"
    " partitions: {events: 4}, ordinalsUsed: 1, startedAt: '2026-01-01T00:57:00Z'}",
};
constexpr std::string_view kSpecs[] = {"", "  state: Suspended\n", "  rollout: {rollback: 'Off'}\n",
                                       "  maxParallelism: 127\n  shards: 3\n"};
constexpr std::string_view kPhases[] = {"Starting", "Running", "Failing"};
constexpr std::string_view kStables[] = {
    "", "  stable: {specHash: old, generation: 1, since: '2026-01-01T00:10:00Z'}\n"};

std::string Ready(std::string_view phase) {
  return fmt::format(
      "  conditions:\n  - {{type: Ready, status: '{}', reason: Some, message: Some.,"
      " lastTransitionTime: '2026-01-01T00:57:00Z'}}\n",
      phase == "Running" ? "True" : "False");
}

struct Situation {
  std::string_view spec, generation, stable, phase, worker, pod;
};

std::string Input(const Situation& s) {
  std::string text = fmt::format(
      "apiVersion: streamjob.io/v1alpha1\nkind: StreamJob\n"
      "metadata: {{name: orders, namespace: shop, uid: uid-1, generation: 2,"
      " finalizers: [streamjob.io/cleanup]}}\n"
      "spec:\n  sql: SELECT 1\n  replicas: 1\n  restartNonce: 2\n{}"
      "status:\n  phase: {}\n{}{}",
      s.spec, s.phase, Ready(s.phase), s.stable);
  if (!s.generation.empty()) {
    text += fmt::format("  generation: {}\n", s.generation);
  }
  text +=
      fmt::format("---\nwas: {{sql: SELECT 1, replicas: 1}}\npods:\n- {{ordinal: 0, {}}}\n", s.pod);
  if (!s.worker.empty()) {
    text += fmt::format("workers:\n- {{ordinal: 0, {}}}\n", s.worker);
  }
  return text + "----\n";
}

constexpr size_t kSituations = std::size(kSpecs) * std::size(kGenerations) * std::size(kStables) *
                               std::size(kPhases) * std::size(kWorkers) * std::size(kPods);

// Every combination has a number.
Situation SituationOf(size_t number) {
  const auto take = [&number](const auto& list) {
    const std::string_view value = list[number % std::size(list)];
    number /= std::size(list);
    return value;
  };
  Situation s;
  s.spec = take(kSpecs);
  s.generation = take(kGenerations);
  s.stable = take(kStables);
  s.phase = take(kPhases);
  s.worker = take(kWorkers);
  s.pod = take(kPods);
  return s;
}

// Under a sanitizer, where one costs thirty times as much, every seventh.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kEvery = 7;
#else
constexpr size_t kEvery = 1;
#endif

TEST(HealthTable, HoldsForTheProduct) {
  for (size_t i = 0; i < kSituations && !HasFailure(); i += kEvery) {  // one is enough to read
    const std::string input = Input(SituationOf(i));
    ExpectRules(input, input);
  }
}

// The table can fail: each of these contradicts itself.
TEST(HealthTable, SeesContradictions) {
  const auto broken = [](const std::function<void(v1alpha1::StreamJobStatus&)>& breaks) {
    DecidedCase c = *testing::DecideCase(
        Input({"", kGenerations[3], kStables[0], "Running", kWorkers[5], kPods[0]}));
    breaks(c.output.status);
    return std::any_of(std::begin(kRules), std::end(kRules),
                       [&](const Rule& rule) { return !rule.holds(c); });
  };
  const auto put = [](v1alpha1::StreamJobStatus& status, std::string_view type, bool value) {
    v1alpha1::SetCondition(status,
                           {std::string(type),
                            value ? ConditionStatus::kTrue : ConditionStatus::kFalse,
                            "X",
                            "x.",
                            1,
                            {}},
                           {});
  };
  EXPECT_FALSE(broken([](v1alpha1::StreamJobStatus&) {}));
  EXPECT_TRUE(broken([](auto& status) { status.phase = Phase::kFailing; }));
  EXPECT_TRUE(broken([&](auto& status) { put(status, "Ready", false); }));
  EXPECT_TRUE(broken([&](auto& status) { put(status, "SpecValid", false); }));
  EXPECT_TRUE(broken([&](auto& status) { put(status, "RolledBack", true); }));
  EXPECT_TRUE(broken([&](auto& status) {
    put(status, "Reconciling", true);
    put(status, "Stalled", true);
  }));
}

}  // namespace
}  // namespace sj::op::decide
