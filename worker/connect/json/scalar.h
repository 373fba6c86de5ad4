// SPDX-License-Identifier: Apache-2.0
// JSON tokens to values, with Flink's leniency: numbers may come as strings, a fraction is cut when
// the column is an integer, DECIMAL is read from the digits and never through a double. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "worker/types/column.h"
#include "worker/types/data_type.h"
#include "worker/types/date_time.h"

namespace sj::worker::connect::json {

enum class ScalarResult : uint8_t { kOk, kNull, kBad };

// `text` is a number's token, or a string's content without spaces around.
ScalarResult ReadInteger(std::string_view text, types::TypeKind kind, int64_t* out);
ScalarResult ReadDouble(std::string_view text, bool to_float, double* out);
// kNull when the value does not fit the precision, as in Flink.
ScalarResult ReadDecimal(std::string_view text, const types::DataType& type, types::Int128* out);
// DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ as a column holds them.
std::optional<int64_t> ReadTime(std::string_view text, const types::DataType& type,
                                types::TimestampFormat format);
std::optional<std::string> DecodeBase64(std::string_view text);

// The content of a JSON string (between the quotes) with escapes resolved, in place: the result
// starts at `begin`. Lone surrogates become U+FFFD. Nullopt: an escape is malformed.
std::optional<size_t> UnescapeInPlace(char* begin, size_t size);

std::string_view Trim(std::string_view text);
// A JSON number by the grammar.
bool IsNumber(std::string_view text);

}  // namespace sj::worker::connect::json
