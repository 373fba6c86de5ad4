// SPDX-License-Identifier: Apache-2.0
// KeyedTable against a model: what memory, store and frozen runs hold together must always be what
// a std::map holds. Entries are one int64.
#include "worker/state/keyed_table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

#include "api/base/hash.h"
#include "worker/state/testing/faulty_state_store.h"
#include "worker/state/testing/temp_dir.h"

namespace sj::worker::state {
namespace {

using testing::FaultyStateStore;
using testing::TempDir;

constexpr uint16_t kOp = 3;

class IntCodec final : public EntryCodec {
 public:
  size_t entry_bytes() const override { return sizeof(int64_t); }
  void Encode(const std::byte* entry, std::string* out) const override {
    out->assign(reinterpret_cast<const char*>(entry), sizeof(int64_t));
  }
  bool Decode(std::string_view value, std::byte* entry) const override {
    if (value.size() != sizeof(int64_t)) {
      return false;
    }
    std::memcpy(entry, value.data(), value.size());
    ++made;
    return true;
  }
  void Destroy(std::byte*) const override { ++destroyed; }
  mutable int made = 0;
  mutable int destroyed = 0;
};

struct Bench {
  explicit Bench(size_t memory_max = 64u << 20) {
    StateStoreOptions store_options;
    store_options.directory = dir.file("db");
    below = StateStore::Open(store_options).value();
    store = std::make_unique<FaultyStateStore>(below.get());
    options.op = kOp;
    options.key_groups = {16, 32};
    options.memory_bytes_max = memory_max;
    Reopen();
  }
  void Reopen() {
    table.reset();
    table = KeyedTable::Make(options, store.get(), &codec).value();
  }
  base::Status Add(int64_t ns, const std::string& key, int64_t by) {
    base::Result<std::byte*> entry = Find(ns, key);
    SJ_RETURN_IF_ERROR(entry.status());
    int64_t value = 0;
    std::memcpy(&value, *entry, sizeof(value));
    value += by;
    std::memcpy(*entry, &value, sizeof(value));
    return base::OkStatus();
  }
  base::Result<std::byte*> Find(int64_t ns, const std::string& key) {
    uint64_t hash = base::Hash64(key);
    return table->Upsert(ns, 16 + static_cast<int>(hash >> 60), key, hash);
  }
  base::Result<std::map<std::string, int64_t>> Drained(int64_t ns) {
    std::map<std::string, int64_t> out;
    SJ_RETURN_IF_ERROR(table->Drain(ns, [&](std::string_view key, const std::byte* entry) {
      int64_t value = 0;
      std::memcpy(&value, entry, sizeof(value));
      EXPECT_TRUE(out.emplace(key, value).second) << "twice: " << key;
      return base::OkStatus();
    }));
    return out;
  }

  TempDir dir;
  IntCodec codec;
  std::unique_ptr<StateStore> below;
  std::unique_ptr<FaultyStateStore> store;
  KeyedTableOptions options;
  std::unique_ptr<KeyedTable> table;
};

// What a checkpoint holds after the runs were applied in order.
using Snapshot = std::map<std::string, std::string>;
void Apply(const FrozenRun& run, Snapshot* snapshot) {
  for (const FrozenEntry& entry : run.entries) {
    if (entry.deleted) {
      snapshot->erase(entry.key);
    } else {
      (*snapshot)[entry.key] = entry.value;
    }
  }
  std::erase_if(*snapshot, [&](const auto& entry) {
    StateKey key;
    return !DecodeStateKey(entry.first, &key) || key.ns < run.expired_below;
  });
}

TEST(KeyedTableTest, UpsertMakesZeroedAndFindsAgain) {
  Bench bench;
  ASSERT_TRUE(bench.Add(10, "a", 1).ok());
  ASSERT_TRUE(bench.Add(10, "a", 2).ok());
  ASSERT_TRUE(bench.Add(10, "a key that is longer than sixteen bytes", 5).ok());
  ASSERT_TRUE(bench.Add(10, "", 7).ok());
  ASSERT_TRUE(bench.Add(5, "a", 9).ok());
  int64_t first = 0;
  ASSERT_TRUE(bench.table->FirstNamespace(&first));
  EXPECT_EQ(first, 5);
  EXPECT_EQ(bench.table->entries(), 4u);
  EXPECT_EQ(bench.Drained(10).value(),
            (std::map<std::string, int64_t>{
                {"", 7}, {"a", 3}, {"a key that is longer than sixteen bytes", 5}}));
  EXPECT_TRUE(bench.Drained(10)->empty());
  EXPECT_EQ(bench.table->entries(), 1u);
  EXPECT_EQ(bench.store->calls(), bench.options.key_groups.size());  // only the scan of Make
}

TEST(KeyedTableTest, EqualHashesKeepKeysApart) {
  Bench bench;
  for (int i = 0; i < 1000; ++i) {
    std::byte* entry = bench.table->Upsert(1, 16, std::to_string(i), 42).value();
    int64_t value = i;
    std::memcpy(entry, &value, sizeof(value));
  }
  std::map<std::string, int64_t> drained = bench.Drained(1).value();
  ASSERT_EQ(drained.size(), 1000u);
  for (const auto& [key, value] : drained) {
    EXPECT_EQ(key, std::to_string(value));
  }
}

TEST(KeyedTableTest, FreezeTakesOnlyWhatChanged) {
  Bench bench;
  ASSERT_TRUE(bench.Add(10, "a", 1).ok());
  ASSERT_TRUE(bench.Add(10, "b", 1).ok());
  FrozenRun run = bench.table->Freeze(0);
  EXPECT_EQ(run.op, kOp);
  EXPECT_EQ(run.entries.size(), 2u);
  EXPECT_TRUE(bench.table->Freeze(0).entries.empty());
  ASSERT_TRUE(bench.Add(10, "b", 1).ok());
  run = bench.table->Freeze(0);
  ASSERT_EQ(run.entries.size(), 1u);
  StateKey key;
  ASSERT_TRUE(DecodeStateKey(run.entries[0].key, &key));
  EXPECT_EQ(key.key, "b");
}

TEST(KeyedTableTest, BornAndDeadInOneEpochIsNeverWritten) {
  Bench bench;
  ASSERT_TRUE(bench.Add(10, "a", 1).ok());
  ASSERT_TRUE(bench.Drained(10).ok());
  EXPECT_TRUE(bench.table->Freeze(INT64_MIN).entries.empty());
}

TEST(KeyedTableTest, ExpiredNamespacesNeedNoTombstones) {
  Bench bench;
  ASSERT_TRUE(bench.Add(10, "a", 1).ok());
  ASSERT_TRUE(bench.Add(11, "a", 1).ok());
  bench.table->Freeze(INT64_MIN);
  ASSERT_TRUE(bench.Drained(10).ok());
  ASSERT_TRUE(bench.Drained(11).ok());
  FrozenRun run = bench.table->Freeze(11);
  ASSERT_EQ(run.entries.size(), 1u);
  EXPECT_TRUE(run.entries[0].deleted);
  StateKey key;
  ASSERT_TRUE(DecodeStateKey(run.entries[0].key, &key));
  EXPECT_EQ(key.ns, 11);
  EXPECT_EQ(run.expired_below, 11);
}

TEST(KeyedTableTest, FreezeDropsWhatHasExpired) {
  Bench bench;
  ASSERT_TRUE(bench.Add(10, "a", 1).ok());
  ASSERT_TRUE(bench.Add(20, "a", 1).ok());
  EXPECT_EQ(bench.table->Freeze(11).entries.size(), 1u);
  int64_t first = 0;
  ASSERT_TRUE(bench.table->FirstNamespace(&first));
  EXPECT_EQ(first, 20);
}

TEST(KeyedTableTest, EvictsToTheStoreAndReadsBack) {
  Bench bench(256u << 10);
  for (int i = 0; i < 20000; ++i) {
    ASSERT_TRUE(bench.Add(i % 4, "key " + std::to_string(i), i).ok());
    if (i % 1000 == 999) {
      bench.table->Freeze(INT64_MIN);
    }
    EXPECT_LT(bench.table->memory_bytes(), 1u << 20);
  }
  EXPECT_LT(bench.table->entries(), 10000u);
  ASSERT_TRUE(bench.Add(0, "key 0", 5).ok());
  ASSERT_TRUE(bench.Add(0, "key 4", 5).ok());
  std::map<std::string, int64_t> drained = bench.Drained(0).value();
  EXPECT_EQ(drained.size(), 5000u);
  EXPECT_EQ(drained["key 0"], 5);
  EXPECT_EQ(drained["key 4"], 9);
  EXPECT_EQ(drained["key 19996"], 19996);
}

TEST(KeyedTableTest, FindsRestoredNamespaces) {
  Bench bench;
  for (int64_t ns : {INT64_MIN, int64_t{-7}, int64_t{0}, INT64_MAX}) {
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(bench.Add(ns, std::to_string(i), i).ok());
    }
  }
  FrozenRun run = bench.table->Freeze(INT64_MIN);
  ASSERT_TRUE(bench.below->Write(run.entries).ok());
  bench.Reopen();
  EXPECT_EQ(bench.table->entries(), 0u);
  ASSERT_TRUE(bench.Add(-7, "1", 100).ok());
  for (int64_t ns : {INT64_MIN, int64_t{-7}, int64_t{0}, INT64_MAX}) {
    int64_t first = 1;
    ASSERT_TRUE(bench.table->FirstNamespace(&first));
    EXPECT_EQ(first, ns);
    std::map<std::string, int64_t> drained = bench.Drained(ns).value();
    EXPECT_EQ(drained.size(), 50u);
    EXPECT_EQ(drained["1"], ns == -7 ? 101 : 1);
  }
  int64_t none = 0;
  EXPECT_FALSE(bench.table->FirstNamespace(&none));
  bench.Reopen();
  EXPECT_FALSE(bench.table->FirstNamespace(&none)) << "drained namespaces stayed stored";
}

TEST(KeyedTableTest, RefusesAnUnreadableStoredValue) {
  Bench bench;
  ASSERT_TRUE(bench.below->Write({{EncodeStateKey({kOp, 16, 1, "a"}), "bad", false}}).ok());
  bench.Reopen();
  EXPECT_EQ(bench.table->Upsert(1, 16, "a", base::Hash64("a")).status().kind(),
            base::ErrorKind::kCorrupt);
}

TEST(KeyedTableTest, StopsDrainAtTheVisitorsError) {
  Bench bench;
  ASSERT_TRUE(bench.Add(10, "a", 1).ok());
  base::Status drained = bench.table->Drain(
      10, [](std::string_view, const std::byte*) { return base::Cancelled("stop"); });
  EXPECT_EQ(drained.kind(), base::ErrorKind::kCancelled);
}

// One random history: upserts, drains, freezes; the table has little memory, so it evicts. `fail`:
// the store call that fails, 0 for none. Gives the number of store calls, or -1 when it failed.
int RunHistory(unsigned seed, int fail, int steps) {
  Bench bench(24u << 10);
  bench.store->FailCall(fail);
  std::mt19937 random(seed);
  std::map<int64_t, std::map<std::string, int64_t>> model;
  Snapshot snapshot;
  int64_t watermark = 0;
  for (int step = 0; step < steps; ++step) {
    unsigned dice = random() % 1000;
    if (dice < 980) {
      int64_t ns = watermark + static_cast<int64_t>(random() % 5);
      std::string key(random() % 3 * 9, 'k');
      key += std::to_string(random() % 200);
      if (!bench.Add(ns, key, step).ok()) {
        return -1;
      }
      model[ns][key] += step;
    } else if (dice < 990) {
      // Not always the oldest, so that tombstones are needed too.
      int64_t ns = watermark + static_cast<int64_t>(random() % 3);
      auto drained = bench.Drained(ns);
      if (!drained.ok()) {
        return -1;
      }
      EXPECT_EQ(*drained, model[ns]) << "seed " << seed << " step " << step;
      model.erase(ns);
    } else {
      watermark += static_cast<int64_t>(random() % 2);
      model.erase(model.begin(), model.lower_bound(watermark));
      Apply(bench.table->Freeze(watermark), &snapshot);
      Snapshot expected;
      for (const auto& [ns, entries] : model) {
        for (const auto& [key, value] : entries) {
          uint16_t group = static_cast<uint16_t>(16 + (base::Hash64(key) >> 60));
          expected[EncodeStateKey({kOp, group, ns, key})] =
              std::string(reinterpret_cast<const char*>(&value), sizeof(value));
        }
      }
      EXPECT_EQ(snapshot, expected) << "seed " << seed << " step " << step;
    }
  }
  return bench.store->calls();
}

TEST(KeyedTableTest, RandomHistoriesEqualTheModel) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    EXPECT_GT(RunHistory(seed, 0, 5000), 100) << seed;
  }
}

TEST(KeyedTableTest, EveryStoreFailureIsReported) {
  int calls = RunHistory(5, 0, 700);
  ASSERT_GT(calls, 40);
  for (int n = 1; n <= calls; ++n) {
    EXPECT_EQ(RunHistory(5, n, 700), -1) << "call " << n << " of " << calls;
  }
}

}  // namespace
}  // namespace sj::worker::state
