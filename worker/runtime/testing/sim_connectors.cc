// SPDX-License-Identifier: Apache-2.0
// The two ends of a job and the exchange between workers, over SimKafka.
#include "worker/runtime/testing/sim_connectors.h"

#include <fmt/format.h>

#include <cstring>

#include "worker/connect/json/decoder.h"
#include "worker/types/date_time.h"
#include "worker/types/decimal.h"

namespace sj::worker::runtime::testing {
namespace {

using connect::PartitionStart;
using connect::SourceBatch;

class SimReader final : public connect::SourceReader {
 public:
  SimReader(SimKafka* sim, const types::TableSpec& table, std::vector<PartitionStart> starts,
            const std::vector<int>& columns)
      : sim_(sim),
        topic_(TopicOf(table)),
        starts_(std::move(starts)),
        decoder_(table.schema, columns, connect::json::JsonOptions{}) {}

  base::Result<bool> Poll(size_t rows_max, std::chrono::milliseconds, types::Epoch,
                          SourceBatch* out) override {
    for (size_t i = 0; i < starts_.size(); ++i) {
      PartitionStart& start = starts_[next_++ % starts_.size()];
      if (finished_.contains(start.partition)) {
        continue;
      }
      SJ_ASSIGN_OR_RETURN(bool some, Fill(&start, std::min<size_t>(rows_max, 3), out));
      if (some) {
        return true;
      }
    }
    return false;
  }

  void Drop(int partition) override {
    std::erase_if(starts_, [&](const PartitionStart& each) { return each.partition == partition; });
  }

  std::vector<connect::PartitionLag> Lag() override { return {}; }

 private:
  base::Result<bool> Fill(PartitionStart* start, size_t rows_max, SourceBatch* out) {
    int64_t end = start->end_offset.value_or(INT64_MAX);
    int64_t limit = std::min(end, sim_->Gate());
    *out = SourceBatch{};
    out->partition = start->partition;
    out->rows.columns = decoder_.MakeColumns(rows_max);
    std::string value;
    while (out->rows.rows < rows_max &&
           sim_->Read({topic_, start->partition}, &start->offset, limit, &value)) {
      auto bytes = std::make_shared<std::string>(value + std::string(64, ' '));  // kept by columns
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
    out->finished = start->offset >= end;
    if (out->finished) {
      finished_[start->partition] = true;
    }
    return out->records > 0 || out->finished;
  }

  SimKafka* sim_;
  std::string topic_;
  std::vector<PartitionStart> starts_;
  connect::json::Decoder decoder_;
  std::map<int, bool> finished_;
  size_t next_ = 0;
};

class SimSource final : public connect::Source {
 public:
  SimSource(SimKafka* sim, const types::TableSpec& table)
      : sim_(sim), table_(table), topic_(TopicOf(table)) {}
  const std::string& topic() const override { return topic_; }
  base::Result<int> PartitionCount() override { return sim_->Partitions(topic_); }
  base::Result<std::vector<PartitionStart>> ResolveStart(
      const std::vector<int>& partitions) override {
    std::vector<PartitionStart> starts;
    for (int partition : partitions) {
      starts.push_back({partition, 0, sim_->End({topic_, partition})});
    }
    return starts;
  }
  base::Result<std::unique_ptr<connect::SourceReader>> OpenReader(
      const std::vector<PartitionStart>& starts, const std::vector<int>& columns,
      connect::CommitLog*) override {
    return std::unique_ptr<connect::SourceReader>(
        std::make_unique<SimReader>(sim_, table_, starts, columns));
  }
  std::chrono::milliseconds idle_timeout() const override { return std::chrono::milliseconds(0); }
  bool bounded() const override { return true; }
  connect::ConnectorStats& stats() override { return stats_; }

 private:
  SimKafka* sim_;
  types::TableSpec table_;
  std::string topic_;
  connect::ConnectorStats stats_;
};

class TextWriter final : public connect::SinkWriter {
 public:
  TextWriter(std::string topic, int partition, connect::CommitLog* log)
      : topic_(std::move(topic)), partition_(partition), log_(log) {}
  base::Status Write(const types::Batch& batch, types::Epoch epoch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      std::string text = RowText(batch, row);
      connect::OutputRecord record;
      record.topic = topic_;
      record.partition = partition_;
      record.value = text;
      SJ_RETURN_IF_ERROR(log_->Produce(epoch, record));
    }
    return base::OkStatus();
  }
  base::Status EndEpoch(types::Epoch) override { return base::OkStatus(); }

 private:
  std::string topic_;
  int partition_;
  connect::CommitLog* log_;
};

class TextSink final : public connect::Sink {
 public:
  TextSink(std::string topic, int partition) : topic_(std::move(topic)), partition_(partition) {}
  base::Result<std::unique_ptr<connect::SinkWriter>> OpenWriter(connect::CommitLog* log) override {
    return std::unique_ptr<connect::SinkWriter>(
        std::make_unique<TextWriter>(topic_, partition_, log));
  }
  base::Status Check() override { return base::OkStatus(); }
  connect::Delivery delivery() const override { return connect::Delivery::kExactlyOnce; }
  connect::ConnectorStats& stats() override { return stats_; }

 private:
  std::string topic_;
  int partition_;
  connect::ConnectorStats stats_;
};

class SimExchangeReader final : public connect::ExchangeReader {
 public:
  SimExchangeReader(SimKafka* sim, const std::vector<connect::ExchangeStart>& starts) : sim_(sim) {
    for (const auto& start : starts) {
      positions_[start.partition] = start.offset;
    }
  }
  base::Result<int> Poll(
      int records_max, std::chrono::milliseconds,
      const std::function<base::Status(const connect::ExchangeRecord&)>& take) override {
    int got = 0;
    for (auto& [partition, position] : positions_) {
      std::string value;
      std::string key;
      while (got < records_max && sim_->Read(partition, &position, INT64_MAX, &value, &key)) {
        got += 1;
        SJ_RETURN_IF_ERROR(take({&partition.topic, partition.partition, position - 1, value, key}));
      }
    }
    return got;
  }
  int64_t Position(const types::InputPartition& partition) override {
    return positions_.at(partition);
  }
  void Drop(const types::InputPartition& partition) override { positions_.erase(partition); }
  int wake_fd() const override { return -1; }

 private:
  SimKafka* sim_;
  std::map<types::InputPartition, int64_t> positions_;
};

class SimExchangeLog final : public connect::ExchangeLog {
 public:
  explicit SimExchangeLog(SimKafka* sim) : sim_(sim) {}
  base::Status EnsureTopics(const std::vector<std::string>& topics, int partitions) override {
    for (const std::string& topic : topics) {
      if (sim_->Partitions(topic) == 0) {
        sim_->CreateTopic(topic, partitions);
      }
    }
    return base::OkStatus();
  }
  base::Result<int64_t> Earliest(const types::InputPartition&) override { return 0; }
  base::Result<int64_t> StableEnd(const types::InputPartition& partition) override {
    return sim_->StableEnd(partition);
  }
  base::Result<int64_t> End(const types::InputPartition& partition) override {
    return sim_->End(partition);
  }
  base::Result<std::unique_ptr<connect::ExchangeReader>> OpenReader(
      const std::vector<connect::ExchangeStart>& starts) override {
    return std::unique_ptr<connect::ExchangeReader>(
        std::make_unique<SimExchangeReader>(sim_, starts));
  }
  base::Status Trim(const std::vector<connect::ExchangeStart>&) override {
    return base::OkStatus();
  }
  base::Status DeleteTopics(const std::vector<std::string>&) override { return base::OkStatus(); }

 private:
  SimKafka* sim_;
};

std::string ValueText(const types::Column& column, size_t row) {
  if (column.IsNull(row)) {
    return "NULL";
  }
  std::string text;
  const types::DataType& type = column.type();
  switch (type.kind) {
    case types::TypeKind::kTimestamp:
    case types::TypeKind::kTimestampLtz:
      types::AppendTimestamp(column.ints[row], types::TimestampFormat::kSql, false, &text);
      return text;
    case types::TypeKind::kDate:
      types::AppendDate(column.ints[row], &text);
      return text;
    case types::TypeKind::kDecimal: {
      types::Int128 v =
          column.physical() == types::Physical::kInt128 ? column.wides[row] : column.ints[row];
      return types::DecimalToString(v, type.scale);
    }
    default:
      break;
  }
  switch (column.physical()) {
    case types::Physical::kBool:
      return column.bools[row] != 0 ? "true" : "false";
    case types::Physical::kDouble:
      return fmt::format("{}", column.doubles[row]);
    case types::Physical::kString:
      return std::string(column.strings[row].view());
    default:
      return std::to_string(column.ints[row]);
  }
}

}  // namespace

std::string TopicOf(const types::TableSpec& table) {
  return std::string(table.Option("topic").value_or(table.name));
}

std::unique_ptr<connect::Sink> MakeTextSink(const types::TableSpec& table, int partition) {
  return std::make_unique<TextSink>(TopicOf(table), partition);
}

std::string RowText(const types::Batch& batch, size_t row) {
  std::string text(types::ToString(batch.kind(row)));
  for (const types::Column& column : batch.columns) {
    text += "|" + ValueText(column, row);
  }
  return text;
}

Connectors SimEnds(SimKafka* sim) {
  Connectors ends;
  ends.source =
      [sim](const types::TableSpec& table,
            const connect::ConnectContext&) -> base::Result<std::unique_ptr<connect::Source>> {
    return std::unique_ptr<connect::Source>(std::make_unique<SimSource>(sim, table));
  };
  ends.sink = [](const types::TableSpec& table,
                 const connect::ConnectContext&) -> base::Result<std::unique_ptr<connect::Sink>> {
    return MakeTextSink(table, -1);
  };
  ends.exchange_log =
      [sim](const UsedTables&,
            const connect::ConnectContext&) -> base::Result<std::unique_ptr<connect::ExchangeLog>> {
    return std::unique_ptr<connect::ExchangeLog>(std::make_unique<SimExchangeLog>(sim));
  };
  return ends;
}

}  // namespace sj::worker::runtime::testing
