// SPDX-License-Identifier: Apache-2.0
// The cluster and its commit log.
#include "worker/runtime/testing/sim_kafka.h"

#include <algorithm>

#include "worker/runtime/testing/sim_connectors.h"

namespace sj::worker::runtime::testing {

using State = SimKafka::Transaction::State;

// The contract of connect/commit_log.h over SimKafka.
class SimCommitLog final : public connect::CommitLog {
 public:
  SimCommitLog(SimKafka* sim, const connect::ConnectContext& context)
      : sim_(sim), prefix_(context.job_id + "."), ordinal_(context.ordinal) {
    std::lock_guard<std::mutex> lock(sim_->mu_);
    incarnation_ = ++sim_->incarnations_;
    sim_->ordinals_[incarnation_] = ordinal_;
  }
  ~SimCommitLog() override { Close(); }

  base::Status Fence(const std::vector<int>& gone) override {
    std::lock_guard<std::mutex> lock(sim_->mu_);
    SJ_RETURN_IF_ERROR(sim_->OperationLocked(incarnation_));
    std::vector<int> ordinals = gone;
    ordinals.push_back(ordinal_);
    for (int ordinal : ordinals) {
      for (int side = 0; side < 2; ++side) {
        SimKafka::Producer& producer = sim_->producers_[Id(ordinal, side)];
        producer.epoch += 1;
        if (producer.open != nullptr) {
          producer.open->state = State::kAborted;
          producer.open = nullptr;
        }
        if (ordinal == ordinal_) {
          epochs_[side] = producer.epoch;
        }
      }
    }
    sim_->changed_.notify_all();
    return base::OkStatus();
  }

  base::Result<std::vector<connect::CommittedPosition>> ReadCommitted(
      const std::vector<types::InputPartition>& partitions) override {
    std::lock_guard<std::mutex> lock(sim_->mu_);
    SJ_RETURN_IF_ERROR(sim_->OperationLocked(incarnation_));
    return sim_->PositionsLocked(partitions);
  }

  base::Status Produce(types::Epoch epoch, const connect::OutputRecord& record) override {
    std::unique_lock<std::mutex> lock(sim_->mu_);
    sim_->changed_.wait(lock, [&] { return cancelled_ || first_ == 0 || epoch <= flushed_ + 1; });
    if (cancelled_) {
      return base::Cancelled("produce: cancelled");
    }
    if (first_ == 0) {
      first_ = epoch;
      flushed_ = epoch - 1;
    }
    SJ_RETURN_IF_ERROR(sim_->OperationLocked(incarnation_));
    SJ_RETURN_IF_ERROR(CheckOwnerLocked(epoch));
    auto& open = sim_->producers_[Id(ordinal_, epoch % 2)].open;
    if (open == nullptr) {
      open = std::make_shared<SimKafka::Transaction>();
    }
    auto& partitions = sim_->topics_.at(std::string(record.topic));
    int partition = std::max(0, record.partition) % static_cast<int>(partitions.size());
    partitions[partition].push_back({std::string(record.value), open, std::string(record.key)});
    return base::OkStatus();
  }

  base::Status Flush(types::Epoch epoch) override {
    std::lock_guard<std::mutex> lock(sim_->mu_);
    SJ_RETURN_IF_ERROR(sim_->OperationLocked(incarnation_));
    first_ = first_ == 0 ? epoch : first_;
    flushed_ = epoch;
    sim_->changed_.notify_all();
    return base::OkStatus();
  }

  base::Status Commit(types::Epoch epoch,
                      const std::vector<connect::CommittedPosition>& positions) override {
    std::lock_guard<std::mutex> lock(sim_->mu_);
    SJ_RETURN_IF_ERROR(sim_->OperationLocked(incarnation_));  // lost before the broker had it
    SJ_RETURN_IF_ERROR(CheckOwnerLocked(epoch));
    auto& open = sim_->producers_[Id(ordinal_, epoch % 2)].open;
    if (open != nullptr) {
      open->state = State::kCommitted;
      open = nullptr;
    }
    for (const auto& position : positions) {
      sim_->offsets_[position.partition] = position;
    }
    sim_->changed_.notify_all();
    return sim_->OperationLocked(incarnation_);  // committed, but the answer is lost
  }

  void Cancel() override {
    std::lock_guard<std::mutex> lock(sim_->mu_);
    cancelled_ = true;
    sim_->changed_.notify_all();
  }
  void Close() override { Cancel(); }

 private:
  std::string Id(int ordinal, int64_t side) const {
    return prefix_ + std::to_string(ordinal) + (side == 0 ? ".a" : ".b");
  }
  base::Status CheckOwnerLocked(types::Epoch epoch) {
    int side = static_cast<int>(epoch % 2);
    if (sim_->producers_[Id(ordinal_, side)].epoch != epochs_[side]) {
      return base::Fenced("transactional id was taken over");
    }
    return base::OkStatus();
  }

  SimKafka* sim_;
  const std::string prefix_;
  const int ordinal_;
  int64_t incarnation_ = 0;
  int64_t epochs_[2] = {0, 0};
  types::Epoch first_ = 0;
  types::Epoch flushed_ = 0;
  bool cancelled_ = false;
};

// The contract of connect/committed_reader.h: a transaction's positions become visible at once, so
// one look under the lock is stable.
class SimCommittedReader final : public connect::CommittedReader {
 public:
  explicit SimCommittedReader(SimKafka* sim) : sim_(sim) {}

  base::Result<std::vector<connect::CommittedPosition>> Read(
      const std::vector<types::InputPartition>& partitions) override {
    std::lock_guard<std::mutex> lock(sim_->mu_);
    for (const auto& [topic, log] : sim_->topics_) {
      sim_->at_fetch_[topic] = sim_->CommittedLocked(topic);
    }
    return sim_->PositionsLocked(partitions);
  }

 private:
  SimKafka* sim_;
};

void SimKafka::CreateTopic(const std::string& topic, int partitions) {
  std::lock_guard<std::mutex> lock(mu_);
  topics_[topic].resize(partitions);
}

void SimKafka::ForgetOffset(const types::InputPartition& partition) {
  std::lock_guard<std::mutex> lock(mu_);
  offsets_.erase(partition);
}

void SimKafka::ForgetOffsets() {
  std::lock_guard<std::mutex> lock(mu_);
  offsets_.clear();
}

void SimKafka::Append(const std::string& topic, int partition, std::string value) {
  std::lock_guard<std::mutex> lock(mu_);
  topics_.at(topic).at(partition).push_back({std::move(value), nullptr});
}

int SimKafka::Partitions(const std::string& topic) {
  std::lock_guard<std::mutex> lock(mu_);
  auto it = topics_.find(topic);
  return it == topics_.end() ? 0 : static_cast<int>(it->second.size());
}

std::vector<std::string> SimKafka::Committed(const std::string& topic) {
  std::lock_guard<std::mutex> lock(mu_);
  return CommittedLocked(topic);
}

std::vector<std::string> SimKafka::CommittedAtFetch(const std::string& topic) {
  std::lock_guard<std::mutex> lock(mu_);
  return at_fetch_[topic];
}

std::vector<connect::CommittedPosition> SimKafka::PositionsLocked(
    const std::vector<types::InputPartition>& partitions) const {
  std::vector<connect::CommittedPosition> out;
  for (const auto& partition : partitions) {
    auto it = offsets_.find(partition);
    out.push_back(it == offsets_.end()
                      ? connect::CommittedPosition{partition, connect::kNoOffset, ""}
                      : it->second);
  }
  return out;
}

std::vector<std::string> SimKafka::CommittedLocked(const std::string& topic) {
  std::vector<std::string> values;
  for (const auto& partition : topics_.at(topic)) {
    for (const Record& record : partition) {
      if (record.transaction == nullptr || record.transaction->state == State::kCommitted) {
        values.push_back(record.value);
      }
    }
  }
  return values;
}

int64_t SimKafka::End(const types::InputPartition& partition) {
  std::lock_guard<std::mutex> lock(mu_);
  return static_cast<int64_t>(topics_.at(partition.topic).at(partition.partition).size());
}

int64_t SimKafka::StableEndLocked(const types::InputPartition& partition) {
  const auto& records = topics_.at(partition.topic).at(partition.partition);
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].transaction != nullptr && records[i].transaction->state == State::kOpen) {
      return static_cast<int64_t>(i);
    }
  }
  return static_cast<int64_t>(records.size());
}

int64_t SimKafka::StableEnd(const types::InputPartition& partition) {
  std::lock_guard<std::mutex> lock(mu_);
  return StableEndLocked(partition);
}

bool SimKafka::Read(const types::InputPartition& partition, int64_t* offset, int64_t limit,
                    std::string* value, std::string* key) {
  std::lock_guard<std::mutex> lock(mu_);
  looks_[partition.topic] += 1;
  int64_t end = std::min(StableEndLocked(partition), limit);
  const auto& records = topics_.at(partition.topic).at(partition.partition);
  while (*offset < end) {
    const Record& record = records[(*offset)++];
    if (record.transaction == nullptr || record.transaction->state == State::kCommitted) {
      *value = record.value;
      if (key != nullptr) {
        *key = record.key;
      }
      return true;
    }
  }
  return false;
}

int64_t SimKafka::Looks(const std::string& topic) {
  std::lock_guard<std::mutex> lock(mu_);
  return looks_[topic];
}

void SimKafka::LeaveOpen(const types::InputPartition& partition) {
  std::lock_guard<std::mutex> lock(mu_);
  left_open_ = std::make_shared<Transaction>();
  topics_.at(partition.topic).at(partition.partition).push_back({"", left_open_});
}

void SimKafka::AbortOpen() {
  std::lock_guard<std::mutex> lock(mu_);
  left_open_->state = State::kAborted;
  left_open_ = nullptr;
}

void SimKafka::SetGate(int64_t records) {
  std::lock_guard<std::mutex> lock(mu_);
  gate_ = records;
}

int64_t SimKafka::Gate() {
  std::lock_guard<std::mutex> lock(mu_);
  return gate_ < 0 ? INT64_MAX : gate_;
}

bool SimKafka::WaitCommitted(const std::string& topic, std::chrono::seconds at_most) {
  std::unique_lock<std::mutex> lock(mu_);
  return changed_.wait_for(lock, at_most, [&] {
    const auto& partitions = topics_.at(topic);
    for (size_t p = 0; p < partitions.size(); ++p) {
      int64_t want = static_cast<int64_t>(partitions[p].size());
      want = gate_ < 0 ? want : std::min(want, gate_);
      auto it = offsets_.find({topic, static_cast<int>(p)});
      if (want > 0 && (it == offsets_.end() || it->second.offset < want)) {
        return false;
      }
    }
    return true;
  });
}

void SimKafka::FailAt(int64_t n) {
  std::lock_guard<std::mutex> lock(mu_);
  fail_at_ = n == 0 ? 0 : operations_ + n;
}

int64_t SimKafka::operations() {
  std::lock_guard<std::mutex> lock(mu_);
  return operations_;
}

void SimKafka::CutAll() {
  std::lock_guard<std::mutex> lock(mu_);
  cut_below_ = incarnations_ + 1;
  changed_.notify_all();
}

void SimKafka::Cut(int ordinal) {
  std::lock_guard<std::mutex> lock(mu_);
  for (const auto& [incarnation, of] : ordinals_) {
    if (of == ordinal) {
      cut_.insert(incarnation);
    }
  }
  changed_.notify_all();
}

base::Status SimKafka::OperationLocked(int64_t incarnation) {
  operations_ += 1;
  if (operations_ == fail_at_) {
    return base::Unavailable("injected failure of operation " + std::to_string(operations_));
  }
  if (incarnation < cut_below_ || cut_.contains(incarnation)) {
    return base::Unavailable("cut off");
  }
  return base::OkStatus();
}

Connectors SimKafka::MakeConnectors(SimKafka* sim) {
  Connectors connectors = SimEnds(sim);
  connectors.commit_log = [sim](const UsedTables&, const connect::ConnectContext& context)
      -> base::Result<std::unique_ptr<connect::CommitLog>> {
    return std::unique_ptr<connect::CommitLog>(std::make_unique<SimCommitLog>(sim, context));
  };
  connectors.committed_reader = [sim](const UsedTables&, const connect::ConnectContext&)
      -> base::Result<std::unique_ptr<connect::CommittedReader>> {
    return std::unique_ptr<connect::CommittedReader>(std::make_unique<SimCommittedReader>(sim));
  };
  return connectors;
}

}  // namespace sj::worker::runtime::testing
