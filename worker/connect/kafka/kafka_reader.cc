// SPDX-License-Identifier: Apache-2.0
// A run of messages of one partition is copied into one buffer with the parser's padding, decoded
// in place, and the buffer kept by the batch: strings are never copied twice.
#include "worker/connect/kafka/kafka_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "api/base/json.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr size_t kFillMessagesMax = 8192;
constexpr size_t kBatchBytesMax = 4u << 20;
constexpr size_t kSampleBytesMax = 300;

}  // namespace

KafkaReader::KafkaReader(Setup setup, std::unique_ptr<Fetcher> fetcher,
                         const std::vector<PartitionStart>& starts)
    : setup_(std::move(setup)),
      fetcher_(std::move(fetcher)),
      decoder_(*setup_.schema, setup_.columns, setup_.options->json) {
  for (const PartitionStart& start : starts) {
    if (start.end_offset.has_value()) {
      ends_.emplace_back(start.partition, *start.end_offset);
    }
  }
  for (FetchPartition& partition : fetcher_->partitions()) {
    if (EndOf(partition) >= 0 && partition.position >= EndOf(partition)) {
      finished_at_start_.push_back(partition.id.partition);
      fetcher_->Finish(&partition);
    }
  }
  for (size_t i = 0; i < setup_.columns.size(); ++i) {
    if (setup_.columns[i] == setup_.schema->rowtime) {
      rowtime_ = static_cast<int>(i);
    }
  }
}

int64_t KafkaReader::EndOf(const FetchPartition& partition) const {
  for (const auto& [number, end] : ends_) {
    if (number == partition.id.partition) {
      return end;
    }
  }
  return -1;
}

bool KafkaReader::PopFinished(SourceBatch* out) {
  if (finished_at_start_.empty()) {
    return false;
  }
  int number = finished_at_start_.back();
  finished_at_start_.pop_back();
  *out = SourceBatch{};
  out->partition = number;
  out->rows.columns = decoder_.MakeColumns(0);
  out->finished = true;
  for (const FetchPartition& partition : fetcher_->partitions()) {
    if (partition.id.partition == number) {
      out->next_offset = partition.position;
    }
  }
  return true;
}

KafkaReader::Run KafkaReader::TakeRun(FetchPartition* partition, size_t rows_max) {
  Run run{.partition = partition, .messages = {}};
  int64_t end = EndOf(*partition);
  run.messages.reserve(std::min(rows_max, partition->pending.size()));
  while (!partition->pending.empty() && run.messages.size() < rows_max &&
         run.bytes < kBatchBytesMax) {
    const rd_kafka_message_t& front = *partition->pending.front();
    if (front.err == RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0 && front.offset >= end) {
      run.reached_end = true;
      break;
    }
    MessageHandle message = fetcher_->Take(partition);
    run.reached_end = end >= 0 && partition->position >= end;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      run.bytes += message->len;
      run.messages.push_back(std::move(message));
    }
    if (run.reached_end) {
      break;
    }
  }
  return run;
}

std::shared_ptr<char[]> KafkaReader::Buffer(size_t bytes) {
  bytes += json::Decoder::kPadding;
  if (!decoder_.keeps_no_views()) {
    return std::shared_ptr<char[]>(new char[bytes]);
  }
  if (scratch_bytes_ < bytes) {
    scratch_.reset(new char[bytes]);
    scratch_bytes_ = bytes;
  }
  return scratch_;
}

std::string KafkaReader::CheckEventTime(const std::vector<types::Column>& columns) const {
  const types::Column& column = columns[static_cast<size_t>(rowtime_)];
  if (!column.valid.empty() && column.valid.back() == 0) {
    return "the event time is NULL";
  }
  int64_t value = column.ints.back();
  if (value >= setup_.options->event_time_min && value <= event_time_limit_) {
    return {};
  }
  std::string text;
  types::AppendTimestamp(value, types::TimestampFormat::kSql, false, &text);
  return value < setup_.options->event_time_min
             ? fmt::format("the event time {} is before scan.event-time.min", text)
             : fmt::format(
                   "the event time {} is more than scan.event-time.max-ahead ahead of the"
                   " clock",
                   text);
}

base::Status KafkaReader::Decode(const Run& run, types::Epoch epoch, SourceBatch* out) {
  std::shared_ptr<char[]> buffer = Buffer(run.bytes);
  std::vector<types::Column>& columns = out->rows.columns;
  columns = decoder_.MakeColumns(run.messages.size());
  char* to = buffer.get();
  json::DecodeError error;
  size_t rows = 0;
  for (const MessageHandle& message : run.messages) {
    if (message->payload == nullptr) {
      continue;  // a tombstone carries no row
    }
    bool ok = static_cast<int64_t>(message->len) <= setup_.options->record_bytes_max;
    if (!ok) {
      error.column.clear();
      error.what =
          fmt::format("the record has {} bytes, more than scan.record.max-bytes", message->len);
    } else {
      std::memcpy(to, message->payload, message->len);
      ok = decoder_.Decode(to, message->len, &columns, &error);
      to += message->len;
    }
    if (ok && rowtime_ >= 0) {
      error.what = CheckEventTime(columns);
      if (!error.what.empty()) {
        ok = false;
        error.column = setup_.schema->fields[static_cast<size_t>(setup_.schema->rowtime)].name;
        for (types::Column& column : columns) {
          column.Resize(rows);
        }
      }
    }
    if (ok) {
      ++rows;
    } else {
      SJ_RETURN_IF_ERROR(Bad(*message, epoch, error));
    }
  }
  out->rows.rows = rows;
  if (!decoder_.keeps_no_views()) {
    // Kept by the columns of this batch and by columns gathered from them.
    for (types::Column& column : columns) {
      column.KeepAlive(buffer);
    }
  }
  return base::OkStatus();
}

base::Status KafkaReader::Bad(const rd_kafka_message_t& message, types::Epoch epoch,
                              const json::DecodeError& error) {
  const KafkaOptions& options = *setup_.options;
  int partition = message.partition;
  int64_t offset = message.offset;
  std::string what = error.column.empty()
                         ? error.what
                         : fmt::format("column \"{}\": {}", error.column, error.what);
  if (options.bad_records == BadRecords::kFail) {
    return base::Corrupt(fmt::format(
        "read topic \"{}\" partition {} offset {}: {}. Set 'bad-records.policy' to \"skip\" or"
        " \"dead-letter\" to go on without such records.",
        options.topic, partition, offset, what));
  }
  ConnectorStats& stats = *setup_.stats;
  stats.bad_records.fetch_add(1, std::memory_order_relaxed);
  std::string sample = fmt::format("partition {} offset {}: {}", partition, offset, what);
  sample.resize(std::min(sample.size(), kSampleBytesMax));
  {
    std::lock_guard lock(stats.mu);
    stats.last_bad = std::move(sample);
  }
  if (options.bad_records == BadRecords::kSkip) {
    return base::OkStatus();
  }
  // The record goes on as it came; where it was and why are in the key.
  std::string key = base::DumpJson(base::Json{
      {"topic", options.topic}, {"partition", partition}, {"offset", offset}, {"error", what}});
  OutputRecord record;
  record.topic = options.bad_records_topic;
  record.key = key;
  record.has_key = true;
  record.value = std::string_view(static_cast<const char*>(message.payload), message.len);
  SJ_RETURN_IF_ERROR(setup_.log->Produce(epoch, record).WithContext("write a dead letter"));
  stats.dead_lettered.fetch_add(1, std::memory_order_relaxed);
  return base::OkStatus();
}

base::Result<bool> KafkaReader::Poll(size_t rows_max, std::chrono::milliseconds wait,
                                     types::Epoch epoch, SourceBatch* out) {
  if (PopFinished(out)) {
    return true;
  }
  SJ_RETURN_IF_ERROR(fetcher_->Fill(kFillMessagesMax, wait));
  FetchPartition* partition = fetcher_->NextPending();
  if (partition == nullptr) {
    return false;
  }
  int64_t before = partition->position;
  Run run = TakeRun(partition, std::max<size_t>(rows_max, 1));
  *out = SourceBatch{};
  out->partition = partition->id.partition;
  event_time_limit_ = setup_.clock->Wall().time_since_epoch().count() +
                      setup_.options->event_time_max_ahead.count();
  SJ_RETURN_IF_ERROR(Decode(run, epoch, out));
  out->records = run.messages.size();
  out->next_offset = partition->position;
  if (!run.messages.empty()) {
    rd_kafka_timestamp_type_t type;
    partition->last_record_ms = rd_kafka_message_timestamp(run.messages.back().get(), &type);
  }
  if (run.reached_end) {
    out->finished = true;
    fetcher_->Finish(partition);
  }
  fetcher_->Rearm();
  setup_.stats->records.fetch_add(run.messages.size(), std::memory_order_relaxed);
  setup_.stats->bytes.fetch_add(run.bytes, std::memory_order_relaxed);
  return out->records > 0 || out->finished || out->next_offset != before;
}

void KafkaReader::Drop(int partition) {
  dropped_.insert(partition);
  std::erase(finished_at_start_, partition);
  for (FetchPartition& each : fetcher_->partitions()) {
    if (each.id.partition == partition) {
      fetcher_->Finish(&each);
    }
  }
}

std::vector<PartitionLag> KafkaReader::Lag() {
  std::vector<PartitionLag> out;
  for (const FetchPartition& partition : fetcher_->partitions()) {
    if (dropped_.contains(partition.id.partition)) {
      continue;
    }
    PartitionLag lag;
    lag.partition = partition.id.partition;
    lag.position = partition.position;
    lag.stable_end = fetcher_->CachedEnd(partition);
    lag.at_stable_end = partition.at_log_end;
    lag.log_end = fetcher_->CachedLogEnd(partition);
    lag.last_record_ms = partition.last_record_ms;
    out.push_back(lag);
  }
  return out;
}

}  // namespace sj::worker::connect::kafka
