// SPDX-License-Identifier: Apache-2.0
// Encoder: rows of columns to JSON text as Flink's json format writes it: timestamps in SQL or
// ISO-8601 form, DECIMAL as a plain number, BYTES as base64, doubles spelt as Java does. Thread-
// compatible.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "worker/connect/json/json_options.h"
#include "worker/types/column.h"

namespace sj::worker::connect::json {

class Encoder {
 public:
  // `fields`: the columns to write, in order; `strip`: a prefix taken off their names.
  Encoder(const types::Schema& schema, const std::vector<int>& fields, const JsonOptions& options,
          std::string_view strip = {});

  // Appends one object to *out. REQUIRES: the batch has the schema's columns.
  void Encode(const types::Batch& batch, size_t row, std::string* out) const;

 private:
  void Value(const types::Column& column, size_t row, std::string* out) const;
  void Int64Value(const types::Column& column, int64_t value, std::string* out) const;
  void Nested(const types::Column& column, size_t row, std::string* out) const;

  const JsonOptions options_;
  std::vector<int> fields_;
  std::vector<std::string> names_;  // quoted, with the colon
};

// As a JSON string with its quotes. Invalid UTF-8 is passed through.
void AppendJsonString(std::string_view text, std::string* out);
// Java's Double.toString and Float.toString; NaN and infinities as JSON strings.
void AppendJavaDouble(double value, bool is_float, std::string* out);

}  // namespace sj::worker::connect::json
