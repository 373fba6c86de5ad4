// SPDX-License-Identifier: Apache-2.0
// Checks of keys and locations.
#include "worker/store/object_key.h"

#include <fmt/format.h>

#include <algorithm>

namespace sj::worker::store {
namespace {

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < ' ' || c == 0x7f || c == '\\'; });
}

base::Status Refuse(std::string_view what, std::string_view name, std::string_view why) {
  return base::InvalidArgument(fmt::format("{} \"{}\": {}", what, name.substr(0, 200), why));
}

// Every segment but, for a prefix, the last one.
base::Status CheckSegments(std::string_view what, std::string_view name, bool prefix) {
  if (name.size() > kKeyBytesMax) {
    return Refuse(what, name, fmt::format("longer than {} bytes", kKeyBytesMax));
  }
  if (HasControl(name)) {
    return base::InvalidArgument(
        fmt::format("{}: control characters and backslashes are not allowed", what));
  }
  std::string_view rest = name;
  while (true) {
    size_t slash = rest.find('/');
    std::string_view segment = rest.substr(0, slash);
    bool last = slash == std::string_view::npos;
    if (segment.empty() && !(prefix && last)) {
      return Refuse(what, name, "an empty segment is not allowed");
    }
    if (segment.starts_with('.')) {
      return Refuse(what, name, "a segment may not start with a dot");
    }
    if (last) {
      return base::OkStatus();
    }
    rest = rest.substr(slash + 1);
  }
}

bool BucketCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

}  // namespace

base::Status CheckKey(std::string_view key) {
  return CheckSegments("object key", key, false);
}

base::Status CheckPrefix(std::string_view prefix) {
  return CheckSegments("object prefix", prefix, true);
}

base::Result<Location> ParseLocation(std::string_view location) {
  constexpr std::string_view kS3 = "s3://";
  constexpr std::string_view kFile = "file://";
  Location out;
  if (location.starts_with(kFile)) {
    std::string_view path = location.substr(kFile.size());
    while (path.size() > 1 && path.ends_with('/')) {
      path.remove_suffix(1);
    }
    if (!path.starts_with('/') || path == "/") {
      return Refuse("checkpoint location", location, "wanted file:///an/absolute/directory");
    }
    SJ_RETURN_IF_ERROR(CheckSegments("checkpoint location", path.substr(1), false));
    out.path = path;
    return out;
  }
  if (!location.starts_with(kS3)) {
    return Refuse("checkpoint location", location, "wanted s3://bucket/prefix or file:///path");
  }
  std::string_view rest = location.substr(kS3.size());
  size_t slash = rest.find('/');
  out.s3 = true;
  out.bucket = rest.substr(0, slash);
  if (out.bucket.size() < 3 || out.bucket.size() > 63 || out.bucket.starts_with('.') ||
      !std::all_of(out.bucket.begin(), out.bucket.end(), BucketCharacter)) {
    return Refuse("checkpoint location", location,
                  "a bucket has 3 to 63 lower-case letters, digits, '-' or '.'");
  }
  std::string_view prefix = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  while (prefix.ends_with('/')) {
    prefix.remove_suffix(1);
  }
  if (!prefix.empty()) {
    SJ_RETURN_IF_ERROR(CheckSegments("checkpoint location", prefix, false));
  }
  out.path = prefix;
  return out;
}

}  // namespace sj::worker::store
