// SPDX-License-Identifier: Apache-2.0
// The verbs over FakeStore, the faults and the watches. One lock for everything.
#include "operator/kube/testing/fake_kube.h"

#include <condition_variable>
#include <map>
#include <mutex>

#include "operator/kube/testing/fake_store.h"

namespace sj::op::kube::testing {
namespace {

// How often a blocked watch looks whether it was cancelled; cancels have no wake-up of their own.
constexpr std::chrono::milliseconds kCancelPoll{5};

struct Failure {
  FailWhen when;
  Status status;
};

bool InScope(const std::string& ns, const std::string& selector, const Json& object) {
  return (ns.empty() || NamespaceOf(object) == ns) && MatchesLabels(object, selector);
}

// The event a watch with this scope sees for a change; nothing when it concerns it not.
std::optional<WatchEvent> EventFor(const HistoryEntry& entry, const WatchOptions& options) {
  const bool now = entry.type != WatchEvent::Type::kDeleted &&
                   InScope(options.ns, options.label_selector, entry.object);
  const bool before =
      !entry.before.is_null() && InScope(options.ns, options.label_selector, entry.before);
  if (!now && !before) {
    return std::nullopt;
  }
  WatchEvent event;
  event.object = entry.object;
  event.type = !now      ? WatchEvent::Type::kDeleted
               : !before ? WatchEvent::Type::kAdded
                         : WatchEvent::Type::kModified;
  return event;
}

WatchEvent Bookmark(uint64_t version, bool initial_end) {
  WatchEvent event;
  event.type = WatchEvent::Type::kBookmark;
  event.object = {{"metadata", {{"resourceVersion", std::to_string(version)}}}};
  event.initial_end = initial_end;
  return event;
}

}  // namespace

struct FakeKube::State {
  explicit State(const base::Clock& clock) : store(clock) {}
  State(const base::Clock& clock, const FakeStore& from) : store(clock, from) {}

  mutable std::mutex mu;
  std::condition_variable wake;
  FakeStore store;
  std::optional<ObjectTable> frozen;
  std::map<int, Failure> failures;  // by call number
  std::map<Resource, int> dropped_events;
  std::map<std::pair<std::string, std::string>, TokenIdentity> tokens;
  int watch_failures = 0;
  Status watch_failure;
  int calls = 0;
  int writes = 0;
  int cuts = 0;
  bool streaming = true;
  bool blocks = true;

  // The failure of this call, if one was ordered.
  std::optional<Failure> NextCall() {
    auto it = failures.find(++calls);
    if (it == failures.end()) {
      return std::nullopt;
    }
    Failure failure = it->second;
    failures.erase(it);
    return failure;
  }

  // Runs one write with the ordered failure before or after it.
  template <typename T, typename Effect>
  T Write(const Effect& effect) {
    std::lock_guard lock(mu);
    const auto failure = NextCall();
    if (failure && failure->when == FailWhen::kBefore) {
      return failure->status;
    }
    const uint64_t before = store.version();
    T result = effect(store);
    if (store.version() != before) {
      ++writes;
      wake.notify_all();
    }
    return failure ? T(failure->status) : std::move(result);
  }

  // What happened after `from`, in the scope of the watch; ends with the version reached.
  std::vector<WatchEvent> EventsSince(const Resource& resource, const WatchOptions& options,
                                      uint64_t& from) {
    std::vector<WatchEvent> events;
    for (const HistoryEntry& entry : store.history()) {
      if (entry.version <= from || entry.resource != resource) {
        continue;
      }
      auto event = EventFor(entry, options);
      int& dropped = dropped_events[resource];
      if (event && dropped > 0) {
        --dropped;
      } else if (event) {
        events.push_back(std::move(*event));
      }
    }
    from = std::max(from, store.version());
    return events;
  }

  std::vector<WatchEvent> InitialEvents(const Resource& resource, const WatchOptions& options) {
    std::vector<WatchEvent> events;
    auto table = store.objects().find(resource);
    if (table != store.objects().end()) {
      for (const auto& [key, object] : table->second) {
        if (InScope(options.ns, options.label_selector, object)) {
          events.push_back({WatchEvent::Type::kAdded, object, false});
        }
      }
    }
    return events;
  }
};

FakeKube::FakeKube(const base::Clock& clock) : state_(std::make_unique<State>(clock)) {
}

FakeKube::FakeKube(const base::Clock& clock, const FakeKube& from)
    : state_(std::make_unique<State>(clock, from.state_->store)) {
}

FakeKube::~FakeKube() = default;

Result<Json> FakeKube::Get(const Resource& resource, const ObjectKey& key, Read read) {
  std::lock_guard lock(state_->mu);
  if (auto failure = state_->NextCall()) {
    return failure->status;
  }
  const ObjectTable& objects =
      read == Read::kCached && state_->frozen ? *state_->frozen : state_->store.objects();
  auto table = objects.find(resource);
  if (table == objects.end() || !table->second.contains(key)) {
    return base::NotFound(std::string(resource.plural) + " \"" + key.name + "\" not found");
  }
  return table->second.at(key);
}

Result<ListResult> FakeKube::List(const Resource& resource, const ListOptions& options) {
  ListResult result;
  std::vector<Json> items;
  {
    std::lock_guard lock(state_->mu);
    if (auto failure = state_->NextCall()) {
      return failure->status;
    }
    const ObjectTable& objects =
        options.read == Read::kCached && state_->frozen ? *state_->frozen : state_->store.objects();
    auto table = objects.find(resource);
    if (table != objects.end()) {
      for (const auto& [key, object] : table->second) {
        if (InScope(options.ns, options.label_selector, object)) {
          items.push_back(object);
        }
      }
    }
    result.resource_version = std::to_string(state_->store.version());
  }
  if (!options.on_item) {
    result.items = std::move(items);
    return result;
  }
  for (Json& item : items) {
    options.on_item(std::move(item));
  }
  return result;
}

Result<WatchEnd> FakeKube::Watch(const Resource& resource, const WatchOptions& options,
                                 const std::function<bool(WatchEvent)>& on_event,
                                 base::HttpCancel* cancel) {
  std::unique_lock lock(state_->mu);
  if (options.send_initial_events && !state_->streaming) {
    return WatchEnd::kUnsupported;
  }
  if (state_->watch_failures > 0) {
    --state_->watch_failures;
    return state_->watch_failure;
  }
  const int cuts = state_->cuts;
  uint64_t from = VersionNumber(options.resource_version);
  std::vector<WatchEvent> events;
  if (options.send_initial_events || from == 0) {
    events = state_->InitialEvents(resource, options);
    from = state_->store.version();
    if (options.send_initial_events) {
      events.push_back(Bookmark(from, true));
    }
  }
  while (true) {
    if (from < state_->store.compacted()) {
      return WatchEnd::kExpired;
    }
    for (WatchEvent& event : state_->EventsSince(resource, options, from)) {
      events.push_back(std::move(event));
    }
    if (!state_->blocks) {
      events.push_back(Bookmark(from, false));
    }
    lock.unlock();
    for (WatchEvent& event : events) {
      if (!on_event(std::move(event))) {
        return WatchEnd::kClosed;
      }
    }
    events.clear();
    lock.lock();
    if (!state_->blocks) {
      return WatchEnd::kClosed;
    }
    while (from == state_->store.version() && state_->cuts == cuts) {
      if (cancel != nullptr && cancel->cancelled()) {
        return base::Cancelled("watch");
      }
      state_->wake.wait_for(lock, kCancelPoll);
    }
    if (state_->cuts != cuts) {
      return WatchEnd::kClosed;
    }
  }
}

Result<Json> FakeKube::Create(const Resource& resource, const Json& object) {
  if (resource == kTokenReviews) {
    std::lock_guard lock(state_->mu);
    if (auto failure = state_->NextCall()) {
      return failure->status;
    }
    const Json& spec = object["spec"];
    auto it = state_->tokens.find({spec["token"], spec["audiences"][0]});
    Json review = object;
    if (it == state_->tokens.end()) {
      review["status"] = {{"authenticated", false}, {"error", "invalid bearer token"}};
      return review;
    }
    const TokenIdentity& who = it->second;
    Json user = {{"username", who.username}};
    if (!who.pod_name.empty()) {
      user["extra"] = {{"authentication.kubernetes.io/pod-name", Json::array({who.pod_name})},
                       {"authentication.kubernetes.io/pod-uid", Json::array({who.pod_uid})}};
    }
    review["status"] = {
        {"authenticated", true}, {"audiences", spec["audiences"]}, {"user", std::move(user)}};
    return review;
  }
  return state_->Write<Result<Json>>(
      [&](FakeStore& store) { return store.Create(resource, object, Writer::kUs); });
}

Result<Json> FakeKube::Apply(const Resource& resource, const Json& object) {
  return state_->Write<Result<Json>>(
      [&](FakeStore& store) { return store.Apply(resource, object); });
}

Result<Json> FakeKube::Replace(const Resource& resource, const Json& object) {
  return state_->Write<Result<Json>>([&](FakeStore& store) {
    return store.Update(resource, object, FakeStore::Part::kMain, Writer::kUs);
  });
}

Result<Json> FakeKube::ReplaceStatus(const Resource& resource, const ObjectKey& key,
                                     const Json& status, const ReplaceStatusOptions& options) {
  Json object = {{"metadata", {{"name", key.name}, {"namespace", key.ns}}}, {"status", status}};
  if (!options.resource_version.empty()) {
    object["metadata"]["resourceVersion"] = options.resource_version;
  }
  return state_->Write<Result<Json>>([&](FakeStore& store) {
    return store.Update(resource, std::move(object), FakeStore::Part::kStatus, Writer::kUs);
  });
}

Result<Json> FakeKube::MergePatch(const Resource& resource, const ObjectKey& key,
                                  const Json& patch) {
  return state_->Write<Result<Json>>([&](FakeStore& store) -> Result<Json> {
    const Json* found = store.Find(resource, key);
    if (found == nullptr) {
      return base::NotFound(std::string(resource.plural) + " \"" + key.name + "\" not found");
    }
    Json object = *found;
    object.merge_patch(patch);
    return store.Update(resource, std::move(object), FakeStore::Part::kMain, Writer::kUs);
  });
}

Status FakeKube::Delete(const Resource& resource, const ObjectKey& key,
                        const DeleteOptions& options) {
  return state_->Write<Status>(
      [&](FakeStore& store) { return store.Delete(resource, key, options); });
}

Json FakeKube::Put(const Resource& resource, const Json& object) {
  std::lock_guard lock(state_->mu);
  Json copy = object;
  if (copy.contains("metadata")) {
    copy["metadata"].erase("resourceVersion");
    copy["metadata"].erase("uid");
  }
  FakeStore& store = state_->store;
  auto result =
      store.Find(resource, KeyOf(copy)) == nullptr
          ? store.Create(resource, std::move(copy), Writer::kOther)
          : store.Update(resource, std::move(copy), FakeStore::Part::kBoth, Writer::kOther);
  state_->wake.notify_all();
  return result.ok() ? *result : Json();
}

void FakeKube::PutStatus(const Resource& resource, const ObjectKey& key, const Json& status) {
  std::lock_guard lock(state_->mu);
  const Json object = {{"metadata", {{"name", key.name}, {"namespace", key.ns}}},
                       {"status", status}};
  // A status of an object that is gone is no test's intent, so its NotFound is dropped here.
  (void)state_->store.Update(resource, object, FakeStore::Part::kStatus, Writer::kOther);
  state_->wake.notify_all();
}

void FakeKube::Erase(const Resource& resource, const ObjectKey& key) {
  std::lock_guard lock(state_->mu);
  state_->store.Erase(resource, key);
  state_->wake.notify_all();
}

void FakeKube::Evict(const ObjectKey& pod, int grace_seconds) {
  std::lock_guard lock(state_->mu);
  state_->store.Evict(pod, grace_seconds);
  state_->wake.notify_all();
}

int FakeKube::CollectGarbage() {
  std::lock_guard lock(state_->mu);
  const int removed = state_->store.CollectGarbage();
  state_->wake.notify_all();
  return removed;
}

void FakeKube::AddToken(std::string token, std::string audience, TokenIdentity identity) {
  std::lock_guard lock(state_->mu);
  state_->tokens[{std::move(token), std::move(audience)}] = std::move(identity);
}

std::optional<Json> FakeKube::Find(const Resource& resource, const ObjectKey& key) const {
  std::lock_guard lock(state_->mu);
  const Json* found = state_->store.Find(resource, key);
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

std::vector<Json> FakeKube::All(const Resource& resource) const {
  std::lock_guard lock(state_->mu);
  std::vector<Json> all;
  auto table = state_->store.objects().find(resource);
  if (table != state_->store.objects().end()) {
    for (const auto& [key, object] : table->second) {
      all.push_back(object);
    }
  }
  return all;
}

void FakeKube::FailCall(int n, FailWhen when, Status status) {
  std::lock_guard lock(state_->mu);
  state_->failures.insert_or_assign(state_->calls + n, Failure{when, std::move(status)});
}

void FakeKube::Freeze() {
  std::lock_guard lock(state_->mu);
  state_->frozen = state_->store.objects();
}

void FakeKube::Thaw() {
  std::lock_guard lock(state_->mu);
  state_->frozen.reset();
}

void FakeKube::DropWatchEvents(const Resource& resource, int n) {
  std::lock_guard lock(state_->mu);
  state_->dropped_events[resource] = n;
}

void FakeKube::FailWatches(int n, Status status) {
  std::lock_guard lock(state_->mu);
  state_->watch_failures = n;
  state_->watch_failure = std::move(status);
}

void FakeKube::CutWatches() {
  std::lock_guard lock(state_->mu);
  ++state_->cuts;
  state_->wake.notify_all();
}

void FakeKube::CompactHistory() {
  std::lock_guard lock(state_->mu);
  state_->store.Compact();
  state_->wake.notify_all();
}

void FakeKube::SetStreamingLists(bool on) {
  std::lock_guard lock(state_->mu);
  state_->streaming = on;
}

void FakeKube::SetWatchBlocks(bool on) {
  std::lock_guard lock(state_->mu);
  state_->blocks = on;
  state_->wake.notify_all();
}

bool FakeKube::WaitUntil(const std::function<bool()>& done, base::Millis deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!done()) {
    std::unique_lock lock(state_->mu);
    state_->wake.wait_for(lock, kCancelPoll);
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
  }
  return true;
}

int FakeKube::calls() const {
  std::lock_guard lock(state_->mu);
  return state_->calls;
}

uint64_t FakeKube::version() const {
  std::lock_guard lock(state_->mu);
  return state_->store.version();
}

int FakeKube::writes() const {
  std::lock_guard lock(state_->mu);
  return state_->writes;
}

}  // namespace sj::op::kube::testing
