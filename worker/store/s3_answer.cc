// SPDX-License-Identifier: Apache-2.0
// Reading S3's XML with pugixml (no entities are expanded beyond the five of XML, no files opened).
#include "worker/store/s3_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <pugixml.hpp>
#include <utility>

namespace sj::worker::store {
namespace {

constexpr size_t kCodeBytesMax = 64;

struct Words {
  std::string_view code;
  std::string_view text;
};
constexpr std::array<Words, 15> kWords = {{
    {"SignatureDoesNotMatch", "the access key or secret is wrong"},
    {"InvalidAccessKeyId", "the access key or secret is wrong"},
    {"XAdminUserNotFound", "the access key or secret is wrong"},  // versitygw
    {"InvalidToken", "the session token is wrong"},
    {"ExpiredToken", "the credentials have expired"},
    {"AccessDenied", "access denied: the credentials may not do this"},
    {"NoSuchBucket", "there is no such bucket"},
    {"NoSuchKey", "there is no such object"},
    {"InvalidBucketName", "the bucket's name is not allowed"},
    {"RequestTimeTooSkewed", "the clocks of this node and of the server differ too much"},
    {"PermanentRedirect", "the bucket is in another region or has another endpoint"},
    {"AuthorizationHeaderMalformed", "the bucket is in another region"},
    {"QuotaExceeded", "the bucket's quota is used up"},
    {"ExistingObjectIsDirectory", "an object of another key lies below this key"},
    {"ObjectParentIsFile", "an object's key is a folder of this key"},
}};

std::string_view InWords(std::string_view code) {
  for (const Words& words : kWords) {
    if (words.code == code) {
      return words.text;
    }
  }
  return "";
}

bool SafeCode(std::string_view code) {
  return code.size() <= kCodeBytesMax && std::all_of(code.begin(), code.end(), [](unsigned char c) {
           return std::isalnum(c) != 0;
         });
}

}  // namespace

base::Result<S3Listing> ParseListing(std::string_view xml) {
  pugi::xml_document document;
  pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  pugi::xml_node root = document.child("ListBucketResult");
  if (!parsed || !root) {
    return base::Corrupt("list objects: the answer is not a listing");
  }
  S3Listing listing;
  for (pugi::xml_node item : root.children("Contents")) {
    ObjectInfo object;
    object.key = item.child_value("Key");
    std::string_view size = item.child_value("Size");
    auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.bytes);
    if (object.key.empty() || error != std::errc() || end != size.data() + size.size()) {
      return base::Corrupt("list objects: an entry without key or size");
    }
    listing.objects.push_back(std::move(object));
  }
  if (std::string_view(root.child_value("IsTruncated")) == "true") {
    listing.continuation = root.child_value("NextContinuationToken");
    if (listing.continuation.empty()) {
      return base::Corrupt("list objects: a cut listing without continuation");
    }
  }
  return listing;
}

std::string S3ErrorCode(std::string_view xml) {
  pugi::xml_document document;
  if (xml.empty() || !document.load_buffer(xml.data(), xml.size())) {
    return "";
  }
  std::string code = document.child("Error").child_value("Code");
  return SafeCode(code) ? code : "";
}

bool IsTransient(int status, std::string_view code) {
  constexpr std::array<std::string_view, 8> kCodes = {
      "SlowDown",         "RequestTimeout",
      "InternalError",    "BadDigest",
      "IncompleteBody",   "XAmzContentSHA256Mismatch",
      "OperationAborted", "ConditionalRequestConflict"};
  return (status >= 500 && status != 501) || status == 429 ||
         std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

base::Status FromS3(std::string_view what, const base::HttpResponse& response) {
  std::string code = S3ErrorCode(response.body);
  // An answer to HEAD has no body.
  if (code.empty() && response.status == 404) {
    code = "NoSuchKey";
  } else if (code.empty() && response.status == 403) {
    code = "AccessDenied";
  } else if (code.empty() && response.status == 301) {
    code = "PermanentRedirect";
  }
  std::string_view words = InWords(code);
  std::string text = words.empty()
                         ? fmt::format("{}: the server answered {} {}", what, response.status, code)
                         : fmt::format("{}: {} ({})", what, words, code);
  if (code == "NoSuchKey") {
    return base::NotFound(std::move(text));
  }
  if (code == "QuotaExceeded") {
    return base::Exhausted(std::move(text));
  }
  if (response.status == 412 || response.status == 409) {
    return base::Conflict(std::move(text));
  }
  if (response.status == 416) {
    return base::Corrupt(fmt::format("{}: the object is shorter than expected", what));
  }
  if (IsTransient(response.status, code)) {
    return base::Unavailable(std::move(text));
  }
  return base::InvalidArgument(std::move(text));
}

}  // namespace sj::worker::store
