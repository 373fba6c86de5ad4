// SPDX-License-Identifier: Apache-2.0
// KubeClient: the verbs of the Kubernetes API that the operator uses, on JSON objects. Implemented
// by HttpKubeClient (http_kube_client.h) and, for tests, testing::FakeKube with the same semantics.
//
// Errors of every call: kNotFound (404), kConflict (409: resourceVersion or UID precondition
// failed, or a create met an existing name), kInvalidArgument (400, 405, 413, 415, 422: repeating
// it cannot help), kUnavailable (401, 403, 429 and 5xx once the bounded retries are used up, and
// everything of the network), kExhausted (answer too large), kCancelled (shut down). The message
// carries the server's own words. Every call ends by its deadline.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/http_client.h"
#include "api/base/json.h"
#include "api/base/status.h"
#include "operator/kube/resource.h"

namespace sj::op::kube {

using base::Result;
using base::Status;

// The field manager of everything the operator applies.
inline constexpr std::string_view kFieldManager = "streamjob-operator";

enum class Read : uint8_t {
  kQuorum,  // the newest committed state; for every decision that destroys something
  kCached,  // whatever the server has at hand (resourceVersion=0); may be old
};

struct ListOptions {
  std::string ns{};  // empty: all namespaces
  std::string label_selector{};
  std::string field_selector{};
  Read read = Read::kQuorum;
  int page_items_max = 100;  // objects per page; pages are fetched until the list is complete
  // Set: every item goes here as its page arrives, and ListResult::items stays empty, so that a
  // long list is never in memory at once. A list that restarts gives its items again.
  std::function<void(Json)> on_item{};
};

struct ListResult {
  std::vector<Json> items;         // each with apiVersion and kind, without metadata.managedFields
  std::string resource_version{};  // of the list: where a watch continues
};

struct WatchOptions {
  std::string ns{};  // empty: all namespaces
  std::string label_selector{};
  std::string resource_version{};
  // Streaming list: the server first sends every object, then a bookmark with initial_end.
  bool send_initial_events = false;
  // The server ends the watch after this time.
  std::chrono::seconds timeout{420};
  // No event and no bookmark for so long: the connection is dead.
  std::chrono::milliseconds silence_max{150'000};
};

struct WatchEvent {
  enum class Type : uint8_t { kAdded, kModified, kDeleted, kBookmark };
  Type type = Type::kBookmark;
  Json object;               // without metadata.managedFields; a bookmark has a version only
  bool initial_end = false;  // the bookmark that ends the initial events
};

enum class WatchEnd : uint8_t {
  kClosed,   // ended by the server, its time-out or our callback: watch again from the last version
  kExpired,  // the version is gone (410, as a status or as an event): list again
  kUnsupported,  // this server does not stream lists: list, then watch
};

struct ReplaceStatusOptions {
  // The version the status was computed from; a newer object gives kConflict. Empty: no lock.
  std::string resource_version{};
};

struct DeleteOptions {
  std::string uid{};               // precondition; empty: none
  std::string resource_version{};  // precondition; empty: none
  enum class Propagation : uint8_t { kBackground, kForeground, kOrphan };
  Propagation propagation = Propagation::kBackground;
  std::optional<int> grace_seconds{};  // empty: the object's own
};

// Thread-safe.
class KubeClient {
 public:
  virtual ~KubeClient() = default;

  virtual Result<Json> Get(const Resource& resource, const ObjectKey& key,
                           Read read = Read::kQuorum) = 0;
  // Complete or an error; a continue token that expires restarts the list.
  virtual Result<ListResult> List(const Resource& resource, const ListOptions& options) = 0;
  // Blocks, calling on_event (false: stop) in order, until the watch ends. Errors: network, broken
  // frames, silence; kCancelled after cancel->Cancel().
  virtual Result<WatchEnd> Watch(const Resource& resource, const WatchOptions& options,
                                 const std::function<bool(WatchEvent)>& on_event,
                                 base::HttpCancel* cancel) = 0;

  // `object` has apiVersion, kind and metadata.name (and namespace). Each of the writes below
  // returns the object as stored, without managedFields.
  virtual Result<Json> Create(const Resource& resource, const Json& object) = 0;
  // Server-side apply as kFieldManager, forced: owns exactly the fields it names. `object` may
  // carry metadata.uid or resourceVersion as preconditions. Creates what is missing unless it
  // carries one of them.
  virtual Result<Json> Apply(const Resource& resource, const Json& object) = 0;
  // PUT of a whole object; metadata.resourceVersion in it is the lock.
  virtual Result<Json> Replace(const Resource& resource, const Json& object) = 0;
  // Replaces .status as a whole through the status subresource; nothing else is touched.
  virtual Result<Json> ReplaceStatus(const Resource& resource, const ObjectKey& key,
                                     const Json& status, const ReplaceStatusOptions& options) = 0;
  // JSON merge patch (RFC 7386); metadata.resourceVersion in it is a lock.
  virtual Result<Json> MergePatch(const Resource& resource, const ObjectKey& key,
                                  const Json& patch) = 0;
  // ok when the deletion is accepted: finalizers and dependents may keep the object for a while.
  virtual Status Delete(const Resource& resource, const ObjectKey& key,
                        const DeleteOptions& options) = 0;
};

// Adds or removes one finalizer by merge patch, locked on `object`'s version; `object` is what was
// read. Returns the object as stored; without a call when there is nothing to change.
Result<Json> SetFinalizer(KubeClient& client, const Resource& resource, const Json& object,
                          std::string_view finalizer, bool present);

struct TokenIdentity {
  bool authenticated = false;
  std::string username;  // "system:serviceaccount:ns:name"
  std::string ns;        // parts of username, empty when it is not a service account
  std::string service_account;
  std::string pod_name;  // of a token bound to a pod, else empty
  std::string pod_uid;
  std::string error;  // the server's reason when not authenticated; never holds the token
};
// Asks the API server who a bearer token is, for one audience of ours. A token that is not valid
// for the audience is not authenticated, which is no error.
Result<TokenIdentity> ReviewToken(KubeClient& client, std::string_view token,
                                  std::string_view audience);

}  // namespace sj::op::kube
