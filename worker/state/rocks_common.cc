// SPDX-License-Identifier: Apache-2.0
// Error mapping and shared RocksDB options. The process-wide file system object is made once and
// lives for ever, because RocksDB's threads may use it until the very end.
#include "worker/state/rocks_common.h"

#include <fmt/format.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <memory>
#include <utility>

namespace sj::worker::state {
namespace {

class UnsyncedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus RangeSync(uint64_t, uint64_t, const rocksdb::IOOptions&,
                              rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
};

class UnsyncedDirectory final : public rocksdb::FSDirectory {
 public:
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
};

class UnsyncedFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "sj.unsynced"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> inner;
    rocksdb::IOStatus made = target()->NewWritableFile(name, options, &inner, debug);
    if (made.ok()) {
      *file = std::make_unique<UnsyncedFile>(std::move(inner));
    }
    return made;
  }
  rocksdb::IOStatus NewDirectory(const std::string&, const rocksdb::IOOptions&,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext*) override {
    *result = std::make_unique<UnsyncedDirectory>();
    return rocksdb::IOStatus::OK();
  }
};

rocksdb::Env* UnsyncedEnv() {
  // RocksDB's interface wants a shared file system; its owners are this Env and open files.
  static rocksdb::Env* const env =
      rocksdb::NewCompositeEnv(std::make_shared<UnsyncedFileSystem>(rocksdb::FileSystem::Default()))
          .release();
  return env;
}

}  // namespace

base::Status FromRocks(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) {
    return base::OkStatus();
  }
  std::string text = fmt::format("{}: {}", what, status.ToString());
  if (status.IsNotFound()) {
    return base::NotFound(std::move(text));
  }
  if (status.IsNoSpace()) {
    return base::Exhausted(std::move(text));
  }
  return base::Corrupt(std::move(text));
}

rocksdb::BlockBasedTableOptions TableOptions(TableParts parts) {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 16u << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  if (parts == TableParts::kMany) {
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
    table.metadata_block_size = 4u << 10;
  }
  return table;
}

rocksdb::Options ScratchOptions(TableParts parts) {
  rocksdb::BlockBasedTableOptions table = TableOptions(parts);
  table.no_block_cache = true;
  rocksdb::Options options;
  options.env = UnsyncedEnv();
  options.compression = rocksdb::kLZ4Compression;
  options.paranoid_checks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace sj::worker::state
