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

// Block size, bloom filter and compression of the store's files and of chunks. The file system
// never syncs: every file here is scratch that is deleted after an unclean stop.
rocksdb::Options ScratchOptions();

}  // namespace sj::worker::state
