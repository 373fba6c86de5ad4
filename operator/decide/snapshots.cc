// SPDX-License-Identifier: Apache-2.0
// See snapshots.h. Each snapshot by its phase; then the schedule.
#include "operator/decide/snapshots.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <tuple>

#include "api/v1alpha1/effective.h"
#include "operator/resources/names.h"

namespace sj::op::decide {
namespace {

using control::SnapshotOrder;
using control::SnapshotReport;
using control::SnapshotStep;
using v1alpha1::OnDelete;
using v1alpha1::SnapshotPhase;
using v1alpha1::StreamJobSnapshot;
using v1alpha1::StreamJobSnapshotStatus;

constexpr size_t kFailedKept = 3;  // periodic ones, besides the completed ones
constexpr size_t kErrorMax = 1024;

// Why nothing can be taken now.
struct Hindrance {
  std::string reason;
  std::string message;
};

std::string Location(const SnapshotsInput& in) {
  const auto& effective = in.job->status.effective;
  std::string location = effective ? effective->checkpoint.location : "";
  while (location.ends_with('/')) {
    location.pop_back();
  }
  return location;
}

bool Fresh(const SnapshotsInput& in) {
  return in.worker != nullptr && in.now - in.worker->seen_at < in.settings.silent_after;
}

const SnapshotReport* ReportOf(const SnapshotsInput& in) {
  return in.worker != nullptr && in.worker->beat.snapshot ? &*in.worker->beat.snapshot : nullptr;
}

std::optional<Hindrance> WhatHinders(const SnapshotsInput& in) {
  if (in.job == nullptr) {
    return Hindrance{"JobMissing",
                     fmt::format("there is no StreamJob \"{}\" in this namespace", in.job_name)};
  }
  const auto& generation = in.job->status.generation;
  if (in.job->metadata.deletion_timestamp) {
    return Hindrance{"JobDeleted", "the job is being deleted"};
  }
  if (!generation || generation->step != v1alpha1::GenerationStep::kStarted) {
    return Hindrance{"JobNotRunning", "the job does not run; a snapshot is taken while it does"};
  }
  if (generation->hand_over) {
    return Hindrance{"JobRescales", "workers hand partitions and shards over"};
  }
  if (!Fresh(in) || in.worker->beat.phase != control::WorkerPhase::kRunning ||
      in.worker->beat.generation != generation->number) {
    return Hindrance{"JobNotRunning", "worker 0, which takes snapshots, does not run"};
  }
  if (ReportOf(in) == nullptr) {
    return Hindrance{"WorkerTooOld", "the workers are of a version that cannot take snapshots"};
  }
  if (Location(in).empty()) {
    return Hindrance{"NoCheckpoints", "the job has no spec.checkpoint.location"};
  }
  return std::nullopt;
}

bool HasFinalizer(const StreamJobSnapshot& snapshot) {
  const std::vector<std::string>& finalizers = snapshot.metadata.finalizers;
  return std::find(finalizers.begin(), finalizers.end(), resources::kFinalizer) != finalizers.end();
}

bool DeletesObjects(const StreamJobSnapshot& snapshot) {
  return snapshot.spec.on_delete == OnDelete::kDelete;
}

bool Periodic(const StreamJobSnapshot& snapshot) {
  auto it = snapshot.metadata.labels.find(std::string(v1alpha1::kSnapshotKindLabel));
  return it != snapshot.metadata.labels.end() && it->second == v1alpha1::kPeriodic;
}

bool Ended(const StreamJobSnapshot& snapshot) {
  return snapshot.status.phase == SnapshotPhase::kCompleted ||
         snapshot.status.phase == SnapshotPhase::kFailed;
}

// The decision in the making.
class Decision {
 public:
  explicit Decision(const SnapshotsInput& in) : in_(in), hindrance_(WhatHinders(in)) {
    for (const SnapshotObject& object : in.snapshots) {
      sorted_.push_back(&object);
    }
    std::sort(sorted_.begin(), sorted_.end(), [](const auto* a, const auto* b) {
      const auto& x = a->snapshot.metadata;
      const auto& y = b->snapshot.metadata;
      return std::tie(x.creation_timestamp, x.name) < std::tie(y.creation_timestamp, y.name);
    });
  }

  SnapshotsOutput Run() {
    for (const SnapshotObject* object : sorted_) {
      if (object->snapshot.metadata.deletion_timestamp) {
        Remove(object->snapshot);
      }
    }
    for (const SnapshotObject* object : sorted_) {
      if (!object->snapshot.metadata.deletion_timestamp &&
          object->snapshot.status.phase == SnapshotPhase::kInProgress) {
        GoOn(object->snapshot);
      }
    }
    for (const SnapshotObject* object : sorted_) {
      if (!object->snapshot.metadata.deletion_timestamp) {
        Look(*object);
      }
    }
    Schedule();
    return std::move(out_);
  }

 private:
  void LookAgainIn(Millis wait) {
    wait = std::max(wait, Millis(50));
    out_.requeue_after = out_.requeue_after ? std::min(*out_.requeue_after, wait) : wait;
  }
  void Put(const StreamJobSnapshot& snapshot, const StreamJobSnapshotStatus& status) {
    if (v1alpha1::SnapshotStatusToJson(status) != v1alpha1::SnapshotStatusToJson(snapshot.status)) {
      out_.statuses.push_back({snapshot.metadata.name, status});
    }
  }
  void Say(const StreamJobSnapshot& snapshot, bool warning, std::string reason,
           std::string message) {
    out_.events.push_back(
        {snapshot.metadata.name, {warning, std::move(reason), std::move(message)}});
  }
  void Act(SnapshotActionKind kind, const StreamJobSnapshot& snapshot, std::string why) {
    out_.actions.push_back({kind, snapshot.metadata.name, {}, std::move(why)});
  }
  void End(const StreamJobSnapshot& snapshot, std::string reason, std::string message) {
    StreamJobSnapshotStatus status = snapshot.status;
    status.phase = SnapshotPhase::kFailed;
    status.reason = std::move(reason);
    status.message = std::move(message);
    Say(snapshot, true, status.reason, status.message);
    Put(snapshot, status);
  }

  void Remove(const StreamJobSnapshot& snapshot);
  bool MayStillRemove(const StreamJobSnapshot& snapshot) const;
  void GoOn(const StreamJobSnapshot& snapshot);
  void Complete(const StreamJobSnapshot& snapshot, const control::SnapshotResult& result);
  void Look(const SnapshotObject& object);
  void Begin(const StreamJobSnapshot& snapshot);
  void Schedule();
  void Retain(const std::vector<const StreamJobSnapshot*>& periodic);

  const SnapshotsInput& in_;
  const std::optional<Hindrance> hindrance_;
  std::vector<const SnapshotObject*> sorted_;  // oldest first
  bool busy_ = false;  // one is being taken or removed, or is just beginning
  SnapshotsOutput out_;
};

// The worker that could remove its objects is there, or will be.
bool Decision::MayStillRemove(const StreamJobSnapshot& snapshot) const {
  if (in_.job == nullptr || in_.job->metadata.uid != snapshot.status.job_uid ||
      in_.job->metadata.deletion_timestamp ||
      v1alpha1::StateOf(in_.job->spec) == v1alpha1::DesiredState::kSuspended) {
    return false;
  }
  return snapshot.status.location.starts_with(Location(in_) + "/");
}

void Decision::Remove(const StreamJobSnapshot& snapshot) {
  if (!HasFinalizer(snapshot)) {
    return;
  }
  if (!DeletesObjects(snapshot) || snapshot.status.location.empty()) {
    Act(SnapshotActionKind::kRemoveFinalizer, snapshot, "nothing is to be removed");
    return;
  }
  const SnapshotOrder order{SnapshotStep::kRemove, snapshot.metadata.name, snapshot.metadata.uid, 0,
                            0};
  const SnapshotReport* report = ReportOf(in_);
  if (report != nullptr && report->known == order && report->done) {
    Say(snapshot, false, "SnapshotRemoved",
        fmt::format("The {} objects at {} are deleted.", report->objects,
                    snapshot.status.location));
    Act(SnapshotActionKind::kRemoveFinalizer, snapshot, "its objects are deleted");
    return;
  }
  const WallTime give_up = *snapshot.metadata.deletion_timestamp + in_.settings.delete_max;
  if (!MayStillRemove(snapshot) || in_.now >= give_up) {
    const bool tried = report != nullptr && report->known == order && report->error;
    Say(snapshot, true, "SnapshotObjectsStay",
        fmt::format("Nobody could delete the objects at {}{}{}; delete them by hand.",
                    snapshot.status.location, tried ? ": " : "",
                    tried ? report->error->message.substr(0, kErrorMax) : ""));
    Act(SnapshotActionKind::kRemoveFinalizer, snapshot, "nobody can delete its objects");
    return;
  }
  LookAgainIn(give_up - in_.now);
  if (!busy_ && Fresh(in_) && report != nullptr) {
    busy_ = true;
    out_.order = order;
  }
}

void Decision::GoOn(const StreamJobSnapshot& snapshot) {
  const StreamJobSnapshotStatus& status = snapshot.status;
  if (in_.job == nullptr || in_.job->metadata.uid != status.job_uid) {
    End(snapshot, "JobGone", "the job was deleted before the snapshot was taken");
    return;
  }
  const SnapshotReport* report = ReportOf(in_);
  const bool ours = report != nullptr && report->known.step == SnapshotStep::kTake &&
                    report->known.uid == snapshot.metadata.uid;
  if (ours && report->done && report->result) {
    Complete(snapshot, *report->result);
    return;
  }
  if (ours && report->done && report->error) {
    End(snapshot, report->error->reason, report->error->message.substr(0, kErrorMax));
    return;
  }
  const WallTime give_up = status.started_at.value_or(in_.now) + in_.settings.snapshot_max;
  if (in_.now >= give_up) {
    End(snapshot, "TimedOut",
        fmt::format("it was not taken within {}{}", base::FormatDuration(in_.settings.snapshot_max),
                    hindrance_ ? "; now " + hindrance_->message : ""));
    return;
  }
  LookAgainIn(give_up - in_.now);
  const bool first = !busy_;
  busy_ = true;
  if (first && !hindrance_ && !out_.order) {
    out_.order =
        SnapshotOrder{SnapshotStep::kTake, snapshot.metadata.name, snapshot.metadata.uid,
                      in_.job->status.generation->number, in_.job->status.generation->replicas};
  }
  StreamJobSnapshotStatus next = status;
  next.reason = hindrance_ ? hindrance_->reason : "Copying";
  next.message = hindrance_ ? hindrance_->message : "worker 0 takes it while the job runs";
  // Few writes, however many objects there are.
  if (ours && report->objects >= 2 * status.objects + 10) {
    next.objects = report->objects;
  }
  Put(snapshot, next);
}

void Decision::Complete(const StreamJobSnapshot& snapshot, const control::SnapshotResult& result) {
  StreamJobSnapshotStatus status = snapshot.status;
  status.phase = SnapshotPhase::kCompleted;
  status.reason = "Taken";
  status.message = "";
  status.taken_at = result.taken_at;
  status.state_hash = result.state_hash;
  status.epoch = result.epoch;
  status.location = result.source.location;
  status.manifest = result.source.manifest;
  status.sha256 = result.source.sha256;
  status.objects = result.objects;
  status.rows_in_flight = result.rows;
  status.size_bytes = result.bytes;
  Say(snapshot, false, "SnapshotTaken",
      fmt::format("It holds {} objects, {} bytes in all, at {}.", status.objects, status.size_bytes,
                  status.location));
  Put(snapshot, status);
}

void Decision::Look(const SnapshotObject& object) {
  const StreamJobSnapshot& snapshot = object.snapshot;
  if (snapshot.status.phase == SnapshotPhase::kInProgress) {
    return;
  }
  if (DeletesObjects(snapshot) != HasFinalizer(snapshot) && object.findings.empty()) {
    Act(DeletesObjects(snapshot) ? SnapshotActionKind::kAddFinalizer
                                 : SnapshotActionKind::kRemoveFinalizer,
        snapshot, "spec.onDelete asks for it");
    busy_ = true;  // it begins when that is stored
    return;
  }
  if (Ended(snapshot)) {
    return;
  }
  if (!object.findings.empty()) {
    End(snapshot, "SpecInvalid", v1alpha1::JoinFindings(object.findings));
    return;
  }
  if (!hindrance_ && !busy_) {
    Begin(snapshot);
    return;
  }
  StreamJobSnapshotStatus status = snapshot.status;
  status.phase = SnapshotPhase::kPending;
  status.reason = hindrance_ ? hindrance_->reason : "Queued";
  status.message = hindrance_ ? hindrance_->message : "another snapshot of the job comes first";
  Put(snapshot, status);
}

// The order follows from the status once that is stored.
void Decision::Begin(const StreamJobSnapshot& snapshot) {
  busy_ = true;
  StreamJobSnapshotStatus status = snapshot.status;
  status.phase = SnapshotPhase::kInProgress;
  status.reason = "Copying";
  status.message = "worker 0 takes it while the job runs";
  status.started_at = in_.now;
  status.job_uid = in_.job->metadata.uid;
  status.location = fmt::format("{}/snapshots/{}/{}/{}", Location(in_), status.job_uid,
                                snapshot.metadata.name, snapshot.metadata.uid);
  Put(snapshot, status);
  LookAgainIn(Millis(0));
}

// "orders-20260101060000"
std::string PeriodicName(const std::string& job, WallTime slot) {
  std::string name = job + "-";
  for (char c : base::FormatTime(slot).substr(0, 19)) {
    if (c >= '0' && c <= '9') {
      name.push_back(c);
    }
  }
  return name;
}

Json PeriodicObject(const SnapshotsInput& in, const std::string& name) {
  v1alpha1::StreamJobSnapshotSpec spec;
  spec.job_ref.name = in.job_name;
  spec.on_delete = OnDelete::kDelete;
  return {{"apiVersion", std::string(v1alpha1::kApiVersion)},
          {"kind", std::string(v1alpha1::kSnapshotKind)},
          {"metadata",
           {{"name", name},
            {"namespace", in.namespace_name},
            {"labels",
             {{std::string(v1alpha1::kSnapshotJobLabel), in.job_name},
              {std::string(v1alpha1::kSnapshotKindLabel), std::string(v1alpha1::kPeriodic)}}}}},
          {"spec", v1alpha1::SnapshotSpecToJson(spec)}};
}

void Decision::Schedule() {
  if (in_.job == nullptr || in_.job->metadata.deletion_timestamp ||
      !in_.job->spec.snapshots.every || *in_.job->spec.snapshots.every <= Millis(0)) {
    return;
  }
  std::vector<const StreamJobSnapshot*> periodic;  // newest first
  for (auto it = sorted_.rbegin(); it != sorted_.rend(); ++it) {
    if (Periodic((*it)->snapshot)) {
      periodic.push_back(&(*it)->snapshot);
    }
  }
  const Millis every = *in_.job->spec.snapshots.every;
  const Millis since = in_.now.time_since_epoch() % every;
  const WallTime slot = in_.now - since;
  const std::string name = PeriodicName(in_.job_name, slot);
  const bool open = std::any_of(periodic.begin(), periodic.end(),
                                [](const auto* snapshot) { return !Ended(*snapshot); });
  const bool made =
      std::any_of(in_.snapshots.begin(), in_.snapshots.end(),
                  [&](const auto& object) { return object.snapshot.metadata.name == name; });
  const bool later = !periodic.empty() && periodic.front()->metadata.creation_timestamp &&
                     *periodic.front()->metadata.creation_timestamp >= slot;
  if (!made && !open && !later && !hindrance_) {
    out_.actions.push_back(
        {SnapshotActionKind::kCreate, name, PeriodicObject(in_, name), "spec.snapshots.every"});
  }
  LookAgainIn(every - since);
  Retain(periodic);
}

void Decision::Retain(const std::vector<const StreamJobSnapshot*>& periodic) {
  const v1alpha1::SnapshotRetain& retain = in_.job->spec.snapshots.retain;
  const int kept = retain.count.value_or(retain.age ? INT_MAX : v1alpha1::kSnapshotsKept);
  int completed = 0;
  size_t failed = 0;
  for (const StreamJobSnapshot* snapshot : periodic) {
    if (snapshot->metadata.deletion_timestamp || !Ended(*snapshot)) {
      continue;
    }
    if (snapshot->status.phase == SnapshotPhase::kFailed) {
      if (++failed > kFailedKept || completed > 0) {
        Act(SnapshotActionKind::kDelete, *snapshot, "it has failed, and newer ones are there");
      }
      continue;
    }
    ++completed;
    const WallTime at = snapshot->status.taken_at.value_or(in_.now);
    if (completed > kept) {
      Act(SnapshotActionKind::kDelete, *snapshot, fmt::format("{} newer ones are kept", kept));
    } else if (completed > 1 && retain.age && in_.now - at > *retain.age) {
      Act(SnapshotActionKind::kDelete, *snapshot,
          fmt::format("it is older than {}", base::FormatDuration(*retain.age)));
    }
  }
}

}  // namespace

std::string ToString(const SnapshotAction& action) {
  const char* verb = "create";
  switch (action.kind) {
    case SnapshotActionKind::kCreate:
      break;
    case SnapshotActionKind::kAddFinalizer:
      verb = "add finalizer to";
      break;
    case SnapshotActionKind::kRemoveFinalizer:
      verb = "remove finalizer from";
      break;
    case SnapshotActionKind::kDelete:
      verb = "delete";
      break;
  }
  return fmt::format("{} {} {}: {}", verb, v1alpha1::kSnapshotKind, action.name, action.why);
}

SnapshotsOutput DecideSnapshots(const SnapshotsInput& in) {
  return Decision(in).Run();
}

RestoreChoice ChooseRestore(const v1alpha1::StreamJob& job, const StreamJobSnapshot* snapshot,
                            WallTime now) {
  RestoreChoice choice;
  if (!job.spec.restore_from || job.status.restored_from || job.status.generation) {
    return choice;
  }
  const v1alpha1::SnapshotName& wanted = job.spec.restore_from->snapshot;
  const std::string& own = job.metadata.namespace_name;
  const std::string& ns = wanted.namespace_name.empty() ? own : wanted.namespace_name;
  const auto problem = [&](const char* reason, std::string message) {
    choice.problem =
        v1alpha1::Finding{reason, "spec.restoreFrom", "spec.restoreFrom: " + std::move(message)};
    return choice;
  };
  // One answer for both, so that names of other namespaces cannot be guessed.
  if (snapshot == nullptr || !v1alpha1::Grants(*snapshot, own)) {
    return ns == own ? problem("SnapshotMissing",
                               fmt::format("there is no StreamJobSnapshot \"{}\"", wanted.name))
                     : problem("SnapshotNotGranted",
                               fmt::format("StreamJobSnapshot \"{}\" of namespace \"{}\" is not "
                                           "there or does not name namespace \"{}\" in its "
                                           "spec.grants",
                                           wanted.name, ns, own));
  }
  const StreamJobSnapshotStatus& status = snapshot->status;
  if (status.phase != SnapshotPhase::kCompleted || status.sha256.empty()) {
    const bool failed = status.phase == SnapshotPhase::kFailed;
    return problem(failed ? "SnapshotFailed" : "SnapshotNotTaken",
                   fmt::format("StreamJobSnapshot \"{}\" {}", wanted.name,
                               failed ? "has failed" : "is not completed yet"));
  }
  if (snapshot->metadata.deletion_timestamp) {
    return problem("SnapshotMissing",
                   fmt::format("StreamJobSnapshot \"{}\" is being deleted", wanted.name));
  }
  choice.source = v1alpha1::RestoredFrom{ns,
                                         snapshot->metadata.name,
                                         snapshot->metadata.uid,
                                         status.location,
                                         status.manifest,
                                         status.sha256,
                                         now};
  return choice;
}

}  // namespace sj::op::decide
