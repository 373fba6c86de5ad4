// SPDX-License-Identifier: Apache-2.0
// Row i of partition p is row i * partitions + p of the table. The rate is held per reader by a
// timer descriptor, which is also what wakes the task.
#include "worker/connect/generator/datagen_source.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "worker/connect/generator/field_generator.h"
#include "worker/connect/position_topic.h"

namespace sj::worker::connect::generator {
namespace {

constexpr OptionRule kRules[] = {
    {"connector"},  {"rows-per-second"},  {"number-of-rows"}, {"seed"},
    {"partitions"}, {"scan.parallelism"}, {"fields.*"},       {"scan.watermark.idle-timeout"}};
constexpr std::string_view kFieldOptions[] = {"kind", "min",      "max",       "length", "start",
                                              "end",  "max-past", "null-rate", "var-len"};
constexpr int64_t kRowsPerSecondMax = 100'000'000;
constexpr int64_t kBurstMs = 100;  // rows a late reader may catch up on at once

struct Plan {
  types::Schema schema;
  std::vector<FieldGenerator> fields;
  std::string topic;
  int64_t rows_per_second = 10'000;
  int64_t rows = -1;  // of all partitions; -1: no end
  int partitions = 1;
  std::chrono::milliseconds idle_timeout{0};

  // Rows of one partition, or -1.
  int64_t RowsOf(int partition) const {
    return rows < 0 ? -1 : rows / partitions + (partition < rows % partitions ? 1 : 0);
  }
};

class DatagenReader final : public SourceReader {
 public:
  DatagenReader(const Plan& plan, const std::vector<PartitionStart>& starts,
                std::vector<int> columns, const base::Clock& clock, ConnectorStats& stats)
      : plan_(plan),
        columns_(std::move(columns)),
        clock_(clock),
        stats_(stats),
        timer_fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
        last_(clock.Mono()) {
    for (const PartitionStart& start : starts) {
      partitions_.push_back({start.partition, start.offset,
                             start.end_offset.value_or(plan.RowsOf(start.partition)), false});
    }
    rate_ = static_cast<double>(plan.rows_per_second) / 1000.0 *
            static_cast<double>(starts.size()) / plan.partitions;
  }
  ~DatagenReader() override {
    if (timer_fd_ >= 0) {
      ::close(timer_fd_);
    }
  }
  DatagenReader(const DatagenReader&) = delete;
  DatagenReader& operator=(const DatagenReader&) = delete;

  base::Result<bool> Poll(size_t rows_max, std::chrono::milliseconds wait, types::Epoch,
                          SourceBatch* out) override;
  void Drop(int partition) override;
  int wake_fd() const override { return timer_fd_; }
  std::vector<PartitionLag> Lag() override;

 private:
  struct Partition {
    int number;
    int64_t position;
    int64_t end;  // -1: none
    bool finished;
  };
  Partition* NextPartition();
  // Rows that may be made now.
  int64_t Credit();
  void Arm();
  void Fill(const Partition& partition, int64_t rows, SourceBatch* out);

  const Plan& plan_;
  const std::vector<int> columns_;
  const base::Clock& clock_;
  ConnectorStats& stats_;
  const int timer_fd_;
  std::vector<Partition> partitions_;
  size_t turn_ = 0;
  double rate_ = 0;  // rows a millisecond
  double credit_ = 1;
  base::MonoTime last_;
};

DatagenReader::Partition* DatagenReader::NextPartition() {
  for (size_t i = 0; i < partitions_.size(); ++i) {
    Partition& partition = partitions_[turn_];
    turn_ = turn_ + 1 == partitions_.size() ? 0 : turn_ + 1;
    if (!partition.finished) {
      return &partition;
    }
  }
  return nullptr;
}

int64_t DatagenReader::Credit() {
  base::MonoTime now = clock_.Mono();
  double passed = std::chrono::duration<double, std::milli>(now - last_).count();
  last_ = now;
  credit_ = std::min(credit_ + passed * rate_, std::max(rate_ * kBurstMs, 1.0));
  return static_cast<int64_t>(credit_);
}

void DatagenReader::Arm() {
  double wait_ms = rate_ <= 0 ? 1000 : std::max(0.0, (1.0 - credit_) / rate_);
  auto nanos = static_cast<int64_t>(std::min(wait_ms, 1000.0) * 1e6) + 1;
  itimerspec spec{};
  spec.it_value.tv_sec = nanos / 1'000'000'000;
  spec.it_value.tv_nsec = nanos % 1'000'000'000;
  ::timerfd_settime(timer_fd_, 0, &spec, nullptr);
}

void DatagenReader::Fill(const Partition& partition, int64_t rows, SourceBatch* out) {
  int64_t now = clock_.Wall().time_since_epoch().count();
  for (int field : columns_) {
    types::Column& column =
        out->rows.columns.emplace_back(plan_.schema.fields[static_cast<size_t>(field)].type);
    column.Reserve(static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; ++i) {
      int64_t number = (partition.position + i) * plan_.partitions + partition.number;
      plan_.fields[static_cast<size_t>(field)].Append(number, now, &column);
    }
  }
  out->rows.rows = static_cast<size_t>(rows);
}

base::Result<bool> DatagenReader::Poll(size_t rows_max, std::chrono::milliseconds wait,
                                       types::Epoch, SourceBatch* out) {
  int64_t credit = Credit();
  if (credit == 0 && wait.count() > 0) {
    Arm();
    pollfd descriptor{timer_fd_, POLLIN, 0};
    ::poll(&descriptor, 1, static_cast<int>(wait.count()));
    credit = Credit();
  }
  Partition* partition = NextPartition();
  bool at_end =
      partition != nullptr && partition->end >= 0 && partition->position >= partition->end;
  if (partition == nullptr || (credit == 0 && !at_end)) {
    if (partition != nullptr) {
      Arm();
    }
    return false;
  }
  int64_t rows = std::min<int64_t>(credit, static_cast<int64_t>(std::max<size_t>(rows_max, 1)));
  if (partition->end >= 0) {
    rows = std::max<int64_t>(0, std::min(rows, partition->end - partition->position));
  }
  *out = SourceBatch{};
  out->partition = partition->number;
  Fill(*partition, rows, out);
  partition->position += rows;
  partition->finished = partition->end >= 0 && partition->position >= partition->end;
  credit_ -= static_cast<double>(rows);
  out->next_offset = partition->position;
  out->finished = partition->finished;
  out->records = static_cast<uint64_t>(rows);
  stats_.records.fetch_add(out->records, std::memory_order_relaxed);
  Arm();
  return true;
}

void DatagenReader::Drop(int partition) {
  std::erase_if(partitions_, [&](const Partition& each) { return each.number == partition; });
  turn_ = 0;
}

std::vector<PartitionLag> DatagenReader::Lag() {
  std::vector<PartitionLag> out;
  for (const Partition& partition : partitions_) {
    PartitionLag lag;
    lag.partition = partition.number;
    lag.position = lag.stable_end = lag.log_end = partition.position;
    lag.at_stable_end = true;
    out.push_back(lag);
  }
  return out;
}

class DatagenSource final : public Source {
 public:
  DatagenSource(Plan plan, const base::Clock& clock) : plan_(std::move(plan)), clock_(clock) {}

  const std::string& topic() const override { return plan_.topic; }
  base::Result<int> PartitionCount() override { return plan_.partitions; }
  base::Result<std::vector<PartitionStart>> ResolveStart(
      const std::vector<int>& partitions) override {
    std::vector<PartitionStart> out;
    for (int partition : partitions) {
      int64_t rows = plan_.RowsOf(partition);
      out.push_back({.partition = partition,
                     .offset = 0,
                     .end_offset = rows < 0 ? std::nullopt : std::optional(rows)});
    }
    return out;
  }
  base::Result<std::unique_ptr<SourceReader>> OpenReader(const std::vector<PartitionStart>& starts,
                                                         const std::vector<int>& columns,
                                                         CommitLog*) override {
    return std::unique_ptr<SourceReader>(
        std::make_unique<DatagenReader>(plan_, starts, columns, clock_, stats_));
  }
  std::chrono::milliseconds idle_timeout() const override { return plan_.idle_timeout; }
  bool bounded() const override { return plan_.rows >= 0; }
  ConnectorStats& stats() override { return stats_; }

 private:
  const Plan plan_;
  const base::Clock& clock_;
  ConnectorStats stats_;
};

// Options are "fields.<column>.<option>"; a column's name may have dots.
base::Status CheckFieldKeys(const types::TableSpec& table) {
  for (const types::TableOption& option : table.options) {
    if (!option.key.starts_with("fields.")) {
      continue;
    }
    size_t dot = option.key.rfind('.');
    std::string name = dot <= 7 ? std::string() : option.key.substr(7, dot - 7);
    std::string_view what = std::string_view(option.key).substr(dot + 1);
    if (table.schema.IndexOf(name) < 0) {
      return OptionError(table, option.key, "names no physical column");
    }
    if (std::find(std::begin(kFieldOptions), std::end(kFieldOptions), what) ==
        std::end(kFieldOptions)) {
      return OptionError(table, option.key, "is not an option of a column");
    }
    if (what == "var-len" && option.value != "false") {
      return OptionError(table, option.key, "is not supported");
    }
  }
  return base::OkStatus();
}

}  // namespace

std::span<const OptionRule> DatagenOptionRules() {
  return kRules;
}

base::Result<std::unique_ptr<Source>> MakeDatagenSource(const types::TableSpec& table,
                                                        const ConnectContext& context,
                                                        const base::Clock& clock) {
  OptionReader options(table);
  SJ_RETURN_IF_ERROR(options.RefuseUnknown(kRules));
  SJ_RETURN_IF_ERROR(CheckFieldKeys(table));
  Plan plan;
  plan.schema = table.schema;
  plan.topic = PositionTopic(context, table);
  SJ_ASSIGN_OR_RETURN(plan.rows_per_second,
                      options.Int("rows-per-second", 10'000, 1, kRowsPerSecondMax));
  SJ_ASSIGN_OR_RETURN(plan.rows, options.Int("number-of-rows", -1, 0, INT64_MAX / 2));
  SJ_ASSIGN_OR_RETURN(int64_t seed, options.Int("seed", 0, 0, INT64_MAX));
  SJ_ASSIGN_OR_RETURN(int64_t partitions, options.Int("partitions", 1, 1, 1024));
  SJ_RETURN_IF_ERROR(options.Int("scan.parallelism", 1, 1, 1 << 20).status());
  SJ_ASSIGN_OR_RETURN(plan.idle_timeout, options.Duration("scan.watermark.idle-timeout",
                                                          std::chrono::milliseconds(0)));
  plan.partitions = static_cast<int>(partitions);
  for (size_t i = 0; i < table.schema.fields.size(); ++i) {
    SJ_ASSIGN_OR_RETURN(FieldGenerator field,
                        FieldGenerator::Make(table, i, static_cast<uint64_t>(seed)));
    if (std::optional<int64_t> rows = field.rows()) {
      plan.rows = plan.rows < 0 ? *rows : std::min(plan.rows, *rows);
    }
    plan.fields.push_back(std::move(field));
  }
  return std::unique_ptr<Source>(std::make_unique<DatagenSource>(std::move(plan), clock));
}

}  // namespace sj::worker::connect::generator
