// SPDX-License-Identifier: Apache-2.0
// One lock-free flag, set in the handler.
#include "worker/main/stop_signal.h"

#include <signal.h>
#include <unistd.h>

namespace sj::worker {
namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void OnSignal(int number) {
  if (stop_requested.exchange(true)) {
    _exit(128 + number);
  }
}

}  // namespace

const std::atomic<bool>& InstallStopSignal() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return stop_requested;
}

}  // namespace sj::worker
