// SPDX-License-Identifier: Apache-2.0
// See diff.h.
#include "operator/resources/diff.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace sj::op::resources {
namespace {

constexpr size_t kShownMax = 60;
constexpr std::array<std::string_view, 4> kQuantityKeys = {"cpu", "memory", "ephemeral-storage",
                                                           "sizeLimit"};

std::optional<double> SuffixFactor(std::string_view suffix) {
  static constexpr std::pair<std::string_view, double> kFactors[] = {{"", 1},
                                                                     {"n", 1e-9},
                                                                     {"u", 1e-6},
                                                                     {"m", 1e-3},
                                                                     {"k", 1e3},
                                                                     {"M", 1e6},
                                                                     {"G", 1e9},
                                                                     {"T", 1e12},
                                                                     {"P", 1e15},
                                                                     {"E", 1e18},
                                                                     {"Ki", 1024.0},
                                                                     {"Mi", 1048576.0},
                                                                     {"Gi", 1073741824.0},
                                                                     {"Ti", 1099511627776.0},
                                                                     {"Pi", 1125899906842624.0},
                                                                     {"Ei", 1152921504606846976.0}};
  for (const auto& [name, factor] : kFactors) {
    if (name == suffix) {
      return factor;
    }
  }
  return std::nullopt;
}

std::optional<double> Quantity(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) {
    return std::nullopt;
  }
  const std::optional<double> factor =
      SuffixFactor(text.substr(static_cast<size_t>(end - text.data())));
  return factor ? std::optional<double>(number * *factor) : std::nullopt;
}

std::string Shown(const Json& value) {
  std::string text = base::DumpJson(value);
  if (text.size() > kShownMax) {
    text.resize(kShownMax);
    text += "...";
  }
  return text;
}

std::string Joined(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

bool IsQuantityKey(const std::string& path) {
  for (std::string_view key : kQuantityKeys) {
    if (path.ends_with(key)) {
      return true;
    }
  }
  return false;
}

bool SameScalar(const std::string& path, const Json& desired, const Json& observed) {
  if (desired == observed) {
    return true;
  }
  return desired.is_string() && observed.is_string() && IsQuantityKey(path) &&
         SameQuantity(desired.get_ref<const std::string&>(),
                      observed.get_ref<const std::string&>());
}

std::optional<std::string> Compare(const std::string& path, const Json& desired,
                                   const Json& observed);

std::optional<std::string> CompareLists(const std::string& path, const Json& desired,
                                        const Json& observed) {
  if (!observed.is_array() || observed.size() != desired.size()) {
    return fmt::format("{}: {} entries, want {}", path, observed.is_array() ? observed.size() : 0,
                       desired.size());
  }
  for (size_t i = 0; i < desired.size(); ++i) {
    if (auto difference = Compare(fmt::format("{}[{}]", path, i), desired[i], observed[i])) {
      return difference;
    }
  }
  return std::nullopt;
}

std::optional<std::string> Compare(const std::string& path, const Json& desired,
                                   const Json& observed) {
  if (desired.is_array()) {
    return CompareLists(path, desired, observed);
  }
  if (!desired.is_object()) {
    if (SameScalar(path, desired, observed)) {
      return std::nullopt;
    }
    return fmt::format("{}: {}, want {}", path, Shown(observed), Shown(desired));
  }
  for (const auto& [key, value] : desired.items()) {
    const std::string at = Joined(path, key);
    const Json* other = Find(observed, {key});
    // The API server drops empty objects and strings it would default to.
    const bool empty = value.is_null() || (value.is_structured() && value.empty()) ||
                       (value.is_string() && value.get_ref<const std::string&>().empty());
    if (other == nullptr && empty) {
      continue;
    }
    if (other == nullptr) {
      return fmt::format("{}: missing, want {}", at, Shown(value));
    }
    if (auto difference = Compare(at, value, *other)) {
      return difference;
    }
  }
  return std::nullopt;
}

// Volumes of the same object differ in content, not in a few characters: do not print them.
bool IsWholeText(std::string_view path) {
  return path.starts_with("data.");
}

}  // namespace

bool SameQuantity(std::string_view a, std::string_view b) {
  if (a == b) {
    return true;
  }
  const std::optional<double> left = Quantity(a);
  const std::optional<double> right = Quantity(b);
  return left && right && std::abs(*left - *right) <= 1e-9 * std::abs(*left);
}

std::optional<std::string> FirstDifference(const Json& desired, const Json& observed) {
  std::optional<std::string> difference = Compare("", desired, observed);
  if (difference && IsWholeText(*difference)) {
    return difference->substr(0, difference->find(':')) + ": other text";
  }
  return difference;
}

}  // namespace sj::op::resources
