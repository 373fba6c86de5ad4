// SPDX-License-Identifier: Apache-2.0
// CommitLog: where a worker's epochs are decided. For Kafka: two alternating transactional
// producers and the offsets of the job's group (connect/kafka/commit_log.h); for jobs without
// Kafka: a file. One epoch is one transaction: outputs, input offsets and the name of the
// checkpoint stand or fall together. Sources: KIP-98, KIP-447 (not used: manual assignment),
// KIP-618 (fence before read).
//
// Order of calls: Fence once, ReadCommitted once, then for every epoch n: Produce(n)* from any
// thread, Flush(n), Commit(n). Epoch n+1 may be produced to while n is committed: Produce(n+1)
// waits until Flush(n) has returned, so records of two epochs never overtake each other.
// Commit(n+1) comes after Commit(n). After any error but a refused argument the log is dead: Close
// it, make a new one, Fence.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/types/ids.h"

namespace sj::worker::connect {

inline constexpr int64_t kNoOffset = -1;
inline constexpr size_t kCommitMetadataBytesMax = 200;

struct CommittedPosition {
  types::InputPartition partition;
  int64_t offset = kNoOffset;  // next record to read; kNoOffset: nothing was ever committed
  std::string metadata;        // printable ASCII, < kCommitMetadataBytesMax
};

struct OutputRecord {
  std::string_view topic;
  int partition = -1;  // -1: by the key's hash (murmur2, as Java's default), or spread when no key
  std::string_view key;
  bool has_key = false;
  std::string_view value;
  bool tombstone = false;     // value is null
  int64_t timestamp_ms = -1;  // -1: now
};

// Produce is thread-safe; the other calls come from one thread (the epoch thread).
class CommitLog {
 public:
  virtual ~CommitLog() = default;
  // Fences every earlier incarnation of this worker, and of the ordinals that are gone, by taking
  // over their transactional ids; aborts what they left open. Errors: kUnavailable (with the
  // broker's own words where the library has them), kInvalidArgument for authorisation and wrong
  // settings.
  virtual base::Status Fence(const std::vector<int>& gone_ordinals) = 0;
  // Stable committed positions; a partition never committed has kNoOffset. REQUIRES: Fence was ok.
  virtual base::Result<std::vector<CommittedPosition>> ReadCommitted(
      const std::vector<types::InputPartition>& partitions) = 0;
  // Copies the record. Blocks while the queue is full or the epoch before is still being flushed,
  // at most a bound. Errors: kFenced, kUnavailable, kInvalidArgument (record too large),
  // kCancelled.
  virtual base::Status Produce(types::Epoch epoch, const OutputRecord& record) = 0;
  // Waits until every record of the epoch is acknowledged.
  virtual base::Status Flush(types::Epoch epoch) = 0;
  // Sends the positions into the epoch's transaction and commits it. When it returns ok the epoch
  // is decided. kFenced: the process must stop. Anything else: unknown outcome, start again from
  // Fence.
  virtual base::Status Commit(types::Epoch epoch,
                              const std::vector<CommittedPosition>& positions) = 0;
  // How long Produce calls have waited for room so far, all threads together. Thread-safe.
  virtual uint64_t waited_ns() const { return 0; }
  // Makes blocked Produce calls return kCancelled. Thread-safe.
  virtual void Cancel() = 0;
  // Bounded: flush, abort what is open, release. The destructor calls it.
  virtual void Close() = 0;
};

// For jobs without Kafka: positions in one file of a local directory, replaced atomically. Produce
// is refused. The file is locked while the log lives: a second worker on it gets kConflict.
base::Result<std::unique_ptr<CommitLog>> OpenFileCommitLog(const std::string& directory);
// Keeps positions in memory only: jobs without a checkpoint location.
std::unique_ptr<CommitLog> MakeMemoryCommitLog();

}  // namespace sj::worker::connect
