// SPDX-License-Identifier: Apache-2.0
// ControlClient: this worker's line to the operator (protocol: api/control/README.md). The worker
// always calls. While the operator is away the worker goes on in its generation; a heartbeat that
// fails changes nothing here. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "api/base/clock.h"
#include "api/base/http_client.h"
#include "api/base/status.h"
#include "api/control/messages.h"
#include "worker/runtime/job_config.h"
#include "worker/runtime/job_status.h"

namespace sj::worker::control {

struct ControlOptions {
  std::string url;  // "https://streamjob-operator-control.streamjob:8443"
  std::string ca_file;
  std::string token_file;
  sj::control::JobRef job;
  int ordinal = 0;
  std::string spec_hash;
  std::string worker_version;
};

class ControlClient {
 public:
  // `board` and `clock` are not owned and outlive the client.
  static base::Result<std::unique_ptr<ControlClient>> Make(const ControlOptions& options,
                                                           runtime::StatusBoard* board,
                                                           const base::Clock* clock);
  ~ControlClient();

  // Asks until the operator gives this worker an assignment, or `stop` is set (kCancelled).
  base::Result<sj::control::Assignment> Register(const std::string& plan_hash,
                                                 const std::map<std::string, int>& partitions,
                                                 const std::atomic<bool>& stop);

  // Starts the heartbeat thread. `on_command` is called on it when the operator asks for a drain or
  // a stop, or when this worker's generation was replaced (kDrain); repeatedly while it asks.
  void Start(std::function<void(sj::control::Command)> on_command);
  void Stop();

  // `on_check` is called on the heartbeat thread with what the operator wants checked, whenever
  // that changes; nothing: no more. It must not block. Call before Start.
  void OnCheck(std::function<void(std::optional<sj::control::SpecCheck>)> on_check);
  // What the next heartbeats say of the spec that is being checked; sends one now. Dropped when the
  // operator asks about another one meanwhile.
  void SetVerdict(const sj::control::SpecVerdict& verdict);

  // `on_cleanup` is called on the heartbeat thread with what the operator asks of the worker that
  // outlives a deleted job's others, whenever that changes. It must not block. Call before Start.
  void OnCleanup(std::function<void(const sj::control::CleanupOrder&)> on_cleanup);
  // As told last.
  sj::control::CleanupOrder cleanup_order();
  // Waits until the operator tells something else than `known`, or `at_most` is over.
  void AwaitOtherOrder(const sj::control::CleanupOrder& known, base::Millis at_most);
  // What the next heartbeats say of it; sends one now. `known` is filled in here.
  void SetCleanup(const sj::control::CleanupReport& report);
  // Waits until an answer to what was set last came, at most `at_most`. True: it did.
  bool WaitCleanupReported(base::Millis at_most);
  // `on_snapshot` is called on the heartbeat thread with what the operator asks of snapshots,
  // whenever that changes. It must not block. Call before Start.
  void OnSnapshot(std::function<void(const sj::control::SnapshotOrder&)> on_snapshot);
  // What the next heartbeats say of it; sends one now. Dropped when the operator asks something
  // else than `report.known` meanwhile.
  void SetSnapshot(const sj::control::SnapshotReport& report);

  // From a quorum read: what may be removed now. Nothing unless the job is being deleted.
  base::Result<sj::control::Remains> ConfirmRemoval();

  // For JobHooks: reports FENCED, waits for START of `generation`, then asks for a quorum read
  // whether it is still current. kCancelled: stopped, or the generation was replaced.
  base::Status AwaitStart(int64_t generation, const std::atomic<bool>& stop);
  // For JobHooks: the quorum read again. kCancelled: the generation was replaced.
  base::Status Confirm(int64_t generation) { return CheckCurrent(generation); }
  // What the next heartbeats say of this worker's generation.
  void SetGeneration(int64_t generation);
  // For JobHooks: what the operator said last of the oldest generation still referred to; 0: never.
  int64_t generation_floor();
  // For JobHooks: START of a generation that this worker's is handed over to while it runs.
  std::optional<runtime::HandOverOrder> HandOver();
  // Sends a heartbeat now: something changed that the operator waits for.
  void Nudge();
  // Waits until a heartbeat that said `phase` was answered, at most `at_most`. True: it was.
  bool WaitReported(runtime::JobPhase phase, base::Millis at_most);

 private:
  ControlClient(const ControlOptions& options, runtime::StatusBoard* board,
                const base::Clock* clock);
  void Beat();
  // `cleanups`: the SetCleanup it tells of.
  sj::control::HeartbeatRequest Report(int64_t* cleanups);
  void Take(const sj::control::HeartbeatResponse& response);
  void TakeCheck(const std::optional<sj::control::SpecCheck>& check);
  base::Result<std::string> Post(std::string_view path, std::string body, base::Millis deadline,
                                 base::HttpCancel* cancel);
  void TakeCleanup(const std::optional<sj::control::CleanupOrder>& order);
  void TakeSnapshot(const std::optional<sj::control::SnapshotOrder>& order);
  base::Result<sj::control::GenerationResponse> AskGeneration();
  base::Status CheckCurrent(int64_t generation);
  base::Status WaitForStart(int64_t generation, const std::atomic<bool>& stop);
  void Pause(base::Millis time);
  // The same, but ended by a heartbeat's answer that tells of a newer generation than `known`.
  void PauseForNews(base::Millis time, int64_t known);
  int64_t KnownGeneration();
  // REQUIRES for both: mu_ is held. The generation this worker has, a hand-over included; and
  // whether the newest one is a hand-over of it.
  int64_t GenerationLocked() const;
  bool HandsOverLocked() const;

  const ControlOptions options_;
  runtime::StatusBoard* const board_;
  const base::Clock* const clock_;
  const std::string incarnation_;
  std::unique_ptr<base::HttpClient> http_;
  std::thread beat_;
  std::function<void(sj::control::Command)> on_command_;
  std::function<void(std::optional<sj::control::SpecCheck>)> on_check_;
  std::function<void(const sj::control::CleanupOrder&)> on_cleanup_;
  std::function<void(const sj::control::SnapshotOrder&)> on_snapshot_;

  std::mutex mu_;
  std::condition_variable changed_;
  bool stopping_ = false;                           // guarded by mu_
  bool fenced_ = false;                             // guarded by mu_
  bool nudged_ = false;                             // guarded by mu_
  int64_t generation_ = 0;                          // guarded by mu_: what this worker has
  int64_t known_generation_ = 0;                    // guarded by mu_: what the operator said
  int64_t started_generation_ = 0;                  // guarded by mu_
  int64_t generation_floor_ = 0;                    // guarded by mu_
  std::optional<sj::control::Assignment> offered_;  // guarded by mu_: newest by heartbeat
  sj::control::Command command_ = sj::control::Command::kNone;  // guarded by mu_
  int64_t sequence_ = 0;                                        // guarded by mu_
  std::unique_ptr<base::HttpCancel> in_flight_;                 // guarded by mu_
  std::string known_check_;                                     // guarded by mu_
  std::optional<sj::control::SpecVerdict> verdict_;             // guarded by mu_
  sj::control::CleanupReport cleanup_;                          // guarded by mu_
  sj::control::SnapshotReport snapshot_;                        // guarded by mu_
  int64_t cleanups_set_ = 0;                                    // guarded by mu_
  int64_t cleanups_reported_ = 0;                               // guarded by mu_
  std::optional<runtime::JobPhase> reported_;  // guarded by mu_: last phase that was answered
};

}  // namespace sj::worker::control
