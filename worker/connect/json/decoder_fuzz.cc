// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes are decoded or refused; afterwards all columns have the same number of
// rows, and a good record can still be decoded.
#include <cstdint>
#include <cstring>
#include <memory>

#include "api/base/check.h"
#include "worker/connect/json/decoder.h"

namespace {

namespace json = sj::worker::connect::json;
using sj::worker::types::DataType;
using sj::worker::types::Schema;
using sj::worker::types::TypeKind;

Schema FuzzSchema() {
  DataType row = DataType::Of(TypeKind::kRow);
  row.field_names = {"x", "y"};
  row.children = {DataType::Of(TypeKind::kBigint), DataType::Of(TypeKind::kString)};
  DataType array = DataType::Of(TypeKind::kArray);
  array.children = {row};
  DataType map = DataType::Of(TypeKind::kMap);
  map.children = {DataType::Of(TypeKind::kString), DataType::Of(TypeKind::kString)};
  return Schema{.fields = {{"s", DataType::Of(TypeKind::kString)},
                           {"i", DataType::Of(TypeKind::kInt)},
                           {"d", DataType::Decimal(10, 2)},
                           {"w", DataType::Decimal(38, 10)},
                           {"f", DataType::Of(TypeKind::kDouble)},
                           {"t", DataType::Timestamp(3)},
                           {"b", DataType::Of(TypeKind::kBytes)},
                           {"r", row},
                           {"a", array},
                           {"m", map}}};
}

void DecodeOnce(const uint8_t* data, size_t size, const json::JsonOptions& options) {
  Schema schema = FuzzSchema();
  json::Decoder decoder(schema, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, options);
  auto columns = decoder.MakeColumns(2);
  json::DecodeError error;
  std::unique_ptr<char[]> buffer(new char[size + json::Decoder::kPadding]);
  std::memcpy(buffer.get(), data, size);
  std::memset(buffer.get() + size, 'x', json::Decoder::kPadding);
  size_t rows = decoder.Decode(buffer.get(), size, &columns, &error) ? 1 : 0;
  for (const auto& column : columns) {
    SJ_CHECK(column.size() == rows);
  }
  char good[128] = R"({"s":"ok","i":1})";
  SJ_CHECK(decoder.Decode(good, std::strlen(good), &columns, &error));
  for (const auto& column : columns) {
    SJ_CHECK(column.size() == rows + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  DecodeOnce(data, size, {});
  DecodeOnce(data, size, {.ignore_parse_errors = true});
  return 0;
}
