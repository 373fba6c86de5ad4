// SPDX-License-Identifier: Apache-2.0
// Layout, all integers little-endian:
//   u8 version (1) | u8 codec (0 plain, 1 lz4) | u32 plain length | u64 XXH3(the first 6 bytes,
//   body) | body
// The body, decompressed:
//   u32 rows | u16 columns | u8 has kinds | [rows x u8 kind] | columns...
// A column:
//   u8 physical | u8 has nulls | [(rows + 7) / 8 bytes, bit set = present] | values
// Values: fixed-width ones as an array; strings as rows x u32 length, then the bytes; ARRAY and MAP
// as rows x u32 element count, then the child columns; ROW as its child columns.
#include "worker/types/block.h"

#include <fmt/format.h>
#include <lz4.h>

#include <algorithm>
#include <bit>

#include "api/base/hash.h"

namespace sj::worker::types {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are written as they lie");

constexpr uint8_t kVersion = 1;
constexpr uint8_t kPlain = 0;
constexpr uint8_t kLz4 = 1;
constexpr size_t kCheckedHeader = 6;
constexpr size_t kHeader = kCheckedHeader + sizeof(uint64_t);
constexpr size_t kLz4RatioMax = 256;  // lz4 cannot expand a byte to more

template <typename T>
void Put(T v, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &v, sizeof(T));
  out->append(bytes, sizeof(T));
}

template <typename T>
void PutArray(const std::vector<T>& values, std::string* out) {
  out->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

void PutColumn(const Column& column, size_t rows, std::string* out);

void PutValid(const Column& column, size_t rows, std::string* out) {
  Put<uint8_t>(column.valid.empty() ? 0 : 1, out);
  if (column.valid.empty()) {
    return;
  }
  size_t at = out->size();
  out->append((rows + 7) / 8, '\0');
  for (size_t row = 0; row < rows; ++row) {
    if (column.valid[row] != 0) {
      (*out)[at + row / 8] = static_cast<char>((*out)[at + row / 8] | (1 << (row % 8)));
    }
  }
}

void PutStrings(const std::vector<StringRef>& strings, std::string* out) {
  size_t total = 0;
  for (const StringRef& s : strings) {
    Put<uint32_t>(s.size, out);
    total += s.size;
  }
  out->reserve(out->size() + total);
  for (const StringRef& s : strings) {
    out->append(s.view());
  }
}

void PutNested(const Column& column, size_t rows, std::string* out) {
  size_t elements = rows;
  if (column.type().kind != TypeKind::kRow) {
    for (size_t row = 0; row < rows; ++row) {
      Put<uint32_t>(column.offsets[row + 1] - column.offsets[row], out);
    }
    elements = column.offsets[rows];
  }
  for (const Column& child : column.children) {
    PutColumn(child, elements, out);
  }
}

void PutColumn(const Column& column, size_t rows, std::string* out) {
  Put(static_cast<uint8_t>(column.physical()), out);
  PutValid(column, rows, out);
  switch (column.physical()) {
    case Physical::kBool:
      PutArray(column.bools, out);
      break;
    case Physical::kInt64:
      PutArray(column.ints, out);
      break;
    case Physical::kInt128:
      PutArray(column.wides, out);
      break;
    case Physical::kDouble:
      PutArray(column.doubles, out);
      break;
    case Physical::kString:
      PutStrings(column.strings, out);
      break;
    case Physical::kNested:
      PutNested(column, rows, out);
      break;
  }
}

// Reads the body; every Take checks what is left. `owner` keeps the bytes alive for string views.
class BlockReader {
 public:
  BlockReader(std::string_view bytes, std::shared_ptr<const void> owner, const BlockLimits& limits)
      : bytes_(bytes), owner_(std::move(owner)), limits_(limits) {}

  bool ReadBatch(const Schema& schema, Batch* batch) {
    uint32_t rows = 0;
    uint16_t columns = 0;
    uint8_t has_kinds = 0;
    if (!Take(&rows) || !Take(&columns) || !Take(&has_kinds) || rows > limits_.rows_max ||
        columns != schema.fields.size() || has_kinds > 1) {
      return false;
    }
    batch->rows = rows;
    if (has_kinds == 1 && !ReadKinds(rows, &batch->kinds)) {
      return false;
    }
    batch->columns.reserve(columns);
    for (const Field& field : schema.fields) {
      batch->columns.emplace_back(field.type);
      if (!ReadColumn(rows, &batch->columns.back())) {
        return false;
      }
    }
    return bytes_.empty();
  }

 private:
  template <typename T>
  bool Take(T* v) {
    if (bytes_.size() < sizeof(T)) {
      return false;
    }
    std::memcpy(v, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return true;
  }

  template <typename T>
  bool TakeArray(size_t count, std::vector<T>* out) {
    if (bytes_.size() / sizeof(T) < count) {
      return false;
    }
    out->resize(count);
    if (count > 0) {
      std::memcpy(out->data(), bytes_.data(), count * sizeof(T));
    }
    bytes_.remove_prefix(count * sizeof(T));
    return true;
  }

  bool ReadKinds(size_t rows, std::vector<RowKind>* kinds) {
    return TakeArray(rows, kinds) && std::all_of(kinds->begin(), kinds->end(), [](RowKind kind) {
             return kind <= RowKind::kDelete;
           });
  }

  bool ReadColumn(size_t rows, Column* column) {
    uint8_t physical = 0;
    uint8_t has_nulls = 0;
    if (!Take(&physical) || physical != static_cast<uint8_t>(column->physical()) ||
        !Take(&has_nulls) || has_nulls > 1 || (has_nulls == 1 && !ReadValid(rows, column))) {
      return false;
    }
    switch (column->physical()) {
      case Physical::kBool:
        return TakeArray(rows, &column->bools) &&
               std::all_of(column->bools.begin(), column->bools.end(),
                           [](uint8_t b) { return b <= 1; });
      case Physical::kInt64:
        return TakeArray(rows, &column->ints);
      case Physical::kInt128:
        return TakeArray(rows, &column->wides);
      case Physical::kDouble:
        return TakeArray(rows, &column->doubles);
      case Physical::kString:
        return ReadStrings(rows, column);
      case Physical::kNested:
        return ReadNested(rows, column);
    }
    return false;
  }

  bool ReadValid(size_t rows, Column* column) {
    size_t bytes = (rows + 7) / 8;
    if (bytes_.size() < bytes) {
      return false;
    }
    column->valid.resize(rows);
    for (size_t row = 0; row < rows; ++row) {
      column->valid[row] = (bytes_[row / 8] >> (row % 8)) & 1;
    }
    bytes_.remove_prefix(bytes);
    return true;
  }

  bool ReadStrings(size_t rows, Column* column) {
    if (bytes_.size() / sizeof(uint32_t) < rows) {
      return false;
    }
    std::string_view lengths = bytes_.substr(0, rows * sizeof(uint32_t));
    bytes_.remove_prefix(lengths.size());
    column->strings.resize(rows);
    for (size_t row = 0; row < rows; ++row) {
      uint32_t size = 0;
      std::memcpy(&size, lengths.data() + row * sizeof(size), sizeof(size));
      if (size > bytes_.size()) {
        return false;
      }
      column->strings[row] = {bytes_.data(), size};
      bytes_.remove_prefix(size);
    }
    column->KeepAlive(owner_);
    return true;
  }

  bool ReadNested(size_t rows, Column* column) {
    uint64_t elements = rows;
    if (column->type().kind != TypeKind::kRow) {
      std::vector<uint32_t> counts;
      if (!TakeArray(rows, &counts)) {
        return false;
      }
      elements = 0;
      for (uint32_t count : counts) {
        elements += count;
        if (elements > limits_.bytes_max) {
          return false;
        }
        column->offsets.push_back(static_cast<uint32_t>(elements));
      }
    }
    for (Column& child : column->children) {
      if (!ReadColumn(elements, &child)) {
        return false;
      }
    }
    return true;
  }

  std::string_view bytes_;
  std::shared_ptr<const void> owner_;  // shared by the string columns of the batch
  BlockLimits limits_;
};

uint64_t Checksum(std::string_view header, std::string_view body) {
  return base::Hash64(body) ^ (base::Hash64(header) * 0x9e3779b97f4a7c15ull);
}

}  // namespace

base::Status EncodeBlock(const Batch& batch, const BlockLimits& limits, std::string* out) {
  if (batch.rows > limits.rows_max) {
    return base::Exhausted(fmt::format("encode block: {} rows, more than the {} of one block",
                                       batch.rows, limits.rows_max));
  }
  std::string plain;
  Put(static_cast<uint32_t>(batch.rows), &plain);
  Put(static_cast<uint16_t>(batch.columns.size()), &plain);
  Put<uint8_t>(batch.kinds.empty() ? 0 : 1, &plain);
  PutArray(batch.kinds, &plain);
  for (const Column& column : batch.columns) {
    PutColumn(column, batch.rows, &plain);
  }
  if (plain.size() > limits.bytes_max) {
    return base::Exhausted(fmt::format("encode block: {} bytes, more than the {} of one block",
                                       plain.size(), limits.bytes_max));
  }
  int bound = LZ4_compressBound(static_cast<int>(plain.size()));
  std::string packed(static_cast<size_t>(bound), '\0');
  int size =
      LZ4_compress_default(plain.data(), packed.data(), static_cast<int>(plain.size()), bound);
  bool smaller = size > 0 && static_cast<size_t>(size) < plain.size();
  packed.resize(smaller ? static_cast<size_t>(size) : 0);

  std::string header;
  Put(kVersion, &header);
  Put(smaller ? kLz4 : kPlain, &header);
  Put(static_cast<uint32_t>(plain.size()), &header);
  const std::string& body = smaller ? packed : plain;
  out->append(header);
  Put(Checksum(header, body), out);
  out->append(body);
  return base::OkStatus();
}

base::Result<Batch> DecodeBlock(std::string_view bytes, const Schema& schema,
                                const BlockLimits& limits) {
  if (bytes.size() < kHeader) {
    return base::Corrupt("decode block: shorter than its header");
  }
  if (static_cast<uint8_t>(bytes[0]) != kVersion) {
    return base::Corrupt(
        fmt::format("decode block: unknown version {}", static_cast<uint8_t>(bytes[0])));
  }
  uint8_t codec = static_cast<uint8_t>(bytes[1]);
  uint32_t plain_bytes = 0;
  uint64_t checksum = 0;
  std::memcpy(&plain_bytes, bytes.data() + 2, sizeof(plain_bytes));
  std::memcpy(&checksum, bytes.data() + kCheckedHeader, sizeof(checksum));
  std::string_view body = bytes.substr(kHeader);
  if (checksum != Checksum(bytes.substr(0, kCheckedHeader), body)) {
    return base::Corrupt("decode block: checksum does not match");
  }
  bool plausible = codec == kPlain ? body.size() == plain_bytes
                                   : codec == kLz4 && plain_bytes / kLz4RatioMax <= body.size();
  if (!plausible || plain_bytes > limits.bytes_max || body.size() > limits.bytes_max) {
    return base::Corrupt("decode block: impossible length");
  }
  // Shared by the string columns of the batch.
  auto plain = std::make_shared<std::string>(plain_bytes, '\0');
  if (codec == kPlain) {
    plain->assign(body);
  } else if (LZ4_decompress_safe(body.data(), plain->data(), static_cast<int>(body.size()),
                                 static_cast<int>(plain_bytes)) != static_cast<int>(plain_bytes)) {
    return base::Corrupt("decode block: broken lz4 data");
  }
  Batch batch;
  BlockReader reader(*plain, plain, limits);
  if (!reader.ReadBatch(schema, &batch)) {
    return base::Corrupt("decode block: not a batch of the expected columns");
  }
  return batch;
}

}  // namespace sj::worker::types
