// SPDX-License-Identifier: Apache-2.0
// Signing and sending. Credentials are read for every attempt, so a rotated Secret is used by the
// next one; they go into the signature only and into no message.
#include "worker/store/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

#include "api/base/backoff.h"
#include "api/base/hash.h"

namespace sj::worker::store {
namespace {

constexpr size_t kCredentialBytesMax = 4096;
constexpr uint64_t kSlowestBytesPerMilli = 2048;  // 2 MB/s: what a deadline allows for large bodies
constexpr size_t kAnswerBytesMax = 4u << 20;

base::Result<std::string> ReadCredential(const std::string& file, const std::string& value,
                                         const char* what) {
  std::string text = value;
  if (!file.empty()) {
    std::ifstream in(file, std::ios::binary);
    text.assign(kCredentialBytesMax, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.pop_back();
  }
  if (text.empty()) {
    return base::InvalidArgument(
        file.empty() ? fmt::format("sign request: no {} is configured", what)
                     : fmt::format("sign request: no {} in file \"{}\"", what, file));
  }
  return text;
}

std::string AmzDate(base::WallTime now) {
  std::string out;
  for (char c : base::FormatTime(now)) {
    if (c != '-' && c != ':') {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

base::Result<SigningKey> S3Client::Credentials() const {
  const ObjectStoreOptions& options = parts_.options;
  SigningKey key;
  SJ_ASSIGN_OR_RETURN(key.access_key,
                      ReadCredential(options.access_key_file, options.access_key, "access key"));
  SJ_ASSIGN_OR_RETURN(key.secret_key,
                      ReadCredential(options.secret_key_file, options.secret_key, "secret key"));
  key.region = options.region;
  return key;
}

base::Result<base::HttpResponse> S3Client::Once(const S3Request& request,
                                                base::Millis deadline) const {
  SJ_ASSIGN_OR_RETURN(SigningKey key, Credentials());
  SigningInput input;
  input.method = request.method;
  input.path = parts_.options.path_style ? "/" + parts_.bucket : "";
  input.path += request.key.empty() && parts_.options.path_style ? "" : "/" + request.key;
  input.query = request.query;
  input.payload_sha256 = base::Sha256Hex(request.body);
  input.amz_date = AmzDate(parts_.clock->Wall());
  input.headers = request.headers;
  input.headers.emplace_back("Host", parts_.host);
  input.headers.emplace_back("x-amz-date", input.amz_date);
  input.headers.emplace_back("x-amz-content-sha256", input.payload_sha256);
  base::HttpRequest http;
  http.method = request.method;
  http.target = EncodedTarget(input.path, input.query);
  http.headers = input.headers;
  http.headers.emplace_back("Authorization", Authorization(key, input));
  if (!request.body.empty()) {
    http.headers.emplace_back("Content-Type", "application/octet-stream");
  }
  http.body = request.body;
  http.deadline = deadline;
  http.response_bytes_max = request.expected_bytes + kAnswerBytesMax;
  return parts_.http->Send(http);
}

base::Millis S3Client::DeadlineFor(const S3Request& request) const {
  uint64_t bytes = request.body.size() + request.expected_bytes;
  return parts_.options.deadline + base::Millis(bytes / kSlowestBytesPerMilli);
}

base::Result<base::HttpResponse> S3Client::Retry(const S3Request& request,
                                                 const Decide& decide) const {
  base::BackoffOptions pauses;
  pauses.first = base::Millis(100);
  pauses.max = base::Millis(3000);
  base::Backoff backoff(pauses, base::Hash64(base::RandomHex(8)));
  const base::MonoTime end = parts_.clock->Mono() + DeadlineFor(request);
  for (int attempt = 1;; ++attempt) {
    auto left = std::chrono::duration_cast<base::Millis>(end - parts_.clock->Mono());
    // An attempt that hangs leaves time for another one.
    base::Millis share = attempt == 1 ? left * 2 / 3 : left;
    base::Result<base::HttpResponse> outcome = Once(request, std::max(share, base::Millis(1)));
    if (decide(outcome) || attempt == kAttemptsMax) {
      return outcome;
    }
    base::Millis pause = backoff.Next();
    if (parts_.clock->Mono() + pause >= end) {
      return outcome;
    }
    parts_.sleep(pause);
  }
}

}  // namespace sj::worker::store
