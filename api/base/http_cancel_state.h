// SPDX-License-Identifier: Apache-2.0
// Inside of HttpCancel, for the client's sources only: the calls to wake when it is cancelled.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "api/base/http_client.h"

namespace sj::base {

// Thread-safe through `mu`. Callbacks are copied out and run without the lock, so each must own
// what it touches.
struct HttpCancel::State {
  std::mutex mu;
  bool cancelled = false;
  int next_id = 0;
  std::map<int, std::function<void()>> callbacks;  // one for each running call
};

// Registers a callback for the life of a call; runs it at once when already cancelled.
class CancelRegistration {
 public:
  CancelRegistration(HttpCancel* cancel, std::function<void()> callback) : cancel_(cancel) {
    if (cancel_ == nullptr) {
      return;
    }
    HttpCancel::State& state = cancel_->state();
    bool already = false;
    {
      std::lock_guard lock(state.mu);
      already = state.cancelled;
      id_ = state.next_id++;
      state.callbacks.emplace(id_, callback);
    }
    if (already) {
      callback();
    }
  }
  ~CancelRegistration() {
    if (cancel_ != nullptr) {
      std::lock_guard lock(cancel_->state().mu);
      cancel_->state().callbacks.erase(id_);
    }
  }
  CancelRegistration(const CancelRegistration&) = delete;
  CancelRegistration& operator=(const CancelRegistration&) = delete;

 private:
  HttpCancel* cancel_;
  int id_ = 0;
};

}  // namespace sj::base
