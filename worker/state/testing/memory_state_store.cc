// SPDX-License-Identifier: Apache-2.0
// See memory_state_store.h.
#include "worker/state/testing/memory_state_store.h"

#include <rocksdb/sst_file_reader.h>

#include <memory>

#include "worker/state/rocks_common.h"

namespace sj::worker::state::testing {

base::Result<std::string> MemoryStateStore::Get(std::string_view key) {
  auto it = entries_.find(key);
  if (it == entries_.end()) {
    return base::NotFound("no such state entry");
  }
  return it->second;
}

base::Status MemoryStateStore::Write(const std::vector<FrozenEntry>& entries) {
  for (const FrozenEntry& entry : entries) {
    if (entry.deleted) {
      entries_.erase(entry.key);
    } else {
      entries_[entry.key] = entry.value;
    }
  }
  return base::OkStatus();
}

base::Status MemoryStateStore::Scan(
    std::string_view from, std::string_view to,
    const std::function<bool(std::string_view, std::string_view)>& visit) {
  for (auto it = entries_.lower_bound(from); it != entries_.end() && it->first < to; ++it) {
    if (!visit(it->first, it->second)) {
      break;
    }
  }
  return base::OkStatus();
}

base::Status MemoryStateStore::DeleteRange(std::string_view from, std::string_view to) {
  entries_.erase(entries_.lower_bound(from), entries_.lower_bound(to));
  return base::OkStatus();
}

base::Status MemoryStateStore::Ingest(const std::string& file) {
  rocksdb::SstFileReader reader(ScratchOptions());
  SJ_RETURN_IF_ERROR(FromRocks(reader.Open(file), "open a chunk file"));
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  std::unique_ptr<rocksdb::Iterator> it(reader.NewIterator(options));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::string_view value = ToView(it->value());
    if (value.empty()) {
      return base::Corrupt("take in a chunk: a value without its kind byte");
    }
    if (value[0] == kTombstoneByte) {
      entries_.erase(std::string(ToView(it->key())));
    } else {
      entries_[std::string(ToView(it->key()))] = std::string(value.substr(1));
    }
  }
  return FromRocks(it->status(), "read a chunk file");
}

uint64_t MemoryStateStore::ApproximateBytes() {
  uint64_t bytes = 0;
  for (const auto& [key, value] : entries_) {
    bytes += key.size() + value.size();
  }
  return bytes;
}

}  // namespace sj::worker::state::testing
