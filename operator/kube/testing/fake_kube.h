// SPDX-License-Identifier: Apache-2.0
// FakeKube: an API server in memory, for tests. It has the semantics our code relies on: resource
// versions and conflicts, UID preconditions, generation bumped by spec changes only, the status
// subresource apart, finalizers holding a deletion, server-side apply of the fields we own, watches
// with bookmarks, and garbage collection of dependents when asked. A contract test runs against it
// and against a real API server. Faults are injected by call number, never by time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/clock.h"
#include "operator/kube/client.h"

namespace sj::op::kube::testing {

// When an injected failure strikes.
enum class FailWhen : uint8_t {
  kBefore,  // nothing is done
  kAfter,   // it is done, but the answer is lost
};

// Thread-safe. Not modelled: admission, schemas, quotas, other controllers (tests write their
// objects), JSON lists merged by key on apply (a list is owned as a whole).
class FakeKube final : public KubeClient {
 public:
  explicit FakeKube(const base::Clock& clock);
  // A second server with the objects of `from`; no history, faults, tokens or watches.
  FakeKube(const base::Clock& clock, const FakeKube& from);
  ~FakeKube() override;

  Result<Json> Get(const Resource& resource, const ObjectKey& key, Read read) override;
  Result<ListResult> List(const Resource& resource, const ListOptions& options) override;
  // Delivers what has happened since options.resource_version, then blocks for more until the watch
  // is cut, cancelled or stopped by the callback. With SetWatchBlocks(false) it ends (kClosed)
  // instead of blocking.
  Result<WatchEnd> Watch(const Resource& resource, const WatchOptions& options,
                         const std::function<bool(WatchEvent)>& on_event,
                         base::HttpCancel* cancel) override;
  Result<Json> Create(const Resource& resource, const Json& object) override;
  Result<Json> Apply(const Resource& resource, const Json& object) override;
  Result<Json> Replace(const Resource& resource, const Json& object) override;
  Result<Json> ReplaceStatus(const Resource& resource, const ObjectKey& key, const Json& status,
                             const ReplaceStatusOptions& options) override;
  Result<Json> MergePatch(const Resource& resource, const ObjectKey& key,
                          const Json& patch) override;
  Status Delete(const Resource& resource, const ObjectKey& key,
                const DeleteOptions& options) override;

  // --- What others do in the cluster; never fails by injection, not counted. ---
  // Creates the object or replaces it (spec and status both), as a user or another controller
  // would.
  Json Put(const Resource& resource, const Json& object);
  // Replaces .status only.
  void PutStatus(const Resource& resource, const ObjectKey& key, const Json& status);
  // Removes at once, whatever the finalizers.
  void Erase(const Resource& resource, const ObjectKey& key);
  // Deletes a pod as the control plane does when its node has not answered for too long: no kubelet
  // is there to confirm it, so it stays until somebody deletes it with a grace of 0.
  void Evict(const ObjectKey& pod, int grace_seconds = 30);
  // Deletes objects all of whose owners are gone (by UID), until nothing changes. Returns how many.
  int CollectGarbage();
  // What a token review of this token answers; other tokens are not authenticated.
  void AddToken(std::string token, std::string audience, TokenIdentity identity);
  // One object as stored; never fails by injection, not counted.
  std::optional<Json> Find(const Resource& resource, const ObjectKey& key) const;
  // Everything of a resource, as stored, sorted by key.
  std::vector<Json> All(const Resource& resource) const;

  // --- Faults. ---
  // The n-th call from now (1 = the next) of any verb but Watch fails with `status`; once.
  void FailCall(int n, FailWhen when, Status status);
  // Cached reads (Read::kCached, lists of it) answer from the state of now until Thaw().
  void Freeze();
  void Thaw();
  // The next n watch events of `resource` are never delivered.
  void DropWatchEvents(const Resource& resource, int n);
  // The next n watches end at once with `status`.
  void FailWatches(int n, Status status);
  // Ends every running watch (kClosed).
  void CutWatches();
  // Forgets history: running and new watches from older versions end with kExpired.
  void CompactHistory();
  // Off: a streaming list is answered with kUnsupported. On by default.
  void SetStreamingLists(bool on);
  void SetWatchBlocks(bool on);

  // Waits until `done` holds, looked at after every write and every few milliseconds; false after
  // `deadline`. Called without the lock.
  bool WaitUntil(const std::function<bool()>& done, base::Millis deadline);

  // Calls of any verb but Watch, and those that changed something.
  int calls() const;
  int writes() const;
  // Of the newest write; moves with every one.
  uint64_t version() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sj::op::kube::testing
