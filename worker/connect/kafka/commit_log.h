// SPDX-License-Identifier: Apache-2.0
// KafkaCommitLog: the commit log of a job on Kafka. Two transactional producers alternate: epoch n
// uses producer n mod 2. Names: transactional ids "<prefix>.<job>.<ordinal>.<a|b>", group
// "<prefix>.<job>".
//
// Fencing takes the ids over in the order a, b, a. Why a twice: a live instance raises the epoch of
// one of its own producers when a stray EndTxn may be under way (see TxnProducer::suspicious), at
// the end of Commit(n), and its next commit on that producer, n+2, comes after Commit(n+1) on the
// other one has succeeded. If a successor takes over a1, b, a2 and only then reads, then an own
// re-initialisation of `a` between a1 and a2 is fenced by a2, and one after a2 comes after b was
// taken, so Commit(n+1) on b fails and n+2 is never reached. For `b`: after the successor's b, our
// `a` is already fenced by a1. So no commit of ours can follow the successor's read.
// All of that is true of one re-initialisation. A second could bring `b` back after `a` came back,
// and a slow successor would find both again: an instance that would need it dies instead.
//
// Two instances that fence at the same time may end up with one id each, and an epoch in which
// nothing happens is not committed, so two commits of one instance may both be on the id it has. So
// an id that was taken over after the other one is weak: nothing is committed on it before the
// broker has shown since that the other one is still ours as well, by a commit or by a probe (a
// transaction that is begun and aborted, once, behind the first read). Of two instances with one id
// each, the one with `a` has the weak one and dies; the one with `b` dies when it needs `a`.
// docs/design/commit.pml is the proof of this page.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/connect/commit_log.h"
#include "worker/connect/kafka/cluster.h"
#include "worker/connect/kafka/txn_producer.h"

namespace sj::worker::connect::kafka {

struct CommitLogOptions {
  Cluster cluster;
  std::string id_prefix;
  std::string job_id;
  int ordinal = 0;
  // Topics made at Fence, to hold committed positions of sources that have none: name, partitions.
  std::vector<std::pair<std::string, int>> position_topics;
  milliseconds fence_total{60'000};
  // Losing one of three brokers stalls a transaction for 10 to 15 s: never below that.
  milliseconds commit_total{90'000};
  milliseconds read_total{60'000};
};

// Thread rules as of CommitLog.
class KafkaCommitLog final : public CommitLog {
 public:
  explicit KafkaCommitLog(CommitLogOptions options);
  ~KafkaCommitLog() override;

  base::Status Fence(const std::vector<int>& gone_ordinals) override;
  base::Result<std::vector<CommittedPosition>> ReadCommitted(
      const std::vector<types::InputPartition>& partitions) override;
  base::Status Produce(types::Epoch epoch, const OutputRecord& record) override;
  base::Status Flush(types::Epoch epoch) override;
  base::Status Commit(types::Epoch epoch, const std::vector<CommittedPosition>& positions) override;
  uint64_t waited_ns() const override { return waited_ns_.load(std::memory_order_relaxed); }
  void Cancel() override;
  void Close() override;

  // How often a producer was replaced because of a possible stray request: at most once.
  uint64_t replaced() const { return replaced_.load(); }
  // For tests: the next Commit treats its producer as suspicious.
  void SuspectNextCommit() { suspect_next_ = true; }

 private:
  enum class SlotState : uint8_t { kIdle, kOpen, kFlushed };
  struct Slot {
    std::unique_ptr<TxnProducer> producer;  // replaced only while kIdle or kFlushed
    std::atomic<types::Epoch> open{0};      // the epoch that may be produced to; 0: none
    types::Epoch epoch = 0;                 // guarded by mu_
    SlotState state = SlotState::kIdle;     // guarded by mu_
  };

  std::string TransactionalId(int ordinal, char letter) const;
  base::Result<std::unique_ptr<TxnProducer>> TakeOver(int ordinal, char letter);
  base::Status TakeOverOrdinal(int ordinal, std::array<std::unique_ptr<TxnProducer>, 2>* out);
  base::Status EnsurePositionTopics();
  base::Status OpenSlot(types::Epoch epoch);
  // Makes the slot belong to `epoch`'s commit: *begun tells whether it had records.
  base::Status ClaimSlot(types::Epoch epoch, bool* begun);
  base::Status CommitSlot(size_t index, const std::vector<CommittedPosition>& positions);
  base::Status Replace(size_t index);
  // Shows by a probe that the id of the slot beside the weak one is ours. REQUIRES: weak_.
  base::Status Prove(const types::InputPartition& partition);
  base::Status Dead();
  base::Status Die(base::Status status);

  const CommitLogOptions options_;
  const std::string group_;
  std::array<Slot, 2> slots_;
  std::atomic<bool> cancelled_{false};
  std::atomic<int> in_produce_{0};
  std::atomic<uint64_t> replaced_{0};
  std::atomic<uint64_t> waited_ns_{0};
  bool suspect_next_ = false;
  std::optional<size_t> weak_;  // the slot whose id is; see above
  std::mutex mu_;
  std::condition_variable changed_;
  base::Status dead_;  // guarded by mu_: why the log can no longer be used
  std::atomic<bool> is_dead_{true};
  bool closed_ = false;
};

}  // namespace sj::worker::connect::kafka
