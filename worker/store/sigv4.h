// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 for S3, header form. The request target is made by the same functions as
// the signature, so what is signed is what is sent. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/base/http_client.h"

namespace sj::worker::store {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;  // not encoded

struct SigningKey {
  std::string access_key;
  std::string secret_key;
  std::string region;
  std::string service = "s3";
};

struct SigningInput {
  std::string method;
  std::string path;  // not encoded, starts with '/'
  QueryParameters query;
  base::HttpHeaders headers;   // all are signed; Host and x-amz-date must be among them
  std::string payload_sha256;  // hex
  std::string amz_date;        // "20130524T000000Z"
};

// Path and query as they go on the wire: everything but unreserved characters and the slashes of
// the path percent-encoded, parameters sorted, `name=` for an empty value.
std::string EncodedTarget(std::string_view path, const QueryParameters& query);
// The value of the Authorization header.
std::string Authorization(const SigningKey& key, const SigningInput& input);

}  // namespace sj::worker::store
