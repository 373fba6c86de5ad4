// SPDX-License-Identifier: Apache-2.0
// RocksStateStore: StateStore over RocksDB, without a write-ahead log and without syncs, because
// the directory is a cache that is wiped on Open. Memory is bounded by the block cache (which also
// holds index and filter blocks) and the write buffers. Thread-safe: RocksDB is.
#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <utility>

#include "worker/state/rocks_common.h"
#include "worker/state/scratch_directory.h"
#include "worker/state/state_store.h"

namespace sj::worker::state {
namespace {

namespace fs = std::filesystem;

constexpr int kNoStall = 1 << 20;  // files

class RocksStateStore final : public StateStore {
 public:
  RocksStateStore(std::unique_ptr<rocksdb::DB> db, std::string directory)
      : db_(std::move(db)), directory_(std::move(directory)) {
    unlogged_.disableWAL = true;
  }

  base::Result<std::string> Get(std::string_view key) override {
    std::string value;
    rocksdb::Status got = db_->Get(rocksdb::ReadOptions(), ToSlice(key), &value);
    if (got.IsNotFound()) {
      return Absent();
    }
    if (!got.ok()) {
      return FromRocks(got, "read local state");
    }
    if (value.empty()) {
      return base::Corrupt("read local state: a value without its kind byte");
    }
    if (value[0] == kTombstoneByte) {
      return Absent();
    }
    value.erase(0, 1);
    return value;
  }

  base::Status Write(const std::vector<FrozenEntry>& entries) override {
    rocksdb::WriteBatch batch;
    rocksdb::Slice kind(&kValueByte, 1);
    for (const FrozenEntry& entry : entries) {
      rocksdb::Slice key = ToSlice(entry.key);
      rocksdb::Slice parts[] = {kind, ToSlice(entry.value)};
      rocksdb::Status added =
          entry.deleted ? batch.Delete(key)
                        : batch.Put(rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(parts, 2));
      if (!added.ok()) {
        return FromRocks(added, "write local state");
      }
    }
    return FromRocks(db_->Write(unlogged_, &batch), "write local state");
  }

  base::Status Scan(std::string_view from, std::string_view to,
                    const std::function<bool(std::string_view, std::string_view)>& visit) override {
    rocksdb::ReadOptions options;
    rocksdb::Slice end = ToSlice(to);
    options.iterate_upper_bound = &end;
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
    for (it->Seek(ToSlice(from)); it->Valid(); it->Next()) {
      std::string_view value = ToView(it->value());
      if (value.empty()) {
        return base::Corrupt("scan local state: a value without its kind byte");
      }
      if (value[0] == kTombstoneByte) {
        continue;
      }
      if (!visit(ToView(it->key()), value.substr(1))) {
        break;
      }
    }
    return FromRocks(it->status(), "scan local state");
  }

  base::Status DeleteRange(std::string_view from, std::string_view to) override {
    return FromRocks(
        db_->DeleteRange(unlogged_, db_->DefaultColumnFamily(), ToSlice(from), ToSlice(to)),
        "delete from local state");
  }

  base::Status Ingest(const std::string& file) override {
    // RocksDB takes the name it is given out of the way, so it gets a link (or a copy) of the file.
    std::string taken = fmt::format("{}/ingest-{}.sst", directory_, next_ingest_.fetch_add(1));
    std::error_code error;
    fs::create_hard_link(file, taken, error);
    if (error) {
      fs::copy_file(file, taken, fs::copy_options::overwrite_existing, error);
    }
    if (error) {
      return base::Corrupt(fmt::format("take in chunk \"{}\": {}", file, error.message()));
    }
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.failed_move_fall_back_to_copy = true;
    options.write_global_seqno = false;
    base::Status done = FromRocks(db_->IngestExternalFile({taken}, options), "take in a chunk");
    fs::remove(taken, error);
    return done;
  }

  uint64_t ApproximateBytes() override {
    uint64_t files = 0;
    uint64_t buffers = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &files);
    db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &buffers);
    return files + buffers;
  }

 private:
  static base::Status Absent() { return base::NotFound("no such state entry"); }

  std::unique_ptr<rocksdb::DB> db_;
  std::string directory_;
  rocksdb::WriteOptions unlogged_;
  std::atomic<uint64_t> next_ingest_{0};
};

rocksdb::Options DatabaseOptions(const StateStoreOptions& options) {
  rocksdb::BlockBasedTableOptions table = TableOptions(TableParts::kMany);
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  rocksdb::Options db = ScratchOptions();
  db.create_if_missing = true;
  db.error_if_exists = true;
  db.max_background_jobs = 2;
  db.max_open_files = 256;
  db.write_buffer_size = options.write_buffer_bytes / 2;
  db.max_write_buffer_number = 2;
  // A restore takes in many files at once. To make everybody wait until they are compacted would
  // stop the epochs for longer than their lookups cost: a filter each.
  db.level0_slowdown_writes_trigger = kNoStall;
  db.level0_stop_writes_trigger = kNoStall;
  db.soft_pending_compaction_bytes_limit = 0;
  db.hard_pending_compaction_bytes_limit = 0;
  db.keep_log_file_num = 2;
  db.max_log_file_size = 1u << 20;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.avoid_flush_during_shutdown = true;
  db.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return db;
}

}  // namespace

base::Result<std::unique_ptr<StateStore>> StateStore::Open(const StateStoreOptions& options) {
  SJ_RETURN_IF_ERROR(WipeScratchDirectory(options.directory).WithContext("open local state"));
  rocksdb::DB* db = nullptr;
  rocksdb::Status opened = rocksdb::DB::Open(DatabaseOptions(options), options.directory, &db);
  if (!opened.ok()) {
    return FromRocks(opened, "open local state");
  }
  return std::unique_ptr<StateStore>(
      new RocksStateStore(std::unique_ptr<rocksdb::DB>(db), options.directory));
}

}  // namespace sj::worker::state
