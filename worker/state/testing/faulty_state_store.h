// SPDX-License-Identifier: Apache-2.0
// FaultyStateStore: a StateStore whose n-th call fails, for loops over every error path. The store
// below does the work of all other calls. Thread-compatible.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/state/state_store.h"

namespace sj::worker::state::testing {

class FaultyStateStore final : public StateStore {
 public:
  // `below` is not owned.
  explicit FaultyStateStore(StateStore* below) : below_(below) {}

  void FailCall(int n) { fail_at_ = n, calls_ = 0; }  // from 1; 0: never
  int calls() const { return calls_; }

  base::Result<std::string> Get(std::string_view key) override {
    SJ_RETURN_IF_ERROR(Count());
    return below_->Get(key);
  }
  base::Status Write(const std::vector<FrozenEntry>& entries) override {
    SJ_RETURN_IF_ERROR(Count());
    return below_->Write(entries);
  }
  base::Status Scan(std::string_view from, std::string_view to,
                    const std::function<bool(std::string_view, std::string_view)>& visit) override {
    SJ_RETURN_IF_ERROR(Count());
    return below_->Scan(from, to, visit);
  }
  base::Status DeleteRange(std::string_view from, std::string_view to) override {
    SJ_RETURN_IF_ERROR(Count());
    return below_->DeleteRange(from, to);
  }
  base::Status Ingest(const std::string& file) override {
    SJ_RETURN_IF_ERROR(Count());
    return below_->Ingest(file);
  }
  uint64_t ApproximateBytes() override { return below_->ApproximateBytes(); }

 private:
  base::Status Count() {
    ++calls_;
    return calls_ == fail_at_ ? base::Corrupt("made to fail") : base::OkStatus();
  }

  StateStore* below_;
  int fail_at_ = 0;
  int calls_ = 0;
};

}  // namespace sj::worker::state::testing
