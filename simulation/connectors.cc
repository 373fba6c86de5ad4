// SPDX-License-Identifier: Apache-2.0
// Reads are immediate: what a fetcher has in its buffer. A worker cut from Kafka reads nothing.
#include "simulation/connectors.h"

#include <algorithm>
#include <utility>

#include "worker/connect/json/decoder.h"
#include "worker/runtime/testing/sim_connectors.h"
#include "worker/state/testing/memory_state_store.h"

namespace sj::simulation {
namespace {

namespace connect = worker::connect;
namespace types = worker::types;

using worker::runtime::testing::TopicOf;

class Reader final : public connect::SourceReader {
 public:
  Reader(WorkerIo* io, const types::TableSpec& table, std::vector<connect::PartitionStart> starts,
         const std::vector<int>& columns)
      : io_(io),
        topic_(TopicOf(table)),
        starts_(std::move(starts)),
        decoder_(table.schema, columns, connect::json::JsonOptions{}) {}

  base::Result<bool> Poll(size_t rows_max, milliseconds, types::Epoch,
                          connect::SourceBatch* out) override {
    if (!io_->Reaches(Service::kKafka)) {
      return false;
    }
    for (size_t i = 0; i < starts_.size(); ++i) {
      SJ_ASSIGN_OR_RETURN(bool some, Fill(&starts_[next_++ % starts_.size()], rows_max, out));
      if (some) {
        return true;
      }
    }
    return false;
  }

  void Drop(int partition) override {
    std::erase_if(starts_, [&](const auto& start) { return start.partition == partition; });
  }

  std::vector<connect::PartitionLag> Lag() override {
    std::vector<connect::PartitionLag> lag;
    for (const connect::PartitionStart& start : starts_) {
      lag.push_back(
          {start.partition, start.offset, io_->kafka->StableEnd({topic_, start.partition})});
    }
    return lag;
  }

 private:
  base::Result<bool> Fill(connect::PartitionStart* start, size_t rows_max,
                          connect::SourceBatch* out) {
    std::string value;
    if (io_->kafka->StableEnd({topic_, start->partition}) <= start->offset) {
      return false;
    }
    *out = connect::SourceBatch{};
    out->partition = start->partition;
    out->rows.columns = decoder_.MakeColumns(rows_max);
    while (out->rows.rows < rows_max &&
           io_->kafka->Read({topic_, start->partition}, &start->offset, &value)) {
      // Kept by the columns that point into it.
      auto bytes = std::make_shared<std::string>(value + std::string(64, ' '));
      connect::json::DecodeError error;
      if (!decoder_.Decode(bytes->data(), value.size(), &out->rows.columns, &error)) {
        return base::InvalidArgument("decode " + error.column + ": " + error.what);
      }
      for (types::Column& column : out->rows.columns) {
        column.KeepAlive(bytes);
      }
      out->rows.rows += 1;
    }
    out->records = out->rows.rows;
    out->next_offset = start->offset;
    return out->records > 0;
  }

  WorkerIo* io_;
  std::string topic_;
  std::vector<connect::PartitionStart> starts_;
  connect::json::Decoder decoder_;
  size_t next_ = 0;
};

class Source final : public connect::Source {
 public:
  Source(WorkerIo* io, const types::TableSpec& table)
      : io_(io), table_(table), topic_(TopicOf(table)) {}
  const std::string& topic() const override { return topic_; }
  base::Result<int> PartitionCount() override {
    if (!io_->Reaches(Service::kKafka)) {
      return base::Unavailable("ask for the partitions of " + topic_);
    }
    return io_->kafka->Partitions(topic_);
  }
  base::Result<std::vector<connect::PartitionStart>> ResolveStart(
      const std::vector<int>& partitions) override {
    std::vector<connect::PartitionStart> starts;
    for (int partition : partitions) {
      starts.push_back({partition, 0, std::nullopt});
    }
    return starts;
  }
  base::Result<std::unique_ptr<connect::SourceReader>> OpenReader(
      const std::vector<connect::PartitionStart>& starts, const std::vector<int>& columns,
      connect::CommitLog*) override {
    return std::unique_ptr<connect::SourceReader>(
        std::make_unique<Reader>(io_, table_, starts, columns));
  }
  milliseconds idle_timeout() const override { return milliseconds(0); }
  bool bounded() const override { return false; }
  connect::ConnectorStats& stats() override { return stats_; }

 private:
  WorkerIo* io_;
  types::TableSpec table_;
  std::string topic_;
  connect::ConnectorStats stats_;
};

class ExchangeReader final : public connect::ExchangeReader {
 public:
  ExchangeReader(WorkerIo* io, const std::vector<connect::ExchangeStart>& starts) : io_(io) {
    for (const connect::ExchangeStart& start : starts) {
      positions_[start.partition] = start.offset;
    }
  }
  base::Result<int> Poll(
      int records_max, milliseconds,
      const std::function<base::Status(const connect::ExchangeRecord&)>& take) override {
    int got = 0;
    std::string value;
    for (auto& [partition, position] : positions_) {
      if (position < io_->kafka->Start(partition)) {
        return base::Corrupt("exchange partition " + std::to_string(partition.partition) +
                             " is to be read where it was trimmed");
      }
      while (io_->Reaches(Service::kKafka) && got < records_max &&
             io_->kafka->Read(partition, &position, &value)) {
        got += 1;
        SJ_RETURN_IF_ERROR(take({&partition.topic, partition.partition, position - 1, value}));
      }
    }
    return got;
  }
  int64_t Position(const InputPartition& partition) override { return positions_.at(partition); }
  void Drop(const InputPartition& partition) override { positions_.erase(partition); }
  int wake_fd() const override { return -1; }

 private:
  WorkerIo* io_;
  std::map<InputPartition, int64_t> positions_;
};

class ExchangeLog final : public connect::ExchangeLog {
 public:
  explicit ExchangeLog(WorkerIo* io) : io_(io) {}
  base::Status EnsureTopics(const std::vector<std::string>& topics, int partitions) override {
    SJ_RETURN_IF_ERROR(Reach());
    for (const std::string& topic : topics) {
      if (io_->kafka->Partitions(topic) == 0) {
        io_->kafka->CreateTopic(topic, partitions);
      }
    }
    return base::OkStatus();
  }
  base::Result<int64_t> Earliest(const InputPartition& partition) override {
    SJ_RETURN_IF_ERROR(Reach());
    return io_->kafka->Start(partition);
  }
  base::Result<int64_t> StableEnd(const InputPartition& partition) override {
    SJ_RETURN_IF_ERROR(Reach());
    return io_->kafka->StableEnd(partition);
  }
  base::Result<int64_t> End(const InputPartition& partition) override {
    SJ_RETURN_IF_ERROR(Reach());
    return io_->kafka->End(partition);
  }
  base::Result<std::unique_ptr<connect::ExchangeReader>> OpenReader(
      const std::vector<connect::ExchangeStart>& starts) override {
    return std::unique_ptr<connect::ExchangeReader>(std::make_unique<ExchangeReader>(io_, starts));
  }
  base::Status Trim(const std::vector<connect::ExchangeStart>& before) override {
    SJ_RETURN_IF_ERROR(Reach());
    for (const connect::ExchangeStart& start : before) {
      io_->world->After(io_->world->Between(Nanos(0), seconds(5)), [kafka = io_->kafka, start] {
        kafka->Trim(start.partition, start.offset);
      });
    }
    return base::OkStatus();
  }
  base::Status DeleteTopics(const std::vector<std::string>&) override { return base::OkStatus(); }

 private:
  base::Status Reach() const {
    return io_->Reaches(Service::kKafka) ? base::OkStatus()
                                         : base::Unavailable("reach Kafka: no answer");
  }
  WorkerIo* io_;
};

// A bystander: what it has read allows it no commit.
class CommittedReader final : public connect::CommittedReader {
 public:
  explicit CommittedReader(WorkerIo* io) : io_(io), instance_(io->kafka->NewInstance()) {}
  base::Result<std::vector<connect::CommittedPosition>> Read(
      const std::vector<types::InputPartition>& partitions) override {
    using Positions = std::vector<connect::CommittedPosition>;
    auto read =
        io_->world->Call<Positions>(Service::kKafka, std::chrono::seconds(5),
                                    [kafka = io_->kafka, instance = instance_,
                                     partitions](std::function<void(Positions)> reply) {
                                      kafka->ReadCommitted(instance, partitions, std::move(reply));
                                    });
    if (!read) {
      return base::Unavailable("read committed offsets: no answer");
    }
    return *std::move(read);
  }

 private:
  WorkerIo* io_;
  const int64_t instance_;
};

}  // namespace

worker::runtime::Connectors MakeConnectors(WorkerIo* io, SimStore* store) {
  using worker::runtime::UsedTables;
  worker::runtime::Connectors ends;
  ends.source =
      [io](const types::TableSpec& table,
           const connect::ConnectContext&) -> base::Result<std::unique_ptr<connect::Source>> {
    return std::unique_ptr<connect::Source>(std::make_unique<Source>(io, table));
  };
  ends.sink = [](const types::TableSpec& table,
                 const connect::ConnectContext&) -> base::Result<std::unique_ptr<connect::Sink>> {
    return worker::runtime::testing::MakeTextSink(table, 0);
  };
  ends.commit_log = [io](const UsedTables&, const connect::ConnectContext& context)
      -> base::Result<std::unique_ptr<connect::CommitLog>> {
    return MakeCommitLog(io, context.job_id, context.ordinal);
  };
  ends.exchange_log =
      [io](const UsedTables&,
           const connect::ConnectContext&) -> base::Result<std::unique_ptr<connect::ExchangeLog>> {
    return std::unique_ptr<connect::ExchangeLog>(std::make_unique<ExchangeLog>(io));
  };
  ends.committed_reader = [io](const UsedTables&, const connect::ConnectContext&)
      -> base::Result<std::unique_ptr<connect::CommittedReader>> {
    return std::unique_ptr<connect::CommittedReader>(std::make_unique<CommittedReader>(io));
  };
  ends.object_store = [io, store](const worker::store::ObjectStoreOptions&)
      -> base::Result<std::unique_ptr<worker::store::ObjectStore>> {
    return MakeStoreClient(io, store);
  };
  ends.state_store = [](const worker::state::StateStoreOptions&)
      -> base::Result<std::unique_ptr<worker::state::StateStore>> {
    return std::unique_ptr<worker::state::StateStore>(
        std::make_unique<worker::state::testing::MemoryStateStore>());
  };
  return ends;
}

}  // namespace sj::simulation
