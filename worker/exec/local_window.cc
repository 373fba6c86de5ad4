// SPDX-License-Identifier: Apache-2.0
// A batch is taken in passes over columns: window ends, hashes, groups, then each accumulator. No
// pass calls anything virtual per row. A single STRING key is hashed and stored as it is; other
// keys go through their key bytes.
#include "worker/exec/local_window.h"

#include <algorithm>
#include <utility>

#include "api/base/hash.h"
#include "worker/exec/group_table.h"
#include "worker/exec/partials.h"
#include "worker/exec/window.h"

namespace sj::worker::exec {
namespace {

using types::Batch;
using types::Column;
using types::Physical;

constexpr uint64_t kEndMix = 0x9e3779b97f4a7c15ull;
constexpr uint64_t kNullHash = 0x5bd1e9955bd1e995ull;
constexpr size_t kAhead = 12;  // rows between asking for a slot and reading it

class LocalWindow final : public Operator {
 public:
  LocalWindow(const plan::PhysicalOp& op, WindowAssigner windows,
              std::vector<std::unique_ptr<PartialAccumulator>> calls, Output* output,
              const LocalWindowLimits& limits)
      : aggregate_(op.aggregate),
        schema_(op.output),
        windows_(windows),
        calls_(std::move(calls)),
        output_(output),
        limits_(limits) {
    text_key_ =
        aggregate_.keys.size() == 1 && schema_.fields[0].type.physical() == Physical::kString;
  }

  base::Status Push(Batch batch) override {
    for (types::RowKind kind : batch.kinds) {
      if (kind != types::RowKind::kInsert) {
        return base::InvalidArgument("run window aggregate: the input has updates or deletes");
      }
    }
    HashKeys(batch);
    LastEnds(batch);
    for (int64_t k = 0; k < windows_.windows_max(); ++k) {
      FindGroups(batch, k);
      if (rows_.groups.empty()) {
        continue;
      }
      for (const auto& call : calls_) {
        call->Grow(table_.size());
        call->Update(batch, rows_);
      }
    }
    size_t text_bytes = table_.key_bytes();
    for (const auto& call : calls_) {
      text_bytes += call->text_bytes();
    }
    bool full = table_.size() >= limits_.groups_max || text_bytes >= limits_.text_bytes_max;
    return full ? Flush() : base::OkStatus();
  }

  base::Status PushWatermark(int64_t watermark_ms) override {
    if (table_.size() > 0 && WindowClosed(least_end_, watermark_ms)) {
      SJ_RETURN_IF_ERROR(Flush());
    }
    return output_->PushWatermark(watermark_ms);
  }

  base::Status EndEpoch() override { return Flush(); }

 private:
  std::string_view KeyOf(const Batch& batch, size_t row) {
    if (text_key_) {
      const Column& column = batch.columns[static_cast<size_t>(aggregate_.keys[0])];
      return column.IsNull(row) ? std::string_view()
                                : (column.strings[row].size == 0 ? std::string_view("")
                                                                 : column.strings[row].view());
    }
    // The key bytes of the whole batch lie in key_bytes_.
    return std::string_view(key_bytes_).substr(key_at_[row], key_at_[row + 1] - key_at_[row]);
  }

  void HashKeys(const Batch& batch) {
    if (!text_key_) {
      key_bytes_.clear();
      key_at_.resize(batch.rows + 1);
      for (size_t row = 0; row < batch.rows; ++row) {
        key_at_[row] = static_cast<uint32_t>(key_bytes_.size());
        for (int key : aggregate_.keys) {
          types::AppendKeyBytes(batch.columns[static_cast<size_t>(key)], row, &key_bytes_);
        }
      }
      key_at_[batch.rows] = static_cast<uint32_t>(key_bytes_.size());
    }
    hashes_.resize(batch.rows);
    for (size_t row = 0; row < batch.rows; ++row) {
      std::string_view key = KeyOf(batch, row);
      hashes_[row] = key.data() == nullptr ? kNullHash : base::Hash64(key);
    }
  }

  void LastEnds(const Batch& batch) {
    const Column& times = batch.columns[static_cast<size_t>(aggregate_.window.time_column)];
    ends_.resize(batch.rows);
    for (size_t row = 0; row < batch.rows; ++row) {
      ends_[row] = windows_.LastEnd(times.ints[row]);
    }
  }

  // The groups of window k of every row that has a time and a k-th window.
  void FindGroups(const Batch& batch, int64_t k) {
    const Column& times = batch.columns[static_cast<size_t>(aggregate_.window.time_column)];
    bool dense = times.valid.empty() && windows_.windows_max() == 1;
    rows_.rows.clear();
    rows_.groups.resize(dense ? batch.rows : 0);
    for (size_t row = 0; row < batch.rows; ++row) {
      if (row + kAhead < batch.rows) {
        table_.Prefetch(HashOf(row + kAhead, k));
      }
      int64_t end = ends_[row] - k * windows_.slide_ms();
      if (dense) {
        rows_.groups[row] = GroupOf(batch, row, end, k);
      } else if (!times.IsNull(row) && windows_.Holds(end, times.ints[row])) {
        rows_.rows.push_back(static_cast<uint32_t>(row));
        rows_.groups.push_back(GroupOf(batch, row, end, k));
      }
    }
  }

  uint64_t HashOf(size_t row, int64_t k) const {
    auto end = static_cast<uint64_t>(ends_[row] - k * windows_.slide_ms());
    return hashes_[row] ^ (end * kEndMix);
  }

  uint32_t GroupOf(const Batch& batch, size_t row, int64_t end, int64_t k) {
    least_end_ = std::min(least_end_, end);
    return table_.FindOrAdd(HashOf(row, k), KeyOf(batch, row), end);
  }

  base::Status Flush() {
    if (table_.size() == 0) {
      return base::OkStatus();
    }
    Batch out;
    out.rows = table_.size();
    SJ_RETURN_IF_ERROR(TakeKeys(&out));
    for (const auto& call : calls_) {
      call->Take(&out.columns);
    }
    least_end_ = INT64_MAX;
    return output_->Push(std::move(out));
  }

  base::Status TakeKeys(Batch* out) {
    for (size_t i = 0; i <= aggregate_.keys.size(); ++i) {
      out->columns.emplace_back(schema_.fields[i].type);
      out->columns.back().Reserve(table_.size());
    }
    Column& ends = out->columns.back();
    for (const GroupTable::Group& group : table_.groups()) {
      ends.ints.push_back(group.end);
      if (text_key_) {
        if (group.key.data == nullptr) {
          out->columns[0].AppendNull();
        } else {
          out->columns[0].AppendStringRef(group.key);
        }
        continue;
      }
      std::string_view bytes = group.key.view();
      for (size_t i = 0; i < aggregate_.keys.size(); ++i) {
        if (!types::ReadKeyBytes(&bytes, &out->columns[i])) {
          return base::Internal("run window aggregate: a key does not read back");
        }
      }
    }
    std::shared_ptr<const void> keys = table_.Clear();
    if (text_key_) {
      out->columns[0].KeepAlive(std::move(keys));
    }
    return base::OkStatus();
  }

  // Constant after construction.
  const plan::WindowAggregate aggregate_;
  const types::Schema schema_;
  const WindowAssigner windows_;
  const std::vector<std::unique_ptr<PartialAccumulator>> calls_;
  Output* const output_;
  const LocalWindowLimits limits_;
  bool text_key_ = false;

  GroupTable table_;
  int64_t least_end_ = INT64_MAX;  // of the groups held

  // Scratch of one batch.
  std::vector<uint64_t> hashes_;
  std::vector<int64_t> ends_;
  std::string key_bytes_;
  std::vector<uint32_t> key_at_;
  RowGroups rows_;
};

}  // namespace

base::Result<std::unique_ptr<Operator>> MakeLocalWindow(const plan::PhysicalOp& op,
                                                        const types::Schema& input, Output* output,
                                                        const LocalWindowLimits& limits) {
  const plan::WindowAggregate& aggregate = op.aggregate;
  auto column_fits = [&input](int column) {
    return column >= 0 && static_cast<size_t>(column) < input.fields.size();
  };
  bool fits = column_fits(aggregate.window.time_column);
  for (int key : aggregate.keys) {
    fits = fits && column_fits(key);
  }
  size_t partials = 0;
  for (const plan::AggregateCall& call : aggregate.calls) {
    fits = fits && (call.argument < 0 || column_fits(call.argument)) &&
           (call.filter < 0 || column_fits(call.filter));
    partials += plan::PartialTypes(call).size();
  }
  if (!fits || op.output.fields.size() != aggregate.keys.size() + 1 + partials) {
    return base::Internal("make window aggregate: the plan's columns do not fit");
  }
  SJ_ASSIGN_OR_RETURN(WindowAssigner windows, WindowAssigner::Make(aggregate.window));
  std::vector<std::unique_ptr<PartialAccumulator>> calls;
  for (const plan::AggregateCall& call : aggregate.calls) {
    SJ_ASSIGN_OR_RETURN(std::unique_ptr<PartialAccumulator> made, PartialAccumulator::Make(call));
    calls.push_back(std::move(made));
  }
  std::unique_ptr<Operator> made =
      std::make_unique<LocalWindow>(op, windows, std::move(calls), output, limits);
  return made;
}

}  // namespace sj::worker::exec
