// SPDX-License-Identifier: Apache-2.0
// Waker: lets a task thread sleep on its inputs' file descriptors and be woken by others. Wake is
// thread-safe; Wait belongs to the owner.
#pragma once

#include <chrono>
#include <vector>

namespace sj::worker::runtime {

class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void Wake();
  // Returns when woken, when one of fds is readable, or after `at_most`. Drains what it woke on.
  void Wait(const std::vector<int>& fds, std::chrono::milliseconds at_most);

 private:
  int fd_;
};

}  // namespace sj::worker::runtime
