// SPDX-License-Identifier: Apache-2.0
// What a worker and the operator say to each other: plain structs, JSON both ways. The worker
// always calls; README.md tells the protocol. Unknown fields are ignored and absent ones keep their
// default, so that neighbours one version apart understand each other. Authentication (a bearer
// token) is a header and no part of a message. Thread-compatible values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/clock.h"
#include "api/base/status.h"

namespace sj::control {

inline constexpr int kProtocolVersion = 1;
inline constexpr std::string_view kRegisterPath = "/control/v1/register";
inline constexpr std::string_view kHeartbeatPath = "/control/v1/heartbeat";
inline constexpr std::string_view kGenerationPath = "/control/v1/generation";
inline constexpr std::string_view kTokenAudience = "streamjob-control";
// The longest a heartbeat may be held back, and the largest body of any message.
inline constexpr base::Millis kHoldMax{10'000};
inline constexpr size_t kMessageBytesMax = 64u << 10;

struct JobRef {
  std::string namespace_name;
  std::string name;
  std::string uid;
  bool operator==(const JobRef&) const = default;
};

// What a job keeps in Kafka is named by this and its UID: consumer group "<prefix>.<uid>", topics
// and transactional ids "<prefix>.<uid>.*".
inline constexpr std::string_view kIdPrefix = "streamjob";

// One worker process. `incarnation` is random per process start: a restarted pod is a new one.
struct WorkerRef {
  JobRef job;
  int ordinal = -1;
  std::string incarnation;
  bool operator==(const WorkerRef&) const = default;
};

// A snapshot that a new job begins with: where it lies, and the name and SHA-256 of its manifest.
struct RestoreSource {
  std::string location;
  std::string manifest;
  std::string sha256;
  bool operator==(const RestoreSource&) const = default;
};

// Who does what in one generation. Every worker computes its own share from the same few numbers
// (worker/types/key_group.h); the operator only hands them out.
struct Assignment {
  int64_t generation = 0;
  int replicas = 0;
  int shards = 0;
  int max_parallelism = 0;
  std::map<std::string, int> partitions;  // source topic -> partition count
  std::vector<int> fence_ordinals;        // ordinals that are gone: their ids must be fenced too
  std::string state_hash;                 // plan hash the state must match
  // Of each topic the first so many partitions have been committed by some epoch of the job, and so
  // have all shards unless it is empty: what has no position nevertheless has lost it. Absent:
  // nobody knows.
  std::optional<std::map<std::string, int>> committed_partitions = {};
  // Hand-over: not 0 while the workers of this generation go on and hand over what they have not
  // any more; only `replicas` differs. `hand_over_replicas` is that generation's number of workers.
  int64_t hand_over_from = 0;
  int hand_over_replicas = 0;
  // Set while not every worker has committed: units that no epoch has committed begin with it.
  std::optional<RestoreSource> restore_from = {};
  bool operator==(const Assignment&) const = default;
};

struct RegisterRequest {
  int protocol = kProtocolVersion;
  WorkerRef worker;
  std::string worker_version;
  std::string spec_hash;                  // the spec this pod was started with
  std::string plan_hash;                  // of the plan it made from that spec
  std::map<std::string, int> partitions;  // source topic -> partition count it sees
  bool operator==(const RegisterRequest&) const = default;
};
struct RegisterResponse {
  int protocol = kProtocolVersion;
  std::optional<Assignment> assignment;  // absent: wait and register again
  int64_t started_generation = 0;
  std::string wait_reason;     // CamelCase, set when there is no assignment
  base::Millis retry_after{};  // set when there is no assignment
  bool operator==(const RegisterResponse&) const = default;
};

enum class WorkerPhase : uint8_t {
  kStarting,
  kFenced,  // own and gone ids of `generation` are fenced; waits for its START
  kRestoring,
  kRunning,
  kDraining,
  kStopped,  // last epoch of `generation` committed, producers closed
  kCompleted,
  kFailed,
};
std::string_view ToString(WorkerPhase phase);

// A spec the operator wants looked at before anything stops for it.
struct SpecCheck {
  std::string spec_hash;
  std::string manifest;  // a StreamJob as JSON; empty when the worker knows it already
  bool operator==(const SpecCheck&) const = default;
};
// A manifest whose JSON text is longer, escapes included, is not sent: a message must hold it.
inline constexpr size_t kCheckManifestBytesMax = 48u << 10;
// What a worker thinks of it: SQL, options, topics, and whether its own state fits.
struct SpecVerdict {
  std::string spec_hash;
  bool fits = false;
  std::string reason;   // CamelCase, when it does not fit
  std::string message;  // what is wrong, or what becomes of the state
  bool operator==(const SpecVerdict&) const = default;
};

// user: the manifest or data; external: Kafka, S3, network; internal: a defect; fenced: replaced.
enum class ErrorClass : uint8_t { kUser, kExternal, kInternal, kFenced };
struct WorkerError {
  ErrorClass error_class = ErrorClass::kInternal;
  std::string reason;  // CamelCase
  std::string message;
  bool operator==(const WorkerError&) const = default;
};
WorkerError ToWorkerError(const base::Status& status, std::string_view reason);

// How far a worker got in a hand-over; units are source partitions and shards.
struct HandOverReport {
  int64_t generation = 0;  // the one handed over to
  int to_give = 0, gave = 0;
  int to_take = 0, took = 0;
  bool prefetched = false;  // has fetched ahead what it will take, or takes nothing; before START
  bool operator==(const HandOverReport&) const = default;
};

enum class Command : uint8_t {
  kNone,
  kDrain,  // commit a last epoch, close the producers, report kStopped
  kStop,   // stop at once without another commit
};

// What of a deleted job is to go, or has gone, outside Kubernetes.
struct Remains {
  bool checkpoints = false;      // objects below <location>/<job uid>/
  bool exchange_topics = false;  // topics <prefix>.<job uid>.*
  bool consumer_group = false;   // <prefix>.<job uid>
  bool operator==(const Remains&) const = default;
  bool any() const { return checkpoints || exchange_topics || consumer_group; }
};
Remains Both(const Remains& a, const Remains& b);     // what is in both
Remains Without(const Remains& a, const Remains& b);  // what is in `a` only

enum class CleanupStep : uint8_t {
  kNone,
  kNotice,  // were the job deleted, it would be cleaned up: after a stop, wait a moment for word
  kStay,    // it is deleted: stop, but do not end; others still have to
  kBegin,   // the others are gone
};
// The job of the worker that outlives the others.
struct CleanupOrder {
  CleanupStep step = CleanupStep::kNone;
  Remains remove;
  int ordinals = 0;  // whose transactional ids must be fenced first: 0 to ordinals - 1
  bool operator==(const CleanupOrder&) const = default;
};

// A partition with much to read.
struct PartitionLoad {
  std::string topic;
  int partition = 0;
  int64_t lag = 0;           // records up to the last stable offset
  int64_t arrival_rate = 0;  // records/s written to it
  bool operator==(const PartitionLoad&) const = default;
};
inline constexpr size_t kHottestMax = 8;

// How this worker's share of the input and its threads do: what the autoscaler reads. Ratios are
// 0..1 over the last second or so.
struct InputReport {
  int threads = 0;
  bool keyed = false;                  // the plan has keyed stages, so shards are work too
  int partitions = 0;                  // read by this worker
  double busiest_ratio = 0;            // of the busiest task thread
  double back_pressure_ratio = 0;      // waiting for the output, part of busy_ratio
  std::optional<int64_t> lag_time_ms;  // age of the last record read; 0: nothing to read
  int blocked_partitions = 0;    // all stable records are read, others wait for a transaction's end
  base::Millis blocked_for{};    // the longest of them, without progress
  int64_t unstable_records = 0;  // written above the last stable offset, no lag
  std::vector<PartitionLoad> hottest;  // by lag, at most kHottestMax
  bool operator==(const InputReport&) const = default;
};

// How far a worker is with a CleanupOrder. One that says nothing at all cannot do it.
struct CleanupReport {
  CleanupOrder known;  // as told last
  Remains removed;     // looked for again afterwards, and nothing was left
  int64_t objects = 0, topics = 0;
  std::optional<WorkerError> error;  // of the last try; it tries again
  bool operator==(const CleanupReport&) const = default;
};

enum class SnapshotStep : uint8_t {
  kNone,
  kTake,    // take it, beside the work
  kRemove,  // delete what it keeps
};
// The job of ordinal 0. Another order in its place ends what it is at.
struct SnapshotOrder {
  SnapshotStep step = SnapshotStep::kNone;
  std::string name;        // of the StreamJobSnapshot
  std::string uid;         // of the same
  int64_t generation = 0;  // in which it is to be taken, started and without hand-over
  int replicas = 0;        // of it
  bool operator==(const SnapshotOrder&) const = default;
};
struct SnapshotResult {
  RestoreSource source;
  int64_t objects = 0;  // checkpoint objects it holds
  int64_t bytes = 0;    // of everything
  int64_t rows = 0;     // messages that were in flight
  int64_t epoch = 0;    // the largest of the cut
  std::optional<base::WallTime> taken_at;
  std::string state_hash;
  bool operator==(const SnapshotResult&) const = default;
};
// How far a worker is with a SnapshotOrder. One that says nothing at all cannot do it.
struct SnapshotReport {
  SnapshotOrder known;  // as told last
  int round = 0;        // fetches of committed offsets
  int64_t objects = 0;  // copied so far, or deleted
  bool done = false;
  std::optional<SnapshotResult> result;  // when it was taken
  std::optional<WorkerError> error;      // it has failed, or tries again to delete
  bool operator==(const SnapshotReport&) const = default;
};

struct HeartbeatRequest {
  int protocol = kProtocolVersion;
  WorkerRef worker;
  int64_t sequence = 0;  // grows with every request of this incarnation
  WorkerPhase phase = WorkerPhase::kStarting;
  int64_t generation = 0;  // the one this worker fenced, runs or stopped; 0: none
  int64_t epoch = 0;       // last committed
  std::optional<base::WallTime> last_epoch_time;
  base::Millis last_epoch_duration{};
  int64_t last_epoch_bytes = 0;
  // The oldest generation whose objects this worker's footers name; absent: unknown, e.g. before
  // its first commit in `generation`.
  std::optional<int64_t> oldest_generation;
  int consecutive_epoch_failures = 0;
  std::optional<int64_t> lag_records;  // absent: unknown, which is not zero
  std::optional<base::WallTime> watermark;
  int64_t state_bytes = 0;
  int64_t restarts = 0;                     // of the engine within this process
  int64_t records_in = 0, records_out = 0;  // since process start
  std::optional<double> busy_ratio;         // 0..1, mean over the task threads
  std::optional<InputReport> input;         // absent: not measured yet, or an older worker
  std::map<std::string, int> partitions;    // as in RegisterRequest; sent when changed
  std::optional<WorkerError> error;
  std::optional<SpecVerdict> verdict;       // on the last SpecCheck, once there is one
  std::string known_check;                  // spec hash of the SpecCheck this worker works on
  bool hands_over = false;                  // knows hand-over; an older worker would drain instead
  std::optional<HandOverReport> hand_over;  // the last one of this engine; absent: there was none
  std::optional<CleanupReport> cleanup;
  std::optional<SnapshotReport> snapshot;
  // Long poll: the answer is held up to `hold` until it would differ from what is known here.
  base::Millis hold{};
  int64_t known_generation = 0;
  int64_t known_started_generation = 0;
  Command known_command = Command::kNone;
  bool operator==(const HeartbeatRequest&) const = default;
};
struct HeartbeatResponse {
  int protocol = kProtocolVersion;
  int64_t generation = 0;                // current
  int64_t started_generation = 0;        // START was given for all generations up to this one
  std::optional<Assignment> assignment;  // set when `generation` differs from known_generation
  Command command = Command::kNone;
  // No footer of the job names an object of a generation below it, now or later; absent: unknown.
  // Told to ordinal 0 only, and never a reason to answer early.
  std::optional<int64_t> generation_floor = {};
  std::optional<SpecCheck> check;              // absent: nothing is to be checked (any more)
  std::optional<CleanupOrder> cleanup = {};    // absent: kNone
  std::optional<SnapshotOrder> snapshot = {};  // the same
  bool operator==(const HeartbeatResponse&) const = default;
};

// The answer of a quorum read, by any replica of the operator.
struct GenerationResponse {
  int protocol = kProtocolVersion;
  int64_t generation = 0;
  int64_t started_generation = 0;
  std::string spec_hash;
  std::optional<Remains> remove = {};  // set only while the job is being deleted: what may go now
  bool operator==(const GenerationResponse&) const = default;
};
// "/control/v1/generation?namespace=..&job=..&uid=..", percent-encoded, and back.
std::string GenerationTarget(const JobRef& job);
base::Result<JobRef> ParseGenerationQuery(std::string_view query);

// Bodies. Encode never fails. Decode errors: kInvalidArgument naming the field; a message of a
// newer protocol than ours is refused only when it says so by `protocol` > kProtocolVersion + 1.
std::string Encode(const RegisterRequest& message);
std::string Encode(const RegisterResponse& message);
std::string Encode(const HeartbeatRequest& message);
std::string Encode(const HeartbeatResponse& message);
std::string Encode(const GenerationResponse& message);
base::Result<RegisterRequest> DecodeRegisterRequest(std::string_view text);
base::Result<RegisterResponse> DecodeRegisterResponse(std::string_view text);
base::Result<HeartbeatRequest> DecodeHeartbeatRequest(std::string_view text);
base::Result<HeartbeatResponse> DecodeHeartbeatResponse(std::string_view text);
base::Result<GenerationResponse> DecodeGenerationResponse(std::string_view text);

}  // namespace sj::control
