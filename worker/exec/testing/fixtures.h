// SPDX-License-Identifier: Apache-2.0
// Batches, expressions and outputs for the tests of this folder: values as text, rows as
// "a|1|NULL". Not for product code.
#pragma once

#include <string>
#include <vector>

#include "worker/exec/operator.h"
#include "worker/plan/expr.h"
#include "worker/types/column.h"

namespace sj::worker::exec::testing {

inline constexpr std::string_view kNull = "NULL";

// Appends a value written as text ("NULL": NULL); timestamps are milliseconds.
void AppendValue(std::string_view text, types::Column* column);
types::Batch MakeBatch(const types::Schema& schema,
                       const std::vector<std::vector<std::string>>& rows);
types::Schema MakeSchema(const std::vector<types::DataType>& types);

std::string ValueText(const types::Column& column, size_t row);
std::string RowText(const types::Batch& batch, size_t row);

plan::Expr Col(int column, types::DataType type);
// A literal from text, as MakeBatch reads it.
plan::Expr Lit(types::DataType type, std::string_view text);
plan::Expr Call(plan::Function function, types::DataType type, std::vector<plan::Expr> args);

// Keeps what it is given, as text; watermarks as numbers.
class CollectingOutput final : public Output {
 public:
  base::Status Push(types::Batch batch) override;
  base::Status PushWatermark(int64_t watermark_ms) override;
  std::vector<std::string> rows;
  std::vector<types::Batch> batches;
  std::vector<int64_t> watermarks;
};

}  // namespace sj::worker::exec::testing
