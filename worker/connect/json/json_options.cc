// SPDX-License-Identifier: Apache-2.0
// The JSON format's options; names and meanings are Flink's.
#include "worker/connect/json/json_options.h"

#include <string>

namespace sj::worker::connect::json {
namespace {

constexpr OptionRule kRules[] = {
    {"json.fail-on-missing-field"},      {"json.ignore-parse-errors"},
    {"json.timestamp-format.standard"},  {"json.encode.decimal-as-plain-number"},
    {"json.encode.ignore-null-fields"},  {"json.map-null-key.mode"},
    {"json.decode.json-parser.enabled"},
};

}  // namespace

std::span<const OptionRule> JsonOptionRules() {
  return kRules;
}

base::Result<JsonOptions> ParseJsonOptions(const OptionReader& options, std::string_view prefix) {
  auto key = [&](std::string_view name) {
    return std::string(prefix) + "json." + std::string(name);
  };
  JsonOptions out;
  SJ_ASSIGN_OR_RETURN(out.fail_on_missing_field, options.Bool(key("fail-on-missing-field"), false));
  SJ_ASSIGN_OR_RETURN(out.ignore_parse_errors, options.Bool(key("ignore-parse-errors"), false));
  if (out.fail_on_missing_field && out.ignore_parse_errors) {
    return options.Error(key("ignore-parse-errors"),
                         "cannot be true together with fail-on-missing-field");
  }
  static constexpr std::string_view kFormats[] = {"SQL", "ISO-8601"};
  SJ_ASSIGN_OR_RETURN(int format, options.Choice(key("timestamp-format.standard"), kFormats));
  out.timestamp_format =
      format == 0 ? types::TimestampFormat::kSql : types::TimestampFormat::kIso8601;
  SJ_ASSIGN_OR_RETURN(out.encode_ignore_null_fields,
                      options.Bool(key("encode.ignore-null-fields"), false));
  // Decimals are always written plain, and the parser is always the streaming one; both values of
  // these options are therefore served.
  SJ_RETURN_IF_ERROR(options.Bool(key("encode.decimal-as-plain-number"), false).status());
  SJ_RETURN_IF_ERROR(options.Bool(key("decode.json-parser.enabled"), true).status());
  static constexpr std::string_view kNullKeys[] = {"FAIL"};
  SJ_RETURN_IF_ERROR(options.Choice(key("map-null-key.mode"), kNullKeys).status());
  return out;
}

}  // namespace sj::worker::connect::json
