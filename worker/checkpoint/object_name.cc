// SPDX-License-Identifier: Apache-2.0
// Writing and reading object names. Reading is strict: it formats again and compares.
#include "worker/checkpoint/object_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace sj::worker::checkpoint {
namespace {

constexpr size_t kNamePartBytesMax = 63;

template <typename T>
bool ParseNumber(std::string_view text, T* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= 0;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t at = 0;
  while (parts.size() < 8) {
    size_t next = text.find(separator, at);
    parts.push_back(text.substr(at, next == std::string_view::npos ? next : next - at));
    if (next == std::string_view::npos) {
      break;
    }
    at = next + 1;
  }
  return parts;
}

}  // namespace

std::string FormatObjectName(const ObjectName& name) {
  std::string text = fmt::format("{}/g{}/{}/{}-{}", name.job_uid, name.generation, name.ordinal,
                                 name.epoch, name.incarnation);
  if (name.retry > 0) {
    text += fmt::format("-r{}", name.retry);
  }
  return text;
}

bool ParseObjectName(std::string_view text, ObjectName* out) {
  ObjectName name;
  std::vector<std::string_view> parts = Split(text, '/');
  if (parts.size() != 4 || !parts[1].starts_with('g')) {
    return false;
  }
  name.job_uid = parts[0];
  std::vector<std::string_view> last = Split(parts[3], '-');
  if (last.size() < 2 || last.size() > 3 || !ParseNumber(parts[1].substr(1), &name.generation) ||
      !ParseNumber(parts[2], &name.ordinal) || !ParseNumber(last[0], &name.epoch)) {
    return false;
  }
  name.incarnation = last[1];
  if (last.size() == 3 &&
      !(last[2].starts_with('r') && ParseNumber(last[2].substr(1), &name.retry))) {
    return false;
  }
  if (!CheckNamePart("", name.job_uid, true).ok() ||
      !CheckNamePart("", name.incarnation, false).ok() || FormatObjectName(name) != text) {
    return false;
  }
  *out = std::move(name);
  return true;
}

base::Status CheckNamePart(std::string_view what, std::string_view text, bool dashes) {
  bool fine = !text.empty() && text.size() <= kNamePartBytesMax &&
              std::all_of(text.begin(), text.end(), [&](char c) {
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (dashes && c == '-');
              });
  return fine ? base::OkStatus()
              : base::InvalidArgument(fmt::format("{} \"{}\" has other characters than letters and "
                                                  "digits, or not 1 to {} of them",
                                                  what, text.substr(0, 80), kNamePartBytesMax));
}

}  // namespace sj::worker::checkpoint
