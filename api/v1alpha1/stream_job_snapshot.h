// SPDX-License-Identifier: Apache-2.0
// StreamJobSnapshot, group streamjob.io, version v1alpha1: the state of a running StreamJob at one
// moment, kept by name. crds/bases/streamjobsnapshots.yaml knows the same fields (a test compares
// them). Thread-compatible values; no function throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/json.h"
#include "api/v1alpha1/stream_job.h"
#include "api/v1alpha1/stream_job_json.h"

namespace sj::v1alpha1 {

inline constexpr std::string_view kSnapshotKind = "StreamJobSnapshot";
inline constexpr std::string_view kSnapshotPlural = "streamjobsnapshots";
// Labels of the snapshots that the operator makes by itself.
inline constexpr std::string_view kSnapshotJobLabel = "streamjob.io/job";
inline constexpr std::string_view kSnapshotKindLabel = "streamjob.io/snapshot";
inline constexpr std::string_view kPeriodic = "periodic";

struct JobNameRef {
  std::string name;
};
struct SnapshotGrant {
  std::string namespace_name;
};
struct StreamJobSnapshotSpec {
  JobNameRef job_ref;                 // of the same namespace
  std::optional<OnDelete> on_delete;  // left out: the objects stay
  std::vector<SnapshotGrant> grants;  // namespaces whose jobs may begin with it
};

enum class SnapshotPhase : uint8_t { kPending, kInProgress, kCompleted, kFailed };
std::string_view ToString(SnapshotPhase phase);

struct StreamJobSnapshotStatus {
  std::optional<SnapshotPhase> phase;
  std::string reason;  // CamelCase: why it waits or has failed
  std::string message;
  std::optional<base::WallTime> started_at;  // InProgress
  std::optional<base::WallTime> taken_at;    // when the committed positions were read
  std::string job_uid;
  std::string state_hash;
  int64_t epoch = 0;
  std::string location;  // where it lies; also while it is being taken
  std::string manifest;  // its name below the location
  std::string sha256;    // of the manifest
  int64_t objects = 0;
  int64_t rows_in_flight = 0;
  int64_t size_bytes = 0;
};

struct StreamJobSnapshot {
  ObjectMeta metadata;
  StreamJobSnapshotSpec spec;
  StreamJobSnapshotStatus status;
};

// Reads as much as can be read and says what of the spec could not.
struct ReadSnapshotResult {
  StreamJobSnapshot snapshot;
  Findings findings;
};
ReadSnapshotResult ReadSnapshot(const base::Json& object);
base::Json SnapshotSpecToJson(const StreamJobSnapshotSpec& spec);
// Deterministic; texts are cut to the bounds of the schema.
base::Json SnapshotStatusToJson(const StreamJobSnapshotStatus& status);

// Jobs of this namespace may begin with it.
bool Grants(const StreamJobSnapshot& snapshot, std::string_view namespace_name);

}  // namespace sj::v1alpha1
