// SPDX-License-Identifier: Apache-2.0
// The table of settings and the check of each value.
#include "worker/plan/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

bool IsDuration(std::string_view value) {
  return ParseDurationMs(value).has_value();
}

bool IsAnything(std::string_view value) {
  return !value.empty();
}

bool IsUtc(std::string_view value) {
  return value == "UTC";
}

struct SettingEntry {
  std::string_view key;
  bool (*valid)(std::string_view);
  std::string_view wanted;
};
constexpr std::array<SettingEntry, 3> kSettings = {
    {{"pipeline.name", IsAnything, "It takes a name."},
     {"table.exec.source.idle-timeout", IsDuration,
      "It takes a duration such as '5 s' or '1 min'."},
     {"table.local-time-zone", IsUtc, "Only 'UTC' is supported yet."}}};

const SettingEntry* Find(std::string_view key) {
  const auto* found = std::find_if(kSettings.begin(), kSettings.end(),
                                   [key](const SettingEntry& entry) { return entry.key == key; });
  return found == kSettings.end() ? nullptr : found;
}

base::Status UnknownSetting(std::string_view key, sql::SourcePos pos) {
  std::vector<std::string> names;
  for (const SettingEntry& entry : kSettings) {
    names.emplace_back(entry.key);
  }
  std::string hint = sql::DidYouMean(key, names);
  if (hint.empty()) {
    hint = fmt::format("Settings are {}.", fmt::join(names, ", "));
  }
  return sql::ErrorAt(pos, fmt::format("unknown setting {}", sql::Quoted(key)), hint);
}

struct DurationUnit {
  std::string_view names;  // separated and enclosed by blanks
  int64_t ms;
};
constexpr std::array<DurationUnit, 5> kUnits = {{{" ms milli millis millisecond milliseconds ", 1},
                                                 {" s sec secs second seconds ", 1'000},
                                                 {" m min mins minute minutes ", 60'000},
                                                 {" h hour hours ", 3'600'000},
                                                 {" d day days ", 86'400'000}}};

}  // namespace

std::optional<int64_t> ParseDurationMs(std::string_view text) {
  int64_t count = 0;
  const char* const last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, count);
  if (error != std::errc() || count < 0) {
    return std::nullopt;
  }
  while (end != last && *end == ' ') {
    ++end;
  }
  const std::string unit(end, last);
  if (unit.empty()) {
    return count;
  }
  for (const DurationUnit& entry : kUnits) {
    int64_t ms = 0;
    if (unit.find(' ') == std::string::npos &&
        entry.names.find(" " + unit + " ") != std::string_view::npos &&
        !__builtin_mul_overflow(count, entry.ms, &ms)) {
      return ms;
    }
  }
  return std::nullopt;
}

base::Status ApplySet(const sql::SetOption& set, std::vector<Setting>* settings) {
  const SettingEntry* entry = Find(set.key);
  if (entry == nullptr) {
    return UnknownSetting(set.key, set.key_pos);
  }
  if (!entry->valid(set.value)) {
    return sql::ErrorAt(
        set.value_pos,
        fmt::format("{} is not a value of {}", sql::Quoted(set.value), sql::Quoted(set.key)),
        entry->wanted);
  }
  SJ_RETURN_IF_ERROR(ApplyReset({set.key, set.key_pos}, settings));
  settings->push_back({set.key, set.value});
  return base::OkStatus();
}

base::Status ApplyReset(const sql::ResetOption& reset, std::vector<Setting>* settings) {
  if (reset.key.empty()) {
    settings->clear();
    return base::OkStatus();
  }
  if (Find(reset.key) == nullptr) {
    return UnknownSetting(reset.key, reset.key_pos);
  }
  std::erase_if(*settings, [&](const Setting& setting) { return setting.key == reset.key; });
  return base::OkStatus();
}

std::vector<std::string_view> SettingNames() {
  std::vector<std::string_view> names;
  for (const SettingEntry& entry : kSettings) {
    names.push_back(entry.key);
  }
  return names;
}

}  // namespace sj::worker::plan
