// SPDX-License-Identifier: Apache-2.0
// WindowEntry: how the accumulators of one (key, window) lie in a state entry, how partials are
// merged into it and how results come out. Strings of MIN and MAX are owned by the entry. Const
// after Make, so thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "worker/plan/physical.h"
#include "worker/state/keyed_table.h"
#include "worker/types/column.h"

namespace sj::worker::exec {

class WindowEntry final : public state::EntryCodec {
 public:
  // `first_partial`: the column of a partial batch where the first call's partials begin.
  static base::Result<std::unique_ptr<WindowEntry>> Make(
      const std::vector<plan::AggregateCall>& calls, size_t first_partial);

  size_t entry_bytes() const override { return bytes_; }
  void Encode(const std::byte* entry, std::string* out) const override;
  bool Decode(std::string_view value, std::byte* entry) const override;
  void Destroy(std::byte* entry) const override;

  void Merge(const types::Batch& partials, size_t row, std::byte* entry) const;
  // Appends the result of call `i` to *out.
  void AppendResult(size_t i, const std::byte* entry, types::Column* out) const;
  size_t calls() const { return slots_.size(); }

 private:
  enum class Kind : uint8_t {
    kCount,
    kSumInt,
    kSumWide,
    kSumDouble,
    kExtremeInt,  // also booleans
    kExtremeWide,
    kExtremeDouble,
    kExtremeText
  };
  struct Slot {
    Kind kind = Kind::kCount;
    size_t at = 0;       // offset in the entry
    size_t partial = 0;  // column of the partial batch
    bool greatest = false;
    int scale = 0;  // of a decimal sum
    plan::AggregateCall call;
  };

  static base::Result<Slot> SlotOf(const plan::AggregateCall& call);
  static void MergeExtreme(const Slot& slot, const types::Column& from, size_t row,
                           std::byte* entry);
  static void AppendExtreme(const Slot& slot, const std::byte* entry, types::Column* out);
  static void AppendSum(const Slot& slot, const std::byte* entry, types::Column* out);
  static void AppendAverage(const Slot& slot, const std::byte* entry, types::Column* out);

  std::vector<Slot> slots_;
  size_t bytes_ = 0;
};

}  // namespace sj::worker::exec
