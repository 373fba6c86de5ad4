// SPDX-License-Identifier: Apache-2.0
// Register, heartbeat by long poll, wait for START, ask for the generation.
#include "worker/control/control_client.h"

#include <algorithm>

#include "api/base/hash.h"
#include "api/base/log.h"
#include "api/control/headers.h"
#include "worker/control/wire_report.h"

namespace sj::worker::control {
namespace {

namespace wire = sj::control;
using runtime::JobPhase;
using runtime::JobStatus;

constexpr base::Millis kCallDeadline{10'000};
constexpr base::Millis kHold{5'000};  // also how old lag and epoch may get in the operator
constexpr base::Millis kRetryMin{200};
constexpr base::Millis kRetryMax{3'000};
// A Service spreads connections over the operator's replicas: one that does not lead says so and
// closes, and the next connection may reach the one that does. With two replicas six tries miss it
// once in 64 times; without a leader they cost each replica little.
constexpr int kReplicaTriesMax = 6;
constexpr base::Millis kReplicaPause{20};

bool DoesNotLead(const base::HttpResponse& response) {
  return response.status == 503 && response.Header(wire::kLeaderHeader) == "no";
}

}  // namespace

ControlClient::ControlClient(const ControlOptions& options, runtime::StatusBoard* board,
                             const base::Clock* clock)
    : options_(options), board_(board), clock_(clock), incarnation_(base::RandomHex(8)) {
}

base::Result<std::unique_ptr<ControlClient>> ControlClient::Make(const ControlOptions& options,
                                                                 runtime::StatusBoard* board,
                                                                 const base::Clock* clock) {
  std::unique_ptr<ControlClient> client(new ControlClient(options, board, clock));
  base::HttpClientOptions http;
  http.base_url = options.url;
  http.ca_file = options.ca_file;
  http.token_file = options.token_file;
  SJ_ASSIGN_OR_RETURN(client->http_, base::MakeHttpClient(http));
  return client;
}

ControlClient::~ControlClient() {
  Stop();
}

base::Result<std::string> ControlClient::Post(std::string_view path, std::string body,
                                              base::Millis deadline, base::HttpCancel* cancel) {
  base::HttpRequest request;
  request.method = "POST";
  request.target = std::string(path);
  request.headers = {{"Content-Type", "application/json"}};
  request.body = std::move(body);
  request.deadline = deadline;
  request.response_bytes_max = wire::kMessageBytesMax;
  base::HttpResponse response;
  for (int tries = 1; true; ++tries) {
    SJ_ASSIGN_OR_RETURN(response, http_->Send(request, cancel));
    if (!DoesNotLead(response) || tries >= kReplicaTriesMax) {
      break;
    }
    Pause(kReplicaPause);
  }
  if (response.status != 200) {
    return base::Unavailable("call the operator at " + std::string(path) + ": it answered " +
                             std::to_string(response.status) + ": " + response.body.substr(0, 200));
  }
  return std::move(response.body);
}

base::Result<wire::Assignment> ControlClient::Register(const std::string& plan_hash,
                                                       const std::map<std::string, int>& partitions,
                                                       const std::atomic<bool>& stop) {
  wire::RegisterRequest request;
  request.worker = {options_.job, options_.ordinal, incarnation_};
  request.worker_version = options_.worker_version;
  request.spec_hash = options_.spec_hash;
  request.plan_hash = plan_hash;
  request.partitions = partitions;
  base::Millis backoff = kRetryMin;
  std::string last_reason;
  while (!stop.load()) {
    const int64_t known = KnownGeneration();
    auto body = Post(wire::kRegisterPath, wire::Encode(request), kCallDeadline, nullptr);
    base::Millis wait = backoff;
    std::string reason;
    if (body.ok()) {
      SJ_ASSIGN_OR_RETURN(auto response, wire::DecodeRegisterResponse(*body));
      if (response.assignment) {
        std::lock_guard<std::mutex> lock(mu_);
        known_generation_ = std::max(known_generation_, response.assignment->generation);
        started_generation_ = std::max(started_generation_, response.started_generation);
        return *response.assignment;
      }
      reason = response.wait_reason;
      wait = std::clamp(response.retry_after, kRetryMin, kRetryMax);
      backoff = kRetryMin;
    } else {
      reason = body.status().ToString();
      backoff = std::min(backoff * 2, kRetryMax);
    }
    if (reason != last_reason) {
      base::LogInfo("waiting for an assignment", {{"reason", reason}});
      last_reason = reason;
    }
    PauseForNews(wait, known);
  }
  return base::Cancelled("register with the operator: stopped");
}

void ControlClient::Pause(base::Millis time) {
  std::unique_lock<std::mutex> lock(mu_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

int64_t ControlClient::KnownGeneration() {
  std::lock_guard<std::mutex> lock(mu_);
  return known_generation_;
}

void ControlClient::PauseForNews(base::Millis time, int64_t known) {
  std::unique_lock<std::mutex> lock(mu_);
  changed_.wait_for(lock, time, [&] { return stopping_ || known_generation_ > known; });
}

void ControlClient::Start(std::function<void(wire::Command)> on_command) {
  on_command_ = std::move(on_command);
  beat_ = std::thread([this] { Beat(); });
}

void ControlClient::Stop() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    stopping_ = true;
    if (in_flight_ != nullptr) {
      in_flight_->Cancel();
    }
    changed_.notify_all();
  }
  if (beat_.joinable()) {
    beat_.join();
  }
}

void ControlClient::Nudge() {
  std::lock_guard<std::mutex> lock(mu_);
  nudged_ = true;
  if (in_flight_ != nullptr) {
    in_flight_->Cancel();
  }
  changed_.notify_all();
}

int64_t ControlClient::GenerationLocked() const {
  return std::max<int64_t>(generation_, board_->Get().generation);
}

bool ControlClient::HandsOverLocked() const {
  return offered_ && offered_->generation == known_generation_ && offered_->hand_over_from > 0 &&
         offered_->hand_over_from == GenerationLocked();
}

std::optional<runtime::HandOverOrder> ControlClient::HandOver() {
  std::lock_guard<std::mutex> lock(mu_);
  if (!HandsOverLocked()) {
    return std::nullopt;
  }
  return runtime::HandOverOrder{offered_->generation, offered_->replicas,
                                started_generation_ >= offered_->generation};
}

void ControlClient::SetGeneration(int64_t generation) {
  std::lock_guard<std::mutex> lock(mu_);
  generation_ = generation;
  fenced_ = false;
  command_ = wire::Command::kNone;
}

int64_t ControlClient::generation_floor() {
  std::lock_guard<std::mutex> lock(mu_);
  return generation_floor_;
}

wire::HeartbeatRequest ControlClient::Report(int64_t* cleanups) {
  JobStatus status = board_->Get();
  std::lock_guard<std::mutex> lock(mu_);
  wire::HeartbeatRequest report;
  report.worker = {options_.job, options_.ordinal, incarnation_};
  report.sequence = ++sequence_;
  report.phase = fenced_ ? wire::WorkerPhase::kFenced : PhaseOf(status.phase);
  report.generation = GenerationLocked();
  report.hands_over = true;
  if (status.hand_over.generation > 0) {
    report.hand_over = wire::HandOverReport{
        status.hand_over.generation, status.hand_over.to_give, status.hand_over.gave,
        status.hand_over.to_take,    status.hand_over.took,    status.hand_over.prefetched};
  }
  report.epoch = status.epoch;
  report.last_epoch_time = status.committed_at;
  report.last_epoch_duration = base::Millis(status.epoch_duration_ms);
  report.last_epoch_bytes = static_cast<int64_t>(status.checkpoint_bytes);
  if (status.generation == report.generation) {
    report.oldest_generation = status.oldest_generation;
  }
  if (status.lag_records >= 0) {
    report.lag_records = status.lag_records;
  }
  report.state_bytes = static_cast<int64_t>(status.state_bytes);
  report.restarts = static_cast<int64_t>(status.restarts);
  report.records_in = static_cast<int64_t>(status.records_in);
  report.records_out = static_cast<int64_t>(status.rows_out);
  report.busy_ratio = std::clamp(status.busy_ratio, 0.0, 1.0);
  if (status.input) {
    report.input = ReportOf(*status.input);
  }
  if (!status.error.ok()) {
    report.error = wire::ToWorkerError(status.error, runtime::ReasonOf(status.stage, status.error));
  }
  report.hold = nudged_ ? base::Millis(0) : kHold;
  report.known_generation = known_generation_;
  report.known_started_generation = started_generation_;
  report.known_command = command_;
  report.known_check = known_check_;
  report.verdict = verdict_;
  report.cleanup = cleanup_;
  report.snapshot = snapshot_;
  *cleanups = cleanups_set_;
  nudged_ = false;
  in_flight_ = std::make_unique<base::HttpCancel>();
  return report;
}

void ControlClient::Beat() {
  base::Millis backoff = kRetryMin;
  while (true) {
    {
      std::lock_guard<std::mutex> lock(mu_);
      if (stopping_) {
        return;
      }
    }
    JobPhase phase = board_->Get().phase;
    int64_t cleanups = 0;
    wire::HeartbeatRequest report = Report(&cleanups);
    auto body =
        Post(wire::kHeartbeatPath, wire::Encode(report), kHold + kCallDeadline, in_flight_.get());
    if (!body.ok()) {
      bool nudged = false;
      {
        std::lock_guard<std::mutex> lock(mu_);
        nudged = nudged_;
      }
      if (!nudged) {
        Pause(backoff);
        backoff = std::min(backoff * 2, kRetryMax);
      }
      continue;
    }
    backoff = kRetryMin;
    auto response = wire::DecodeHeartbeatResponse(*body);
    if (!response.ok()) {
      base::LogWarn("heartbeat answer not understood", {{"error", response.status().ToString()}});
      Pause(kRetryMax);
      continue;
    }
    {
      std::lock_guard<std::mutex> lock(mu_);
      reported_ = phase;
      cleanups_reported_ = std::max(cleanups_reported_, cleanups);
    }
    Take(*response);
  }
}

void ControlClient::OnCheck(std::function<void(std::optional<wire::SpecCheck>)> on_check) {
  on_check_ = std::move(on_check);
}

void ControlClient::SetVerdict(const wire::SpecVerdict& verdict) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (verdict.spec_hash != known_check_ || verdict_ == verdict) {
      return;
    }
    verdict_ = verdict;
  }
  Nudge();
}

void ControlClient::TakeCheck(const std::optional<wire::SpecCheck>& check) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    const std::string asked = check ? check->spec_hash : "";
    if (asked == known_check_ || (check && check->manifest.empty())) {
      return;
    }
    known_check_ = asked;
    verdict_.reset();
  }
  if (on_check_) {
    on_check_(check);
  }
}

void ControlClient::OnCleanup(std::function<void(const wire::CleanupOrder&)> on_cleanup) {
  on_cleanup_ = std::move(on_cleanup);
}

wire::CleanupOrder ControlClient::cleanup_order() {
  std::lock_guard<std::mutex> lock(mu_);
  return cleanup_.known;
}

void ControlClient::AwaitOtherOrder(const wire::CleanupOrder& known, base::Millis at_most) {
  std::unique_lock<std::mutex> lock(mu_);
  changed_.wait_for(lock, at_most, [&] { return stopping_ || cleanup_.known != known; });
}

void ControlClient::SetCleanup(const wire::CleanupReport& report) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    const wire::CleanupOrder known = cleanup_.known;
    cleanup_ = report;
    cleanup_.known = known;
    ++cleanups_set_;
  }
  Nudge();
}

bool ControlClient::WaitCleanupReported(base::Millis at_most) {
  std::unique_lock<std::mutex> lock(mu_);
  return changed_.wait_for(lock, at_most, [&] { return cleanups_reported_ == cleanups_set_; });
}

void ControlClient::TakeCleanup(const std::optional<wire::CleanupOrder>& order) {
  const wire::CleanupOrder told = order.value_or(wire::CleanupOrder{});
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (told == cleanup_.known) {
      return;
    }
    cleanup_.known = told;
    changed_.notify_all();
  }
  if (on_cleanup_) {
    on_cleanup_(told);
  }
}

void ControlClient::OnSnapshot(std::function<void(const wire::SnapshotOrder&)> on_snapshot) {
  on_snapshot_ = std::move(on_snapshot);
}

void ControlClient::SetSnapshot(const wire::SnapshotReport& report) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (report.known != snapshot_.known || report == snapshot_) {
      return;
    }
    snapshot_ = report;
  }
  Nudge();
}

void ControlClient::TakeSnapshot(const std::optional<wire::SnapshotOrder>& order) {
  const wire::SnapshotOrder told = order.value_or(wire::SnapshotOrder{});
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (told == snapshot_.known) {
      return;
    }
    snapshot_ = {};
    snapshot_.known = told;
  }
  if (on_snapshot_) {
    on_snapshot_(told);
  }
}

void ControlClient::Take(const wire::HeartbeatResponse& response) {
  TakeCheck(response.check);
  TakeCleanup(response.cleanup);
  TakeSnapshot(response.snapshot);
  wire::Command command = response.command;
  {
    std::lock_guard<std::mutex> lock(mu_);
    known_generation_ = std::max(known_generation_, response.generation);
    started_generation_ = std::max(started_generation_, response.started_generation);
    command_ = response.command;
    // Once true it stays true, also in later generations.
    generation_floor_ = std::max(generation_floor_, response.generation_floor.value_or(0));
    if (response.assignment) {
      offered_ = response.assignment;
    }
    // Replaced without a word: the same as a drain. A zombie's commit is fenced anyway.
    if (command == wire::Command::kNone && generation_ != 0 &&
        known_generation_ > GenerationLocked() && !HandsOverLocked()) {
      command = wire::Command::kDrain;
    }
    changed_.notify_all();
  }
  if (command != wire::Command::kNone && on_command_) {
    on_command_(command);
  }
}

base::Result<wire::GenerationResponse> ControlClient::AskGeneration() {
  base::HttpRequest request;
  request.target = wire::GenerationTarget(options_.job);
  SJ_ASSIGN_OR_RETURN(base::HttpResponse answer, http_->Send(request));
  if (answer.status != 200) {
    return base::Unavailable("ask the operator for the generation: it answered " +
                             std::to_string(answer.status));
  }
  return wire::DecodeGenerationResponse(answer.body);
}

base::Result<wire::Remains> ControlClient::ConfirmRemoval() {
  SJ_ASSIGN_OR_RETURN(const wire::GenerationResponse now, AskGeneration());
  return now.remove.value_or(wire::Remains{});
}

base::Status ControlClient::CheckCurrent(int64_t generation) {
  SJ_ASSIGN_OR_RETURN(const wire::GenerationResponse current, AskGeneration());
  if (current.generation != generation || current.started_generation < generation) {
    return base::Cancelled("generation " + std::to_string(generation) + " was replaced by " +
                           std::to_string(current.generation));
  }
  return base::OkStatus();
}

base::Status ControlClient::AwaitStart(int64_t generation, const std::atomic<bool>& stop) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    generation_ = generation;
    fenced_ = true;
  }
  Nudge();
  const base::Status started = WaitForStart(generation, stop);
  {
    // However it ends: the operator would wait for the last epoch of one that it thinks fenced.
    std::lock_guard<std::mutex> lock(mu_);
    fenced_ = false;
  }
  return started.ok() ? CheckCurrent(generation) : started;
}

base::Status ControlClient::WaitForStart(int64_t generation, const std::atomic<bool>& stop) {
  while (true) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait_for(lock, base::Millis(50), [&] {
      return stopping_ || started_generation_ >= generation || known_generation_ > generation;
    });
    if (stopping_ || stop.load()) {
      return base::Cancelled("wait for the start of a generation: stopped");
    }
    if (known_generation_ > generation) {
      return base::Cancelled("wait for the start of a generation: it was replaced");
    }
    if (started_generation_ >= generation) {
      return base::OkStatus();
    }
  }
}

bool ControlClient::WaitReported(runtime::JobPhase phase, base::Millis at_most) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    reported_.reset();
  }
  Nudge();
  std::unique_lock<std::mutex> lock(mu_);
  return changed_.wait_for(lock, at_most, [&] { return reported_ == phase; });
}

}  // namespace sj::worker::control
