// SPDX-License-Identifier: Apache-2.0
// TxnProducer: one transactional producer instance and its bounded calls. Rules, each proved
// against a real broker: a retriable error means the same call again; "requires abort" and fatal
// errors end the instance; flush before every abort, never purge, else the sequence numbers get a
// hole. A call of the library that does not come back after its slice ends the process
// (api/base/watchdog.h). Produce is thread-safe, the rest belongs to one thread at a time.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "worker/connect/commit_log.h"
#include "worker/connect/kafka/client.h"

namespace sj::worker::connect::kafka {

class TxnProducer {
 public:
  static base::Result<std::unique_ptr<TxnProducer>> Make(const Cluster& cluster,
                                                         const std::string& transactional_id);
  ~TxnProducer();
  TxnProducer(const TxnProducer&) = delete;
  TxnProducer& operator=(const TxnProducer&) = delete;

  // Takes the transactional id over: fences every older instance, aborts what it left open. Once.
  base::Status Init(milliseconds total);
  base::Status Begin();
  // Copies the record. A full queue is waited for, at most kQueueWaitMax, until *cancelled.
  base::Status Produce(const OutputRecord& record, const std::atomic<bool>& cancelled);
  // How long Produce calls have waited for a full queue since this was asked last. Thread-safe.
  uint64_t TakeWaited() {
    return waited_ns_.load(std::memory_order_relaxed) == 0 ? 0 : waited_ns_.exchange(0);
  }
  // Every record so far is acknowledged. kUnavailable when `total` passes.
  base::Status Flush(milliseconds total);
  base::Status SendOffsets(const std::string& group,
                           const std::vector<CommittedPosition>& positions, milliseconds total);
  // Ends the transaction. After it suspicious() may have become true.
  base::Status Commit(milliseconds total);
  // Flushes, then aborts; at most about `total`. Errors only matter to the log.
  base::Status Abort(milliseconds total);
  // Begins a transaction with an offset of `partition` and aborts it: ok when the broker finds this
  // instance to be the newest of its id. Between two transactions only.
  base::Status Probe(const std::string& group, const types::InputPartition& partition,
                     milliseconds total);
  // After a failed call: when the library asks for an abort, aborts. A fenced producer often learns
  // it only there; then the Status is kFenced, else `failed` as it is.
  base::Status Settle(base::Status failed);

  // A stray EndTxn of this instance may still reach the coordinator and end a later transaction:
  // the library sent it more than once, or a call was given up on. The instance must be replaced
  // (its epoch raised) before its next transaction.
  bool suspicious() const { return suspicious_; }
  const std::string& transactional_id() const { return id_; }

  static constexpr milliseconds kQueueWaitMax{120'000};
  static constexpr milliseconds kSettleMax{10'000};
  static constexpr int kTopicsMax = 1024;

 private:
  TxnProducer(std::string id, std::unique_ptr<Client> client)
      : id_(std::move(id)), client_(std::move(client)) {}
  // An expired transaction looks like a take-over: says so where it may be one.
  base::Status InWords(base::Status status) const;
  base::Status FromError(ErrorHandle error, std::string_view doing);
  base::Result<rd_kafka_topic_t*> Topic(std::string_view name);
  rd_kafka_resp_err_t TryProduce(rd_kafka_topic_t* topic, const OutputRecord& record);

  const std::string id_;
  std::unique_ptr<Client> client_;
  milliseconds timeout_{60'000};  // the library's default
  std::atomic<std::chrono::steady_clock::time_point> begun_at_{
      std::chrono::steady_clock::time_point::max()};
  bool suspicious_ = false;
  bool requires_abort_ = false;
  std::atomic<uint32_t> produced_{0};
  std::atomic<uint64_t> waited_ns_{0};
  // Topics seen so far; entries below topics_size_ never change, so readers need no lock.
  struct TopicEntry {
    std::string name;
    TopicHandle topic;
  };
  std::mutex topics_mu_;
  std::vector<TopicEntry> topics_;  // reserved to kTopicsMax, so never moved
  std::atomic<size_t> topics_size_{0};
};

}  // namespace sj::worker::connect::kafka
