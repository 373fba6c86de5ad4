// SPDX-License-Identifier: Apache-2.0
// Text forms of dates and timestamps, proleptic Gregorian, years 0000 to 9999, no time zone tables.
// Pure functions, no allocation but for the text appended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sj::worker::types {

enum class TimestampFormat : uint8_t {
  kSql,      // "2026-01-02 03:04:05.678"
  kIso8601,  // "2026-01-02T03:04:05.678", with 'Z' or an offset for TIMESTAMP_LTZ
};

// Milliseconds since 1970-01-01 00:00:00; nullopt when malformed. Digits past the third are cut.
std::optional<int64_t> ParseTimestamp(std::string_view text, TimestampFormat format);
// With 'Z' or "+hh:mm" required: an instant.
std::optional<int64_t> ParseTimestampLtz(std::string_view text, TimestampFormat format);
// As Flink's JSON format writes TIMESTAMP(precision): fraction digits only as far as needed
// (SQL: "2026-01-02 03:04:00", ".5", ".678").
void AppendTimestamp(int64_t millis, TimestampFormat format, bool zulu, std::string* out);
// CAST(timestamp AS STRING): exactly `precision` fraction digits.
void AppendTimestampFixed(int64_t millis, int precision, std::string* out);
std::optional<int64_t> ParseDate(std::string_view text);  // days
void AppendDate(int64_t days, std::string* out);
std::optional<int64_t> ParseTimeOfDay(std::string_view text);  // milliseconds
void AppendTimeOfDay(int64_t millis, int precision, std::string* out);

struct CivilTime {
  int year, month, day, hour, minute, second, millis;
};
CivilTime ToCivil(int64_t millis);
int64_t FromCivil(const CivilTime& civil);

}  // namespace sj::worker::types
