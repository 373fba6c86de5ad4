// SPDX-License-Identifier: Apache-2.0
// See reconcile_file.h.
#include "operator/decide/testing/reconcile_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "operator/decide/decide.h"
#include "operator/decide/testing/print_output.h"
#include "operator/decide/testing/snapshot_world.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::decide::testing {
namespace {

using base::InvalidArgument;
using base::Result;
using resources::Find;
using resources::Flag;
using resources::List;
using resources::Number;
using resources::Text;

constexpr std::string_view kSeparator = "\n----\n";

// Everything an Input refers to.
struct World {
  v1alpha1::ReadStreamJobResult read;
  SqlText sql;
  Children children;
  std::vector<WorkerReport> workers;
  std::vector<SnapshotObject> snapshots;
  WallTime now{};
  WallTime leading_since{};
  Settings settings;
  std::string new_hash = "none";
  std::string old_hash = "none";
};

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

Millis Duration(const Json& object, std::string_view key, Millis otherwise) {
  Result<Millis> value = base::ParseDuration(Text(object, {key}));
  return value.ok() ? *value : otherwise;
}

Settings TestSettings() {
  Settings settings;
  settings.defaults.checkpoint_location = "s3://checkpoints/test";
  settings.defaults.image = "worker:1";
  settings.policy.images = {"worker:2"};
  settings.worker.control_url = "https://operator.system.svc:8443";
  settings.worker.control_ca = "PEM";
  return settings;
}

std::string HashOf(const World& world, const std::string& token) {
  return token == "old" ? world.old_hash : world.new_hash;
}

// Builds the children of `job` as the API server would hold them.
void AddChildren(World& world, const v1alpha1::StreamJob& job, const std::string& sql,
                 const Json& spec) {
  const v1alpha1::EffectiveSpec effective = v1alpha1::Effective(job.spec, world.settings.defaults);
  const resources::Blueprint blueprint{job, effective, sql, world.settings.worker};
  Children& children = world.children;
  children.service_account = resources::BuildServiceAccount(blueprint);
  children.service = resources::BuildService(blueprint);
  children.disruption_budget = resources::BuildPodDisruptionBudget(blueprint);
  children.config_maps.push_back(resources::BuildConfigMap(blueprint));
  const int replicas = static_cast<int>(Number(spec, {"setReplicas"}, effective.replicas));
  children.stateful_set = resources::BuildStatefulSet(blueprint, replicas);
  if (Find(spec, {"setReplicasEdited"}) != nullptr) {
    (*children.stateful_set)["spec"]["podManagementPolicy"] = "OrderedReady";
  }
}

Json PodStatus(const Json& pod) {
  Json status = {{"name", "worker"}, {"restartCount", Number(pod, {"restarts"})}};
  if (const std::string& waiting = Text(pod, {"waiting"}); !waiting.empty()) {
    status["state"]["waiting"] = {{"reason", waiting}, {"message", Text(pod, {"message"})}};
  } else if (Text(pod, {"unschedulable"}).empty()) {
    status["state"]["running"] = {{"startedAt", "2026-01-01T00:00:00Z"}};
  }
  if (Find(pod, {"exitCode"}) != nullptr) {
    status["lastState"]["terminated"] = {{"exitCode", Number(pod, {"exitCode"})},
                                         {"reason", Text(pod, {"exitReason"})}};
  }
  return status;
}

Json MakePod(const World& world, const Json& pod) {
  const std::string& job = world.read.job.metadata.name;
  const int ordinal = static_cast<int>(Number(pod, {"ordinal"}));
  Json object = {{"apiVersion", "v1"}, {"kind", "Pod"}};
  object["metadata"] = {
      {"name", resources::PodName(job, ordinal)},
      {"uid", fmt::format("pod-{}", ordinal)},
      {"annotations", {{resources::kSpecHashAnnotation, HashOf(world, Text(pod, {"spec"}))}}}};
  const std::string& unschedulable = Text(pod, {"unschedulable"});
  Json conditions = Json::array();
  if (!unschedulable.empty()) {
    conditions.push_back({{"type", "PodScheduled"},
                          {"status", "False"},
                          {"reason", "Unschedulable"},
                          {"message", unschedulable}});
  }
  if (Find(pod, {"deletedFor"}) != nullptr) {
    const Millis grace(1'000 * resources::kGraceSeconds);
    object["metadata"]["deletionTimestamp"] =
        base::FormatTime(world.now - Duration(pod, "deletedFor", Millis(0)) + grace);
    object["metadata"]["deletionGracePeriodSeconds"] = resources::kGraceSeconds;
  }
  if (Flag(pod, {"evicted"})) {
    conditions.push_back(
        {{"type", "DisruptionTarget"}, {"status", "True"}, {"reason", "DeletionByTaintManager"}});
  }
  if (const std::string& node = Text(pod, {"node"}); !node.empty()) {
    object["spec"]["nodeName"] = node;
  }
  const bool plain = unschedulable.empty() && Text(pod, {"waiting"}).empty();
  conditions.push_back({{"type", "Ready"}, {"status", plain ? "True" : "False"}});
  object["status"] = {{"containerStatuses", Json::array({PodStatus(pod)})},
                      {"conditions", conditions}};
  return object;
}

void AddPods(World& world, const Json& spec) {
  if (const Json* pods = Find(spec, {"pods"})) {
    for (const Json& pod : *pods) {
      world.children.pods.push_back(MakePod(world, pod));
    }
    return;
  }
  if (!world.children.stateful_set) {
    return;
  }
  const int64_t replicas = Number(*world.children.stateful_set, {"spec", "replicas"});
  for (int64_t i = 0; i < replicas; ++i) {
    world.children.pods.push_back(MakePod(world, {{"ordinal", i}, {"spec", Text(spec, {"set"})}}));
  }
}

control::WorkerPhase PhaseOf(const std::string& name) {
  using enum control::WorkerPhase;
  for (control::WorkerPhase phase :
       {kStarting, kFenced, kRestoring, kRunning, kDraining, kStopped, kCompleted, kFailed}) {
    if (control::ToString(phase) == name) {
      return phase;
    }
  }
  return kStarting;
}

control::WorkerError MakeError(const Json& json) {
  control::WorkerError error;
  const std::string& word = Text(json, {"class"});
  error.error_class = word == "user"       ? control::ErrorClass::kUser
                      : word == "external" ? control::ErrorClass::kExternal
                      : word == "fenced"   ? control::ErrorClass::kFenced
                                           : control::ErrorClass::kInternal;
  error.reason = Text(json, {"reason"});
  error.message = Text(json, {"message"});
  return error;
}

control::CleanupReport MakeCleanup(const Json& json) {
  control::CleanupReport report;
  for (const Json& what : List(json, {"removed"})) {
    report.removed.checkpoints |= what == "checkpoints";
    report.removed.exchange_topics |= what == "exchangeTopics";
    report.removed.consumer_group |= what == "consumerGroup";
  }
  report.objects = Number(json, {"objects"});
  report.topics = Number(json, {"topics"});
  if (const Json* error = Find(json, {"error"})) {
    report.error = MakeError(*error);
  }
  return report;
}

WorkerReport MakeReport(const World& world, const Json& json) {
  WorkerReport report;
  report.ordinal = static_cast<int>(Number(json, {"ordinal"}));
  report.spec_hash = Text(json, {"spec"}) == "unknown" ? "" : HashOf(world, Text(json, {"spec"}));
  report.plan_hash = Find(json, {"plan"}) != nullptr ? Text(json, {"plan"}) : "plan-1";
  if (const Json* partitions = Find(json, {"partitions"})) {
    report.partitions = partitions->get<std::map<std::string, int>>();
  } else {
    report.partitions = {{"events", 4}};
  }
  report.seen_at = world.now - Duration(json, "seen", Millis(1'000));
  control::HeartbeatRequest& beat = report.beat;
  beat.phase = PhaseOf(Text(json, {"phase"}));
  beat.generation = Number(json, {"generation"});
  beat.epoch = Number(json, {"epoch"});
  if (Find(json, {"oldest"}) != nullptr) {
    beat.oldest_generation = Number(json, {"oldest"});
  }
  beat.consecutive_epoch_failures = static_cast<int>(Number(json, {"epochFailures"}));
  if (Find(json, {"epochAge"}) != nullptr) {
    beat.last_epoch_time = world.now - Duration(json, "epochAge", Millis(0));
    beat.last_epoch_duration = Millis(40);
  }
  if (Find(json, {"lag"}) != nullptr) {
    beat.lag_records = Number(json, {"lag"});
  }
  beat.restarts = Number(json, {"restarts"});
  if (const Json* verdict = Find(json, {"verdict"})) {
    beat.verdict =
        control::SpecVerdict{HashOf(world, Text(*verdict, {"spec"})), Flag(*verdict, {"fits"}),
                             Text(*verdict, {"reason"}), Text(*verdict, {"message"})};
  }
  if (const Json* cleanup = Find(json, {"cleanup"})) {
    beat.cleanup = MakeCleanup(*cleanup);
  }
  beat.hands_over = Find(json, {"handsOver"}) == nullptr || Flag(json, {"handsOver"});
  if (Find(json, {"prefetched"}) != nullptr) {
    beat.hand_over = control::HandOverReport{Number(json, {"prefetched"}), 0, 0, 0, 0, true};
  }
  if (const Json* snapshot = Find(json, {"snapshot"})) {
    beat.snapshot = MakeSnapshotReport(*snapshot);
  }
  if (const Json* error = Find(json, {"error"})) {
    beat.error = MakeError(*error);
  }
  if (const Json* error = Find(json, {"previousError"})) {
    report.previous_error = MakeError(*error);
  }
  return report;
}

// The manifest that ran before an edit: the job with the spec under `was`.
v1alpha1::StreamJob OldJob(const World& world, const Json& spec) {
  v1alpha1::StreamJob old = world.read.job;
  const Json* was = Find(spec, {"was"});
  if (was != nullptr) {
    old.spec = v1alpha1::ReadStreamJob({{"spec", *was}}).job.spec;
  }
  return old;
}

std::string HashOfJob(const World& world, const v1alpha1::StreamJob& job, const std::string& sql) {
  const v1alpha1::EffectiveSpec effective = v1alpha1::Effective(job.spec, world.settings.defaults);
  return resources::ManifestHash({job, effective, sql, world.settings.worker});
}

void AddSql(World& world, const Json& spec) {
  world.sql.text = world.read.job.spec.sql;
  if (Find(spec, {"sqlText"}) != nullptr) {
    world.sql.text = Text(spec, {"sqlText"});
  }
  if (const std::string& problem = Text(spec, {"sqlProblem"}); !problem.empty()) {
    world.sql.problem = v1alpha1::Finding{"SqlMissing", "spec.sqlFrom", problem};
  }
}

// `new` and `old` in the status become the hashes they stand for.
void ReplaceHashes(World& world) {
  v1alpha1::StreamJobStatus& status = world.read.job.status;
  if (status.generation) {
    status.generation->spec_hash = HashOf(world, status.generation->spec_hash);
  }
  if (status.change) {
    status.change->spec_hash = HashOf(world, status.change->spec_hash);
  }
  if (status.stable) {
    status.stable->spec_hash = HashOf(world, status.stable->spec_hash);
  }
  if (status.rollback) {
    status.rollback->spec_hash = HashOf(world, status.rollback->spec_hash);
    status.rollback->stable_hash = HashOf(world, status.rollback->stable_hash);
  }
}

// "none": they were deleted by hand; "wanted": all but that of the spec as it is now.
void KeepConfigMaps(World& world, const std::string& which) {
  std::erase_if(world.children.config_maps, [&](const Json& map) {
    const bool wanted =
        resources::Annotation(map, resources::kSpecHashAnnotation) == world.new_hash;
    return which == "none" || (which == "wanted" && !wanted);
  });
}

Result<World> MakeWorld(const Json& job, const Json& spec) {
  World world;
  world.settings = TestSettings();
  world.read = v1alpha1::ReadStreamJob(job);
  world.settings.hand_over = Flag(spec, {"handOver"});
  const std::string& now = Text(spec, {"now"});
  SJ_ASSIGN_OR_RETURN(world.now, base::ParseTime(now.empty() ? "2026-01-01T01:00:00Z" : now));
  world.leading_since = world.now - Duration(spec, "leadingFor", Millis(3'600'000));
  AddSql(world, spec);
  const v1alpha1::StreamJob old = OldJob(world, spec);
  world.new_hash = HashOfJob(world, world.read.job, world.sql.text);
  if (Find(spec, {"was"}) != nullptr) {
    world.old_hash = HashOfJob(world, old, old.spec.sql);
  }
  ReplaceHashes(world);
  if (Text(spec, {"children"}) != "none") {
    const bool is_old = Text(spec, {"set"}) == "old";
    AddChildren(world, is_old ? old : world.read.job, is_old ? old.spec.sql : world.sql.text, spec);
    if (!is_old && Find(spec, {"was"}) != nullptr) {
      const v1alpha1::EffectiveSpec effective =
          v1alpha1::Effective(old.spec, world.settings.defaults);
      world.children.config_maps.push_back(
          resources::BuildConfigMap({old, effective, old.spec.sql, world.settings.worker}));
    }
  }
  KeepConfigMaps(world, Text(spec, {"configMaps"}));
  if (const std::string& foreign = Text(spec, {"foreign"}); !foreign.empty()) {
    world.children.foreign = foreign;
  }
  AddPods(world, spec);
  for (const Json& worker : List(spec, {"workers"})) {
    world.workers.push_back(MakeReport(world, worker));
  }
  world.snapshots = MakeSnapshots(spec);
  return world;
}

}  // namespace

Result<ReconcileCase> SplitCase(std::string_view text) {
  const size_t at = text.find(kSeparator);
  if (at == std::string_view::npos) {
    return InvalidArgument("split reconcile file: no line ----");
  }
  const size_t after = at + kSeparator.size();
  return ReconcileCase{std::string(text.substr(0, after)), std::string(text.substr(after))};
}

namespace {

struct ReadCase {
  Json spec;
  World world;
  SnapshotsOutput Snapshots() const {
    return DecideOf(world.read.job, world.snapshots, world.workers, world.now, world.settings);
  }
  Output Run() const {
    return Decide({world.read.job, world.read.findings, world.sql, world.children, world.workers,
                   world.now, world.leading_since, world.settings, Text(spec, {"applyError"}),
                   nullptr, Snapshots().order, RestoreOf(world.read.job, world.snapshots)});
  }
};

// `input` ends with the separator line.
Result<ReadCase> Read(const std::string& input) {
  const std::string yaml = input.substr(0, input.size() - kSeparator.size() + 1);
  SJ_ASSIGN_OR_RETURN(std::vector<Json> documents, base::ParseYamlDocuments(yaml));
  if (documents.empty() || documents.size() > 2) {
    return InvalidArgument("read reconcile file: want a StreamJob and at most one world");
  }
  Json spec = documents.size() == 2 ? documents[1] : Json::object();
  SJ_ASSIGN_OR_RETURN(World world, MakeWorld(documents[0], spec));
  return ReadCase{std::move(spec), std::move(world)};
}

}  // namespace

Result<DecidedCase> DecideCase(const std::string& input) {
  SJ_ASSIGN_OR_RETURN(ReadCase read, Read(input));
  Output output = read.Run();
  return DecidedCase{std::move(read.world.read.job), std::move(output)};
}

Result<std::string> RunCase(const std::string& input) {
  SJ_ASSIGN_OR_RETURN(const ReadCase read, Read(input));
  const World& world = read.world;
  const Output first = read.Run();
  const Output second = read.Run();
  if (Print(first) != Print(second)) {
    return base::Internal("decide twice: the same input gave two answers");
  }
  std::string text = Print(first) + Print(read.Snapshots());
  if (world.old_hash != "none" && world.old_hash != world.new_hash) {
    text = Replaced(text, world.old_hash, "$old");
    text = Replaced(text, world.old_hash.substr(0, 8), "$old");
  }
  text = Replaced(text, world.new_hash, "$new");
  return Replaced(text, world.new_hash.substr(0, 8), "$new");
}

}  // namespace sj::op::decide::testing
