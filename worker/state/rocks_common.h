// SPDX-License-Identifier: Apache-2.0
// What the files of this folder that call RocksDB share: error mapping, table options and the
// envelope of stored values. Included by .cc files of worker/state only.
//
// A stored value is  0x00  for a tombstone, or  0x01 | value.  A chunk needs tombstones that its
// readers can see, and RocksDB's file reader hides its own.
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/status.h>
#include <rocksdb/table.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "api/base/status.h"

namespace sj::worker::state {

inline constexpr char kTombstoneByte = 0x00;
inline constexpr char kValueByte = 0x01;

inline rocksdb::Slice ToSlice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
inline std::string_view ToView(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

// ok, kNotFound, kExhausted when the disk is full, kCorrupt for everything else: a local store that
// failed once is not used again.
base::Status FromRocks(const rocksdb::Status& status, std::string_view what);

// Index and bloom filter of a table as one block each, or in parts of 4 KiB. The one filter of a
// large table is larger than what the block cache keeps, and would be read and verified anew for
// every key; parts cost a small table a hundred bytes.
enum class TableParts : uint8_t { kOne, kMany };
inline constexpr size_t kOnePartEntries = 16'384;  // a filter of 20 KiB
inline TableParts PartsOf(size_t entries) {
  return entries > kOnePartEntries ? TableParts::kMany : TableParts::kOne;
}
rocksdb::BlockBasedTableOptions TableOptions(TableParts parts);

// Block size, bloom filter and compression of the store's files and of chunks. The file system
// never syncs: every file here is scratch that is deleted after an unclean stop.
rocksdb::Options ScratchOptions(TableParts parts = TableParts::kOne);

}  // namespace sj::worker::state
