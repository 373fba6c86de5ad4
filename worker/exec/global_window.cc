// SPDX-License-Identifier: Apache-2.0
// The state key is the key bytes of the key columns, hashed once here; the key group follows from
// the hash as everywhere.
#include "worker/exec/global_window.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "api/base/hash.h"
#include "worker/exec/window.h"
#include "worker/exec/window_entry.h"

namespace sj::worker::exec {
namespace {

using types::Batch;

constexpr size_t kOutputRowsMax = 4096;  // of one result batch

class GlobalWindow final : public Operator {
 public:
  GlobalWindow(const plan::PhysicalOp& op, const OperatorContext& context,
               std::unique_ptr<WindowEntry> entry, Output* output)
      : schema_(op.output),
        keys_(op.aggregate.keys.size()),
        size_ms_(op.aggregate.window.size_ms),
        max_parallelism_(context.max_parallelism),
        entry_(std::move(entry)),
        output_(output),
        watermark_ms_(context.restored_watermark_ms) {
    // A plain COUNT(*) says how many rows a late partial stands for.
    size_t column = keys_ + 1;
    for (const plan::AggregateCall& call : op.aggregate.calls) {
      if (call.function == plan::AggregateFunction::kCount && call.argument < 0 &&
          call.filter < 0) {
        row_count_ = static_cast<int>(column);
      }
      column += plan::PartialTypes(call).size();
    }
  }

  base::Status Open(const plan::PhysicalOp& op, const OperatorContext& context) {
    state::KeyedTableOptions options;
    options.op = static_cast<uint16_t>(op.id);
    options.key_groups = context.key_groups;
    options.max_parallelism = context.max_parallelism;
    options.memory_bytes_max = context.state_memory_bytes_max;
    SJ_ASSIGN_OR_RETURN(table_, state::KeyedTable::Make(options, context.store, entry_.get()));
    int64_t end = 0;
    while (table_->FirstNamespace(&end) && WindowClosed(end, watermark_ms_)) {
      SJ_RETURN_IF_ERROR(
          table_->Drain(end, [](std::string_view, const std::byte*) { return base::OkStatus(); }));
    }
    return base::OkStatus();
  }

  base::Status Push(Batch batch) override {
    const types::Column& ends = batch.columns[keys_];
    for (size_t row = 0; row < batch.rows; ++row) {
      int64_t end = ends.ints[row];
      if (WindowClosed(end, watermark_ms_)) {
        late_rows_ +=
            row_count_ < 0
                ? 1
                : static_cast<uint64_t>(batch.columns[static_cast<size_t>(row_count_)].ints[row]);
        continue;
      }
      key_.clear();
      for (size_t i = 0; i < keys_; ++i) {
        types::AppendKeyBytes(batch.columns[i], row, &key_);
      }
      uint64_t hash = base::Hash64(key_);
      SJ_ASSIGN_OR_RETURN(
          std::byte * entry,
          table_->Upsert(end, types::KeyGroupOfHash(hash, max_parallelism_), key_, hash));
      entry_->Merge(batch, row, entry);
    }
    return base::OkStatus();
  }

  base::Status PushWatermark(int64_t watermark_ms) override {
    if (watermark_ms <= watermark_ms_) {
      return base::OkStatus();
    }
    watermark_ms_ = watermark_ms;
    int64_t end = 0;
    while (table_->FirstNamespace(&end) && WindowClosed(end, watermark_ms_)) {
      SJ_RETURN_IF_ERROR(Fire(end));
    }
    return output_->PushWatermark(watermark_ms);
  }

  base::Status EndEpoch() override {
    frozen_.push_back(table_->Freeze(ExpiredBelow(watermark_ms_)));
    return base::OkStatus();
  }

  void TakeFrozen(std::vector<state::FrozenRun>* out) override {
    for (state::FrozenRun& run : frozen_) {
      out->push_back(std::move(run));
    }
    frozen_.clear();
  }

  size_t StateBytes() const override { return table_->memory_bytes(); }
  uint64_t LateRows() const override { return late_rows_; }

 private:
  base::Status Fire(int64_t end) {
    Batch out = Batch::ForSchema(schema_);
    SJ_RETURN_IF_ERROR(table_->Drain(end, [&](std::string_view key, const std::byte* entry) {
      SJ_RETURN_IF_ERROR(AppendRow(end, key, entry, &out));
      if (out.rows < kOutputRowsMax) {
        return base::OkStatus();
      }
      return output_->Push(std::exchange(out, Batch::ForSchema(schema_)));
    }));
    return out.rows == 0 ? base::OkStatus() : output_->Push(std::move(out));
  }

  base::Status AppendRow(int64_t end, std::string_view key, const std::byte* entry, Batch* out) {
    for (size_t i = 0; i < keys_; ++i) {
      if (!types::ReadKeyBytes(&key, &out->columns[i])) {
        return base::Corrupt("fire window: a key in state cannot be read");
      }
    }
    out->columns[keys_].AppendInt64(end - size_ms_);
    out->columns[keys_ + 1].AppendInt64(end);
    for (size_t i = 0; i < entry_->calls(); ++i) {
      entry_->AppendResult(i, entry, &out->columns[keys_ + 2 + i]);
    }
    ++out->rows;
    return base::OkStatus();
  }

  // Constant after construction.
  const types::Schema schema_;
  const size_t keys_;
  const int64_t size_ms_;
  const int max_parallelism_;
  const std::unique_ptr<WindowEntry> entry_;
  Output* const output_;
  int row_count_ = -1;

  std::unique_ptr<state::KeyedTable> table_;
  int64_t watermark_ms_;
  uint64_t late_rows_ = 0;
  std::vector<state::FrozenRun> frozen_;
  std::string key_;  // scratch
};

bool StoredAs(const types::DataType& a, const types::DataType& b) {
  return a.physical() == b.physical();
}

base::Status CheckShape(const plan::PhysicalOp& op, const types::Schema& input) {
  const plan::WindowAggregate& aggregate = op.aggregate;
  size_t keys = aggregate.keys.size();
  bool fits = op.output.fields.size() == keys + 2 + aggregate.calls.size() &&
              input.fields.size() > keys &&
              StoredAs(input.fields[keys].type, types::DataType::Of(types::TypeKind::kBigint));
  for (size_t i = 0; fits && i < keys; ++i) {
    fits = StoredAs(op.output.fields[i].type, input.fields[i].type);
  }
  size_t column = keys + 1;
  for (size_t i = 0; fits && i < aggregate.calls.size(); ++i) {
    fits = StoredAs(op.output.fields[keys + 2 + i].type, aggregate.calls[i].type);
    for (const types::DataType& type : plan::PartialTypes(aggregate.calls[i])) {
      fits = fits && column < input.fields.size() && StoredAs(input.fields[column].type, type);
      ++column;
    }
  }
  if (!fits || column != input.fields.size() || op.id < 0 ||
      op.id > std::numeric_limits<uint16_t>::max()) {
    return base::Internal("make window aggregate: the plan's columns do not fit");
  }
  return base::OkStatus();
}

}  // namespace

base::Result<std::unique_ptr<Operator>> MakeGlobalWindow(const plan::PhysicalOp& op,
                                                         const types::Schema& input,
                                                         const OperatorContext& context,
                                                         Output* output) {
  SJ_RETURN_IF_ERROR(CheckShape(op, input));
  SJ_ASSIGN_OR_RETURN(WindowAssigner windows, WindowAssigner::Make(op.aggregate.window));
  (void)windows;  // made only for its checks
  SJ_ASSIGN_OR_RETURN(std::unique_ptr<WindowEntry> entry,
                      WindowEntry::Make(op.aggregate.calls, op.aggregate.keys.size() + 1));
  auto made = std::make_unique<GlobalWindow>(op, context, std::move(entry), output);
  SJ_RETURN_IF_ERROR(made->Open(op, context));
  std::unique_ptr<Operator> out = std::move(made);
  return out;
}

}  // namespace sj::worker::exec
