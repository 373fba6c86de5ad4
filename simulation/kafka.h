// SPDX-License-Identifier: Apache-2.0
// Kafka: the brokers of a simulated run, with the semantics the commit protocol rests on: epochs of
// transactional ids fence, a new epoch aborts what was open, records of open transactions hold the
// last stable offset, committed offsets appear with their transaction, a decided transaction takes
// a moment to be visible, an EndTxn that comes late ends whatever is open then. It also keeps the
// books for the oracle: who commits a unit must have read its last commit. All members run as
// events at the brokers. Owned by the run.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation/world.h"
#include "worker/connect/commit_log.h"
#include "worker/types/ids.h"

namespace sj::simulation {

using worker::connect::CommittedPosition;
using worker::types::InputPartition;

class Kafka {
 public:
  explicit Kafka(World* world) : world_(world) {}

  struct Message {
    InputPartition to;
    std::string value;
  };

  void CreateTopic(const std::string& topic, int partitions);
  int Partitions(const std::string& topic) const;  // 0: no such topic
  void Append(const std::string& topic, int partition, std::string value);
  int64_t End(const InputPartition& partition) const;
  int64_t StableEnd(const InputPartition& partition);
  int64_t Start(const InputPartition& partition) const;
  // The committed record at or after *offset. False: none before the stable end. REQUIRES: *offset
  // is not before Start.
  bool Read(const InputPartition& partition, int64_t* offset, std::string* value);
  // Committed values of a topic.
  std::vector<std::string> Committed(const std::string& topic);
  void Trim(const InputPartition& partition, int64_t before);

  // `instance`: one opened commit log, for the books.
  int64_t NewInstance() { return ++instances_; }
  void InitProducer(const std::string& id, int64_t instance, std::function<void(int64_t)> reply);
  // The instance that took the id over last; 0: nobody did.
  int64_t HolderOf(const std::string& id) const;
  base::Status Produce(const std::string& id, int64_t epoch, int64_t instance,
                       const std::vector<Message>& messages);
  base::Status SendOffsets(const std::string& id, int64_t epoch, int64_t instance,
                           const std::vector<CommittedPosition>& positions);
  base::Status EndTxn(const std::string& id, int64_t epoch, bool commit);
  void ReadCommitted(int64_t instance, const std::vector<InputPartition>& partitions,
                     std::function<void(std::vector<CommittedPosition>)> reply);

  // The committed position, kNoOffset: none.
  CommittedPosition Committed(const InputPartition& partition) const;
  // What a reader gets of each partition that has a position, now or once the transactions that are
  // being committed are visible: such a commit is decided, so nobody can read what it replaces.
  std::vector<CommittedPosition> LivePositions() const;
  uint64_t commits() const { return commits_; }

 private:
  enum class State : uint8_t { kOpen, kCommitting, kCommitted, kAborted };
  struct Transaction {
    State state = State::kOpen;
    int64_t instance = 0;
    std::vector<CommittedPosition> offsets;
    uint64_t appended = 0;  // when the offsets were sent, in order
  };
  struct Record {
    std::string value;
    std::shared_ptr<Transaction> transaction;  // shared by its records; null: none
  };
  struct Partition {
    std::vector<Record> records;
    int64_t stable = 0;
    int64_t start = 0;
  };
  struct Producer {
    int64_t epoch = 0;
    int64_t holder = 0;                 // an instance
    std::shared_ptr<Transaction> open;  // shared with its records
  };
  struct Unit {
    CommittedPosition position;
    uint64_t version = 0;
    uint64_t appended = 0;
  };

  Partition& At(const InputPartition& partition);
  Transaction* OpenOf(const std::string& id, int64_t instance);
  void Apply(const std::shared_ptr<Transaction>& transaction);
  bool Pending(const std::vector<InputPartition>& partitions) const;

  World* world_;
  std::map<std::string, std::vector<Partition>> topics_;
  std::map<std::string, Producer> producers_;
  std::deque<std::weak_ptr<Transaction>> undecided_;
  std::map<InputPartition, Unit> units_;
  std::map<std::pair<int64_t, InputPartition>, uint64_t> known_;  // version an instance has seen
  int64_t instances_ = 0;
  uint64_t commits_ = 0;
  uint64_t appends_ = 0;
};

}  // namespace sj::simulation
