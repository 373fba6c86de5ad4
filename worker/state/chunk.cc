// SPDX-License-Identifier: Apache-2.0
// Chunk files: RocksDB block-based tables (LZ4, bloom filter, block checksums) whose keys are state
// keys and whose values carry the kind byte of rocks_common.h:
//   state key -> 0x00           tombstone
//   state key -> 0x01 | value   entry
// A merge reads its inputs side by side and keeps the newest of equal keys.
#include "worker/state/chunk.h"

#include <fmt/format.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "worker/state/rocks_common.h"

namespace sj::worker::state {
namespace {

// Makes the file at the first entry, so that an empty chunk leaves no file.
class ChunkWriter {
 public:
  // `entries`: about how many there will be.
  ChunkWriter(const std::string& file, size_t entries)
      : options_(ScratchOptions(PartsOf(entries))), writer_(rocksdb::EnvOptions(), options_) {
    info_.file = file;
  }

  base::Status Add(std::string_view key, int64_t ns, const rocksdb::Slice& value) {
    if (info_.entries == 0) {
      SJ_RETURN_IF_ERROR(FromRocks(writer_.Open(info_.file), "make a chunk file"));
    }
    SJ_RETURN_IF_ERROR(FromRocks(writer_.Put(ToSlice(key), value), "write a chunk file"));
    ++info_.entries;
    info_.ns_max = std::max(info_.ns_max, ns);
    return base::OkStatus();
  }

  base::Result<ChunkInfo> Finish() {
    if (info_.entries > 0) {
      rocksdb::ExternalSstFileInfo written;
      SJ_RETURN_IF_ERROR(FromRocks(writer_.Finish(&written), "finish a chunk file"));
      info_.bytes = written.file_size;
    }
    return std::move(info_);
  }

 private:
  rocksdb::Options options_;
  rocksdb::SstFileWriter writer_;
  ChunkInfo info_;
};

base::Status BadKey() {
  return base::Corrupt("a state key is shorter than its fixed part");
}

// One input of a merge, opened and positioned.
struct MergeInput {
  std::unique_ptr<rocksdb::SstFileReader> reader;
  std::unique_ptr<rocksdb::Iterator> it;
};

base::Result<std::vector<MergeInput>> OpenInputs(const std::vector<std::string>& files) {
  std::vector<MergeInput> inputs;
  for (const std::string& file : files) {
    MergeInput input;
    input.reader = std::make_unique<rocksdb::SstFileReader>(ScratchOptions());
    SJ_RETURN_IF_ERROR(
        FromRocks(input.reader->Open(file), fmt::format("open chunk file \"{}\"", file)));
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.readahead_size = 256u << 10;
    input.it.reset(input.reader->NewIterator(options));
    input.it->SeekToFirst();
    SJ_RETURN_IF_ERROR(FromRocks(input.it->status(), "read a chunk file"));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

// With those that a later input replaces.
size_t EntriesOf(const std::vector<MergeInput>& inputs) {
  size_t entries = 0;
  for (const MergeInput& input : inputs) {
    entries += input.reader->GetTableProperties()->num_entries;
  }
  return entries;
}

// The input with the smallest key; among equal keys the last one, which is the newest. -1: all
// inputs are at their end.
int Newest(const std::vector<MergeInput>& inputs) {
  int best = -1;
  for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
    if (!inputs[i].it->Valid()) {
      continue;
    }
    if (best < 0 || inputs[i].it->key().compare(inputs[best].it->key()) <= 0) {
      best = i;
    }
  }
  return best;
}

// Moves every input that stands at `key` to its next entry.
base::Status Skip(std::vector<MergeInput>* inputs, std::string_view key) {
  for (MergeInput& input : *inputs) {
    if (!input.it->Valid() || ToView(input.it->key()) != key) {
      continue;
    }
    input.it->Next();
    SJ_RETURN_IF_ERROR(FromRocks(input.it->status(), "read a chunk file"));
  }
  return base::OkStatus();
}

}  // namespace

base::Result<ChunkInfo> WriteChunk(std::vector<FrozenEntry> entries, const std::string& file) {
  // Stable: among equal keys the order of arrival stays, and the last one is taken.
  std::stable_sort(entries.begin(), entries.end(),
                   [](const FrozenEntry& a, const FrozenEntry& b) { return a.key < b.key; });
  ChunkWriter writer(file, entries.size());
  std::string value;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i + 1 < entries.size() && entries[i + 1].key == entries[i].key) {
      continue;
    }
    StateKey key;
    if (!DecodeStateKey(entries[i].key, &key)) {
      return BadKey();
    }
    value.assign(1, entries[i].deleted ? kTombstoneByte : kValueByte);
    if (!entries[i].deleted) {
      value.append(entries[i].value);
    }
    SJ_RETURN_IF_ERROR(writer.Add(entries[i].key, key.ns, ToSlice(value)));
  }
  return writer.Finish();
}

base::Result<ChunkInfo> MergeChunks(const std::vector<std::string>& files, int64_t expired_below,
                                    bool drop_tombstones, const std::string& out) {
  SJ_ASSIGN_OR_RETURN(std::vector<MergeInput> inputs, OpenInputs(files));
  ChunkWriter writer(out, EntriesOf(inputs));
  std::string key_bytes;
  for (int at = Newest(inputs); at >= 0; at = Newest(inputs)) {
    key_bytes.assign(ToView(inputs[at].it->key()));
    StateKey key;
    if (!DecodeStateKey(key_bytes, &key)) {
      return BadKey();
    }
    rocksdb::Slice value = inputs[at].it->value();
    if (value.empty()) {
      return base::Corrupt("a chunk file has a value without its kind byte");
    }
    bool tombstone = value[0] == kTombstoneByte;
    if (key.ns >= expired_below && !(tombstone && drop_tombstones)) {
      SJ_RETURN_IF_ERROR(writer.Add(key_bytes, key.ns, value));
    }
    SJ_RETURN_IF_ERROR(Skip(&inputs, key_bytes));
  }
  return writer.Finish();
}

}  // namespace sj::worker::state
