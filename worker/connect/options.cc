// SPDX-License-Identifier: Apache-2.0
// Option texts to typed values. Pure but for building error texts.
#include "worker/connect/options.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace sj::worker::connect {
namespace {

using std::chrono::milliseconds;

const types::TableOption* Find(const types::TableSpec& table, std::string_view key) {
  for (const types::TableOption& option : table.options) {
    if (option.key == key) {
      return &option;
    }
  }
  return nullptr;
}

std::string At(types::SourcePos pos) {
  return pos.line == 0 ? std::string() : fmt::format("{}:{}: ", pos.line, pos.column);
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

bool Matches(const OptionRule& rule, std::string_view key) {
  if (rule.key.ends_with('*')) {
    return key.starts_with(rule.key.substr(0, rule.key.size() - 1));
  }
  return rule.key == key;
}

std::string Nearest(std::span<const OptionRule> rules, std::string_view key) {
  std::string_view best;
  size_t best_distance = 1 + key.size() / 3;
  for (const OptionRule& rule : rules) {
    size_t distance = EditDistance(rule.key, key);
    if (distance < best_distance) {
      best_distance = distance;
      best = rule.key;
    }
  }
  return best.empty() ? std::string() : fmt::format(" Did you mean \"{}\"?", best);
}

}  // namespace

base::Status OptionError(const types::TableSpec& table, std::string_view key,
                         std::string_view what) {
  const types::TableOption* option = Find(table, key);
  types::SourcePos pos = option == nullptr ? table.pos : option->key_pos;
  return base::InvalidArgument(
      fmt::format("{}table \"{}\": option \"{}\": {}", At(pos), table.name, key, what));
}

base::Status TableError(const types::TableSpec& table, std::string_view what) {
  return base::InvalidArgument(fmt::format("{}table \"{}\": {}", At(table.pos), table.name, what));
}

std::string OptionReader::TextOr(std::string_view key, std::string_view fallback) const {
  return std::string(Text(key).value_or(fallback));
}

base::Result<std::string> OptionReader::Required(std::string_view key) const {
  std::optional<std::string_view> text = Text(key);
  if (!text.has_value() || text->empty()) {
    return Error(key, "is required");
  }
  return std::string(*text);
}

base::Result<bool> OptionReader::Bool(std::string_view key, bool fallback) const {
  std::optional<std::string_view> text = Text(key);
  if (!text.has_value()) {
    return fallback;
  }
  if (*text == "true" || *text == "TRUE") {
    return true;
  }
  if (*text == "false" || *text == "FALSE") {
    return false;
  }
  return Error(key, fmt::format("\"{}\" is neither true nor false", *text));
}

base::Result<int64_t> OptionReader::Int(std::string_view key, int64_t fallback, int64_t min,
                                        int64_t max) const {
  std::optional<std::string_view> text = Text(key);
  if (!text.has_value()) {
    return fallback;
  }
  int64_t value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < min || value > max) {
    return Error(key, fmt::format("\"{}\" is not a whole number from {} to {}", *text, min, max));
  }
  return value;
}

base::Result<milliseconds> OptionReader::Duration(std::string_view key,
                                                  milliseconds fallback) const {
  std::optional<std::string_view> text = Text(key);
  if (!text.has_value()) {
    return fallback;
  }
  std::optional<milliseconds> value = ParseOptionDuration(*text);
  if (!value.has_value()) {
    return Error(key,
                 fmt::format("\"{}\" is not a duration. Write \"500 ms\", \"10 s\", \"5 min\", "
                             "\"2 h\" or \"1 d\".",
                             *text));
  }
  return *value;
}

base::Result<int> OptionReader::Choice(std::string_view key,
                                       std::span<const std::string_view> choices) const {
  std::optional<std::string_view> text = Text(key);
  if (!text.has_value()) {
    return 0;
  }
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == *text) {
      return static_cast<int>(i);
    }
  }
  std::string list;
  for (std::string_view choice : choices) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", choice);
  }
  return Error(key, fmt::format("\"{}\" is not one of {}", *text, list));
}

base::Status OptionReader::RefuseUnknown(std::span<const OptionRule> rules) const {
  for (const types::TableOption& option : table_.options) {
    bool known = std::any_of(rules.begin(), rules.end(),
                             [&](const OptionRule& rule) { return Matches(rule, option.key); });
    if (!known) {
      return Error(option.key, "is not known to this connector." + Nearest(rules, option.key));
    }
  }
  return base::OkStatus();
}

std::optional<milliseconds> ParseOptionDuration(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) {
    return std::nullopt;
  }
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (unit.starts_with(' ')) {
    unit.remove_prefix(1);
  }
  struct Unit {
    std::string_view name;
    int64_t millis;
  };
  static constexpr Unit kUnits[] = {{"", 1},           {"ms", 1},           {"milli", 1},
                                    {"millis", 1},     {"s", 1000},         {"sec", 1000},
                                    {"second", 1000},  {"seconds", 1000},   {"m", 60'000},
                                    {"min", 60'000},   {"minute", 60'000},  {"minutes", 60'000},
                                    {"h", 3'600'000},  {"hour", 3'600'000}, {"hours", 3'600'000},
                                    {"d", 86'400'000}, {"day", 86'400'000}, {"days", 86'400'000}};
  for (const Unit& known : kUnits) {
    if (known.name == unit) {
      if (number > INT64_MAX / known.millis / 2) {
        return std::nullopt;
      }
      return milliseconds(number * known.millis);
    }
  }
  return std::nullopt;
}

}  // namespace sj::worker::connect
