// SPDX-License-Identifier: Apache-2.0
// The objects that run a StreamJob, built from plain data. Each carries the job as its controller
// owner, so that Kubernetes removes them with it, and a hash of what was applied. Pure functions,
// thread-safe; objects are complete server-side-apply documents.
#pragma once

#include <string>
#include <vector>

#include "api/base/json.h"
#include "api/v1alpha1/effective.h"
#include "api/v1alpha1/stream_job.h"
#include "operator/resources/object.h"

namespace sj::op::resources {

// What the operator's administrator decides for every worker pod.
struct WorkerSettings {
  std::string control_url;                // "https://streamjob-operator-control.ns.svc:8443"
  std::string control_ca;                 // PEM text
  std::string image_pull_policy;          // empty: Kubernetes decides
  std::vector<std::string> pull_secrets;  // names, in the job's namespace
  std::string scratch_size = "4Gi";       // limit of the scratch emptyDir
};

// What is to be built: the job, the values in force and the SQL text once resolved.
struct Blueprint {
  const v1alpha1::StreamJob& job;
  const v1alpha1::EffectiveSpec& effective;
  const std::string& sql;
  const WorkerSettings& settings;
  // Runs instead of what the job's spec says, word for word: a spec kept from before an edit.
  const v1alpha1::StreamJobSpec* manifest = nullptr;
};

// The spec as the worker reads it: the SQL inlined, every default written out, and nothing that
// does not change what a worker does (replicas, state, autoscaling, rollout, deletion).
v1alpha1::StreamJobSpec ManifestSpec(const Blueprint& blueprint);
// SpecHash of ManifestSpec: what a worker reports as its spec_hash.
std::string ManifestHash(const Blueprint& blueprint);

// The StreamJob a worker is given: ManifestSpec with the job's name and UID.
Json ManifestJson(const Blueprint& blueprint);

Json BuildServiceAccount(const Blueprint& blueprint);
Json BuildConfigMap(const Blueprint& blueprint);
Json BuildService(const Blueprint& blueprint);
Json BuildPodDisruptionBudget(const Blueprint& blueprint);
Json BuildStatefulSet(const Blueprint& blueprint, int replicas);
// Names of the Secrets the manifest mentions, sorted, each once.
std::vector<std::string> SecretNames(const v1alpha1::StreamJobSpec& spec);

}  // namespace sj::op::resources
