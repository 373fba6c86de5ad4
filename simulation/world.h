// SPDX-License-Identifier: Apache-2.0
// World: time, chance, processes and the network of one simulated run. Everything that happens is
// an event at a time, or code of a process that runs between two waits; which, is decided by the
// seed alone. A request travels, is carried out at its server, and its answer travels back; each
// leg can be slow, lost or overtaken by a crash. Owned by one thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "api/base/clock.h"
#include "api/base/status.h"
#include "simulation/faults.h"
#include "simulation/fiber.h"

namespace sj::simulation {

using Nanos = std::chrono::nanoseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Thrown at a wait of a process that was killed; ends its fibers. Nothing under test catches it.
struct Killed {};

enum class Service : uint8_t { kKafka, kStore, kControl, kApi };
inline constexpr int kServices = 4;

class World;

// Something that can be killed or paused as a whole: a worker, a replica of the operator.
struct Process {
  std::string name;
  bool dead = false;
  bool may_crash = false;  // at its calls
  Nanos paused_until{0};
  std::array<bool, kServices> cut{};  // it cannot reach this service
  int fibers = 0;                     // not ended yet
  std::function<void()> on_dead;      // its last fiber has ended after a kill
};

class World final : public base::Clock {
 public:
  World(uint64_t seed, bool log);
  ~World() override;

  // --- time and chance ---
  base::WallTime Wall() const override;
  base::MonoTime Mono() const override;
  Nanos now() const { return now_; }
  uint64_t Random(uint64_t below);  // 0 .. below - 1
  bool Chance(double p);
  Nanos Between(Nanos low, Nanos high);

  // --- events ---
  void After(Nanos delay, std::function<void()> run);
  // Runs events until `until`, or until Stop().
  void Run(Nanos until);
  void Stop() { stopped_ = true; }

  // --- processes ---
  Process* NewProcess(std::string name);
  // A fiber of the process; starts with the next events.
  void Spawn(Process* process, std::function<void()> run);
  // Its fibers end at their waits; requests under way still arrive.
  void Kill(Process* process);
  void Pause(Process* process, Nanos time);
  void KillAll();
  size_t fibers() const { return tasks_.size(); }

  // --- inside of a process's fiber ---
  void Sleep(Nanos time);
  Process* current() const;
  // Sleeps until `ready` is set, at most `at_most`; looks when WakeProcess is called. True: it is.
  bool WaitFor(const bool& ready, Nanos at_most);
  bool WaitUntil(const std::function<bool()>& ready, Nanos at_most);
  void WakeProcess(Process* process);

  // A request of the running fiber's process. `serve` runs at the server when the request arrives
  // and gives its answer, at once or later, through its argument. No answer within `deadline`, or
  // before *give_up is set: nothing is returned, and it may or may not have been carried out.
  template <typename R>
  std::optional<R> Call(Service service, Nanos deadline,
                        std::function<void(std::function<void(R)>)> serve,
                        const bool* give_up = nullptr);

  // --- faults and the log ---
  FaultPlan& faults() { return faults_; }
  FaultCounts& counts() { return counts_; }
  // Rolls the dice for one fault; counts it when it strikes. Never after Heal.
  bool Strikes(Fault fault);
  void Heal();
  bool healed() const { return healed_; }
  void Log(const std::string& what);
  bool logging() const { return log_; }
  const std::vector<std::string>& log() const { return lines_; }
  // The first broken promise ends the run.
  void Violation(const std::string& what);
  const std::string& violation() const { return violation_; }
  uint64_t fingerprint() const { return fingerprint_; }

 private:
  struct Task;
  struct Leg {
    bool lost = false;
    Nanos delay{0};
  };
  Leg Travel(Process* process, Service service, Fault lost);
  void Resume(Task* task);
  void Schedule(Task* task, Nanos at, uint64_t wait);
  Task* Running() const;
  void Mix(uint64_t value);

  std::mt19937_64 random_;
  Nanos now_{0};
  uint64_t sequence_ = 0;
  std::map<std::pair<Nanos, uint64_t>, std::function<void()>> events_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::map<uint64_t, std::unique_ptr<Task>> tasks_;  // by number, never used again
  uint64_t task_numbers_ = 0;
  Task* running_ = nullptr;
  FaultPlan faults_;
  FaultCounts counts_;
  bool healed_ = false;
  bool stopped_ = false;
  bool log_;
  std::vector<std::string> lines_;
  std::string violation_;
  uint64_t fingerprint_ = 1469598103934665603u;
};

template <typename R>
std::optional<R> World::Call(Service service, Nanos deadline,
                             std::function<void(std::function<void(R)>)> serve,
                             const bool* give_up) {
  Process* process = current();
  // Shared by the caller, which may give up first, and the events of the two legs.
  struct Slot {
    bool ready = false;
    std::optional<R> answer;
  };
  auto slot = std::make_shared<Slot>();
  const Leg there = Travel(process, service, Fault::kRequestLost);
  if (!there.lost) {
    After(there.delay, [this, process, service, slot, serve = std::move(serve)] {
      serve([this, process, service, slot](R answer) {
        const Leg back = Travel(process, service, Fault::kAnswerLost);
        if (back.lost) {
          return;
        }
        After(back.delay, [this, process, slot, answer = std::move(answer)]() mutable {
          if (slot->ready) {
            return;
          }
          slot->answer = std::move(answer);
          slot->ready = true;
          WakeProcess(process);
        });
      });
    });
  }
  WaitUntil([&] { return slot->ready || (give_up != nullptr && *give_up); }, deadline);
  if (!slot->answer) {
    slot->ready = true;  // a late answer is not taken
    return std::nullopt;
  }
  return std::move(slot->answer);
}

}  // namespace sj::simulation
