// SPDX-License-Identifier: Apache-2.0
// eventfd and poll.
#include "worker/runtime/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "api/base/check.h"

namespace sj::worker::runtime {
namespace {

void DrainFd(int fd) {
  char bytes[256];
  // The descriptors are non-blocking; one read is enough to rest until the next event.
  ssize_t got = read(fd, bytes, sizeof bytes);
  (void)got;
}

}  // namespace

Waker::Waker() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  SJ_CHECK(fd_ >= 0);
}

Waker::~Waker() {
  close(fd_);
}

void Waker::Wake() {
  uint64_t one = 1;
  ssize_t put = write(fd_, &one, sizeof one);
  (void)put;  // a full counter is awake already
}

void Waker::Wait(const std::vector<int>& fds, std::chrono::milliseconds at_most) {
  std::vector<pollfd> polls;
  polls.push_back({fd_, POLLIN, 0});
  for (int fd : fds) {
    if (fd >= 0) {
      polls.push_back({fd, POLLIN, 0});
    }
  }
  poll(polls.data(), polls.size(), static_cast<int>(at_most.count()));
  for (const pollfd& p : polls) {
    if ((p.revents & POLLIN) != 0) {
      DrainFd(p.fd);
    }
  }
}

}  // namespace sj::worker::runtime
