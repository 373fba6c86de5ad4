// SPDX-License-Identifier: Apache-2.0
// The WITH options of the connectors 'kafka' and 'upsert-kafka', checked and typed. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/connector.h"
#include "worker/connect/json/json_options.h"
#include "worker/connect/kafka/cluster.h"
#include "worker/connect/options.h"

namespace sj::worker::connect::kafka {

enum class StartupMode : uint8_t {
  kGroupOffsets,
  kEarliest,
  kLatest,
  kTimestamp,
  kSpecificOffsets,
};
enum class BoundedMode : uint8_t { kUnbounded, kLatest, kTimestamp, kSpecificOffsets };
enum class KeyFormat : uint8_t { kNone, kJson, kRaw };
enum class Partitioner : uint8_t { kDefault, kFixed, kRoundRobin };
enum class BadRecords : uint8_t { kFail, kSkip, kDeadLetter };

struct KafkaOptions {
  std::string topic;
  Cluster cluster;
  json::JsonOptions json;
  bool upsert = false;  // connector 'upsert-kafka'

  StartupMode startup = StartupMode::kGroupOffsets;
  int64_t startup_timestamp = 0;           // milliseconds
  std::map<int, int64_t> startup_offsets;  // partition -> offset
  BoundedMode bounded = BoundedMode::kUnbounded;
  int64_t bounded_timestamp = 0;
  std::map<int, int64_t> bounded_offsets;
  std::chrono::milliseconds idle_timeout{0};
  BadRecords bad_records = BadRecords::kFail;
  std::string bad_records_topic;
  int64_t record_bytes_max = 0;
  std::chrono::milliseconds event_time_max_ahead{0};
  int64_t event_time_min = 0;  // milliseconds
  int64_t prefetch_bytes = 0;  // of all readers of this table in the process

  KeyFormat key_format = KeyFormat::kNone;
  std::vector<int> key_fields;    // columns of the schema
  std::vector<int> value_fields;  // likewise; all, or all but the key
  std::string key_prefix;         // key.fields-prefix
  Partitioner partitioner = Partitioner::kDefault;
};

std::span<const OptionRule> KafkaOptionRules();
// Errors: kInvalidArgument with the position in the SQL.
base::Result<KafkaOptions> ParseKafkaOptions(const types::TableSpec& table,
                                             const ConnectContext& context);

// "partition:0,offset:42;partition:1,offset:300" as Flink writes it.
std::optional<std::map<int, int64_t>> ParseSpecificOffsets(std::string_view text);

}  // namespace sj::worker::connect::kafka
