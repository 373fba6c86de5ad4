// SPDX-License-Identifier: Apache-2.0
// Values as text and back.
#include "worker/exec/testing/fixtures.h"

#include <charconv>

#include "api/base/check.h"
#include "worker/types/decimal.h"
#include "worker/types/float_text.h"

namespace sj::worker::exec::testing {

using types::Column;
using types::DataType;
using types::Physical;
using types::TypeKind;

void AppendValue(std::string_view text, Column* column) {
  if (text == kNull) {
    column->AppendNull();
    return;
  }
  const DataType& type = column->type();
  switch (column->physical()) {
    case Physical::kBool:
      column->AppendBool(text == "TRUE");
      return;
    case Physical::kInt128:
      column->AppendInt128(types::ParseDecimal(text, type.precision, type.scale).value());
      return;
    case Physical::kDouble:
      column->AppendDouble(types::ParseDouble(text).value());
      return;
    case Physical::kString:
      column->AppendString(text);
      return;
    case Physical::kInt64:
      break;
    case Physical::kNested:
      SJ_CHECK(false);
  }
  if (type.kind == TypeKind::kDecimal) {
    column->AppendInt64(
        static_cast<int64_t>(types::ParseDecimal(text, type.precision, type.scale).value()));
    return;
  }
  int64_t v = 0;
  std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), v);
  SJ_CHECK(end.ptr == text.data() + text.size());
  column->AppendInt64(v);
}

types::Batch MakeBatch(const types::Schema& schema,
                       const std::vector<std::vector<std::string>>& rows) {
  types::Batch batch = types::Batch::ForSchema(schema);
  batch.rows = rows.size();
  for (const std::vector<std::string>& row : rows) {
    SJ_CHECK(row.size() == batch.columns.size());
    for (size_t i = 0; i < row.size(); ++i) {
      AppendValue(row[i], &batch.columns[i]);
    }
  }
  return batch;
}

types::Schema MakeSchema(const std::vector<DataType>& types) {
  types::Schema schema;
  for (const DataType& type : types) {
    schema.fields.push_back({"c" + std::to_string(schema.fields.size()), type});
  }
  return schema;
}

std::string ValueText(const Column& column, size_t row) {
  if (column.IsNull(row)) {
    return std::string(kNull);
  }
  std::string out;
  switch (column.physical()) {
    case Physical::kBool:
      return column.bools[row] != 0 ? "TRUE" : "FALSE";
    case Physical::kInt128:
      return types::DecimalToString(column.wides[row], column.type().scale);
    case Physical::kDouble:
      types::AppendJavaDouble(column.doubles[row], &out);
      return out;
    case Physical::kString:
      return std::string(column.strings[row].view());
    case Physical::kInt64:
      return column.type().kind == TypeKind::kDecimal
                 ? types::DecimalToString(column.ints[row], column.type().scale)
                 : std::to_string(column.ints[row]);
    case Physical::kNested:
      break;
  }
  return "?";
}

std::string RowText(const types::Batch& batch, size_t row) {
  std::string out;
  for (size_t i = 0; i < batch.columns.size(); ++i) {
    out += (i == 0 ? "" : "|") + ValueText(batch.columns[i], row);
  }
  return out;
}

plan::Expr Col(int column, DataType type) {
  plan::Expr expr;
  expr.kind = plan::ExprKind::kColumn;
  expr.type = std::move(type);
  expr.column = column;
  return expr;
}

plan::Expr Lit(DataType type, std::string_view text) {
  plan::Expr expr;
  expr.kind = plan::ExprKind::kLiteral;
  expr.type = type;
  Column column(type);
  AppendValue(text, &column);
  expr.literal.is_null = column.IsNull(0);
  if (expr.literal.is_null) {
    return expr;
  }
  switch (column.physical()) {
    case Physical::kBool:
      expr.literal.i = column.bools[0];
      break;
    case Physical::kInt128:
      expr.literal.wide = column.wides[0];
      break;
    case Physical::kDouble:
      expr.literal.d = column.doubles[0];
      break;
    case Physical::kString:
      expr.literal.s = std::string(column.strings[0].view());
      break;
    default:
      expr.literal.i = column.ints[0];
  }
  return expr;
}

plan::Expr Call(plan::Function function, DataType type, std::vector<plan::Expr> args) {
  plan::Expr expr;
  expr.kind = plan::ExprKind::kCall;
  expr.type = std::move(type);
  expr.function = function;
  expr.args = std::move(args);
  return expr;
}

base::Status CollectingOutput::Push(types::Batch batch) {
  for (size_t row = 0; row < batch.rows; ++row) {
    rows.push_back(RowText(batch, row));
  }
  batches.push_back(std::move(batch));
  return base::OkStatus();
}

base::Status CollectingOutput::PushWatermark(int64_t watermark_ms) {
  watermarks.push_back(watermark_ms);
  return base::OkStatus();
}

}  // namespace sj::worker::exec::testing
