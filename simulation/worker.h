// SPDX-License-Identifier: Apache-2.0
// Worker: one worker process of a simulated run: the real runtime (RunJob: order of a start, epoch
// loop, task threads' rounds, checkpointer) stepped on fibers, under a control client that follows
// worker/control and worker/main's serve command step by step. Owned by the cluster.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "simulation/connectors.h"
#include "simulation/control_plane.h"
#include "worker/plan/physical.h"
#include "worker/runtime/cooperation.h"
#include "worker/runtime/job_config.h"

namespace sj::simulation {

struct WorkerSetup {
  control::JobRef job;
  int ordinal = 0;
  int number = 0;  // of the process in this run
  std::string spec_hash;
  int threads = 1;
  Nanos epoch_interval = seconds(3);
  std::string directory;  // scratch
  const worker::plan::PhysicalPlan* plan = nullptr;
  std::map<std::string, int> partitions;
  RouteFn route;
  // The attempt failed with an error that no injected fault explains, if this worker is the owner.
  std::function<void(const base::Status&)> on_error;
  // It was given an assignment.
  std::function<void(const control::Assignment&)> on_assignment;
};

class Worker final : public worker::runtime::Cooperation {
 public:
  Worker(World* world, Kafka* kafka, SimStore* store, WorkerSetup setup);
  // Starts its fibers; `ended` is called as an event when the process is gone.
  void Start(std::function<void()> ended);
  // SIGTERM.
  void Terminate();

  Process* process() { return io_.process; }
  // The commit log it opened last; 0: none.
  int64_t instance() const { return io_.instance; }
  const WorkerSetup& setup() const { return setup_; }
  // The one it has, a hand-over included.
  int64_t generation() const;

  // Cooperation
  void Began(int tasks, std::function<bool(int)> step) override;
  void Ended() override;
  void Wait(Nanos at_most) override;

 private:
  void Main();
  void Beat();
  base::Result<control::Assignment> Register();
  bool RunGeneration(const control::Assignment& assignment);
  base::Status AwaitStart(int64_t generation);
  base::Status CheckCurrent(int64_t generation);
  bool HandsOver() const;
  std::optional<worker::runtime::HandOverOrder> HandOver() const;
  control::HeartbeatRequest Report();
  void Take(const control::HeartbeatResponse& response);
  void Nudge();
  void WaitReported(worker::runtime::JobPhase phase);
  void LookAtError();
  bool StepTasks(int rounds);

  World* world_;
  WorkerSetup setup_;
  WorkerIo io_;
  worker::runtime::Connectors connectors_;
  worker::runtime::StatusBoard board_;
  worker::runtime::JobConfig config_;
  std::function<void()> ended_;
  std::string incarnation_;
  int tasks_ = 0;
  bool stepping_ = false;
  std::function<bool(int)> step_;
  int attempts_ = 0;
  std::string told_error_;

  std::atomic<bool> term_{false};
  std::atomic<bool> stop_run_{false};
  bool over_ = false;  // Main has ended
  // As in ControlClient.
  bool fenced_ = false;
  bool nudged_ = false;
  bool changed_ = false;
  int64_t generation_ = 0;
  int64_t known_generation_ = 0;
  int64_t started_generation_ = 0;
  int64_t generation_floor_ = 0;
  std::optional<control::Assignment> offered_;
  control::Command command_ = control::Command::kNone;
  int64_t sequence_ = 0;
  std::optional<worker::runtime::JobPhase> reported_;
};

}  // namespace sj::simulation
