// SPDX-License-Identifier: Apache-2.0
// Source and Sink: the two ends of a job. A connector is made from a TableSpec (CREATE TABLE) and
// the job's connections; MakeSource and MakeSink check every option and refuse unknown ones with
// the position in the SQL. Formats (json) are inside. Bad records follow the table's policy: fail,
// skip (counted, with a sample) or dead-letter.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/commit_log.h"
#include "worker/types/column.h"
#include "worker/types/table.h"

namespace sj::worker::connect {

// A named Kafka connection of the job's spec. Secret files are read when a client is made.
struct KafkaConnection {
  std::string name;
  std::string bootstrap_servers;
  std::string secret_directory;  // mounted Secret: username, password, ca.crt, tls.crt, tls.key
  std::vector<std::pair<std::string, std::string>> properties;  // allow-listed librdkafka names
};

struct ConnectContext {
  std::vector<KafkaConnection> connections;
  std::string job_id;  // the job's UID, or its name on a laptop: group and transactional ids
  std::string id_prefix = "streamjob";  // of group, transactional ids and exchange topics
  int ordinal = 0;
  int task_threads = 1;  // sizes client buffers
};

// Counters of one table in this worker. Written by task threads, read by anybody.
struct ConnectorStats {
  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> bad_records{0};  // skipped or dead-lettered
  std::atomic<uint64_t> dead_lettered{0};
  std::mutex mu;
  std::string
      last_bad;  // guarded by mu: "partition 3 offset 17: column "amount": ..." (<= 300 bytes)
};

struct PartitionStart {
  int partition = 0;
  int64_t offset = 0;                 // first record to read; concrete
  std::optional<int64_t> end_offset;  // bounded: first record not to read; concrete
};

struct SourceBatch {
  int partition = 0;
  types::Batch rows;
  int64_t next_offset = 0;  // position after this batch: what an epoch commits
  bool finished = false;    // bounded: the partition's end is reached; rows may be empty
  uint64_t records = 0;     // records consumed, bad ones included
};

struct PartitionLag {
  int partition = 0;
  int64_t position = 0;
  int64_t stable_end = -1;  // last stable offset; -1: unknown
  // Every stable record has been read. What lies between here and log_end waits for the end of a
  // transaction of its producer.
  bool at_stable_end = false;
  int64_t log_end = -1;         // high watermark as last heard; -1: unknown
  int64_t last_record_ms = -1;  // timestamp of the last record read; -1: none yet
};

// Owned by one task thread.
class SourceReader {
 public:
  virtual ~SourceReader() = default;
  // Up to rows_max rows of ONE partition, waiting at most `wait` when there is nothing. True when
  // *out was filled. `epoch` is the epoch dead letters belong to. Partitions take turns fairly.
  virtual base::Result<bool> Poll(size_t rows_max, std::chrono::milliseconds wait,
                                  types::Epoch epoch, SourceBatch* out) = 0;
  // Another worker reads this partition from now on: Poll gives nothing more of it.
  virtual void Drop(int partition) = 0;
  // A file descriptor that becomes readable when Poll may have something, or -1.
  virtual int wake_fd() const { return -1; }
  // What is known without asking the network.
  virtual std::vector<PartitionLag> Lag() = 0;
};

// Thread-safe.
class Source {
 public:
  virtual ~Source() = default;
  virtual const std::string& topic() const = 0;  // name under which positions are committed
  virtual base::Result<int> PartitionCount() = 0;
  // Startup and bounded modes resolved to concrete offsets, for partitions without a position.
  virtual base::Result<std::vector<PartitionStart>> ResolveStart(
      const std::vector<int>& partitions) = 0;
  // For partitions that were added while the job ran: from their first offset, whatever the startup
  // mode, because nothing of them was ever skipped on purpose. Bounded ends as in ResolveStart.
  virtual base::Result<std::vector<PartitionStart>> ResolveBeginning(
      const std::vector<int>& partitions) {
    return ResolveStart(partitions);
  }
  // A reader of these partitions for one task thread; `columns` are the physical columns to decode,
  // the batch has them in that order. `log` takes dead letters; not owned, may be null without
  // them.
  virtual base::Result<std::unique_ptr<SourceReader>> OpenReader(
      const std::vector<PartitionStart>& starts, const std::vector<int>& columns,
      CommitLog* log) = 0;
  // How long without a record until a partition counts as idle; 0: never.
  virtual std::chrono::milliseconds idle_timeout() const = 0;
  virtual bool bounded() const = 0;
  virtual ConnectorStats& stats() = 0;
};

enum class Delivery : uint8_t { kExactlyOnce, kAtLeastOnce, kNone };

// Owned by one task thread.
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual base::Status Write(const types::Batch& batch, types::Epoch epoch) = 0;
  // Everything written for the epoch has left this writer (it may still be in the CommitLog).
  virtual base::Status EndEpoch(types::Epoch epoch) = 0;
};

// Thread-safe.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual base::Result<std::unique_ptr<SinkWriter>> OpenWriter(CommitLog* log) = 0;
  // Checks the outside before the job starts (topic exists). Not for option errors.
  virtual base::Status Check() = 0;
  virtual Delivery delivery() const = 0;
  virtual ConnectorStats& stats() = 0;
};

// Errors: kInvalidArgument "line:column: ..." for options. No network is touched.
base::Result<std::unique_ptr<Source>> MakeSource(const types::TableSpec& table,
                                                 const ConnectContext& context);
base::Result<std::unique_ptr<Sink>> MakeSink(const types::TableSpec& table,
                                             const ConnectContext& context);

// The job's commit log: the Kafka cluster its tables name, or nullptr when no table is on Kafka.
// kInvalidArgument when tables name different clusters.
base::Result<std::unique_ptr<CommitLog>> MakeKafkaCommitLog(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context);

}  // namespace sj::worker::connect
