// SPDX-License-Identifier: Apache-2.0
// Column and Batch: rows travel as columns. Fixed-width values lie in one array, strings are views
// into buffers the batch keeps alive, so the record path allocates per batch and never per row.
// Owned by one task thread; moved, not shared, between threads.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/types/data_type.h"

namespace sj::worker::types {

using Int128 = __int128;

// A string value: a view into a Buffer of the batch (or static memory).
struct StringRef {
  const char* data = nullptr;
  uint32_t size = 0;
  std::string_view view() const { return {data, size}; }
};

// Append-only bytes with stable addresses: chunks are never moved or freed before the Arena.
class Arena {
 public:
  explicit Arena(size_t chunk_bytes = 64u << 10) : chunk_bytes_(chunk_bytes) {}
  // Room for n bytes, uninitialised. A string larger than a chunk gets a chunk of its own.
  char* Allocate(size_t n);
  StringRef Copy(std::string_view text);
  size_t bytes() const { return bytes_; }

 private:
  size_t chunk_bytes_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t bytes_ = 0;
};

// One column. Exactly the vector of `type().physical()` is in use; `valid` is empty when no value
// is NULL, else one byte a row (1 = present). A NULL row's slot holds a zero value.
class Column {
 public:
  Column() = default;
  explicit Column(DataType type);  // empty; nested types get their children

  const DataType& type() const { return type_; }
  Physical physical() const { return physical_; }
  size_t size() const;
  void Reserve(size_t rows);
  void Resize(size_t rows);  // new rows are zero and present

  bool IsNull(size_t row) const { return !valid.empty() && valid[row] == 0; }
  void SetNull(size_t row);  // REQUIRES: row < size(); makes `valid` when it is empty
  void AppendNull();
  void AppendInt64(int64_t v) { ints.push_back(v), AppendValid(); }
  void AppendInt128(Int128 v) { wides.push_back(v), AppendValid(); }
  void AppendDouble(double v) { doubles.push_back(v), AppendValid(); }
  void AppendBool(bool v) { bools.push_back(v ? 1 : 0), AppendValid(); }
  // Copies the bytes into this column's arena.
  void AppendString(std::string_view v);
  // Takes the view as it is: the caller keeps the bytes alive through KeepAlive.
  void AppendStringRef(StringRef v) { strings.push_back(v), AppendValid(); }
  void AppendFrom(const Column& other, size_t row);  // copies string bytes
  // Rows `selection` of this column, in that order; string views are kept, owners shared.
  Column Gather(const std::vector<uint32_t>& selection) const;
  // Holds `owner` (an Arena or a receive buffer) as long as the column lives. Owners are shared by
  // the columns of a batch and by the columns gathered from them, hence shared_ptr.
  void KeepAlive(std::shared_ptr<const void> owner);
  void ShareOwners(const Column& other);
  Arena& arena();  // own arena, made on first use and kept alive; a copy of a column has another

  std::vector<uint8_t> valid;
  std::vector<int64_t> ints;
  std::vector<Int128> wides;
  std::vector<double> doubles;
  std::vector<uint8_t> bools;
  std::vector<StringRef> strings;
  std::vector<Column> children;   // ROW: fields; ARRAY: [elements]; MAP: [keys, values]
  std::vector<uint32_t> offsets;  // ARRAY/MAP: rows + 1 entries into the children

 private:
  void AppendValid() {
    if (!valid.empty()) {
      valid.push_back(1);
    }
  }
  // The arena this column appends to; owners_ holds it too. Copying a column does not copy the
  // right to append: two columns of two threads must never write one arena.
  struct ArenaSlot {
    ArenaSlot() = default;
    ArenaSlot(const ArenaSlot&) {}
    ArenaSlot(ArenaSlot&& other) noexcept : arena(std::exchange(other.arena, nullptr)) {}
    ArenaSlot& operator=(const ArenaSlot&) {
      arena = nullptr;
      return *this;
    }
    ArenaSlot& operator=(ArenaSlot&& other) noexcept {
      arena = std::exchange(other.arena, nullptr);
      return *this;
    }
    Arena* arena = nullptr;
  };

  DataType type_;
  Physical physical_ = Physical::kInt64;
  std::vector<std::shared_ptr<const void>> owners_;
  ArenaSlot own_;
};

// Flink's four kinds of change.
enum class RowKind : uint8_t { kInsert = 0, kUpdateBefore = 1, kUpdateAfter = 2, kDelete = 3 };
std::string_view ToString(RowKind kind);  // "+I" "-U" "+U" "-D"

// Some rows of one schema. `kinds` is empty when every row is an insert.
struct Batch {
  size_t rows = 0;
  std::vector<Column> columns;
  std::vector<RowKind> kinds;

  RowKind kind(size_t row) const { return kinds.empty() ? RowKind::kInsert : kinds[row]; }
  Batch Gather(const std::vector<uint32_t>& selection) const;
  static Batch ForSchema(const Schema& schema);
};

// Event time meets no bound: the end of a bounded input, and the state before the first row.
inline constexpr int64_t kWatermarkMax = INT64_MAX;
inline constexpr int64_t kWatermarkMin = INT64_MIN;

// Values bytewise comparable and hashable: used for keys and state. The layout, per value:
//   0x00                      NULL
//   0x01 <payload>            present: ints 8 bytes big-endian with the sign bit flipped, int128 16
//                             bytes likewise, bool 1 byte, double 8 bytes order-preserving with
//                             -0.0 as 0.0 and one NaN, strings with 0x00 escaped as 0x00 0xff and
//                             ended by 0x00 0x00. ROW: its fields. ARRAY and MAP: 0x01 before
//                             every element (or key and value), 0x00 at the end.
// Sorting the bytes sorts the values, NULL first.
void AppendKeyBytes(const Column& column, size_t row, std::string* out);
// Reads one value back and appends it to *column (of the same type); advances *bytes. False:
// corrupt.
bool ReadKeyBytes(std::string_view* bytes, Column* column);

}  // namespace sj::worker::types
