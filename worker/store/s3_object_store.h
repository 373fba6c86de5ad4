// SPDX-License-Identifier: Apache-2.0
// S3ObjectStore: objects in one bucket below one prefix, on anything that speaks the S3 protocol.
#pragma once

#include <functional>
#include <memory>

#include "api/base/clock.h"
#include "api/base/http_client.h"
#include "api/base/status.h"
#include "worker/store/object_store.h"

namespace sj::worker::store {

base::Result<std::unique_ptr<ObjectStore>> OpenS3ObjectStore(const ObjectStoreOptions& options);

// The same over other parts: tests bring an HTTP client that answers as they like, and own time.
struct S3Seams {
  std::unique_ptr<base::HttpClient> http;
  const base::Clock* clock = nullptr;  // not owned
  std::function<void(base::Millis)> sleep;
};
base::Result<std::unique_ptr<ObjectStore>> MakeS3ObjectStore(const ObjectStoreOptions& options,
                                                             S3Seams seams);

}  // namespace sj::worker::store
