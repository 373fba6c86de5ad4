// SPDX-License-Identifier: Apache-2.0
// What S3 answers: listings and errors, as values and as words for a condition. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/base/http_client.h"
#include "api/base/status.h"
#include "worker/store/object_store.h"

namespace sj::worker::store {

struct S3Listing {
  std::vector<ObjectInfo> objects;  // full S3 keys
  std::string continuation;         // empty: this was the last page
};
// kCorrupt when it is not a ListObjectsV2 answer.
base::Result<S3Listing> ParseListing(std::string_view xml);

// The error code in an answer's body ("NoSuchKey"), or "" when there is none. Never its message:
// that text is the server's and is not shown.
std::string S3ErrorCode(std::string_view xml);

// True when the same request may succeed soon: 5xx, 429, a busy or cut upload.
bool IsTransient(int status, std::string_view code);

// The Status for an answer that is not a success.
base::Status FromS3(std::string_view what, const base::HttpResponse& response);

}  // namespace sj::worker::store
