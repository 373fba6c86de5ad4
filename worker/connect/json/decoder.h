// SPDX-License-Identifier: Apache-2.0
// Decoder: JSON records straight into columns, in one pass in document order and without a tree.
// Only the wanted columns are looked at; strings without escapes stay where they are, in the
// caller's buffer. Either a record adds one row to every column, or none. Never throws, never
// crashes, on no bytes. Owned by one task thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "api/base/status.h"
#include "worker/connect/json/json_options.h"
#include "worker/types/column.h"

namespace sj::worker::connect::json {

// Why a record was refused: for a person.
struct DecodeError {
  std::string column;  // path, "bid.price"; empty: the record as a whole
  std::string what;
};

class Decoder {
 public:
  // Readable (not necessarily meaningful) bytes the parser needs after a record.
  static constexpr size_t kPadding = 64;

  // kInvalidArgument when a column's type cannot come from JSON.
  static base::Status CheckTypes(const types::Schema& schema);

  // `columns` are indexes into the schema. REQUIRES: CheckTypes(schema) was ok.
  Decoder(const types::Schema& schema, const std::vector<int>& columns, const JsonOptions& options);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Empty columns for this decoder, with room for `rows`.
  std::vector<types::Column> MakeColumns(size_t rows) const;

  // Decodes data[0, size) and appends to `columns`. REQUIRES: kPadding bytes after it are readable.
  // Escaped strings are unescaped in place, so the bytes change. String values are views into
  // `data`: the caller keeps it alive as long as the columns. False: *error is set, and the
  // columns are as before.
  bool Decode(char* data, size_t size, std::vector<types::Column>* columns, DecodeError* error);

  // No column holds views into the caller's buffer: it may be reused at once.
  bool keeps_no_views() const;

  class State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace sj::worker::connect::json
