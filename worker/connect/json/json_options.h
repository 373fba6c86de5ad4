// SPDX-License-Identifier: Apache-2.0
// Options of the format 'json', under "json.", "value.json." or "key.json.". Pure.
#pragma once

#include <span>
#include <string_view>

#include "worker/connect/options.h"
#include "worker/types/date_time.h"

namespace sj::worker::connect::json {

struct JsonOptions {
  bool fail_on_missing_field = false;
  bool ignore_parse_errors = false;  // a bad field is NULL, a record that is no JSON is skipped
  types::TimestampFormat timestamp_format = types::TimestampFormat::kSql;
  bool encode_ignore_null_fields = false;
};

// Keys without a prefix: "json.fail-on-missing-field", ...
std::span<const OptionRule> JsonOptionRules();
// `prefix` is "" or "value.". Errors: kInvalidArgument with the position.
base::Result<JsonOptions> ParseJsonOptions(const OptionReader& options, std::string_view prefix);

}  // namespace sj::worker::connect::json
