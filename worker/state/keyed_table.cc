// SPDX-License-Identifier: Apache-2.0
// WriteBackTable: KeyedTable as one NamespaceTable per namespace. Invariant: an entry in memory is
// newer than or equal to the store's; a namespace not marked `spilled` has nothing in the store.
// Store calls happen on a miss in a spilled namespace, in Drain of one, and in eviction, which a
// miss triggers; Freeze makes none, so it cannot fail. Owned by one task thread.
#include "worker/state/keyed_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "api/base/check.h"
#include "api/base/hash.h"
#include "worker/state/drained_keys.h"
#include "worker/state/namespace_table.h"

namespace sj::worker::state {
namespace {

constexpr size_t kStoreBatchMax = 1024;  // entries in one write to the store

struct Namespace {
  explicit Namespace(int64_t n, size_t entry_bytes) : ns(n), table(entry_bytes) {}
  int64_t ns;
  NamespaceTable table;
  std::vector<uint32_t> dirty;  // entry numbers
  uint64_t last_used = 0;
  size_t accounted = 0;    // bytes counted in memory_bytes_
  bool persisted = false;  // a former Freeze or a restore has entries of it
  bool spilled = false;    // the store has entries of it
};

class WriteBackTable final : public KeyedTable {
 public:
  WriteBackTable(const KeyedTableOptions& options, StateStore* store, const EntryCodec* codec)
      : options_(options), store_(store), codec_(codec), entry_bytes_(codec->entry_bytes()) {}
  ~WriteBackTable() override;

  base::Status FindStoredNamespaces();

  base::Result<std::byte*> Upsert(int64_t ns, int key_group, std::string_view key,
                                  uint64_t hash) override;
  base::Status Drain(
      int64_t ns,
      const std::function<base::Status(std::string_view, const std::byte*)>& visit) override;
  bool FirstNamespace(int64_t* ns) const override;
  FrozenRun Freeze(int64_t expired_below) override;
  size_t memory_bytes() const override { return memory_bytes_; }
  uint64_t entries() const override { return entries_; }

 private:
  using Namespaces = std::map<int64_t, std::unique_ptr<Namespace>>;
  using Visitor = std::function<base::Status(std::string_view, const std::byte*)>;

  Namespace* Lookup(int64_t ns);
  Namespace* Make(int64_t ns);
  void Account(Namespace* space);
  Namespaces::iterator Forget(Namespaces::iterator it);
  void DestroyEntries(NamespaceTable* table);
  base::Result<std::byte*> Miss(int64_t ns, int key_group, std::string_view key, uint64_t hash);
  std::byte* MarkUsed(Namespace* space, uint32_t entry);
  void FreezeNamespace(Namespace* space, FrozenRun* run);

  base::Status VisitStored(Namespace* space, const Visitor& visit);
  base::Status ForgetStored(int64_t ns, DrainedKeys* keys);
  base::Status ForgetExpired();

  base::Status Evict();
  base::Status EvictFrom(Namespace* space, bool hot_too);
  base::Status WriteOut(Namespace* space, bool hot_too, uint32_t* evicted);

  FrozenEntry Encoded(int64_t ns, const EntryHead* head) const;

  const KeyedTableOptions options_;
  StateStore* const store_;
  const EntryCodec* const codec_;
  const size_t entry_bytes_;

  Namespaces namespaces_;
  // Direct-mapped: the few namespaces that are in use at a time skip the map.
  struct CacheLine {
    int64_t ns = 0;
    Namespace* space = nullptr;
  };
  std::array<CacheLine, 64> cache_;
  std::vector<int64_t> dirty_namespaces_;
  std::vector<DrainedKeys> drained_;
  size_t drained_bytes_ = 0;
  std::vector<int64_t> expired_stored_;  // dead, but still in the store
  int64_t expired_below_ = INT64_MIN;
  uint64_t uses_ = 0;
  uint64_t entries_ = 0;
  size_t memory_bytes_ = 0;
  size_t evict_above_ = 0;  // memory_bytes_ at which a miss tries to evict
};

size_t CacheIndex(int64_t ns) {
  return (static_cast<uint64_t>(ns) * 0x9E3779B97F4A7C15u) >> 58;
}

WriteBackTable::~WriteBackTable() {
  for (auto& [ns, space] : namespaces_) {
    DestroyEntries(&space->table);
  }
}

// One seek for each (key group, namespace) that has entries.
base::Status WriteBackTable::FindStoredNamespaces() {
  evict_above_ = options_.memory_bytes_max;
  for (int group = options_.key_groups.begin; group < options_.key_groups.end; ++group) {
    uint16_t kg = static_cast<uint16_t>(group);
    std::string from = EncodeStateKey({options_.op, kg, INT64_MIN, {}});
    const std::string end = KeyGroupEnd(options_.op, kg);
    bool found = true;
    while (found) {
      found = false;
      StateKey key;
      bool readable = true;
      SJ_RETURN_IF_ERROR(store_->Scan(from, end, [&](std::string_view bytes, std::string_view) {
        found = true;
        readable = DecodeStateKey(bytes, &key);
        return false;
      }));
      if (!readable) {
        return base::Corrupt("find state: a key is shorter than its fixed part");
      }
      if (found) {
        Namespace* space = Lookup(key.ns);
        space = space != nullptr ? space : Make(key.ns);
        space->spilled = true;
        space->persisted = true;
        from = NamespaceEnd(options_.op, kg, key.ns);
      }
    }
  }
  return base::OkStatus();
}

Namespace* WriteBackTable::Lookup(int64_t ns) {
  CacheLine& line = cache_[CacheIndex(ns)];
  if (line.space != nullptr && line.ns == ns) {
    return line.space;
  }
  auto it = namespaces_.find(ns);
  if (it == namespaces_.end()) {
    return nullptr;
  }
  line = {ns, it->second.get()};
  return line.space;
}

Namespace* WriteBackTable::Make(int64_t ns) {
  auto& slot = namespaces_[ns];
  slot = std::make_unique<Namespace>(ns, entry_bytes_);
  Account(slot.get());
  return slot.get();
}

void WriteBackTable::Account(Namespace* space) {
  size_t now = sizeof(Namespace) + 64 + space->table.memory_bytes() +
               space->dirty.capacity() * sizeof(uint32_t);
  memory_bytes_ += now - space->accounted;
  space->accounted = now;
}

WriteBackTable::Namespaces::iterator WriteBackTable::Forget(Namespaces::iterator it) {
  Namespace* space = it->second.get();
  CacheLine& line = cache_[CacheIndex(space->ns)];
  if (line.space == space) {
    line = {};
  }
  DestroyEntries(&space->table);
  memory_bytes_ -= space->accounted;
  entries_ -= space->table.size();
  return namespaces_.erase(it);
}

void WriteBackTable::DestroyEntries(NamespaceTable* table) {
  for (uint32_t i = 0; i < table->size(); ++i) {
    codec_->Destroy(table->at(i)->payload());
  }
}

base::Result<std::byte*> WriteBackTable::Upsert(int64_t ns, int key_group, std::string_view key,
                                                uint64_t hash) {
  Namespace* space = Lookup(ns);
  if (space != nullptr) [[likely]] {
    uint32_t entry = space->table.Find(key, hash);
    if (entry != NamespaceTable::kNone) [[likely]] {
      return MarkUsed(space, entry);
    }
  }
  return Miss(ns, key_group, key, hash);
}

std::byte* WriteBackTable::MarkUsed(Namespace* space, uint32_t entry) {
  EntryHead* head = space->table.at(entry);
  space->last_used = ++uses_;
  head->hot = 1;
  if (head->dirty == 0) {
    head->dirty = 1;
    if (space->dirty.empty()) {
      dirty_namespaces_.push_back(space->ns);
    }
    space->dirty.push_back(entry);
  }
  return head->payload();
}

base::Result<std::byte*> WriteBackTable::Miss(int64_t ns, int key_group, std::string_view key,
                                              uint64_t hash) {
  SJ_CHECK(options_.key_groups.Contains(key_group));
  if (!expired_stored_.empty()) {
    SJ_RETURN_IF_ERROR(ForgetExpired());
  }
  if (memory_bytes_ > evict_above_) {
    SJ_RETURN_IF_ERROR(Evict());
  }
  Namespace* space = Lookup(ns);
  std::string stored;
  bool found = false;
  if (space != nullptr && space->spilled) {
    base::Result<std::string> got =
        store_->Get(EncodeStateKey({options_.op, static_cast<uint16_t>(key_group), ns, key}));
    found = got.ok();
    if (!found && got.status().kind() != base::ErrorKind::kNotFound) {
      return std::move(got).status();
    }
    if (found) {
      stored = std::move(got).value();
    }
  }
  space = space != nullptr ? space : Make(ns);
  uint32_t entry = space->table.Insert(key, hash, key_group);
  ++entries_;
  std::byte* payload = MarkUsed(space, entry);
  Account(space);
  if (found && !codec_->Decode(stored, payload)) {
    return base::Corrupt(fmt::format("read state of operator {}: unreadable value", options_.op));
  }
  return payload;
}

bool WriteBackTable::FirstNamespace(int64_t* ns) const {
  if (namespaces_.empty()) {
    return false;
  }
  *ns = namespaces_.begin()->first;
  return true;
}

base::Status WriteBackTable::Drain(int64_t ns, const Visitor& visit) {
  auto it = namespaces_.find(ns);
  if (it == namespaces_.end()) {
    return base::OkStatus();
  }
  Namespace* space = it->second.get();
  DrainedKeys keys{ns, {}};
  for (uint32_t i = 0; i < space->table.size(); ++i) {
    const EntryHead* head = space->table.at(i);
    SJ_RETURN_IF_ERROR(visit(head->key(), head->payload()));
    if (space->persisted) {
      keys.Add(head->key_group, head->key());
    }
  }
  if (space->spilled) {
    SJ_RETURN_IF_ERROR(VisitStored(space, visit));
    SJ_RETURN_IF_ERROR(ForgetStored(ns, &keys));
  }
  Forget(it);
  if (!keys.packed.empty()) {
    drained_bytes_ += keys.packed.capacity();
    memory_bytes_ += keys.packed.capacity();
    drained_.push_back(std::move(keys));
  }
  return base::OkStatus();
}

// Visits what the store has of the namespace and memory has not.
base::Status WriteBackTable::VisitStored(Namespace* space, const Visitor& visit) {
  NamespaceTable scratch(entry_bytes_);
  std::byte* payload = scratch.at(scratch.Insert("", 0, 0))->payload();
  base::Status failed;
  auto on_entry = [&](std::string_view bytes, std::string_view value) {
    StateKey key;
    if (!DecodeStateKey(bytes, &key)) {
      failed = base::Corrupt("drain state: a key is shorter than its fixed part");
      return false;
    }
    if (space->table.Find(key.key, base::Hash64(key.key)) != NamespaceTable::kNone) {
      return true;
    }
    std::memset(payload, 0, scratch.payload_bytes());
    if (codec_->Decode(value, payload)) {
      failed = visit(key.key, payload);
    } else {
      failed =
          base::Corrupt(fmt::format("drain state of operator {}: unreadable value", options_.op));
    }
    codec_->Destroy(payload);
    return failed.ok();
  };
  for (int group = options_.key_groups.begin; group < options_.key_groups.end; ++group) {
    uint16_t kg = static_cast<uint16_t>(group);
    SJ_RETURN_IF_ERROR(store_->Scan(EncodeStateKey({options_.op, kg, space->ns, {}}),
                                    NamespaceEnd(options_.op, kg, space->ns), on_entry));
    SJ_RETURN_IF_ERROR(failed);
  }
  return base::OkStatus();
}

// Deletes the namespace from the store, a bounded batch of tombstones at a time; `keys`, when
// given, collects what was there.
base::Status WriteBackTable::ForgetStored(int64_t ns, DrainedKeys* keys) {
  std::vector<FrozenEntry> batch;
  for (int group = options_.key_groups.begin; group < options_.key_groups.end; ++group) {
    uint16_t kg = static_cast<uint16_t>(group);
    std::string from = EncodeStateKey({options_.op, kg, ns, {}});
    const std::string end = NamespaceEnd(options_.op, kg, ns);
    do {
      batch.clear();
      SJ_RETURN_IF_ERROR(store_->Scan(from, end, [&](std::string_view key, std::string_view) {
        batch.push_back({std::string(key), {}, true});
        return batch.size() < kStoreBatchMax;
      }));
      for (const FrozenEntry& entry : batch) {
        StateKey key;
        if (keys != nullptr && DecodeStateKey(entry.key, &key)) {
          keys->Add(kg, key.key);
        }
      }
      if (!batch.empty()) {
        SJ_RETURN_IF_ERROR(store_->Write(batch));
        from = batch.back().key;
      }
    } while (batch.size() == kStoreBatchMax);
  }
  return base::OkStatus();
}

base::Status WriteBackTable::ForgetExpired() {
  while (!expired_stored_.empty()) {
    SJ_RETURN_IF_ERROR(ForgetStored(expired_stored_.back(), nullptr));
    expired_stored_.pop_back();
  }
  return base::OkStatus();
}

FrozenEntry WriteBackTable::Encoded(int64_t ns, const EntryHead* head) const {
  FrozenEntry entry;
  entry.key = EncodeStateKey({options_.op, head->key_group, ns, head->key()});
  codec_->Encode(head->payload(), &entry.value);
  return entry;
}

FrozenRun WriteBackTable::Freeze(int64_t expired_below) {
  expired_below_ = std::max(expired_below_, expired_below);
  FrozenRun run;
  run.op = options_.op;
  run.key_groups = options_.key_groups;
  run.expired_below = expired_below_;
  for (const DrainedKeys& keys : drained_) {
    if (keys.ns < expired_below_) {
      continue;
    }
    keys.ForEach([&](uint16_t key_group, std::string_view key) {
      run.entries.push_back({EncodeStateKey({options_.op, key_group, keys.ns, key}), {}, true});
    });
  }
  drained_.clear();
  memory_bytes_ -= std::exchange(drained_bytes_, 0);
  while (!namespaces_.empty() && namespaces_.begin()->first < expired_below_) {
    if (namespaces_.begin()->second->spilled) {
      expired_stored_.push_back(namespaces_.begin()->first);
    }
    Forget(namespaces_.begin());
  }
  for (int64_t ns : dirty_namespaces_) {
    Namespace* space = Lookup(ns);
    if (space != nullptr && !space->dirty.empty()) {
      FreezeNamespace(space, &run);
    }
  }
  dirty_namespaces_.clear();
  evict_above_ = options_.memory_bytes_max;
  return run;
}

void WriteBackTable::FreezeNamespace(Namespace* space, FrozenRun* run) {
  for (uint32_t number : space->dirty) {
    EntryHead* head = space->table.at(number);
    head->dirty = 0;
    run->entries.push_back(Encoded(space->ns, head));
  }
  space->dirty.clear();
  space->persisted = true;
}

// Coldest namespaces first: entries not used since eviction last looked, then any clean entry,
// until a quarter of the memory is free. What cannot be evicted is dirty; it is tried again when
// the table has grown by an eighth.
base::Status WriteBackTable::Evict() {
  std::vector<Namespace*> coldest;
  for (auto& [ns, space] : namespaces_) {
    if (space->table.size() > space->dirty.size()) {
      coldest.push_back(space.get());
    }
  }
  std::sort(coldest.begin(), coldest.end(),
            [](const Namespace* a, const Namespace* b) { return a->last_used < b->last_used; });
  const size_t target = options_.memory_bytes_max / 4 * 3;
  for (bool hot_too : {false, true}) {
    for (Namespace* space : coldest) {
      if (memory_bytes_ <= target) {
        break;
      }
      SJ_RETURN_IF_ERROR(EvictFrom(space, hot_too));
    }
  }
  evict_above_ = std::max(options_.memory_bytes_max, memory_bytes_ + options_.memory_bytes_max / 8);
  return base::OkStatus();
}

bool Evictable(const EntryHead* head, bool hot_too) {
  return head->dirty == 0 && (hot_too || head->hot == 0);
}

base::Status WriteBackTable::EvictFrom(Namespace* space, bool hot_too) {
  uint32_t evicted = 0;
  SJ_RETURN_IF_ERROR(WriteOut(space, hot_too, &evicted));
  NamespaceTable& old = space->table;
  NamespaceTable kept(entry_bytes_);
  std::vector<uint32_t> dirty;
  for (uint32_t i = 0; i < old.size(); ++i) {
    EntryHead* head = old.at(i);
    if (Evictable(head, hot_too)) {
      codec_->Destroy(head->payload());
      continue;
    }
    head->hot = 0;
    if (evicted == 0) {
      continue;
    }
    uint32_t entry = kept.Insert(head->key(), head->hash, head->key_group);
    EntryHead* moved = kept.at(entry);
    std::memcpy(moved->payload(), head->payload(), kept.payload_bytes());
    moved->dirty = head->dirty;
    if (moved->dirty != 0) {
      dirty.push_back(entry);
    }
  }
  if (evicted > 0) {
    old = std::move(kept);
    space->dirty = std::move(dirty);
    entries_ -= evicted;
    Account(space);
  }
  return base::OkStatus();
}

base::Status WriteBackTable::WriteOut(Namespace* space, bool hot_too, uint32_t* evicted) {
  std::vector<FrozenEntry> batch;
  for (uint32_t i = 0; i < space->table.size(); ++i) {
    const EntryHead* head = space->table.at(i);
    if (Evictable(head, hot_too)) {
      batch.push_back(Encoded(space->ns, head));
      ++*evicted;
    }
    bool last = i + 1 == space->table.size();
    if (batch.size() == kStoreBatchMax || (last && !batch.empty())) {
      space->spilled = true;
      SJ_RETURN_IF_ERROR(store_->Write(batch));
      batch.clear();
    }
  }
  return base::OkStatus();
}

}  // namespace

base::Result<std::unique_ptr<KeyedTable>> KeyedTable::Make(const KeyedTableOptions& options,
                                                           StateStore* store,
                                                           const EntryCodec* codec) {
  if (options.key_groups.begin < 0 || options.key_groups.end > options.max_parallelism ||
      options.max_parallelism > 1 << 15) {
    return base::InvalidArgument(fmt::format("make a state table: key groups [{}, {}) of {}",
                                             options.key_groups.begin, options.key_groups.end,
                                             options.max_parallelism));
  }
  auto table = std::make_unique<WriteBackTable>(options, store, codec);
  SJ_RETURN_IF_ERROR(table->FindStoredNamespaces());
  return std::unique_ptr<KeyedTable>(std::move(table));
}

}  // namespace sj::worker::state
