// SPDX-License-Identifier: Apache-2.0
// TableSpec: what CREATE TABLE says of the outside: columns as they are on the wire, connector
// options with their positions in the SQL text. Made by worker/plan, read by worker/connect.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/types/data_type.h"

namespace sj::worker::types {

// A place in the job's SQL text, both from 1; line 0: unknown.
struct SourcePos {
  int line = 0;
  int column = 0;
};

struct TableOption {
  std::string key;
  std::string value;
  SourcePos key_pos;
  SourcePos value_pos;
};

struct TableSpec {
  std::string name;
  SourcePos pos;
  Schema schema;  // physical columns only, in declared order; schema.rowtime when it is one of them
  std::vector<TableOption> options;
  std::vector<std::string> primary_key;

  // The option's value, or nullopt. Keys are case-sensitive.
  std::optional<std::string_view> Option(std::string_view key) const;
};

}  // namespace sj::worker::types
