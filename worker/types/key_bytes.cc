// SPDX-License-Identifier: Apache-2.0
// Order-preserving key bytes; the layout is drawn in column.h. Reading checks every bound: the
// bytes may come from an object store.
#include <bit>
#include <cmath>
#include <limits>

#include "worker/types/column.h"

namespace sj::worker::types {
namespace {

constexpr char kNull = 0x00;
constexpr char kPresent = 0x01;
constexpr uint64_t kSign64 = 1ull << 63;

void AppendBigEndian(uint64_t v, std::string* out) {
  v = __builtin_bswap64(v);
  char bytes[8];
  std::memcpy(bytes, &v, sizeof(v));
  out->append(bytes, sizeof(bytes));
}

bool ReadBigEndian(std::string_view* bytes, uint64_t* v) {
  if (bytes->size() < sizeof(*v)) {
    return false;
  }
  std::memcpy(v, bytes->data(), sizeof(*v));
  *v = __builtin_bswap64(*v);
  bytes->remove_prefix(sizeof(*v));
  return true;
}

// Positive: sign bit set; negative: all bits flipped. So unsigned order is numeric order, NaN last.
uint64_t OrderedBits(double v) {
  if (v == 0) {
    v = 0;  // -0.0 is the same key
  }
  if (std::isnan(v)) {
    v = std::numeric_limits<double>::quiet_NaN();
  }
  uint64_t bits = std::bit_cast<uint64_t>(v);
  return (bits & kSign64) != 0 ? ~bits : bits | kSign64;
}

double FromOrderedBits(uint64_t bits) {
  return std::bit_cast<double>((bits & kSign64) != 0 ? bits & ~kSign64 : ~bits);
}

void AppendEscaped(std::string_view text, std::string* out) {
  while (true) {
    const void* zero = text.empty() ? nullptr : std::memchr(text.data(), 0, text.size());
    if (zero == nullptr) {
      break;
    }
    size_t n = static_cast<size_t>(static_cast<const char*>(zero) - text.data());
    out->append(text.data(), n);
    out->append("\0\xff", 2);
    text.remove_prefix(n + 1);
  }
  out->append(text);
  out->append("\0\0", 2);
}

bool ReadEscaped(std::string_view* bytes, Column* column) {
  std::string text;
  while (true) {
    size_t zero = bytes->find('\0');
    if (zero == std::string_view::npos || zero + 1 >= bytes->size()) {
      return false;
    }
    char next = (*bytes)[zero + 1];
    if (next == '\0') {
      std::string_view rest = bytes->substr(0, zero);
      column->AppendString(text.empty() ? rest : std::string_view(text.append(rest)));
      bytes->remove_prefix(zero + 2);
      return true;
    }
    if (next != '\xff') {
      return false;
    }
    text.append(bytes->data(), zero + 1);
    bytes->remove_prefix(zero + 2);
  }
}

void AppendNested(const Column& column, size_t row, std::string* out) {
  if (column.type().kind == TypeKind::kRow) {
    for (const Column& child : column.children) {
      AppendKeyBytes(child, row, out);
    }
    return;
  }
  for (uint32_t i = column.offsets[row]; i < column.offsets[row + 1]; ++i) {
    out->push_back(kPresent);
    for (const Column& child : column.children) {
      AppendKeyBytes(child, i, out);
    }
  }
  out->push_back(kNull);
}

bool ReadChildren(std::string_view* bytes, Column* column) {
  for (Column& child : column->children) {
    if (!ReadKeyBytes(bytes, &child)) {
      return false;
    }
  }
  return true;
}

bool ReadNested(std::string_view* bytes, Column* column) {
  if (column->type().kind == TypeKind::kRow) {
    return ReadChildren(bytes, column);
  }
  uint32_t count = 0;
  while (true) {
    if (bytes->empty() || (bytes->front() != kNull && bytes->front() != kPresent)) {
      return false;
    }
    bool more = bytes->front() == kPresent;
    bytes->remove_prefix(1);
    if (!more) {
      break;
    }
    if (!ReadChildren(bytes, column)) {
      return false;
    }
    ++count;
  }
  column->offsets.push_back(column->offsets.back() + count);
  return true;
}

// Reads a present value of any kind but nested; column->valid is the caller's work.
bool ReadScalar(std::string_view* bytes, Column* column) {
  uint64_t high = 0;
  uint64_t low = 0;
  switch (column->physical()) {
    case Physical::kBool:
      if (bytes->empty()) {
        return false;
      }
      column->AppendBool(bytes->front() != 0);
      bytes->remove_prefix(1);
      return true;
    case Physical::kInt64:
      if (!ReadBigEndian(bytes, &high)) {
        return false;
      }
      column->AppendInt64(static_cast<int64_t>(high ^ kSign64));
      return true;
    case Physical::kInt128:
      if (!ReadBigEndian(bytes, &high) || !ReadBigEndian(bytes, &low)) {
        return false;
      }
      column->AppendInt128(
          static_cast<Int128>((static_cast<unsigned __int128>(high ^ kSign64) << 64) | low));
      return true;
    case Physical::kDouble:
      if (!ReadBigEndian(bytes, &high)) {
        return false;
      }
      column->AppendDouble(FromOrderedBits(high));
      return true;
    case Physical::kString:
      return ReadEscaped(bytes, column);
    case Physical::kNested:
      return false;
  }
  return false;
}

}  // namespace

void AppendKeyBytes(const Column& column, size_t row, std::string* out) {
  if (column.IsNull(row)) {
    out->push_back(kNull);
    return;
  }
  out->push_back(kPresent);
  switch (column.physical()) {
    case Physical::kBool:
      out->push_back(static_cast<char>(column.bools[row]));
      break;
    case Physical::kInt64:
      AppendBigEndian(static_cast<uint64_t>(column.ints[row]) ^ kSign64, out);
      break;
    case Physical::kInt128: {
      auto wide = static_cast<unsigned __int128>(column.wides[row]);
      AppendBigEndian(static_cast<uint64_t>(wide >> 64) ^ kSign64, out);
      AppendBigEndian(static_cast<uint64_t>(wide), out);
      break;
    }
    case Physical::kDouble:
      AppendBigEndian(OrderedBits(column.doubles[row]), out);
      break;
    case Physical::kString:
      AppendEscaped(column.strings[row].view(), out);
      break;
    case Physical::kNested:
      AppendNested(column, row, out);
      break;
  }
}

bool ReadKeyBytes(std::string_view* bytes, Column* column) {
  if (bytes->empty()) {
    return false;
  }
  char tag = bytes->front();
  bytes->remove_prefix(1);
  if (tag == kNull) {
    column->AppendNull();
    return true;
  }
  if (tag != kPresent) {
    return false;
  }
  if (column->physical() != Physical::kNested) {
    return ReadScalar(bytes, column);
  }
  if (!ReadNested(bytes, column)) {
    return false;
  }
  if (!column->valid.empty()) {
    column->valid.push_back(1);
  }
  return true;
}

}  // namespace sj::worker::types
