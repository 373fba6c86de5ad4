// SPDX-License-Identifier: Apache-2.0
// Fence, read, produce, commit. After any error but a refused argument the log is dead: the epoch
// in memory may or may not be committed, and only a new incarnation can find out.
#include "worker/connect/kafka/commit_log.h"

#include <fmt/core.h>

#include <map>
#include <thread>

#include "api/base/check.h"
#include "api/base/failpoint.h"
#include "api/base/log.h"
#include "worker/connect/kafka/committed.h"
#include "worker/connect/kafka/exchange_log.h"
#include "worker/connect/positions.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr milliseconds kProduceWaitMax{180'000};
constexpr milliseconds kCloseAbortMax{10'000};
constexpr milliseconds kCloseProduceWaitMax{15'000};

}  // namespace

KafkaCommitLog::KafkaCommitLog(CommitLogOptions options)
    : options_(std::move(options)),
      group_(fmt::format("{}.{}", options_.id_prefix, options_.job_id)),
      dead_(base::Internal("the commit log was used before Fence")) {
}

KafkaCommitLog::~KafkaCommitLog() {
  Close();
}

std::string KafkaCommitLog::TransactionalId(int ordinal, char letter) const {
  return fmt::format("{}.{}.{}.{}", options_.id_prefix, options_.job_id, ordinal, letter);
}

base::Result<std::unique_ptr<TxnProducer>> KafkaCommitLog::TakeOver(int ordinal, char letter) {
  SJ_ASSIGN_OR_RETURN(std::unique_ptr<TxnProducer> producer,
                      TxnProducer::Make(options_.cluster, TransactionalId(ordinal, letter)));
  SJ_RETURN_IF_ERROR(producer->Init(options_.fence_total));
  return producer;
}

base::Status KafkaCommitLog::TakeOverOrdinal(int ordinal,
                                             std::array<std::unique_ptr<TxnProducer>, 2>* out) {
  SJ_ASSIGN_OR_RETURN((*out)[0], TakeOver(ordinal, 'a'));
  SJ_ASSIGN_OR_RETURN((*out)[1], TakeOver(ordinal, 'b'));
  // Once more: see the header.
  (*out)[0].reset();
  SJ_ASSIGN_OR_RETURN((*out)[0], TakeOver(ordinal, 'a'));
  return base::OkStatus();
}

base::Status KafkaCommitLog::EnsurePositionTopics() {
  for (const auto& [topic, partitions] : options_.position_topics) {
    KafkaExchangeLog topics(options_.cluster, group_, 1);
    SJ_RETURN_IF_ERROR(topics.EnsureTopics({topic}, partitions));
  }
  return base::OkStatus();
}

base::Status KafkaCommitLog::Fence(const std::vector<int>& gone_ordinals) {
  {
    std::lock_guard lock(mu_);
    if (closed_ || slots_[0].producer != nullptr) {
      return base::Internal("Fence was called twice");
    }
  }
  for (int ordinal : gone_ordinals) {
    std::array<std::unique_ptr<TxnProducer>, 2> gone;
    SJ_RETURN_IF_ERROR(TakeOverOrdinal(ordinal, &gone)
                           .WithContext(fmt::format("fence worker {}, which is gone", ordinal)));
  }
  std::array<std::unique_ptr<TxnProducer>, 2> own;
  SJ_RETURN_IF_ERROR(TakeOverOrdinal(options_.ordinal, &own).WithContext("fence"));
  SJ_RETURN_IF_ERROR(EnsurePositionTopics());
  std::lock_guard lock(mu_);
  slots_[0].producer = std::move(own[0]);
  slots_[1].producer = std::move(own[1]);
  weak_ = 0;
  dead_ = base::OkStatus();
  is_dead_.store(false);
  return base::OkStatus();
}

base::Status KafkaCommitLog::Dead() {
  std::lock_guard lock(mu_);
  return dead_;
}

base::Status KafkaCommitLog::Die(base::Status status) {
  std::lock_guard lock(mu_);
  if (dead_.ok()) {
    dead_ = status;
    is_dead_.store(true);
  }
  changed_.notify_all();
  return status;
}

base::Result<std::vector<CommittedPosition>> KafkaCommitLog::ReadCommitted(
    const std::vector<types::InputPartition>& partitions) {
  SJ_RETURN_IF_ERROR(Dead());
  auto read = ReadCommittedPositions(options_.cluster, group_, partitions, options_.read_total);
  if (!read.ok()) {
    return Die(read.status());
  }
  if (weak_ && !partitions.empty()) {
    base::Status proved = Prove(partitions.front());
    if (!proved.ok()) {
      return Die(std::move(proved).WithContext("fence"));
    }
  }
  return read;
}

base::Status KafkaCommitLog::Prove(const types::InputPartition& partition) {
  Slot& other = slots_[1 - *weak_];
  {
    std::lock_guard lock(mu_);
    if (other.state != SlotState::kIdle) {
      return base::Unavailable("a transactional id cannot be proved to be ours");
    }
    other.state = SlotState::kFlushed;  // nobody opens it meanwhile
  }
  base::Status status = other.producer->Probe(group_, partition, options_.read_total);
  if (status.ok() && other.producer->suspicious()) {
    status = base::Unavailable("a transactional id was proved to be ours by a repeated request");
  }
  std::lock_guard lock(mu_);
  other.state = SlotState::kIdle;
  changed_.notify_all();
  if (status.ok()) {
    weak_.reset();
  }
  return status;
}

base::Status KafkaCommitLog::OpenSlot(types::Epoch epoch) {
  Slot& slot = slots_[static_cast<size_t>(epoch) & 1];
  Slot& other = slots_[static_cast<size_t>(epoch + 1) & 1];
  std::unique_lock lock(mu_);
  auto ready = [&] {
    bool mine = slot.epoch == epoch || slot.state == SlotState::kIdle;
    bool behind = other.state == SlotState::kOpen && other.epoch < epoch;
    return cancelled_ || !dead_.ok() || (mine && !behind);
  };
  if (!changed_.wait_for(lock, kProduceWaitMax, ready)) {
    return base::Unavailable(
        fmt::format("write in epoch {}: the epoch before it does not end", epoch));
  }
  SJ_RETURN_IF_ERROR(dead_);
  if (cancelled_) {
    return base::Cancelled(fmt::format("write in epoch {}", epoch));
  }
  if (slot.epoch == epoch && slot.state == SlotState::kOpen) {
    return base::OkStatus();
  }
  if (slot.state != SlotState::kIdle) {
    return base::Internal(fmt::format("write in epoch {} after its Flush", epoch));
  }
  base::Status begun = slot.producer->Begin();
  if (!begun.ok()) {
    dead_ = begun;
    is_dead_.store(true);
    changed_.notify_all();
    return begun;
  }
  slot.epoch = epoch;
  slot.state = SlotState::kOpen;
  slot.open.store(epoch, std::memory_order_release);
  return base::OkStatus();
}

base::Status KafkaCommitLog::Produce(types::Epoch epoch, const OutputRecord& record) {
  struct Guard {
    std::atomic<int>& count;
    explicit Guard(std::atomic<int>& c) : count(c) { count.fetch_add(1); }
    ~Guard() { count.fetch_sub(1); }
  } guard(in_produce_);
  if (is_dead_.load(std::memory_order_relaxed)) {
    return Dead();
  }
  if (cancelled_.load(std::memory_order_relaxed)) {
    return base::Cancelled(fmt::format("write to topic \"{}\"", record.topic));
  }
  Slot& slot = slots_[static_cast<size_t>(epoch) & 1];
  Slot& other = slots_[static_cast<size_t>(epoch + 1) & 1];
  if (slot.open.load(std::memory_order_acquire) != epoch ||
      other.open.load(std::memory_order_acquire) == epoch - 1) {
    auto start = std::chrono::steady_clock::now();
    base::Status opened = OpenSlot(epoch);
    waited_ns_.fetch_add(static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count()));
    SJ_RETURN_IF_ERROR(opened);
  }
  base::Status status = slot.producer->Produce(record, cancelled_);
  if (uint64_t waited = slot.producer->TakeWaited(); waited > 0) {
    waited_ns_.fetch_add(waited);
  }
  if (!status.ok() && status.kind() != base::ErrorKind::kInvalidArgument &&
      status.kind() != base::ErrorKind::kCancelled) {
    return Die(std::move(status));
  }
  return status;
}

base::Status KafkaCommitLog::Flush(types::Epoch epoch) {
  Slot& slot = slots_[static_cast<size_t>(epoch) & 1];
  {
    std::lock_guard lock(mu_);
    SJ_RETURN_IF_ERROR(dead_);
    if (slot.state != SlotState::kOpen || slot.epoch != epoch) {
      return base::OkStatus();
    }
  }
  base::Status flushed = slot.producer->Flush(options_.commit_total);
  if (!flushed.ok()) {
    flushed = slot.producer->Settle(std::move(flushed));
    return Die(std::move(flushed).WithContext(fmt::format("epoch {}", epoch)));
  }
  std::lock_guard lock(mu_);
  slot.state = SlotState::kFlushed;
  slot.open.store(0, std::memory_order_release);
  changed_.notify_all();
  return base::OkStatus();
}

base::Status KafkaCommitLog::ClaimSlot(types::Epoch epoch, bool* begun) {
  Slot& slot = slots_[static_cast<size_t>(epoch) & 1];
  std::lock_guard lock(mu_);
  SJ_RETURN_IF_ERROR(dead_);
  if (slot.state == SlotState::kIdle) {
    slot.state = SlotState::kFlushed;
    slot.epoch = epoch;
    *begun = false;
    return base::OkStatus();
  }
  if (slot.epoch != epoch) {
    return base::Internal(
        fmt::format("commit epoch {} while epoch {} is not committed", epoch, slot.epoch));
  }
  *begun = true;
  return base::OkStatus();
}

base::Status KafkaCommitLog::CommitSlot(size_t index,
                                        const std::vector<CommittedPosition>& positions) {
  Slot* slot = &slots_[index];
  SJ_RETURN_IF_ERROR(base::Failpoint("commit.before_send_offsets"));
  if (!positions.empty()) {
    SJ_RETURN_IF_ERROR(slot->producer->SendOffsets(group_, positions, options_.commit_total));
  }
  SJ_RETURN_IF_ERROR(base::Failpoint("commit.after_send_offsets"));
  SJ_RETURN_IF_ERROR(base::Failpoint("commit.before_end_txn"));
  SJ_RETURN_IF_ERROR(slot->producer->Commit(options_.commit_total));
  weak_.reset();  // it was that of the other slot
  SJ_RETURN_IF_ERROR(base::Failpoint("commit.after_end_txn"));
  if (slot->producer->suspicious() || suspect_next_) {
    suspect_next_ = false;
    if (replaced_.load() > 0) {  // see the header
      return base::Unavailable("a second producer would have to be replaced; the epoch stands");
    }
    SJ_RETURN_IF_ERROR(Replace(index));
  }
  return base::OkStatus();
}

base::Status KafkaCommitLog::Replace(size_t index) {
  Slot* slot = &slots_[index];
  base::LogWarn("kafka producer is replaced: a commit had to be repeated",
                {{"transactional_id", slot->producer->transactional_id()}});
  slot->producer.reset();
  SJ_ASSIGN_OR_RETURN(slot->producer, TakeOver(options_.ordinal, index == 0 ? 'a' : 'b'));
  replaced_.fetch_add(1);
  weak_ = index;
  return base::OkStatus();
}

base::Status KafkaCommitLog::Commit(types::Epoch epoch,
                                    const std::vector<CommittedPosition>& positions) {
  SJ_RETURN_IF_ERROR(CheckPositions(positions));
  SJ_RETURN_IF_ERROR(Flush(epoch));
  const size_t index = static_cast<size_t>(epoch) & 1;
  Slot& slot = slots_[index];
  bool begun = false;
  base::Status claimed = ClaimSlot(epoch, &begun);
  if (!claimed.ok()) {
    return Die(std::move(claimed));
  }
  base::Status status;
  if (begun || !positions.empty()) {
    if (weak_ == index) {
      status = positions.empty() ? base::Internal("the first commit after a fence has no positions")
                                 : Prove(positions.front().partition);
    }
    if (status.ok() && !begun) {
      status = slot.producer->Begin();
    }
    if (status.ok()) {
      status = CommitSlot(index, positions);
    }
    if (!status.ok() && slot.producer != nullptr) {
      status = slot.producer->Settle(std::move(status));
    }
  }
  if (!status.ok()) {
    return Die(std::move(status).WithContext(fmt::format("commit epoch {}", epoch)));
  }
  std::lock_guard lock(mu_);
  slot.state = SlotState::kIdle;
  slot.epoch = 0;
  changed_.notify_all();
  return base::OkStatus();
}

void KafkaCommitLog::Cancel() {
  std::lock_guard lock(mu_);
  cancelled_ = true;
  changed_.notify_all();
}

void KafkaCommitLog::Close() {
  bool fenced = false;
  {
    std::lock_guard lock(mu_);
    if (closed_) {
      return;
    }
    closed_ = true;
    cancelled_ = true;
    fenced = !dead_.ok() && dead_.kind() == base::ErrorKind::kFenced;
    if (dead_.ok()) {
      dead_ = base::Cancelled("the commit log is closed");
      is_dead_.store(true);
    }
    changed_.notify_all();
  }
  // Calls under way see cancelled_ within one poll of the queue.
  Deadline deadline(kCloseProduceWaitMax);
  while (in_produce_.load() != 0 && !deadline.passed()) {
    std::this_thread::yield();
  }
  for (Slot& slot : slots_) {
    if (slot.producer == nullptr) {
      continue;
    }
    if (!fenced && slot.state != SlotState::kIdle) {
      base::Status aborted = slot.producer->Abort(kCloseAbortMax);
      if (!aborted.ok()) {
        base::LogWarn("kafka transaction was left open",
                      {{"transactional_id", slot.producer->transactional_id()},
                       {"error", aborted.message()}});
      }
    }
    slot.open.store(0);
    if (in_produce_.load() == 0) {
      slot.producer.reset();
    }
  }
}

}  // namespace sj::worker::connect::kafka
