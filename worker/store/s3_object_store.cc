// SPDX-License-Identifier: Apache-2.0
// A Put is one PUT with the payload's SHA-256 in the signature and as a checksum, on the condition
// that the key is new, then a HEAD that must give the same length and checksum. When the key is
// taken, the object is compared with what was to be written: an attempt whose answer was lost may
// have succeeded after all, also one of the HTTP library's own, which sends a request a second time
// when a kept connection turns out to be closed. Thread-safe.
#include "worker/store/s3_object_store.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <thread>
#include <utility>

#include "api/base/failpoint.h"
#include "api/base/hash.h"
#include "worker/store/object_key.h"
#include "worker/store/s3_answer.h"
#include "worker/store/s3_client.h"

namespace sj::worker::store {
namespace {

using Outcome = base::Result<base::HttpResponse>;

constexpr uint64_t kPutBytesMax = uint64_t{5} << 30;  // what S3 takes in one PUT
constexpr uint64_t kGetBytesMax = uint64_t{1} << 30;  // of a range
constexpr uint64_t kWholeBytesMax = uint64_t{64} << 20;
constexpr int kMissingRetriesMax = 2;  // stores that are not yet consistent after a write

// What tells an object from any other.
struct Fingerprint {
  uint64_t bytes = 0;
  std::string sha256_base64;
  std::string sha256_hex;
};

Fingerprint FingerprintOf(std::string_view bytes) {
  auto digest = base::Sha256(bytes);
  std::string_view view(reinterpret_cast<const char*>(digest.data()), digest.size());
  return {bytes.size(), base::Base64Encode(view), base::HexEncode(view)};
}

bool Transient(const Outcome& outcome) {
  if (!outcome.ok()) {
    return outcome.status().kind() == base::ErrorKind::kUnavailable;
  }
  return IsTransient(outcome->status, S3ErrorCode(outcome->body));
}

bool Success(const Outcome& outcome) {
  return outcome.ok() && outcome->status >= 200 && outcome->status < 300;
}

base::Status Failure(const std::string& what, const Outcome& outcome) {
  return outcome.ok() ? FromS3(what, *outcome) : outcome.status().WithContext(what);
}

class S3ObjectStore final : public ObjectStore {
 public:
  S3ObjectStore(S3Client::Parts parts, std::string prefix)
      : bucket_(parts.bucket), prefix_(std::move(prefix)), client_(std::move(parts)) {}

  base::Status Put(const std::string& key, std::string_view bytes) override;
  base::Status Copy(const std::string& from, const std::string& to) override;
  base::Result<std::string> Get(const std::string& key) override;
  base::Result<std::string> GetRange(const std::string& key, uint64_t offset,
                                     uint64_t length) override;
  base::Result<std::string> GetTail(const std::string& key, uint64_t length) override;
  base::Result<std::vector<ObjectInfo>> List(const std::string& prefix) override;
  base::Status Delete(const std::string& key) override;
  std::string Describe() const override {
    return fmt::format("s3://{}{}{}", bucket_, prefix_.empty() ? "" : "/", prefix_);
  }

 private:
  std::string FullKey(const std::string& key) const {
    return prefix_.empty() ? key : prefix_ + "/" + key;
  }
  Outcome Upload(const std::string& key, std::string_view bytes, const Fingerprint& fingerprint);
  Outcome Read(const std::string& key, const std::string& range, uint64_t expected_bytes) const;
  Outcome Head(const std::string& key) const;
  base::Result<bool> IsSame(const std::string& key, const Fingerprint& fingerprint) const;
  base::Status Verify(const std::string& key, const Fingerprint& fingerprint) const;
  base::Result<uint64_t> SizeOf(const std::string& key) const;

  const std::string bucket_;
  const std::string prefix_;
  const S3Client client_;
  // False once the server has said that it does not know If-None-Match.
  std::atomic<bool> conditional_{true};
};

base::Status S3ObjectStore::Put(const std::string& key, std::string_view bytes) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  const std::string what = fmt::format("put object \"{}\"", key);
  if (bytes.size() > kPutBytesMax) {
    return base::Exhausted(
        fmt::format("{}: {} bytes, one upload takes at most {}", what, bytes.size(), kPutBytesMax));
  }
  const Fingerprint fingerprint = FingerprintOf(bytes);
  SJ_RETURN_IF_ERROR(base::Failpoint("checkpoint.in_upload"));
  Outcome outcome = Upload(key, bytes, fingerprint);
  if (outcome.ok() && outcome->status == 501 && conditional_.exchange(false)) {
    outcome = Upload(key, bytes, fingerprint);
  }
  if (Success(outcome)) {
    return Verify(key, fingerprint);
  }
  if (outcome.ok() && outcome->status == 412) {
    SJ_ASSIGN_OR_RETURN(bool same, IsSame(key, fingerprint));
    return same ? base::OkStatus()
                : base::Conflict(fmt::format("{}: the key exists with other contents", what));
  }
  return Failure(what, outcome);
}

// A copy may be answered with 200 and an error in the body.
bool CopyFailed(const Outcome& outcome) {
  return !Success(outcome) || !S3ErrorCode(outcome->body).empty();
}

base::Result<uint64_t> S3ObjectStore::SizeOf(const std::string& key) const {
  const std::string what = fmt::format("look at object \"{}\"", key);
  Outcome head = Head(key);
  if (!Success(head)) {
    return Failure(what, head);
  }
  std::string_view length = head->Header("Content-Length");
  uint64_t bytes = 0;
  auto parsed = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (parsed.ec != std::errc()) {
    return base::Corrupt(fmt::format("{}: the server tells no length", what));
  }
  return bytes;
}

base::Status S3ObjectStore::Copy(const std::string& from, const std::string& to) {
  SJ_RETURN_IF_ERROR(CheckKey(from));
  SJ_RETURN_IF_ERROR(CheckKey(to));
  const std::string what = fmt::format("copy object \"{}\" to \"{}\"", from, to);
  base::Result<uint64_t> bytes = SizeOf(from);
  if (!bytes.ok()) {
    return std::move(bytes).status().WithContext(what);
  }
  S3Request request;
  request.method = "PUT";
  request.key = FullKey(to);
  request.headers = {
      {"x-amz-copy-source", EncodedTarget(fmt::format("/{}/{}", bucket_, FullKey(from)), {})}};
  Outcome outcome = client_.Retry(request, [](const Outcome& each) {
    const bool late = Success(each) && IsTransient(each->status, S3ErrorCode(each->body));
    return !(Transient(each) || (CopyFailed(each) && late));
  });
  if (CopyFailed(outcome)) {
    if (Success(outcome)) {
      outcome->status = 500;
    }
    return Failure(what, outcome);
  }
  base::Result<uint64_t> copied = SizeOf(to);
  if (!copied.ok()) {
    return std::move(copied).status().WithContext(what);
  }
  return *copied == *bytes
             ? base::OkStatus()
             : base::Corrupt(fmt::format("{}: {} of {} bytes are there", what, *copied, *bytes));
}

Outcome S3ObjectStore::Upload(const std::string& key, std::string_view bytes,
                              const Fingerprint& fingerprint) {
  bool conditional = conditional_;
  if (!conditional) {
    Outcome head = Head(key);
    if (Success(head)) {
      base::HttpResponse taken;
      taken.status = 412;
      return taken;
    }
  }
  S3Request request;
  request.method = "PUT";
  request.key = FullKey(key);
  request.body = bytes;
  request.headers = {{"x-amz-checksum-sha256", fingerprint.sha256_base64}};
  if (conditional) {
    request.headers.emplace_back("If-None-Match", "*");
  }
  return client_.Retry(request, [](const Outcome& outcome) { return !Transient(outcome); });
}

Outcome S3ObjectStore::Head(const std::string& key) const {
  S3Request request;
  request.method = "HEAD";
  request.key = FullKey(key);
  request.headers = {{"x-amz-checksum-mode", "ENABLED"}};
  return client_.Retry(request, [](const Outcome& outcome) { return !Transient(outcome); });
}

base::Status S3ObjectStore::Verify(const std::string& key, const Fingerprint& fingerprint) const {
  SJ_ASSIGN_OR_RETURN(bool same, IsSame(key, fingerprint));
  return same ? base::OkStatus()
              : base::Corrupt(fmt::format(
                    "put object \"{}\": the server has something else than was sent", key));
}

// Compares what the server has with what was sent: the length always, then the checksum the server
// keeps, or, when it keeps none, only for a doubtful upload, the bytes.
base::Result<bool> S3ObjectStore::IsSame(const std::string& key,
                                         const Fingerprint& fingerprint) const {
  const std::string what = fmt::format("verify object \"{}\"", key);
  S3Request request;
  request.method = "HEAD";
  request.key = FullKey(key);
  request.headers = {{"x-amz-checksum-mode", "ENABLED"}};
  int missing = 0;
  Outcome head = client_.Retry(request, [&](const Outcome& outcome) {
    bool absent = outcome.ok() && outcome->status == 404;
    return !(Transient(outcome) || (absent && missing++ < kMissingRetriesMax));
  });
  if (!Success(head)) {
    return Failure(what, head);
  }
  std::string_view length = head->Header("Content-Length");
  uint64_t bytes = 0;
  auto parsed = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (parsed.ec != std::errc() || bytes != fingerprint.bytes) {
    return false;
  }
  std::string_view checksum = head->Header("x-amz-checksum-sha256");
  if (!checksum.empty()) {
    return checksum == fingerprint.sha256_base64;
  }
  Outcome body = Read(key, "", bytes);
  if (!Success(body)) {
    return Failure(what, body);
  }
  return base::Sha256Hex(body->body) == fingerprint.sha256_hex;
}

Outcome S3ObjectStore::Read(const std::string& key, const std::string& range,
                            uint64_t expected_bytes) const {
  S3Request request;
  request.key = FullKey(key);
  request.expected_bytes = expected_bytes;
  if (!range.empty()) {
    request.headers = {{"Range", range}};
  }
  int missing = 0;
  return client_.Retry(request, [&](const Outcome& outcome) {
    bool absent =
        outcome.ok() && outcome->status == 404 && S3ErrorCode(outcome->body) != "NoSuchBucket";
    return !(Transient(outcome) || (absent && missing++ < kMissingRetriesMax));
  });
}

base::Result<std::string> S3ObjectStore::Get(const std::string& key) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  Outcome outcome = Read(key, "", kWholeBytesMax);
  if (!Success(outcome)) {
    return Failure(fmt::format("get object \"{}\"", key), outcome);
  }
  return std::move(outcome->body);
}

base::Result<std::string> S3ObjectStore::GetRange(const std::string& key, uint64_t offset,
                                                  uint64_t length) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  const std::string what = fmt::format("get object \"{}\"", key);
  if (length == 0 || length > kGetBytesMax || offset > UINT64_MAX - length) {
    return base::InvalidArgument(fmt::format("{}: {} bytes at {}", what, length, offset));
  }
  Outcome outcome = Read(key, fmt::format("bytes={}-{}", offset, offset + length - 1), length);
  if (!Success(outcome)) {
    return Failure(what, outcome);
  }
  if (outcome->status != 206 || outcome->body.size() != length) {
    return base::Corrupt(fmt::format("{}: wanted {} bytes at {}, got {}", what, length, offset,
                                     outcome->body.size()));
  }
  return std::move(outcome->body);
}

base::Result<std::string> S3ObjectStore::GetTail(const std::string& key, uint64_t length) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  const std::string what = fmt::format("get object \"{}\"", key);
  if (length == 0 || length > kGetBytesMax) {
    return base::InvalidArgument(fmt::format("{}: the last {} bytes", what, length));
  }
  Outcome outcome = Read(key, fmt::format("bytes=-{}", length), length);
  if (!Success(outcome)) {
    return Failure(what, outcome);
  }
  if (outcome->body.size() > length) {
    return outcome->body.substr(outcome->body.size() - length);
  }
  return std::move(outcome->body);
}

base::Result<std::vector<ObjectInfo>> S3ObjectStore::List(const std::string& prefix) {
  SJ_RETURN_IF_ERROR(CheckPrefix(prefix));
  const std::string what = fmt::format("list objects \"{}\"", prefix);
  const size_t cut = prefix_.empty() ? 0 : prefix_.size() + 1;
  std::vector<ObjectInfo> out;
  S3Request request;
  request.query = {{"list-type", "2"}, {"max-keys", "1000"}, {"prefix", FullKey(prefix)}};
  while (true) {
    Outcome outcome = client_.Retry(request, [](const Outcome& each) { return !Transient(each); });
    if (!Success(outcome)) {
      return Failure(what, outcome);
    }
    SJ_ASSIGN_OR_RETURN(S3Listing page, ParseListing(outcome->body));
    for (ObjectInfo& object : page.objects) {
      if (!object.key.starts_with(FullKey(prefix))) {
        return base::Corrupt(fmt::format("{}: the server lists other keys", what));
      }
      out.push_back({object.key.substr(cut), object.bytes});
    }
    if (out.size() > kListEntriesMax) {
      return base::Exhausted(fmt::format("{}: more than {}", what, kListEntriesMax));
    }
    if (page.continuation.empty() || page.objects.empty()) {
      return out;
    }
    request.query.resize(3);
    request.query.emplace_back("continuation-token", page.continuation);
  }
}

base::Status S3ObjectStore::Delete(const std::string& key) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  S3Request request;
  request.method = "DELETE";
  request.key = FullKey(key);
  Outcome outcome = client_.Retry(request, [](const Outcome& each) { return !Transient(each); });
  if (Success(outcome)) {
    return base::OkStatus();
  }
  base::Status failed = Failure(fmt::format("delete object \"{}\"", key), outcome);
  return failed.kind() == base::ErrorKind::kNotFound ? base::OkStatus() : failed;
}

struct Endpoint {
  std::string scheme;
  std::string host;  // with port
};

base::Result<Endpoint> ParseEndpoint(const ObjectStoreOptions& options) {
  std::string text = options.endpoint.empty()
                         ? fmt::format("https://s3.{}.amazonaws.com", options.region)
                         : options.endpoint;
  while (text.ends_with('/')) {
    text.pop_back();
  }
  size_t colon = text.find("://");
  Endpoint endpoint{text.substr(0, colon),
                    colon == std::string::npos ? "" : text.substr(colon + 3)};
  bool fine = (endpoint.scheme == "http" || endpoint.scheme == "https") && !endpoint.host.empty() &&
              endpoint.host.find_first_of("/?#@ \\") == std::string::npos;
  if (!fine) {
    return base::InvalidArgument(
        fmt::format("S3 endpoint \"{}\": wanted http(s)://host or http(s)://host:port", text));
  }
  // The addresses under which clouds hand out credentials.
  if (endpoint.host.starts_with("169.254.") || endpoint.host.starts_with("[fe80") ||
      endpoint.host.starts_with("[fd00:ec2:")) {
    return base::InvalidArgument(
        fmt::format("S3 endpoint \"{}\": link-local addresses are not allowed", text));
  }
  std::string_view own_port = endpoint.scheme == "http" ? ":80" : ":443";
  if (endpoint.host.ends_with(own_port)) {
    endpoint.host.resize(endpoint.host.size() - own_port.size());
  }
  return endpoint;
}

}  // namespace

base::Result<std::unique_ptr<ObjectStore>> MakeS3ObjectStore(const ObjectStoreOptions& options,
                                                             S3Seams seams) {
  SJ_ASSIGN_OR_RETURN(Location location, ParseLocation(options.location));
  SJ_ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(options));
  S3Client::Parts parts;
  parts.options = options;
  parts.bucket = location.bucket;
  parts.host = options.path_style ? endpoint.host : location.bucket + "." + endpoint.host;
  parts.clock = seams.clock;
  parts.sleep = std::move(seams.sleep);
  parts.http = std::move(seams.http);
  if (parts.http == nullptr) {
    base::HttpClientOptions http;
    http.base_url = endpoint.scheme + "://" + parts.host;
    http.ca_file = options.ca_file;
    SJ_ASSIGN_OR_RETURN(parts.http, base::MakeHttpClient(std::move(http)));
  }
  return std::unique_ptr<ObjectStore>(new S3ObjectStore(std::move(parts), location.path));
}

base::Result<std::unique_ptr<ObjectStore>> OpenS3ObjectStore(const ObjectStoreOptions& options) {
  S3Seams seams;
  seams.clock = &base::RealClock();
  // Between retries.
  seams.sleep = [](base::Millis pause) { std::this_thread::sleep_for(pause); };  // NOLINT(pause)
  return MakeS3ObjectStore(options, std::move(seams));
}

}  // namespace sj::worker::store
