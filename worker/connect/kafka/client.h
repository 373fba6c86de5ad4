// SPDX-License-Identifier: Apache-2.0
// Client: one librdkafka instance with its callbacks. The library tells wrong credentials and
// unreachable brokers only through its error callback while calls just time out; Client keeps what
// the callback said and turns a time-out into a Status that names the cause. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/base/status.h"
#include "worker/connect/kafka/cluster.h"
#include "worker/connect/kafka/handle.h"

namespace sj::worker::connect::kafka {

using std::chrono::milliseconds;

enum class Role : uint8_t {
  kReader,         // assigned partitions, read_committed
  kMetadata,       // metadata, watermarks, committed offsets, admin calls
  kTransactional,  // producer with a transactional id
};

class Client {
 public:
  // `extra` are librdkafka properties of the caller and win over the user's. Errors:
  // kInvalidArgument for settings the library refuses. No network is touched.
  static base::Result<std::unique_ptr<Client>> Make(const Cluster& cluster, Role role,
                                                    const Properties& extra);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* handle() const { return rk_.get(); }

  // Serves callbacks without waiting: call it between the slices of a waiting call.
  void Serve() { rd_kafka_poll(rk_.get(), 0); }
  // Not ok when a broker has refused our credentials or certificate lately (kInvalidArgument).
  base::Status LoginFailure() const;
  // The Status of a failed call: a time-out is explained by what the error callback said last.
  base::Status Explain(rd_kafka_resp_err_t code, std::string_view doing,
                       std::string_view detail = {}) const;

  // Requests of kind EndTxn that have left for a broker.
  uint64_t end_txn_sent() const { return end_txn_sent_.load(std::memory_order_relaxed); }
  // First error of a delivery report since the last call of ClearDelivery; ok when none.
  base::Status DeliveryFailure() const;
  void ClearDelivery();

 private:
  Client() = default;
  static void OnError(rd_kafka_t* rk, int err, const char* reason, void* opaque);
  static void OnLog(const rd_kafka_t* rk, int level, const char* facility, const char* text);
  static void OnDelivery(rd_kafka_t* rk, const rd_kafka_message_t* message, void* opaque);
  static rd_kafka_resp_err_t OnNew(rd_kafka_t* rk, const rd_kafka_conf_t* conf, void* opaque,
                                   char* errstr, size_t errstr_size);
  static rd_kafka_resp_err_t OnRequestSent(rd_kafka_t* rk, int sockfd, const char* broker,
                                           int32_t broker_id, int16_t api_key, int16_t api_version,
                                           int32_t correlation_id, size_t size, void* opaque);
  base::Result<ConfHandle> MakeConf(const Cluster& cluster, Role role, const Properties& extra);

  std::atomic<uint64_t> end_txn_sent_{0};
  std::atomic<bool> delivery_failed_{false};
  mutable std::mutex mu_;
  rd_kafka_resp_err_t last_code_ = RD_KAFKA_RESP_ERR_NO_ERROR;   // guarded by mu_
  std::string last_text_;                                        // guarded by mu_
  rd_kafka_resp_err_t login_code_ = RD_KAFKA_RESP_ERR_NO_ERROR;  // guarded by mu_
  std::string login_text_;                                       // guarded by mu_
  std::chrono::steady_clock::time_point login_at_{};             // guarded by mu_
  base::Status delivery_;                                        // guarded by mu_
  std::chrono::steady_clock::time_point last_log_{};             // guarded by mu_
  RkHandle rk_;  // last: its threads use the members above until it is destroyed
};

// Counts time for calls made in slices: "at most this long in all".
class Deadline {
 public:
  explicit Deadline(milliseconds total) : end_(std::chrono::steady_clock::now() + total) {}
  bool passed() const { return std::chrono::steady_clock::now() >= end_; }
  // Milliseconds left, at least 1, at most `slice`.
  int Slice(milliseconds slice) const;

 private:
  std::chrono::steady_clock::time_point end_;
};

// Longest wait for one answer inside a call that is repeated until its deadline.
inline constexpr milliseconds kSliceMax{5000};
inline constexpr milliseconds kMetadataTotalMax{30'000};

}  // namespace sj::worker::connect::kafka
