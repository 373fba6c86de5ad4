// SPDX-License-Identifier: Apache-2.0
// See sim_cluster.h.
#include "worker/runtime/testing/sim_cluster.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <thread>

#include "api/base/check.h"
#include "api/base/log.h"
#include "worker/connect/exchange.h"

namespace sj::worker::runtime::testing {
namespace {

constexpr std::chrono::milliseconds kStep{1};
constexpr std::chrono::seconds kPatience{30};

}  // namespace

// A process: one RunJob.
struct SimCluster::Worker {
  JobConfig config;
  StatusBoard board;
  std::atomic<bool> stop{false};
  std::atomic<bool> ended{false};
  bool given_up = false;  // no member any more: replaced, or gone after a scale down
  base::Result<Outcome> outcome{Outcome::kStopped};  // once ended
  std::thread thread;

  ~Worker() {
    stop.store(true);
    if (thread.joinable()) {
      thread.join();
    }
  }
  bool Ended(Outcome how) { return ended.load() && outcome.ok() && *outcome == how; }
};

SimCluster::SimCluster(std::string sql) : sql_(std::move(sql)) {
  base::SetLog(::getenv("SJ_SIM_LOG") != nullptr ? base::LogLevel::kInfo : base::LogLevel::kError,
               base::LogFormat::kText);
  std::string name = (std::filesystem::temp_directory_path() / "sj-cluster-XXXXXX").string();
  SJ_CHECK(mkdtemp(name.data()) != nullptr);
  directory_ = name;
}

SimCluster::~SimCluster() {
  for (auto& worker : workers_) {
    worker->stop.store(true);
  }
  kafka_.FailAt(0);
  kafka_.CutAll();
  workers_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

base::Status SimCluster::Plan() {
  SJ_ASSIGN_OR_RETURN(plan_, plan::PlanSql(sql_));
  return base::OkStatus();
}

// In the generation in force.
JobConfig SimCluster::ConfigOf(int ordinal) {
  JobConfig config;
  config.plan = plan_;
  config.connect.job_id = config.job_uid = options_.job_uid;
  {
    std::lock_guard<std::mutex> lock(mu_);
    config.generation = generation_;
    config.replicas = replicas_;
  }
  config.ordinal = config.connect.ordinal = ordinal;
  config.shards = options_.shards;
  config.max_parallelism = 16;
  config.epoch_interval = std::chrono::milliseconds(5);
  config.watermark_interval = std::chrono::milliseconds(1);
  config.rows_per_poll = 3;
  config.threads = options_.threads;
  config.store.location =
      "file://" +
      (options_.checkpoints.empty() ? (directory_ / "checkpoints").string() : options_.checkpoints);
  config.scratch_directory = (directory_ / fmt::format("scratch{}", spawned_++)).string();
  config.restore_from = options_.restore_from;
  return config;
}

// REQUIRES: the operator's state is that of the generation the worker is to join.
void SimCluster::Spawn(int ordinal, bool hand_over) {
  auto worker = std::make_unique<Worker>();
  JobConfig& config = worker->config;
  config = ConfigOf(ordinal);
  config.hand_over = hand_over;
  for (int gone = config.replicas; !hand_over && gone < ordinals_used_; ++gone) {
    config.fence_ordinals.push_back(gone);
  }
  ordinals_used_ = std::max(ordinals_used_, ordinal + 1);
  Worker* raw = worker.get();
  workers_.push_back(std::move(worker));
  raw->thread = std::thread([this, raw] {
    RestartPolicy policy;
    policy.backoff_min = std::chrono::milliseconds(1);
    policy.backoff_max = std::chrono::milliseconds(5);
    policy.retry_user_errors = std::chrono::milliseconds(0);
    raw->outcome =
        RunJob(raw->config, HooksOf(raw), base::RealClock(), policy, &raw->board, raw->stop);
    raw->ended.store(true);
  });
}

JobHooks SimCluster::HooksOf(Worker* worker) {
  JobHooks hooks;
  hooks.connectors = SimKafka::MakeConnectors(&kafka_);
  hooks.check_generation = [this, worker] { return AwaitStart(worker); };
  hooks.hand_over = [this, worker] { return OrderFor(*worker); };
  return hooks;
}

base::Status SimCluster::AwaitStart(Worker* worker) {
  std::unique_lock<std::mutex> lock(mu_);
  while (!worker->stop.load()) {
    if (generation_ != worker->config.generation) {
      return base::Cancelled("replaced");
    }
    fenced_.insert(worker->config.ordinal);
    if (started_ >= generation_) {
      return base::OkStatus();
    }
    changed_.wait_for(lock, kStep);
  }
  return base::Cancelled("stopped");
}

std::optional<HandOverOrder> SimCluster::OrderFor(const Worker& worker) {
  std::lock_guard<std::mutex> lock(mu_);
  const bool of_before = worker.board.Get().generation == generation_ - 1;
  if (!hand_over_ || !of_before) {
    return std::nullopt;
  }
  return HandOverOrder{generation_, replicas_, started_ >= generation_};
}

SimCluster::Worker* SimCluster::Member(int ordinal) {
  for (auto& worker : workers_) {
    if (!worker->given_up && worker->config.ordinal == ordinal) {
      return worker.get();
    }
  }
  return nullptr;
}

std::string SimCluster::Describe() {
  std::string text = fmt::format("generation {} started {} replicas {}{}:", generation_, started_,
                                 replicas_, hand_over_ ? " handing over" : "");
  for (auto& worker : workers_) {
    JobStatus status = worker->board.Get();
    text += fmt::format(" [{} g{} {} stage {}{}{} {}]", worker->config.ordinal, status.generation,
                        ToString(status.phase), static_cast<int>(status.stage),
                        worker->ended.load() ? " ended" : "", worker->given_up ? " given up" : "",
                        status.error.ToString());
  }
  return text;
}

// Members that ended in peace time come back in the generation in force.
void SimCluster::Tend() {
  for (int ordinal = 0; ordinal < replicas_; ++ordinal) {
    Worker* worker = Member(ordinal);
    if (worker->ended.load() && !worker->Ended(Outcome::kCompleted)) {
      worker->given_up = true;
      Spawn(ordinal, false);
    }
  }
}

base::Result<bool> SimCluster::WaitUntil(const std::function<bool()>& done, bool handing_over) {
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (handing_over && SomebodyFailed()) {
      return false;
    }
    if (!handing_over) {
      Tend();
    }
    if (std::chrono::steady_clock::now() > end) {
      return base::Internal("nothing moves: " + Describe());
    }
    gate_ += std::min(options_.gate_step, gate_max_ - gate_);
    kafka_.SetGate(gate_);
    std::this_thread::sleep_for(kStep);  // NOLINT(pause): input comes in step by step
  }
  return true;
}

base::Status SimCluster::Start(int replicas, const Options& options) {
  options_ = options;
  return Switch(replicas, -1);
}

base::Status SimCluster::Switch(int replicas, int zombie) {
  for (auto& worker : workers_) {
    if (worker->given_up) {
      continue;
    }
    worker->given_up = true;
    if (worker->config.ordinal != zombie) {
      worker->stop.store(true);
      worker->thread.join();  // drained, or failed to
    }
  }
  Prepare(replicas, false);
  for (int ordinal = 0; ordinal < replicas; ++ordinal) {
    Spawn(ordinal, false);
  }
  auto all_fenced = [&] {
    std::lock_guard<std::mutex> lock(mu_);
    return static_cast<int>(fenced_.size()) == replicas_;
  };
  SJ_RETURN_IF_ERROR(WaitUntil(all_fenced, false).status());
  {
    std::lock_guard<std::mutex> lock(mu_);
    started_ = generation_;
  }
  auto all_run = [&] {
    for (int ordinal = 0; ordinal < replicas_; ++ordinal) {
      JobStatus status = Member(ordinal)->board.Get();
      if (status.phase != JobPhase::kRunning || status.epoch == 0) {
        return Member(ordinal)->Ended(Outcome::kCompleted);
      }
    }
    return true;
  };
  return WaitUntil(all_run, false).status();
}

base::Status SimCluster::Await(const std::function<bool()>& done) {
  return WaitUntil(done, false).status();
}

int SimCluster::Rejoined() const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(), [](const auto& worker) {
    return worker->Ended(Outcome::kRejoin);
  }));
}

std::string SimCluster::ExchangeTopic(int edge) const {
  connect::ConnectContext context;
  context.job_id = options_.job_uid;
  return connect::ExchangeTopic(context, edge);
}

bool SimCluster::SomebodyFailed() {
  for (auto& worker : workers_) {
    const bool leaves = worker->config.ordinal >= replicas_ && worker->Ended(Outcome::kStopped) &&
                        worker->board.Get().generation == generation_;
    if (!worker->given_up && worker->ended.load() && !leaves) {
      return true;
    }
  }
  return false;
}

// The new ones have fenced, and those that stay have fetched ahead.
bool SimCluster::Prepared() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (static_cast<int>(fenced_.size()) < replicas_ - replicas_before_) {
      return false;
    }
  }
  for (int ordinal = 0; ordinal < std::min(replicas_, replicas_before_); ++ordinal) {
    const HandOverStatus told = Member(ordinal)->board.Get().hand_over;
    if (told.generation != generation_ || !told.prefetched) {
      return false;
    }
  }
  return true;
}

bool SimCluster::HandOverDone() {
  for (int ordinal = 0; ordinal < std::max(replicas_, replicas_before_); ++ordinal) {
    Worker* worker = Member(ordinal);
    JobStatus status = worker->board.Get();
    const bool is_new = ordinal >= replicas_before_;
    const bool leaves = ordinal >= replicas_;
    const bool done = is_new   ? status.phase == JobPhase::kRunning
                      : leaves ? worker->Ended(Outcome::kStopped)
                               : status.hand_over.done;
    if (!done || status.generation != generation_) {
      return false;
    }
  }
  return true;
}

void SimCluster::Prepare(int replicas, bool hand_over) {
  std::lock_guard<std::mutex> lock(mu_);
  generation_ += 1;
  replicas_before_ = replicas_;
  replicas_ = replicas;
  hand_over_ = hand_over;
  fenced_.clear();
}

base::Status SimCluster::Rescale(int replicas, const Disturb& disturb) {
  Prepare(replicas, true);
  for (int ordinal = replicas_before_; ordinal < replicas; ++ordinal) {
    Spawn(ordinal, true);
  }
  SJ_ASSIGN_OR_RETURN(bool fine, WaitUntil([&] { return Prepared(); }, true));
  if (fine) {
    std::lock_guard<std::mutex> lock(mu_);
    started_ = generation_;
  }
  if (fine && disturb.cut >= 0) {
    kafka_.Cut(disturb.cut);
  }
  if (fine && !disturb.change_mind) {
    SJ_ASSIGN_OR_RETURN(fine, WaitUntil([&] { return HandOverDone(); }, true));
  }
  if (!fine || disturb.change_mind) {
    fallen_back_ += 1;
    return Switch(replicas, disturb.zombie);
  }
  handed_over_ += 1;
  std::lock_guard<std::mutex> lock(mu_);
  hand_over_ = false;
  for (auto& worker : workers_) {
    worker->given_up = worker->given_up || worker->config.ordinal >= replicas_;
  }
  return base::OkStatus();
}

base::Result<SnapshotTaken> SimCluster::TakeSnapshot(
    const std::string& uid, const std::function<void(SnapshotTaker::Parts*)>& change) {
  SnapshotTaker::Parts parts;
  parts.connectors = SimKafka::MakeConnectors(&kafka_);
  parts.clock = &base::RealClock();
  if (change) {
    change(&parts);
  }
  const JobConfig config = ConfigOf(0);
  SnapshotAsked asked;
  asked.name = "snap";
  asked.uid = uid;
  asked.generation = config.generation;
  asked.replicas = config.replicas;
  asked.quiet_max = std::chrono::seconds(10);
  SnapshotTaker taker(config, asked, parts);
  base::Result<SnapshotTaken> taken = base::Internal("not taken");
  std::atomic<bool> done{false};
  std::thread thread([&] {
    taken = taker.Take();
    done.store(true);
  });
  const base::Status waited = WaitUntil([&] { return done.load(); }, false).status();
  thread.join();
  return waited.ok() ? std::move(taken) : base::Result<SnapshotTaken>(waited);
}

base::Status SimCluster::RunEpochs(types::Epoch epochs) {
  const types::Epoch until = Member(0)->board.Get().epoch + epochs;
  return WaitUntil(
             [&] {
               const JobStatus status = Member(0)->board.Get();
               return status.epoch >= until || gate_ >= gate_max_;
             },
             false)
      .status();
}

base::Status SimCluster::Finish() {
  gate_max_ = INT64_MAX;
  gate_ = INT64_MAX - options_.gate_step - 1;
  auto all_completed = [&] {
    for (int ordinal = 0; ordinal < replicas_; ++ordinal) {
      if (!Member(ordinal)->Ended(Outcome::kCompleted)) {
        return false;
      }
    }
    return true;
  };
  return WaitUntil(all_completed, false).status();
}

}  // namespace sj::worker::runtime::testing
