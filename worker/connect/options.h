// SPDX-License-Identifier: Apache-2.0
// Reading of the WITH options of a table: typed values, errors with the position in the SQL text,
// and the refusal of options nobody knows. Every connector states its options in a table of
// OptionRule, which docs/reference/connectors.md is compared with. Thread-compatible.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/status.h"
#include "worker/types/table.h"

namespace sj::worker::connect {

struct OptionRule {
  std::string_view key;  // a trailing '*' stands for any rest: "fields.*"
};

// "3:17: option "key": what". `what` says what is wrong and, as a sentence, what to do.
base::Status OptionError(const types::TableSpec& table, std::string_view key,
                         std::string_view what);
// "3:1: table "t": what", for what is not the fault of one option.
base::Status TableError(const types::TableSpec& table, std::string_view what);

class OptionReader {
 public:
  // `table` must outlive the reader.
  explicit OptionReader(const types::TableSpec& table) : table_(table) {}

  std::optional<std::string_view> Text(std::string_view key) const { return table_.Option(key); }
  std::string TextOr(std::string_view key, std::string_view fallback) const;
  base::Result<std::string> Required(std::string_view key) const;
  base::Result<bool> Bool(std::string_view key, bool fallback) const;
  // In [min, max].
  base::Result<int64_t> Int(std::string_view key, int64_t fallback, int64_t min, int64_t max) const;
  // "500 ms", "5s", "1 min", "2 h", "1 d".
  base::Result<std::chrono::milliseconds> Duration(std::string_view key,
                                                   std::chrono::milliseconds fallback) const;
  // One of `choices`; the first is the default. The index.
  base::Result<int> Choice(std::string_view key, std::span<const std::string_view> choices) const;
  base::Status Error(std::string_view key, std::string_view what) const {
    return OptionError(table_, key, what);
  }
  // kInvalidArgument for the first option that no rule names, with the nearest name. Options of the
  // other side are let pass: one table may be written by one job and read by another.
  base::Status RefuseUnknown(std::span<const OptionRule> rules) const;

 private:
  const types::TableSpec& table_;
};

// Flink's spelling of durations; a bare number is milliseconds. nullopt when malformed.
std::optional<std::chrono::milliseconds> ParseOptionDuration(std::string_view text);

}  // namespace sj::worker::connect
