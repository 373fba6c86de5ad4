// SPDX-License-Identifier: Apache-2.0
// Names and meanings are Flink's where Flink has the option; bad-records.*, scan.event-time.*,
// scan.record.max-bytes and scan.prefetch.bytes are ours.
#include "worker/connect/kafka/kafka_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "api/base/log.h"

namespace sj::worker::connect::kafka {
namespace {

constexpr OptionRule kRules[] = {
    {"connector"},
    {"connection"},
    {"topic"},
    {"format"},
    {"value.format"},
    {"value.fields-include"},
    {"key.format"},
    {"key.fields"},
    {"key.fields-prefix"},
    {"properties.*"},
    {"json.*"},
    {"value.json.*"},
    {"key.json.*"},
    {"scan.startup.mode"},
    {"scan.startup.specific-offsets"},
    {"scan.startup.timestamp-millis"},
    {"scan.bounded.mode"},
    {"scan.bounded.specific-offsets"},
    {"scan.bounded.timestamp-millis"},
    {"scan.watermark.idle-timeout"},
    {"scan.topic-partition-discovery.interval"},
    {"scan.parallelism"},
    {"scan.record.max-bytes"},
    {"scan.event-time.max-ahead"},
    {"scan.event-time.min"},
    {"scan.prefetch.bytes"},
    {"bad-records.policy"},
    {"bad-records.topic"},
    {"sink.partitioner"},
    {"sink.delivery-guarantee"},
    {"sink.semantic"},
    {"sink.parallelism"},
    {"sink.transactional-id-prefix"},
    {"sink.buffer-flush.max-rows"},
    {"sink.buffer-flush.interval"},
};

bool ReadNumber(std::string_view text, std::string_view name, int64_t* out) {
  if (!text.starts_with(name) || text.size() <= name.size() || text[name.size()] != ':') {
    return false;
  }
  text.remove_prefix(name.size() + 1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= 0;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t at = text.find(separator);
    out.push_back(text.substr(0, at));
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  }
  return out;
}

base::Result<std::map<int, int64_t>> SpecificOffsets(const OptionReader& options,
                                                     std::string_view key) {
  SJ_ASSIGN_OR_RETURN(std::string text, options.Required(key));
  std::optional<std::map<int, int64_t>> offsets = ParseSpecificOffsets(text);
  if (!offsets.has_value()) {
    return options.Error(key, fmt::format("\"{}\" is not a list like"
                                          " \"partition:0,offset:42;partition:1,offset:300\"",
                                          text));
  }
  return *offsets;
}

base::Result<int64_t> RequiredMillis(const OptionReader& options, std::string_view key) {
  SJ_RETURN_IF_ERROR(options.Required(key).status());
  return options.Int(key, 0, 0, INT64_MAX / 2);
}

base::Status ParseStartup(const OptionReader& options, KafkaOptions* out) {
  static constexpr std::string_view kModes[] = {"group-offsets", "earliest-offset", "latest-offset",
                                                "timestamp", "specific-offsets"};
  SJ_ASSIGN_OR_RETURN(int mode, options.Choice("scan.startup.mode", kModes));
  out->startup = static_cast<StartupMode>(mode);
  if (out->startup == StartupMode::kTimestamp) {
    SJ_ASSIGN_OR_RETURN(out->startup_timestamp,
                        RequiredMillis(options, "scan.startup.timestamp-millis"));
  }
  if (out->startup == StartupMode::kSpecificOffsets) {
    SJ_ASSIGN_OR_RETURN(out->startup_offsets,
                        SpecificOffsets(options, "scan.startup.specific-offsets"));
  }
  static constexpr std::string_view kBounded[] = {"unbounded", "latest-offset", "timestamp",
                                                  "specific-offsets"};
  SJ_ASSIGN_OR_RETURN(int bounded, options.Choice("scan.bounded.mode", kBounded));
  out->bounded = static_cast<BoundedMode>(bounded);
  if (out->bounded == BoundedMode::kTimestamp) {
    SJ_ASSIGN_OR_RETURN(out->bounded_timestamp,
                        RequiredMillis(options, "scan.bounded.timestamp-millis"));
  }
  if (out->bounded == BoundedMode::kSpecificOffsets) {
    SJ_ASSIGN_OR_RETURN(out->bounded_offsets,
                        SpecificOffsets(options, "scan.bounded.specific-offsets"));
  }
  return base::OkStatus();
}

base::Status ParseGuards(const OptionReader& options, KafkaOptions* out) {
  SJ_ASSIGN_OR_RETURN(out->idle_timeout, options.Duration("scan.watermark.idle-timeout",
                                                          std::chrono::milliseconds(0)));
  // Partitions are counted by the plan of each generation; the interval has no meaning of its own.
  SJ_RETURN_IF_ERROR(
      options.Duration("scan.topic-partition-discovery.interval", std::chrono::milliseconds(0))
          .status());
  static constexpr std::string_view kPolicies[] = {"fail", "skip", "dead-letter"};
  SJ_ASSIGN_OR_RETURN(int policy, options.Choice("bad-records.policy", kPolicies));
  out->bad_records = static_cast<BadRecords>(policy);
  out->bad_records_topic = options.TextOr("bad-records.topic", "");
  if ((out->bad_records == BadRecords::kDeadLetter) != !out->bad_records_topic.empty()) {
    return options.Error("bad-records.topic",
                         "goes together with 'bad-records.policy' = 'dead-letter'");
  }
  if (out->json.ignore_parse_errors) {
    if (options.Text("bad-records.policy").has_value() && out->bad_records == BadRecords::kFail) {
      return options.Error("bad-records.policy",
                           "is \"fail\" while json.ignore-parse-errors is true");
    }
    if (out->bad_records == BadRecords::kFail) {
      out->bad_records = BadRecords::kSkip;
    }
  }
  SJ_ASSIGN_OR_RETURN(out->record_bytes_max,
                      options.Int("scan.record.max-bytes", 1 << 20, 1, 64 << 20));
  SJ_ASSIGN_OR_RETURN(out->prefetch_bytes,
                      options.Int("scan.prefetch.bytes", 16 << 20, 1 << 20, 1 << 30));
  SJ_ASSIGN_OR_RETURN(out->event_time_max_ahead,
                      options.Duration("scan.event-time.max-ahead", std::chrono::hours(24)));
  std::string min = options.TextOr("scan.event-time.min", "1970-01-01 00:00:00");
  std::optional<int64_t> millis = types::ParseTimestamp(min, types::TimestampFormat::kSql);
  if (!millis.has_value()) {
    return options.Error(
        "scan.event-time.min",
        fmt::format("\"{}\" is not a timestamp like \"1970-01-01 00:00:00\"", min));
  }
  out->event_time_min = *millis;
  return base::OkStatus();
}

base::Result<KeyFormat> ParseKeyFormat(const OptionReader& options) {
  std::optional<std::string_view> format = options.Text("key.format");
  if (!format.has_value()) {
    return KeyFormat::kNone;
  }
  if (*format == "json") {
    return KeyFormat::kJson;
  }
  if (*format == "raw") {
    return KeyFormat::kRaw;
  }
  return options.Error("key.format",
                       fmt::format("\"{}\" is not one of \"json\", \"raw\"", *format));
}

base::Status KeyColumns(const types::TableSpec& table, const OptionReader& options,
                        KafkaOptions* out) {
  std::vector<std::string> names;
  if (out->upsert) {
    names = table.primary_key;
  } else if (std::optional<std::string_view> list = options.Text("key.fields")) {
    for (std::string_view name : Split(*list, ';')) {
      names.emplace_back(name);
    }
  }
  for (const std::string& name : names) {
    int index = table.schema.IndexOf(name);
    if (index < 0) {
      return options.Error(out->upsert ? "connector" : "key.fields",
                           fmt::format("column \"{}\" is not a physical column", name));
    }
    out->key_fields.push_back(index);
  }
  if (out->upsert && (names.empty() || out->key_format == KeyFormat::kNone)) {
    return options.Error("connector", "upsert-kafka needs a PRIMARY KEY and the option key.format");
  }
  if (!out->upsert && !table.primary_key.empty()) {
    return options.Error("connector",
                         "is append-only and cannot keep a PRIMARY KEY. Use 'upsert-kafka'.");
  }
  if (!out->upsert && names.empty() != (out->key_format == KeyFormat::kNone)) {
    return options.Error("key.fields", "goes together with key.format");
  }
  if (out->key_format == KeyFormat::kRaw && out->key_fields.size() != 1) {
    return options.Error("key.format", "raw takes exactly one key column");
  }
  return base::OkStatus();
}

base::Status ParseKey(const types::TableSpec& table, const OptionReader& options,
                      KafkaOptions* out) {
  SJ_ASSIGN_OR_RETURN(out->key_format, ParseKeyFormat(options));
  SJ_RETURN_IF_ERROR(KeyColumns(table, options, out));
  out->key_prefix = options.TextOr("key.fields-prefix", "");
  static constexpr std::string_view kInclude[] = {"ALL", "EXCEPT_KEY"};
  SJ_ASSIGN_OR_RETURN(int include, options.Choice("value.fields-include", kInclude));
  bool except_key = include == 1;
  if (!out->key_prefix.empty() && !except_key) {
    return options.Error("key.fields-prefix", "needs 'value.fields-include' = 'EXCEPT_KEY'");
  }
  for (int i = 0; i < static_cast<int>(table.schema.fields.size()); ++i) {
    bool is_key =
        std::find(out->key_fields.begin(), out->key_fields.end(), i) != out->key_fields.end();
    if (!except_key || !is_key) {
      out->value_fields.push_back(i);
    }
  }
  return base::OkStatus();
}

base::Status ParseSink(const OptionReader& options, KafkaOptions* out) {
  static constexpr std::string_view kPartitioners[] = {"default", "fixed", "round-robin"};
  SJ_ASSIGN_OR_RETURN(int partitioner, options.Choice("sink.partitioner", kPartitioners));
  out->partitioner = static_cast<Partitioner>(partitioner);
  // Whatever is asked for, records leave inside the worker's transaction.
  static constexpr std::string_view kGuarantees[] = {"exactly-once", "at-least-once", "none"};
  SJ_RETURN_IF_ERROR(options.Choice("sink.delivery-guarantee", kGuarantees).status());
  SJ_RETURN_IF_ERROR(options.Choice("sink.semantic", kGuarantees).status());
  SJ_RETURN_IF_ERROR(options.Int("sink.parallelism", 1, 1, 1 << 20).status());
  SJ_RETURN_IF_ERROR(options.Int("scan.parallelism", 1, 1, 1 << 20).status());
  return base::OkStatus();
}

base::Status CheckFormat(const OptionReader& options) {
  std::optional<std::string_view> format = options.Text("format");
  std::optional<std::string_view> value_format = options.Text("value.format");
  if (format.has_value() == value_format.has_value()) {
    return options.Error("format", format.has_value() ? "and value.format exclude each other"
                                                      : "is required. This worker has: json.");
  }
  std::string_view chosen = format.has_value() ? *format : *value_format;
  if (chosen != "json") {
    return options.Error(format.has_value() ? "format" : "value.format",
                         fmt::format("\"{}\" is not supported. This worker has: json.", chosen));
  }
  return base::OkStatus();
}

base::Status CheckJsonKeys(const types::TableSpec& table) {
  for (const types::TableOption& option : table.options) {
    std::string_view key = option.key;
    for (std::string_view prefix : {"value.json.", "key.json.", "json."}) {
      if (!key.starts_with(prefix)) {
        continue;
      }
      std::string_view name = key.substr(prefix.size());
      std::span<const OptionRule> rules = json::JsonOptionRules();
      bool known = std::any_of(rules.begin(), rules.end(), [&](const OptionRule& rule) {
        return rule.key.substr(std::string_view("json.").size()) == name;
      });
      if (!known) {
        return OptionError(table, key, "is not an option of the format json");
      }
      break;
    }
  }
  return base::OkStatus();
}

}  // namespace

std::span<const OptionRule> KafkaOptionRules() {
  return kRules;
}

std::optional<std::map<int, int64_t>> ParseSpecificOffsets(std::string_view text) {
  std::map<int, int64_t> out;
  for (std::string_view pair : Split(text, ';')) {
    size_t comma = pair.find(',');
    int64_t partition = 0;
    int64_t offset = 0;
    if (comma == std::string_view::npos ||
        !ReadNumber(pair.substr(0, comma), "partition", &partition) || partition > INT32_MAX ||
        !ReadNumber(pair.substr(comma + 1), "offset", &offset) ||
        !out.emplace(static_cast<int>(partition), offset).second) {
      return std::nullopt;
    }
  }
  return out.empty() ? std::nullopt : std::optional(std::move(out));
}

base::Result<KafkaOptions> ParseKafkaOptions(const types::TableSpec& table,
                                             const ConnectContext& context) {
  OptionReader options(table);
  if (options.Text("topic-pattern").has_value()) {
    return options.Error("topic-pattern", "is not supported. Name one topic with 'topic'.");
  }
  SJ_RETURN_IF_ERROR(options.RefuseUnknown(kRules));
  SJ_RETURN_IF_ERROR(CheckJsonKeys(table));
  KafkaOptions out;
  out.upsert = options.Text("connector") == "upsert-kafka";
  SJ_ASSIGN_OR_RETURN(out.topic, options.Required("topic"));
  if (out.topic.find(';') != std::string::npos) {
    return options.Error("topic", "is a list, which is not supported. Name one topic.");
  }
  bool legal =
      out.topic.size() <= 249 && std::all_of(out.topic.begin(), out.topic.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
      });
  if (!legal) {
    return options.Error("topic", fmt::format("\"{}\" is not a legal topic name", out.topic));
  }
  SJ_RETURN_IF_ERROR(CheckFormat(options));
  SJ_ASSIGN_OR_RETURN(out.cluster, ResolveCluster(table, context));
  std::string_view prefix = options.Text("format").has_value() ? "" : "value.";
  SJ_ASSIGN_OR_RETURN(out.json, json::ParseJsonOptions(options, prefix));
  SJ_RETURN_IF_ERROR(ParseStartup(options, &out));
  SJ_RETURN_IF_ERROR(ParseGuards(options, &out));
  SJ_RETURN_IF_ERROR(ParseKey(table, options, &out));
  SJ_RETURN_IF_ERROR(ParseSink(options, &out));
  return out;
}

}  // namespace sj::worker::connect::kafka
