// SPDX-License-Identifier: Apache-2.0
// Error wording and "did you mean" for the SQL front end. Edit distance is computed on short names
// only, so an error costs bounded time whatever the text holds.
#include "worker/sql/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace sj::worker::sql {
namespace {

constexpr size_t kQuotedBytesMax = 64;
constexpr size_t kCandidatesMax = 1000;

char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitute = diagonal + (Upper(a[i - 1]) == Upper(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

base::Status ErrorAt(types::SourcePos pos, std::string_view message, std::string_view hint) {
  std::string text = fmt::format("{}:{}: {}", pos.line, pos.column, message);
  if (!hint.empty()) {
    text += fmt::format(". {}", hint);
  }
  return base::InvalidArgument(std::move(text));
}

std::string Quoted(std::string_view name) {
  if (name.size() <= kQuotedBytesMax) {
    return fmt::format("\"{}\"", name);
  }
  size_t end = kQuotedBytesMax;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) {
    --end;
  }
  return fmt::format("\"{}...\"", name.substr(0, end));
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > kQuotedBytesMax) {
    return "";
  }
  // A one-letter name is near nothing but itself in the other case.
  const size_t near = name.size() < 2 ? 0 : std::max<size_t>(1, name.size() / 3);
  size_t best = near + 1;
  const std::string* found = nullptr;
  for (size_t i = 0; i < std::min(candidates.size(), kCandidatesMax); ++i) {
    const std::string& candidate = candidates[i];
    if (candidate.size() > name.size() + near || name.size() > candidate.size() + near) {
      continue;
    }
    size_t distance = EditDistance(name, candidate);
    if (distance < best) {
      best = distance;
      found = &candidate;
    }
  }
  return found == nullptr ? "" : fmt::format("Did you mean {}?", Quoted(*found));
}

std::string ToUpper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), Upper);
  return upper;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Upper(x) == Upper(y); });
}

}  // namespace sj::worker::sql
