// SPDX-License-Identifier: Apache-2.0
// FaultyStore: an ObjectStore whose chosen call goes wrong, for loops over every error path. A Put
// may fail before or after it took effect, a read may fail, be cut short or come back with a
// flipped bit, any call may be slow. The store below does the work. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "worker/store/object_store.h"

namespace sj::worker::store::testing {

enum class StoreFault : uint8_t {
  kFailBefore,  // kUnavailable, nothing happened
  kFailAfter,   // kUnavailable, but it did happen
  kTruncate,    // a read gives half of the bytes
  kFlipBit,     // a read gives one bit wrong
};

class FaultyStore final : public ObjectStore {
 public:
  // `below` is not owned.
  explicit FaultyStore(ObjectStore* below) : below_(below) {}

  // The n-th call from now (from 1) suffers `fault`; 0: none.
  void FailCall(int n, StoreFault fault = StoreFault::kFailBefore) {
    fault_ = fault;
    calls_ = 0;
    fail_at_ = n;
  }
  void set_delay(std::chrono::milliseconds delay) { delay_ms_ = delay.count(); }
  int calls() const { return calls_; }

  base::Status Put(const std::string& key, std::string_view bytes) override {
    return Change([&] { return below_->Put(key, bytes); });
  }
  base::Status Delete(const std::string& key) override {
    return Change([&] { return below_->Delete(key); });
  }
  base::Result<std::string> Get(const std::string& key) override {
    return Read([&] { return below_->Get(key); });
  }
  base::Result<std::string> GetRange(const std::string& key, uint64_t offset,
                                     uint64_t length) override {
    return Read([&] { return below_->GetRange(key, offset, length); });
  }
  base::Result<std::string> GetTail(const std::string& key, uint64_t length) override {
    return Read([&] { return below_->GetTail(key, length); });
  }
  base::Result<std::vector<ObjectInfo>> List(const std::string& prefix) override {
    if (Due()) {
      return Failed();
    }
    return below_->List(prefix);
  }
  std::string Describe() const override { return below_->Describe(); }

 private:
  bool Due() {
    if (delay_ms_ > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms_));  // NOLINT(pause)
    }
    return ++calls_ == fail_at_;
  }
  static base::Status Failed() { return base::Unavailable("made to fail"); }

  template <typename Call>
  base::Status Change(Call call) {
    if (!Due()) {
      return call();
    }
    if (fault_ == StoreFault::kFailAfter) {
      SJ_RETURN_IF_ERROR(call());
    }
    return Failed();
  }
  template <typename Call>
  base::Result<std::string> Read(Call call) {
    if (!Due()) {
      return call();
    }
    if (fault_ == StoreFault::kFailBefore || fault_ == StoreFault::kFailAfter) {
      return Failed();
    }
    SJ_ASSIGN_OR_RETURN(std::string bytes, call());
    if (fault_ == StoreFault::kTruncate) {
      bytes.resize(bytes.size() / 2);
    } else if (!bytes.empty()) {
      bytes[bytes.size() / 2] ^= 0x10;
    }
    return bytes;
  }

  ObjectStore* const below_;
  std::atomic<int> calls_{0};
  std::atomic<int> fail_at_{0};
  std::atomic<StoreFault> fault_{StoreFault::kFailBefore};
  std::atomic<int64_t> delay_ms_{0};
};

}  // namespace sj::worker::store::testing
