// SPDX-License-Identifier: Apache-2.0
// Names, labels and paths of everything made for a StreamJob. Deterministic and bounded: a name
// that does not fit is cut and gets a hash of the whole, so two jobs never share one.
#pragma once

#include <string>
#include <string_view>

#include "api/v1alpha1/stream_job.h"

namespace sj::op::resources {

inline constexpr std::string_view kFinalizer = "streamjob.io/cleanup";
inline constexpr std::string_view kSpecHashAnnotation = "streamjob.io/spec-hash";
inline constexpr std::string_view kAppliedAnnotation = "streamjob.io/applied-hash";
inline constexpr std::string_view kManagedBy = "streamjob-operator";

inline constexpr std::string_view kManifestDir = "/etc/streamjob";
inline constexpr std::string_view kSecretsDir = "/run/streamjob/secrets";
inline constexpr std::string_view kTokenDir = "/run/streamjob/control";
inline constexpr std::string_view kScratchDir = "/var/lib/streamjob";
inline constexpr int kWorkerHttpPort = 9090;
inline constexpr int kTokenExpirySeconds = 3600;
inline constexpr int kGraceSeconds = 30;
inline constexpr int kNodeLostSeconds = 5;  // a worker stays bound to a node that does not answer

// A DNS label (RFC 1035: starts with a letter) of at most `length_max` >= 16 characters made from
// any object name.
std::string BoundedName(std::string_view name, size_t length_max);

// "<job>-worker": name of StatefulSet, Service, ServiceAccount and PodDisruptionBudget. At most 52
// characters, because the StatefulSet controller adds a revision hash in a 63-character label.
std::string WorkerName(std::string_view job_name);
// One ConfigMap per spec hash: a pod of an old generation can only ever see its own manifest.
std::string ConfigMapName(std::string_view job_name, std::string_view spec_hash);
std::string PodName(std::string_view job_name, int ordinal);

// What the Service, the StatefulSet and the PodDisruptionBudget select. Never changes for a job.
v1alpha1::StringMap SelectorLabels(std::string_view job_name);
// SelectorLabels and the descriptive ones.
v1alpha1::StringMap CommonLabels(std::string_view job_name);
// "a=b,c=d": for status.selector.
std::string SelectorText(std::string_view job_name);

}  // namespace sj::op::resources
