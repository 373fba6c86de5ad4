// SPDX-License-Identifier: Apache-2.0
// See snapshot_world.h.
#include "operator/decide/testing/snapshot_world.h"

#include <fmt/format.h>

#include "operator/resources/object.h"

namespace sj::op::decide::testing {

using control::SnapshotStep;
using resources::Find;
using resources::Flag;
using resources::List;
using resources::Number;
using resources::Text;

std::vector<SnapshotObject> MakeSnapshots(const Json& world) {
  std::vector<SnapshotObject> snapshots;
  for (const Json& object : List(world, {"snapshots"})) {
    v1alpha1::ReadSnapshotResult read = v1alpha1::ReadSnapshot(object);
    snapshots.push_back({std::move(read.snapshot), std::move(read.findings)});
  }
  return snapshots;
}

control::SnapshotReport MakeSnapshotReport(const Json& json) {
  control::SnapshotReport report;
  const std::string& step = Text(json, {"step"});
  report.known.step = step == "take"     ? SnapshotStep::kTake
                      : step == "remove" ? SnapshotStep::kRemove
                                         : SnapshotStep::kNone;
  report.known.name = Text(json, {"name"});
  report.known.uid = Text(json, {"uid"});
  report.known.generation = Number(json, {"generation"});
  report.known.replicas = static_cast<int>(Number(json, {"replicas"}));
  report.objects = Number(json, {"objects"});
  report.done = Flag(json, {"done"});
  if (const Json* result = Find(json, {"result"})) {
    report.result.emplace();
    report.result->source = {Text(*result, {"location"}), Text(*result, {"manifest"}),
                             Text(*result, {"sha256"})};
    report.result->objects = Number(*result, {"objects"});
    report.result->bytes = Number(*result, {"bytes"});
  }
  if (const Json* error = Find(json, {"error"})) {
    report.error = control::WorkerError{control::ErrorClass::kExternal, Text(*error, {"reason"}),
                                        Text(*error, {"message"})};
  }
  return report;
}

const v1alpha1::StreamJobSnapshot* RestoreOf(const v1alpha1::StreamJob& job,
                                             const std::vector<SnapshotObject>& snapshots) {
  if (!job.spec.restore_from) {
    return nullptr;
  }
  const v1alpha1::SnapshotName& wanted = job.spec.restore_from->snapshot;
  const std::string& ns =
      wanted.namespace_name.empty() ? job.metadata.namespace_name : wanted.namespace_name;
  for (const SnapshotObject& object : snapshots) {
    if (object.snapshot.metadata.name == wanted.name &&
        object.snapshot.metadata.namespace_name == ns) {
      return &object.snapshot;
    }
  }
  return nullptr;
}

SnapshotsOutput DecideOf(const v1alpha1::StreamJob& job,
                         const std::vector<SnapshotObject>& snapshots,
                         const std::vector<WorkerReport>& workers, WallTime now,
                         const Settings& settings) {
  std::vector<SnapshotObject> own;
  for (const SnapshotObject& object : snapshots) {
    if (object.snapshot.spec.job_ref.name == job.metadata.name) {
      own.push_back(object);
    }
  }
  const WorkerReport* first = nullptr;
  for (const WorkerReport& worker : workers) {
    first = worker.ordinal == 0 ? &worker : first;
  }
  return DecideSnapshots(
      {job.metadata.namespace_name, job.metadata.name, &job, own, first, now, settings});
}

std::string Print(const SnapshotsOutput& output) {
  std::string out;
  for (const SnapshotStatusWrite& write : output.statuses) {
    out += fmt::format("snapshot {}: {} {}{}{}\n", write.name,
                       v1alpha1::ToString(*write.status.phase), write.status.reason,
                       write.status.message.empty() ? "" : ": ", write.status.message);
  }
  for (const SnapshotEvent& event : output.events) {
    out += fmt::format("snapshot event {} {} {}: {}\n", event.name,
                       event.event.warning ? "Warning" : "Normal", event.event.reason,
                       event.event.message);
  }
  for (const SnapshotAction& action : output.actions) {
    out += fmt::format("snapshot action {}\n", ToString(action));
  }
  return out;
}

std::string Print(const std::optional<control::SnapshotOrder>& order) {
  if (!order) {
    return "";
  }
  return order->step == SnapshotStep::kTake
             ? fmt::format(" snapshot=take {} in generation {} of {}", order->name,
                           order->generation, Workers(order->replicas))
             : fmt::format(" snapshot=remove {}", order->name);
}

}  // namespace sj::op::decide::testing
