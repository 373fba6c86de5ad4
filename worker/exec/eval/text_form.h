// SPDX-License-Identifier: Apache-2.0
// Values as CAST reads them from text and writes them to text. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "worker/types/column.h"

namespace sj::worker::exec::eval {

std::string_view TrimBlanks(std::string_view text);
// "12", "-12", "+12.9" (the fraction is checked and cut); nullopt when malformed or too large for
// `kind`.
std::optional<int64_t> IntFromText(std::string_view text, types::TypeKind kind);
std::optional<bool> BoolFromText(std::string_view text);
// "2026-01-02", also "2026-1-2" and what follows a blank or 'T' ignored.
std::optional<int64_t> DateFromText(std::string_view text);
// A timestamp in either form, or a date alone. ltz: a zone may follow; without one it is UTC.
std::optional<int64_t> TimestampFromText(std::string_view text, bool ltz);

// CAST(value AS STRING) of a present scalar.
void AppendText(const types::Column& column, size_t row, std::string* out);

// The first n characters (code points) of a text.
std::string_view FirstChars(std::string_view text, size_t n);

}  // namespace sj::worker::exec::eval
