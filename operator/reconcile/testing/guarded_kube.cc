// SPDX-License-Identifier: Apache-2.0
// See guarded_kube.h. The checks look at what is stored at the moment of the write.
#include "operator/reconcile/testing/guarded_kube.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "api/v1alpha1/stream_job_json.h"
#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile::testing {
namespace {

using kube::Json;
using kube::ObjectKey;
using kube::Resource;
using kube::Result;
using kube::Status;
using kube::testing::FailWhen;
using resources::Number;
using resources::Text;
using v1alpha1::GenerationStatus;
using v1alpha1::GenerationStep;

constexpr const char* kForeignLabel = "somebody-else";

std::string SpecHashOf(const Json& object) {
  return resources::Annotation(object, resources::kSpecHashAnnotation);
}

// The job a StatefulSet belongs to, as stored; nothing when it is gone.
std::optional<v1alpha1::StreamJob> JobOfSet(const kube::testing::FakeKube& kube, const Json& set) {
  const std::optional<kube::OwnerRef> owner = kube::ControllerOf(set);
  const std::optional<Json> job =
      owner ? kube.Find(kube::kStreamJobs, {kube::NamespaceOf(set), owner->name}) : std::nullopt;
  if (!job || kube::UidOf(*job) != owner->uid) {
    return std::nullopt;
  }
  return v1alpha1::ReadStreamJob(*job).job;
}

// How many pods the job is entitled to: fewer would stop a live worker.
int64_t Entitled(const v1alpha1::StreamJob& job) {
  const bool ends = job.metadata.deletion_timestamp.has_value() ||
                    job.spec.state == v1alpha1::DesiredState::kSuspended ||
                    job.status.phase == v1alpha1::Phase::kCompleted;
  if (ends) {
    return 0;
  }
  const int wanted = job.spec.replicas.value_or(1);
  return job.status.generation ? std::max(wanted, job.status.generation->replicas) : wanted;
}

bool SameAssignment(const GenerationStatus& before, const GenerationStatus& now) {
  const bool planned = before.plan_hash.empty() ||
                       (before.plan_hash == now.plan_hash && before.partitions == now.partitions);
  const bool unstarted =
      before.step == GenerationStep::kStarted && now.step == GenerationStep::kPrepare;
  return before.spec_hash == now.spec_hash && before.replicas == now.replicas &&
         before.shards == now.shards && planned && !unstarted;
}

}  // namespace

Result<Json> GuardedKube::Get(const Resource& resource, const ObjectKey& key, kube::Read read) {
  if (!poison_.empty() && key.name.starts_with(poison_)) {
    throw std::runtime_error("poison");
  }
  return kube_.Get(resource, key, read);
}

Result<kube::ListResult> GuardedKube::List(const Resource& resource,
                                           const kube::ListOptions& options) {
  return kube_.List(resource, options);
}

Result<kube::WatchEnd> GuardedKube::Watch(const Resource& resource,
                                          const kube::WatchOptions& options,
                                          const std::function<bool(kube::WatchEvent)>& on_event,
                                          base::HttpCancel* cancel) {
  return kube_.Watch(resource, options, on_event, cancel);
}

template <typename Effect>
auto GuardedKube::Write(const Resource& resource, const ObjectKey& key, Effect effect) {
  ++writes_;
  if (disturb_every_ > 0 && writes_ % disturb_every_ == 0) {
    Disturb(resource, key);
  }
  const bool crash = crash_at_ > 0 && --crash_at_ == 0;
  if (crash && crash_when_ == FailWhen::kBefore) {
    throw Crash();
  }
  auto result = effect();
  if (crash) {
    throw Crash();
  }
  return result;
}

Result<Json> GuardedKube::Create(const Resource& resource, const Json& object) {
  return Write(resource, kube::KeyOf(object), [&] { return kube_.Create(resource, object); });
}

Result<Json> GuardedKube::Apply(const Resource& resource, const Json& object) {
  return Write(resource, kube::KeyOf(object), [&] {
    CheckOwner(resource, object);
    if (resource == kube::kStatefulSets) {
      CheckSet(kube::KeyOf(object), object);
    }
    return kube_.Apply(resource, object);
  });
}

Result<Json> GuardedKube::Replace(const Resource& resource, const Json& object) {
  return Write(resource, kube::KeyOf(object), [&] { return kube_.Replace(resource, object); });
}

Result<Json> GuardedKube::ReplaceStatus(const Resource& resource, const ObjectKey& key,
                                        const Json& status,
                                        const kube::ReplaceStatusOptions& options) {
  return Write(resource, key, [&] {
    if (options.resource_version.empty()) {
      Violation(fmt::format("status of {} is written without a lock", key.ToString()));
    }
    Result<Json> stored = kube_.ReplaceStatus(resource, key, status, options);
    if (stored.ok()) {
      CheckGeneration(*stored);
    }
    return stored;
  });
}

Result<Json> GuardedKube::MergePatch(const Resource& resource, const ObjectKey& key,
                                     const Json& patch) {
  return Write(resource, key, [&] {
    if (Text(patch, {"metadata", "resourceVersion"}).empty()) {
      Violation(fmt::format("{} {} is patched without a lock", resource.kind, key.ToString()));
    }
    const std::optional<Json> before = kube_.Find(resource, key);
    if (resource == kube::kStatefulSets && before) {
      Json after = *before;
      after.merge_patch(patch);
      CheckSet(key, after);
    }
    if (resource == kube::kStreamJobs) {
      CheckFinalizer(key, patch);
    }
    return kube_.MergePatch(resource, key, patch);
  });
}

Status GuardedKube::Delete(const Resource& resource, const ObjectKey& key,
                           const kube::DeleteOptions& options) {
  return Write(resource, key, [&] {
    if (options.uid.empty() || options.resource_version.empty()) {
      Violation(
          fmt::format("{} {} is deleted without preconditions", resource.kind, key.ToString()));
    }
    const std::optional<Json> before = kube_.Find(resource, key);
    // What the preconditions refuse does no harm.
    if (before && kube::UidOf(*before) == options.uid &&
        kube::ResourceVersionOf(*before) == options.resource_version) {
      CheckDelete(resource, key, options.grace_seconds == 0);
    }
    return kube_.Delete(resource, key, options);
  });
}

// A child of ours stays with the job it was made for.
void GuardedKube::CheckOwner(const Resource& resource, const Json& object) {
  const std::optional<Json> before = kube_.Find(resource, kube::KeyOf(object));
  if (before && resources::ControllerUid(*before) != resources::ControllerUid(object)) {
    Violation(fmt::format("{} {} is taken from another owner", resource.kind,
                          kube::KeyOf(object).ToString()));
  }
}

void GuardedKube::CheckSet(const ObjectKey& key, const Json& after) {
  const std::optional<Json> before = kube_.Find(kube::kStatefulSets, key);
  const std::string& version = kube::ResourceVersionOf(after);
  if (!before || (!version.empty() && version != kube::ResourceVersionOf(*before))) {
    return;  // a create, or refused
  }
  const std::optional<v1alpha1::StreamJob> job = JobOfSet(kube_, *before);
  if (!job) {
    return;
  }
  const int64_t was = Number(*before, {"spec", "replicas"});
  const int64_t is = Number(after, {"spec", "replicas"});
  if (is < was && is < Entitled(*job)) {
    Violation(fmt::format("{} is scaled from {} to {}, the job needs {}", key.ToString(), was, is,
                          Entitled(*job)));
  }
  const std::string hash = SpecHashOf(after);
  const bool others = job->status.generation && job->status.generation->spec_hash != hash;
  if (hash != SpecHashOf(*before) && others) {
    Violation(fmt::format("{} gets the template of a spec that is not in force", key.ToString()));
  }
}

void GuardedKube::CheckDelete(const Resource& resource, const ObjectKey& key, bool by_force) {
  const Json object = *kube_.Find(resource, key);
  if (by_force && !kube::IsDeleting(object)) {
    Violation(fmt::format("{} {} is deleted by force before anybody has deleted it", resource.kind,
                          key.ToString()));
  }
  const std::string hash = SpecHashOf(object);
  bool live = true;
  if (resource == kube::kPods) {
    const std::optional<kube::OwnerRef> owner = kube::ControllerOf(object);
    const std::optional<Json> set =
        owner ? kube_.Find(kube::kStatefulSets, {key.ns, owner->name}) : std::nullopt;
    const std::optional<v1alpha1::StreamJob> job = set ? JobOfSet(kube_, *set) : std::nullopt;
    const bool given_up = by_force && kube::IsDeleting(object);
    live =
        job && !given_up && (!job->status.generation || job->status.generation->spec_hash == hash);
  } else if (resource == kube::kConfigMaps) {
    const auto reads = [&](const Json& other) {
      return kube::NamespaceOf(other) == key.ns && SpecHashOf(other) == hash;
    };
    const std::vector<Json> pods = kube_.All(kube::kPods);
    const std::vector<Json> sets = kube_.All(kube::kStatefulSets);
    live = std::any_of(pods.begin(), pods.end(), reads) ||
           std::any_of(sets.begin(), sets.end(), reads);
  }
  if (live) {
    Violation(fmt::format("{} {} is deleted while it is needed", resource.kind, key.ToString()));
  }
}

// Patches of the job itself are finalizers only.
void GuardedKube::CheckFinalizer(const ObjectKey& key, const Json& patch) {
  const std::optional<Json> job = kube_.Find(kube::kStreamJobs, key);
  const Json* list = resources::Find(patch, {"metadata", "finalizers"});
  if (patch.size() != 1 || list == nullptr) {
    Violation(fmt::format("{}: more than its finalizers is patched", key.ToString()));
    return;
  }
  const bool kept = std::find(list->begin(), list->end(), resources::kFinalizer) != list->end();
  if (!job || kept ||
      kube::ResourceVersionOf(*job) != Text(patch, {"metadata", "resourceVersion"})) {
    return;
  }
  if (!kube::IsDeleting(*job)) {
    Violation(fmt::format("{} loses its finalizer while it lives", key.ToString()));
  }
}

void GuardedKube::CheckGeneration(const Json& job) {
  const v1alpha1::StreamJobStatus status = v1alpha1::ReadStreamJob(job).job.status;
  if (!status.generation) {
    return;
  }
  const GenerationStatus& now = *status.generation;
  Given& given = given_[kube::UidOf(job)];
  auto it = given.find(now.number);
  if (it != given.end() && !SameAssignment(it->second, now)) {
    Violation(fmt::format("generation {} means two assignments", now.number));
  }
  if (!given.empty() && now.number < given.rbegin()->first) {
    Violation(fmt::format("generation goes back from {} to {}", given.rbegin()->first, now.number));
  }
  given[now.number] = now;
}

void GuardedKube::CrashAt(int write, FailWhen when) {
  crash_at_ = write;
  crash_when_ = when;
}

void GuardedKube::DisturbEvery(int n) {
  disturb_every_ = n;
}

void GuardedKube::Disturb(const Resource& resource, const ObjectKey& key) {
  std::optional<Json> object = kube_.Find(resource, key);
  if (!object) {
    return;
  }
  const std::string uid = kube::UidOf(*object);
  labels_[uid] = fmt::format("v{}", ++disturbances_);
  touched_.insert_or_assign(uid, std::pair(resource, key));
  (*object)["metadata"]["labels"][kForeignLabel] = labels_[uid];
  kube_.Put(resource, *object);
}

std::string GuardedKube::LostLabels() const {
  for (const auto& [uid, where] : touched_) {
    const std::optional<Json> object = kube_.Find(where.first, where.second);
    if (object && kube::UidOf(*object) == uid &&
        kube::LabelOf(*object, kForeignLabel) != labels_.at(uid)) {
      return fmt::format("{} {} lost a label", where.first.kind, where.second.ToString());
    }
  }
  return "";
}

}  // namespace sj::op::reconcile::testing
