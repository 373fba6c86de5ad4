// SPDX-License-Identifier: Apache-2.0
// See children.h. The pod template is in pod_template.cc.
#include "operator/resources/children.h"

#include <algorithm>

#include "api/base/hash.h"
#include "api/v1alpha1/stream_job_json.h"
#include "operator/resources/names.h"
#include "operator/resources/pod_template.h"

namespace sj::op::resources {
namespace {

using v1alpha1::StreamJob;

Json OwnerReference(const StreamJob& job) {
  return {{"apiVersion", v1alpha1::kApiVersion},
          {"kind", v1alpha1::kKind},
          {"name", job.metadata.name},
          {"uid", job.metadata.uid},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

Json NewObject(const StreamJob& job, std::string_view api_version, std::string_view kind,
               const std::string& name) {
  return {{"apiVersion", api_version},
          {"kind", kind},
          {"metadata",
           {{"name", name},
            {"namespace", job.metadata.namespace_name},
            {"labels", CommonLabels(job.metadata.name)},
            {"ownerReferences", Json::array({OwnerReference(job)})}}}};
}

// Puts a hash of the object into it: a field that is no longer named is noticed by it.
Json Sealed(Json object) {
  const std::string hash = base::Sha256Hex(base::DumpJson(object)).substr(0, 16);
  object["metadata"]["annotations"][kAppliedAnnotation] = hash;
  return object;
}

}  // namespace

v1alpha1::StreamJobSpec ManifestSpec(const Blueprint& blueprint) {
  if (blueprint.manifest != nullptr) {
    return *blueprint.manifest;
  }
  const v1alpha1::EffectiveSpec& effective = blueprint.effective;
  v1alpha1::StreamJobSpec spec = blueprint.job.spec;
  spec.sql = blueprint.sql;
  spec.sql_from.reset();
  spec.replicas.reset();
  spec.state.reset();
  spec.autoscaling = {};
  spec.rollout = {};
  spec.deletion_policy = {};
  spec.snapshots = {};
  spec.restore_from.reset();
  spec.max_parallelism = effective.max_parallelism;
  spec.shards = effective.shards;
  spec.checkpoint.interval = effective.checkpoint.interval;
  spec.checkpoint.location = effective.checkpoint.location;
  spec.checkpoint.endpoint = effective.checkpoint.endpoint;
  spec.checkpoint.region = effective.checkpoint.region;
  spec.checkpoint.secret_ref.reset();
  if (!effective.checkpoint.secret_name.empty()) {
    spec.checkpoint.secret_ref = v1alpha1::SecretRef{effective.checkpoint.secret_name};
  }
  spec.checkpoint.path_style = effective.checkpoint.path_style;
  spec.checkpoint.retain = effective.checkpoint.retain;
  spec.worker.image = effective.image;
  spec.worker.resources = effective.resources;
  spec.worker.threads = effective.threads;
  spec.worker.log_level = effective.log_level;
  return spec;
}

std::string ManifestHash(const Blueprint& blueprint) {
  return v1alpha1::SpecHash(ManifestSpec(blueprint));
}

Json ManifestJson(const Blueprint& blueprint) {
  const StreamJob& job = blueprint.job;
  return {{"apiVersion", v1alpha1::kApiVersion},
          {"kind", v1alpha1::kKind},
          {"metadata",
           {{"name", job.metadata.name},
            {"namespace", job.metadata.namespace_name},
            {"uid", job.metadata.uid}}},
          {"spec", v1alpha1::SpecToJson(ManifestSpec(blueprint))}};
}

Json BuildServiceAccount(const Blueprint& blueprint) {
  const StreamJob& job = blueprint.job;
  Json object = NewObject(job, "v1", "ServiceAccount", WorkerName(job.metadata.name));
  object["automountServiceAccountToken"] = false;
  return Sealed(std::move(object));
}

Json BuildConfigMap(const Blueprint& blueprint) {
  const StreamJob& job = blueprint.job;
  const std::string hash = ManifestHash(blueprint);
  Json object = NewObject(job, "v1", "ConfigMap", ConfigMapName(job.metadata.name, hash));
  object["metadata"]["annotations"][kSpecHashAnnotation] = hash;
  object["data"] = {{"job.yaml", base::DumpJson(ManifestJson(blueprint), 2) + "\n"},
                    {"ca.crt", blueprint.settings.control_ca}};
  return Sealed(std::move(object));
}

Json BuildService(const Blueprint& blueprint) {
  const StreamJob& job = blueprint.job;
  Json object = NewObject(job, "v1", "Service", WorkerName(job.metadata.name));
  object["spec"] = {{"type", "ClusterIP"},
                    {"clusterIP", "None"},
                    {"publishNotReadyAddresses", true},
                    {"selector", SelectorLabels(job.metadata.name)},
                    {"ports", Json::array({{{"name", "http"},
                                            {"port", kWorkerHttpPort},
                                            {"protocol", "TCP"},
                                            {"targetPort", "http"}}})}};
  return Sealed(std::move(object));
}

Json BuildPodDisruptionBudget(const Blueprint& blueprint) {
  const StreamJob& job = blueprint.job;
  Json object = NewObject(job, "policy/v1", "PodDisruptionBudget", WorkerName(job.metadata.name));
  object["spec"] = {{"maxUnavailable", 1},
                    {"selector", {{"matchLabels", SelectorLabels(job.metadata.name)}}}};
  return Sealed(std::move(object));
}

Json BuildStatefulSet(const Blueprint& blueprint, int replicas) {
  const StreamJob& job = blueprint.job;
  const std::string name = WorkerName(job.metadata.name);
  const v1alpha1::StreamJobSpec spec = ManifestSpec(blueprint);
  const std::string hash = v1alpha1::SpecHash(spec);
  Json object = NewObject(job, "apps/v1", "StatefulSet", name);
  object["metadata"]["annotations"][kSpecHashAnnotation] = hash;
  object["spec"] = {{"serviceName", name},
                    {"podManagementPolicy", "Parallel"},
                    {"updateStrategy", {{"type", "OnDelete"}}},
                    {"revisionHistoryLimit", 2},
                    {"selector", {{"matchLabels", SelectorLabels(job.metadata.name)}}},
                    {"template", BuildPodTemplate(blueprint, spec, hash)}};
  // The seal leaves replicas out, so that a rescale alone does not change it.
  object = Sealed(std::move(object));
  object["spec"]["replicas"] = replicas;
  return object;
}

std::vector<std::string> SecretNames(const v1alpha1::StreamJobSpec& spec) {
  std::vector<std::string> names;
  if (spec.checkpoint.secret_ref) {
    names.push_back(spec.checkpoint.secret_ref->name);
  }
  for (const v1alpha1::Connection& connection : spec.connections) {
    if (connection.kafka && connection.kafka->secret_ref) {
      names.push_back(connection.kafka->secret_ref->name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace sj::op::resources
