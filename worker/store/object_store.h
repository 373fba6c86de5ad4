// SPDX-License-Identifier: Apache-2.0
// ObjectStore: immutable checkpoint objects by name, on S3 (own SigV4, path- and host-style) or in
// a local directory. No key is ever the "folder" of another. Nothing here decides anything: names
// are never used twice and reads are by exact name.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"

namespace sj::worker::store {

struct ObjectInfo {
  std::string key;
  uint64_t bytes = 0;
};

inline constexpr size_t kListEntriesMax = 200'000;

// Thread-safe. Every call has a deadline and bounded retries inside. A key has segments between
// '/', none empty, none starting with a dot, no control characters, at most 900 bytes; others are
// refused with kInvalidArgument.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // Stores a new object; the write is durable and its checksum verified when this returns ok.
  // kConflict when the key exists already with other contents. The same contents may count as
  // stored: whether the answer to an earlier request of this very call was lost cannot be known.
  virtual base::Status Put(const std::string& key, std::string_view bytes) = 0;
  // Stores the bytes of `from` under `to` as well, by the store itself where it can: the default
  // takes them through memory. `to` is a name that stands for these bytes only: that it exists
  // already is fine. kNotFound: there is no `from`.
  virtual base::Status Copy(const std::string& from, const std::string& to);
  virtual base::Result<std::string> Get(const std::string& key) = 0;  // kNotFound
  // kCorrupt when the object ends before offset + length.
  virtual base::Result<std::string> GetRange(const std::string& key, uint64_t offset,
                                             uint64_t length) = 0;
  // The last `length` bytes, or the whole object when it is shorter.
  virtual base::Result<std::string> GetTail(const std::string& key, uint64_t length) = 0;
  // Every object whose key starts with prefix, in key order. kExhausted above kListEntriesMax.
  virtual base::Result<std::vector<ObjectInfo>> List(const std::string& prefix) = 0;
  virtual base::Status Delete(const std::string& key) = 0;  // ok when it is not there
  virtual std::string Describe() const = 0;                 // "s3://bucket/prefix", no secret
};

struct ObjectStoreOptions {
  std::string location;  // "s3://bucket/prefix" or "file:///path"
  std::string endpoint;  // S3: "http://127.0.0.1:7070"; empty: AWS for the region
  std::string region = "us-east-1";
  bool path_style = true;
  // S3 credentials: files read again for every use (a mounted Secret), or values.
  std::string access_key_file, secret_key_file;
  std::string access_key, secret_key;
  std::string ca_file;
  std::chrono::milliseconds deadline{30'000};
};

base::Result<std::unique_ptr<ObjectStore>> OpenObjectStore(const ObjectStoreOptions& options);

// Checks that the store can be written, read and that the credentials are right, by an object of
// its own named `key`, which nobody used before and which is deleted again. The error says in words
// what is wrong (wrong secret, no such bucket, no route).
base::Status ProbeObjectStore(ObjectStore& store, const std::string& key);

}  // namespace sj::worker::store
