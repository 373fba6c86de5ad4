// SPDX-License-Identifier: Apache-2.0
// S3Client: one signed request to one bucket, and the bounded retry around it. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/base/clock.h"
#include "api/base/http_client.h"
#include "api/base/status.h"
#include "worker/store/object_store.h"
#include "worker/store/sigv4.h"

namespace sj::worker::store {

struct S3Request {
  std::string method = "GET";
  std::string key;  // "": the bucket
  QueryParameters query;
  base::HttpHeaders headers;
  std::string_view body;
  uint64_t expected_bytes = 0;  // of a large answer
};

class S3Client {
 public:
  struct Parts {
    ObjectStoreOptions options;
    std::string bucket;
    std::string host;  // with the port when it is not the scheme's own
    std::unique_ptr<base::HttpClient> http;
    const base::Clock* clock = nullptr;       // not owned
    std::function<void(base::Millis)> sleep;  // between attempts
  };
  explicit S3Client(Parts parts) : parts_(std::move(parts)) {}

  // One attempt, any status. Errors: kUnavailable (no answer), kInvalidArgument (no credentials).
  base::Result<base::HttpResponse> Once(const S3Request& request, base::Millis deadline) const;

  // Attempts while the outcome is transient, within the store's deadline (longer for large bodies)
  // and at most kAttemptsMax times. `decide` looks at every outcome and returns true to end, false
  // to try again.
  using Decide = std::function<bool(const base::Result<base::HttpResponse>& outcome)>;
  // The last outcome.
  base::Result<base::HttpResponse> Retry(const S3Request& request, const Decide& decide) const;

  static constexpr int kAttemptsMax = 5;

 private:
  base::Result<SigningKey> Credentials() const;
  base::Millis DeadlineFor(const S3Request& request) const;

  const Parts parts_;
};

}  // namespace sj::worker::store
