// SPDX-License-Identifier: Apache-2.0
// ucontext, with stacks that are used again.
#include "simulation/fiber.h"

#include <sys/mman.h>

#include <utility>

#include "api/base/check.h"

namespace sj::simulation {
namespace {

constexpr size_t kStackBytes = 1u << 20;  // touched pages only are real
constexpr size_t kSpareMax = 64;

Fiber* running = nullptr;

}  // namespace

struct Fiber::Stack {
  Stack() {
    memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SJ_CHECK(memory != MAP_FAILED);
    // An overflow hits a page that cannot be touched.
    SJ_CHECK(mprotect(memory, 4096, PROT_NONE) == 0);
  }
  ~Stack() { munmap(memory, kStackBytes); }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  void* memory = nullptr;
};

std::vector<std::unique_ptr<Fiber::Stack>>& Fiber::Spare() {
  static std::vector<std::unique_ptr<Stack>> spare;
  return spare;
}

Fiber::Fiber(std::function<void()> run) : run_(std::move(run)) {
}

Fiber::~Fiber() {
  SJ_CHECK(done_ || !started_);
  if (stack_ != nullptr && Spare().size() < kSpareMax) {
    Spare().push_back(std::move(stack_));
  }
}

void Fiber::Enter() {
  Fiber* self = running;
  self->run_();
  self->run_ = nullptr;
  self->done_ = true;
  swapcontext(&self->inside_, &self->outside_);  // never to return
}

void Fiber::Resume() {
  SJ_CHECK(!done_ && running == nullptr);
  if (!started_) {
    started_ = true;
    if (Spare().empty()) {
      stack_ = std::make_unique<Stack>();
    } else {
      stack_ = std::move(Spare().back());
      Spare().pop_back();
    }
    SJ_CHECK(getcontext(&inside_) == 0);
    inside_.uc_stack.ss_sp = stack_->memory;
    inside_.uc_stack.ss_size = kStackBytes;
    inside_.uc_link = nullptr;
    makecontext(&inside_, &Fiber::Enter, 0);
  }
  running = this;
  SJ_CHECK(swapcontext(&outside_, &inside_) == 0);
  running = nullptr;
}

void Fiber::Yield() {
  SJ_CHECK(running != nullptr);
  Fiber* self = running;
  SJ_CHECK(swapcontext(&self->inside_, &self->outside_) == 0);
}

}  // namespace sj::simulation
