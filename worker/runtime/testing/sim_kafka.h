// SPDX-License-Identifier: Apache-2.0
// SimKafka: topics, transactions, group offsets and fencing in memory, with Kafka's semantics as
// far as the commit protocol needs them: records of open transactions hold the last stable offset,
// records of aborted ones are never seen, taking over a transactional id aborts what it left and
// fences its old owner, offsets become visible with the transaction. Faults are injected by
// operation number and by worker. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "worker/runtime/connectors.h"

namespace sj::worker::runtime::testing {

class SimKafka {
 public:
  struct Transaction {
    enum class State : uint8_t { kOpen, kCommitted, kAborted };
    State state = State::kOpen;
  };
  struct Record {
    std::string value;
    std::shared_ptr<Transaction> transaction;  // shared by its records; null: not transactional
    std::string key = {};
  };

  void CreateTopic(const std::string& topic, int partitions);  // or adds partitions to it
  void Append(const std::string& topic, int partition, std::string value);
  int Partitions(const std::string& topic);                   // 0: no such topic
  void ForgetOffset(const types::InputPartition& partition);  // as when it expired
  void ForgetOffsets();                                       // of the whole group
  // Committed values of a topic, in order within a partition.
  std::vector<std::string> Committed(const std::string& topic);
  // The same as it was when a CommittedReader last read positions: what the transactions before
  // that moment have written.
  std::vector<std::string> CommittedAtFetch(const std::string& topic);
  int64_t End(const types::InputPartition& partition);
  int64_t StableEnd(const types::InputPartition& partition);
  // The committed record at or after `offset`, before the stable end and `limit`. False: none now.
  bool Read(const types::InputPartition& partition, int64_t* offset, int64_t limit,
            std::string* value, std::string* key = nullptr);
  // How often anybody has looked for a record of this topic.
  int64_t Looks(const std::string& topic);

  // Somebody's open transaction at the end of a partition: what comes behind it is not read before
  // AbortOpen. REQUIRES: there is none yet.
  void LeaveOpen(const types::InputPartition& partition);
  void AbortOpen();

  // Sources deliver at most this many records of each partition; -1: all.
  void SetGate(int64_t records);
  // Waits until the group's committed offsets of `topic` have reached the gate or the end.
  bool WaitCommitted(const std::string& topic, std::chrono::seconds at_most);

  // Operation `n` of the commit logs from now on fails with kUnavailable (1: the next); 0: none.
  void FailAt(int64_t n);
  int64_t operations();
  // Every commit log opened so far is cut off: its calls fail, as after kill -9.
  void CutAll();
  // The same for those of one worker.
  void Cut(int ordinal);

  // For a worker of this cluster. `sim` outlives it.
  static Connectors MakeConnectors(SimKafka* sim);

 private:
  friend class SimCommitLog;
  friend class SimCommittedReader;
  struct Producer {
    int64_t epoch = 0;
    std::shared_ptr<Transaction> open;  // shared with its records
  };
  int64_t StableEndLocked(const types::InputPartition& partition);
  std::vector<std::string> CommittedLocked(const std::string& topic);
  std::vector<connect::CommittedPosition> PositionsLocked(
      const std::vector<types::InputPartition>& partitions) const;
  base::Status OperationLocked(int64_t incarnation);

  std::mutex mu_;  // guards everything below
  std::condition_variable changed_;
  std::map<std::string, std::vector<std::vector<Record>>> topics_;
  std::map<std::string, Producer> producers_;
  std::map<types::InputPartition, connect::CommittedPosition> offsets_;
  std::map<std::string, std::vector<std::string>> at_fetch_;  // by topic
  std::map<std::string, int64_t> looks_;
  std::shared_ptr<Transaction> left_open_;  // shared with its record
  int64_t gate_ = -1;
  int64_t operations_ = 0;
  int64_t fail_at_ = 0;
  int64_t incarnations_ = 0;
  int64_t cut_below_ = 0;
  std::map<int64_t, int> ordinals_;  // by incarnation
  std::set<int64_t> cut_;

 public:
  // What a source may deliver now.
  int64_t Gate();
};

}  // namespace sj::worker::runtime::testing
