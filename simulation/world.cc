// SPDX-License-Identifier: Apache-2.0
// Events in order of time, then of their making.
#include "simulation/world.h"

#include <algorithm>
#include <utility>

#include "api/base/check.h"

namespace sj::simulation {
namespace {

constexpr Nanos kTravelMin = std::chrono::microseconds(200);
constexpr Nanos kTravelMax = milliseconds(8);
constexpr Nanos kSlowMin = milliseconds(100);
constexpr Nanos kSlowMax = seconds(12);
constexpr size_t kLogLinesMax = 200'000;

}  // namespace

struct World::Task {
  Task(uint64_t number, Process* of, std::function<void()> run)
      : number(number), process(of), fiber(std::move(run)) {}
  const uint64_t number;
  Process* process;
  Fiber fiber;
  bool in_wait = false;  // WakeProcess may end its sleep
  uint64_t wait = 0;     // number of the wait it is in
};

World::World(uint64_t seed, bool log) : random_(seed), log_(log) {
}

World::~World() {
  KillAll();
}

base::WallTime World::Wall() const {
  return base::WallTime(base::Millis(1'700'000'000'000)) +
         std::chrono::duration_cast<base::Millis>(now_);
}

base::MonoTime World::Mono() const {
  return base::MonoTime(std::chrono::hours(1) + now_);
}

uint64_t World::Random(uint64_t below) {
  return below <= 1 ? 0 : random_() % below;
}

bool World::Chance(double p) {
  return p > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < p;
}

Nanos World::Between(Nanos low, Nanos high) {
  return low + Nanos(static_cast<int64_t>(Random(static_cast<uint64_t>((high - low).count()) + 1)));
}

void World::Mix(uint64_t value) {
  fingerprint_ = (fingerprint_ ^ value) * 1099511628211u;
}

void World::After(Nanos delay, std::function<void()> run) {
  events_.emplace(std::make_pair(now_ + delay, ++sequence_), std::move(run));
}

void World::Run(Nanos until) {
  stopped_ = false;
  while (!stopped_ && violation_.empty() && !events_.empty()) {
    auto first = events_.begin();
    if (first->first.first > until) {
      break;
    }
    now_ = first->first.first;
    Mix(static_cast<uint64_t>(now_.count()));
    auto run = std::move(first->second);
    events_.erase(first);
    run();
  }
  if (!stopped_ && violation_.empty()) {
    now_ = std::max(now_, until);
  }
}

Process* World::NewProcess(std::string name) {
  processes_.push_back(std::make_unique<Process>());
  processes_.back()->name = std::move(name);
  return processes_.back().get();
}

void World::Spawn(Process* process, std::function<void()> run) {
  process->fibers += 1;
  auto task = std::make_unique<Task>(++task_numbers_, process, [run = std::move(run)] {
    try {
      run();
    } catch (const Killed&) {
      // The process was killed; what it held is released by now.
    }
  });
  Schedule(task.get(), now_, task->wait);
  tasks_[task->number] = std::move(task);
}

void World::Schedule(Task* task, Nanos at, uint64_t wait) {
  After(at - now_, [this, number = task->number, wait] {
    auto it = tasks_.find(number);
    if (it == tasks_.end() || it->second->wait != wait) {
      return;
    }
    Task* task = it->second.get();
    if (task->process->paused_until > now_ && !task->process->dead) {
      Schedule(task, task->process->paused_until, wait);
      return;
    }
    Resume(task);
  });
}

void World::Resume(Task* task) {
  SJ_CHECK(running_ == nullptr);
  running_ = task;
  task->wait += 1;
  task->fiber.Resume();
  running_ = nullptr;
  if (task->fiber.done()) {
    Process* process = task->process;
    tasks_.erase(task->number);
    process->fibers -= 1;
    if (process->fibers == 0 && process->on_dead) {
      auto dead = std::exchange(process->on_dead, nullptr);
      dead();
    }
  }
}

void World::Kill(Process* process) {
  if (process->dead) {
    return;
  }
  process->dead = true;
  Log("killed " + process->name);
  if (running_ != nullptr) {
    // From within a fiber: the others, and this one at its next wait, end as events.
    After(Nanos(0), [this, process] { WakeProcess(process); });
    return;
  }
  WakeProcess(process);
}

void World::WakeProcess(Process* process) {
  for (auto& [number, task] : tasks_) {
    if (task->process == process && task.get() != running_ && (task->in_wait || process->dead)) {
      Schedule(task.get(), now_, task->wait);
    }
  }
}

void World::Pause(Process* process, Nanos time) {
  process->paused_until = std::max(process->paused_until, now_ + time);
}

void World::KillAll() {
  for (auto& process : processes_) {
    process->dead = true;
    process->on_dead = nullptr;
  }
  while (!tasks_.empty()) {
    Resume(tasks_.begin()->second.get());
  }
}

World::Task* World::Running() const {
  SJ_CHECK(running_ != nullptr);
  return running_;
}

Process* World::current() const {
  return Running()->process;
}

void World::Sleep(Nanos time) {
  Task* task = Running();
  if (task->process->dead) {
    throw Killed{};
  }
  Schedule(task, now_ + time, task->wait);
  Fiber::Yield();
  if (task->process->dead) {
    throw Killed{};
  }
}

bool World::WaitFor(const bool& ready, Nanos at_most) {
  return WaitUntil([&ready] { return ready; }, at_most);
}

bool World::WaitUntil(const std::function<bool()>& ready, Nanos at_most) {
  const Nanos end = now_ + at_most;
  bool is = ready();
  for (; !is && now_ < end; is = ready()) {
    Running()->in_wait = true;
    Sleep(end - now_);
    Running()->in_wait = false;
  }
  return is;
}

World::Leg World::Travel(Process* process, Service service, Fault lost) {
  Leg leg;
  leg.lost = process->cut[static_cast<int>(service)] || Strikes(lost);
  leg.delay = Between(kTravelMin, kTravelMax);
  if (Strikes(Fault::kSlow)) {
    leg.delay = Between(kSlowMin, kSlowMax);
  }
  if (process->may_crash && !process->dead && Strikes(Fault::kCrashAtCall)) {
    After(Between(Nanos(0), 2 * kTravelMax), [this, process] { Kill(process); });
  }
  return leg;
}

bool World::Strikes(Fault fault) {
  if (healed_ || !Chance(faults_[fault])) {
    return false;
  }
  counts_[fault] += 1;
  return true;
}

void World::Heal() {
  healed_ = true;
  for (auto& process : processes_) {
    process->cut = {};
    process->paused_until = std::min(process->paused_until, now_ + seconds(1));
  }
  Log("healed");
}

void World::Log(const std::string& what) {
  for (char c : what) {
    Mix(static_cast<uint8_t>(c));
  }
  if (log_ && lines_.size() < kLogLinesMax) {
    lines_.push_back(std::to_string(std::chrono::duration_cast<milliseconds>(now_).count()) + " " +
                     what);
  }
}

void World::Violation(const std::string& what) {
  Log("VIOLATION " + what);
  if (violation_.empty()) {
    violation_ = what;
  }
}

}  // namespace sj::simulation
