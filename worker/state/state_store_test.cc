// SPDX-License-Identifier: Apache-2.0
// State keys, the RocksDB store and chunk files.
#include "worker/state/state_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "worker/state/chunk.h"
#include "worker/state/testing/temp_dir.h"

namespace sj::worker::state {
namespace {

using testing::TempDir;

std::string Key(int op, int group, int64_t ns, std::string_view key) {
  return EncodeStateKey({static_cast<uint16_t>(op), static_cast<uint16_t>(group), ns, key});
}

std::unique_ptr<StateStore> OpenStore(const std::string& directory) {
  StateStoreOptions options;
  options.directory = directory;
  auto store = StateStore::Open(options);
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  return std::move(store).value();
}

std::map<std::string, std::string> All(StateStore& store) {
  std::map<std::string, std::string> all;
  auto scanned =
      store.Scan("", std::string(64, '\xff'), [&](std::string_view k, std::string_view v) {
        all.emplace(k, v);
        return true;
      });
  EXPECT_TRUE(scanned.ok());
  return all;
}

TEST(StateKeyTest, OrdersByOperatorGroupNamespaceKey) {
  std::vector<std::string> keys = {Key(0, 1, INT64_MIN, ""), Key(0, 1, -5, "z"), Key(0, 1, -1, ""),
                                   Key(0, 1, 0, "a"),        Key(0, 1, 0, "b"),  Key(0, 1, 7, ""),
                                   Key(0, 2, -9, "a"),       Key(1, 0, -9, "a")};
  for (size_t i = 0; i + 1 < keys.size(); ++i) {
    EXPECT_LT(keys[i], keys[i + 1]) << i;
  }
}

TEST(StateKeyTest, RoundTripsAndRefusesShortKeys) {
  std::string bytes = Key(513, 32767, -1234567890123, std::string("a\0b", 3));
  StateKey key;
  ASSERT_TRUE(DecodeStateKey(bytes, &key));
  EXPECT_EQ(key.op, 513);
  EXPECT_EQ(key.key_group, 32767);
  EXPECT_EQ(key.ns, -1234567890123);
  EXPECT_EQ(key.key, std::string_view("a\0b", 3));
  EXPECT_FALSE(DecodeStateKey(bytes.substr(0, 11), &key));
}

TEST(StateKeyTest, EndsBoundTheirRanges) {
  EXPECT_LT(Key(3, 4, 5, std::string(100, '\xff')), NamespaceEnd(3, 4, 5));
  EXPECT_LE(NamespaceEnd(3, 4, 5), Key(3, 4, 6, ""));
  EXPECT_LT(Key(3, 4, INT64_MAX, "\xff\xff"), NamespaceEnd(3, 4, INT64_MAX));
  EXPECT_LE(NamespaceEnd(3, 4, INT64_MAX), Key(3, 5, INT64_MIN, ""));
  EXPECT_LT(Key(3, 4, INT64_MAX, "\xff"), KeyGroupEnd(3, 4));
  EXPECT_LE(KeyGroupEnd(3, 0xffff), Key(4, 0, INT64_MIN, ""));
  EXPECT_LT(Key(0xffff, 0xffff, INT64_MAX, "\xff"), KeyGroupEnd(0xffff, 0xffff));
}

TEST(StateStoreTest, WritesReadsAndDeletes) {
  TempDir dir;
  auto store = OpenStore(dir.path());
  ASSERT_TRUE(store->Write({{"a", "1", false}, {"b", "", false}, {"c", "3", false}}).ok());
  EXPECT_EQ(store->Get("a").value(), "1");
  EXPECT_EQ(store->Get("b").value(), "");
  EXPECT_EQ(store->Get("x").status().kind(), base::ErrorKind::kNotFound);
  ASSERT_TRUE(store->Write({{"a", "", true}, {"c", "4", false}}).ok());
  EXPECT_EQ(store->Get("a").status().kind(), base::ErrorKind::kNotFound);
  EXPECT_EQ(All(*store), (std::map<std::string, std::string>{{"b", ""}, {"c", "4"}}));
  ASSERT_TRUE(store->DeleteRange("b", "c").ok());
  EXPECT_EQ(All(*store), (std::map<std::string, std::string>{{"c", "4"}}));
}

TEST(StateStoreTest, ScanKeepsItsBoundsAndStops) {
  TempDir dir;
  auto store = OpenStore(dir.path());
  ASSERT_TRUE(store->Write({{"a", "1", false}, {"b", "2", false}, {"c", "3", false}}).ok());
  std::string seen;
  ASSERT_TRUE(store
                  ->Scan("a", "c",
                         [&](std::string_view k, std::string_view) {
                           seen.append(k);
                           return true;
                         })
                  .ok());
  EXPECT_EQ(seen, "ab");
  ASSERT_TRUE(store
                  ->Scan("a", "z",
                         [&](std::string_view k, std::string_view) {
                           seen.append(k);
                           return false;
                         })
                  .ok());
  EXPECT_EQ(seen, "aba");
}

TEST(StateStoreTest, OpenWipesWhatIsThere) {
  TempDir dir;
  {
    auto store = OpenStore(dir.path());
    ASSERT_TRUE(store->Write({{"a", "1", false}}).ok());
  }
  std::filesystem::create_directories(dir.file("left/behind"));
  auto store = OpenStore(dir.path());
  EXPECT_TRUE(All(*store).empty());
  EXPECT_FALSE(std::filesystem::exists(dir.file("left")));
}

TEST(StateStoreTest, RefusesToWipeARootOrARelativePath) {
  for (const char* path : {"/", "//", "/a/..", "", "relative"}) {
    StateStoreOptions options;
    options.directory = path;
    EXPECT_EQ(StateStore::Open(options).status().kind(), base::ErrorKind::kInvalidArgument) << path;
  }
}

// What this process has read from files so far, the page cache included.
uint64_t BytesRead() {
  std::ifstream file("/proc/self/io");
  std::string word;
  uint64_t bytes = 0;
  file >> word >> bytes;  // "rchar: N"
  return bytes;
}

std::vector<FrozenEntry> ManyEntries(int count) {
  std::vector<FrozenEntry> entries;
  for (int i = 0; i < count; ++i) {
    entries.push_back({Key(1, i % 4, 5, std::to_string(i)), "v", false});
  }
  return entries;
}

// The block cache is smaller than the filter of one large table: neither what was written nor what
// was taken in is read whole for a lookup.
TEST(StateStoreTest, LookupsInLargeTablesReadLittle) {
  constexpr int kEntries = 400'000;  // a filter of 500 KB
  constexpr int kLookups = 500;
  TempDir dir;
  StateStoreOptions options;
  options.directory = dir.file("db");
  options.block_cache_bytes = 1u << 20;
  auto store = StateStore::Open(options);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  ASSERT_TRUE(WriteChunk(ManyEntries(kEntries), dir.file("1")).ok());
  ASSERT_TRUE(WriteChunk({{Key(1, 0, 5, "new"), "v", false}}, dir.file("2")).ok());
  ASSERT_TRUE(MergeChunks({dir.file("1"), dir.file("2")}, INT64_MIN, true, dir.file("3")).ok());
  for (const char* chunk : {"1", "3"}) {
    ASSERT_TRUE((*store)->Ingest(dir.file(chunk)).ok());
    const uint64_t before = BytesRead();
    for (int i = 0; i < kLookups; ++i) {
      ASSERT_EQ((*store)->Get(Key(1, i % 4, 5, "absent-" + std::to_string(i))).status().kind(),
                base::ErrorKind::kNotFound);
      const int there = i * 791 % kEntries;
      ASSERT_TRUE((*store)->Get(Key(1, there % 4, 5, std::to_string(there))).ok());
    }
    EXPECT_LT((BytesRead() - before) / (2 * kLookups), 50'000u) << chunk;
  }
}

TEST(ChunkTest, IngestsOverEarlierChunksWithTombstones) {
  TempDir dir;
  auto store = OpenStore(dir.file("db"));
  auto first = WriteChunk({{Key(1, 0, 5, "b"), "1", false},
                           {Key(1, 0, 5, "a"), "1", false},
                           {Key(1, 0, 5, "c"), "1", false}},
                          dir.file("1"));
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(first->entries, 3u);
  EXPECT_EQ(first->ns_max, 5);
  EXPECT_EQ(first->bytes, std::filesystem::file_size(dir.file("1")));
  auto second =
      WriteChunk({{Key(1, 0, 5, "a"), "", true}, {Key(1, 0, 9, "c"), "2", false}}, dir.file("2"));
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(store->Ingest(dir.file("1")).ok());
  ASSERT_TRUE(store->Ingest(dir.file("2")).ok());
  EXPECT_TRUE(std::filesystem::exists(dir.file("1")));
  std::filesystem::remove(dir.file("1"));
  EXPECT_EQ(All(*store),
            (std::map<std::string, std::string>{
                {Key(1, 0, 5, "b"), "1"}, {Key(1, 0, 5, "c"), "1"}, {Key(1, 0, 9, "c"), "2"}}));
  EXPECT_EQ(store->Get(Key(1, 0, 5, "a")).status().kind(), base::ErrorKind::kNotFound);
}

TEST(ChunkTest, LastOfEqualKeysWins) {
  TempDir dir;
  auto store = OpenStore(dir.file("db"));
  std::string key = Key(1, 0, 5, "k");
  ASSERT_TRUE(WriteChunk({{key, "", true}, {key, "new", false}}, dir.file("1")).ok());
  ASSERT_TRUE(store->Ingest(dir.file("1")).ok());
  EXPECT_EQ(store->Get(key).value(), "new");
}

TEST(ChunkTest, NothingMakesNoFile) {
  TempDir dir;
  auto none = WriteChunk({}, dir.file("none"));
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->bytes, 0u);
  EXPECT_FALSE(std::filesystem::exists(dir.file("none")));
  ASSERT_TRUE(WriteChunk({{Key(1, 0, 5, "k"), "v", false}}, dir.file("1")).ok());
  auto merged = MergeChunks({dir.file("1")}, 6, true, dir.file("out"));
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(merged->entries, 0u);
  EXPECT_FALSE(std::filesystem::exists(dir.file("out")));
}

TEST(ChunkTest, RefusesAFileThatIsNotAChunk) {
  TempDir dir;
  std::ofstream(dir.file("bad")) << std::string(5000, 'x');
  EXPECT_EQ(MergeChunks({dir.file("bad")}, 0, true, dir.file("out")).status().kind(),
            base::ErrorKind::kCorrupt);
  EXPECT_EQ(MergeChunks({dir.file("gone")}, 0, true, dir.file("out")).status().kind(),
            base::ErrorKind::kCorrupt);
  auto store = OpenStore(dir.file("db"));
  EXPECT_EQ(store->Ingest(dir.file("bad")).kind(), base::ErrorKind::kCorrupt);
  EXPECT_EQ(WriteChunk({{"short", "", false}}, dir.file("1")).status().kind(),
            base::ErrorKind::kCorrupt);
}

// Chunks merged two at a time, then read back by ingestion, equal the model they were made from.
TEST(ChunkTest, MergesEqualTheModel) {
  TempDir dir;
  std::mt19937 random(7);
  std::map<std::string, std::string> model;
  std::vector<std::string> files;
  constexpr int64_t kExpired = 3;
  for (int round = 0; round < 8; ++round) {
    std::vector<FrozenEntry> entries;
    for (int i = 0; i < 300; ++i) {
      std::string key = Key(2, static_cast<int>(random() % 4), static_cast<int64_t>(random() % 6),
                            std::to_string(random() % 50));
      bool deleted = random() % 4 == 0;
      std::string value = std::to_string(random());
      entries.push_back({key, deleted ? "" : value, deleted});
      if (deleted) {
        model.erase(key);
      } else {
        model[key] = value;
      }
    }
    files.push_back(dir.file(std::to_string(round)));
    ASSERT_TRUE(WriteChunk(std::move(entries), files.back()).ok());
  }
  std::erase_if(model, [](const auto& entry) {
    StateKey key;
    return !DecodeStateKey(entry.first, &key) || key.ns < kExpired;
  });
  std::vector<std::string> old(files.begin(), files.begin() + 5);
  std::vector<std::string> young(files.begin() + 5, files.end());
  ASSERT_TRUE(MergeChunks(old, kExpired, true, dir.file("old")).ok());
  ASSERT_TRUE(MergeChunks(young, kExpired, false, dir.file("young")).ok());
  auto store = OpenStore(dir.file("db"));
  ASSERT_TRUE(store->Ingest(dir.file("old")).ok());
  ASSERT_TRUE(store->Ingest(dir.file("young")).ok());
  EXPECT_EQ(All(*store), model);
  auto whole = MergeChunks({dir.file("old"), dir.file("young")}, kExpired, true, dir.file("all"));
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->entries, model.size());
}

}  // namespace
}  // namespace sj::worker::state
