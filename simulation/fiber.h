// SPDX-License-Identifier: Apache-2.0
// Fiber: a function with a stack of its own, run in pieces by one thread. What looks like a thread
// to the code under test is a fiber here, so that a seed alone decides who runs when.
#pragma once

#include <ucontext.h>

#include <functional>
#include <memory>
#include <vector>

namespace sj::simulation {

// Owned by one thread; fibers resume no fibers.
class Fiber {
 public:
  explicit Fiber(std::function<void()> run);
  ~Fiber();  // REQUIRES: done, or never resumed
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs it until its next Yield or its end.
  void Resume();
  // Back to whoever resumed the running fiber.
  static void Yield();
  bool done() const { return done_; }

 private:
  struct Stack;
  static void Enter();
  static std::vector<std::unique_ptr<Stack>>& Spare();

  std::function<void()> run_;
  std::unique_ptr<Stack> stack_;
  ucontext_t inside_{};
  ucontext_t outside_{};
  bool started_ = false;
  bool done_ = false;
};

}  // namespace sj::simulation
