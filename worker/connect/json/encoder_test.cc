// SPDX-License-Identifier: Apache-2.0
// Rows to the text Flink's json format writes.
#include "worker/connect/json/encoder.h"

#include <gtest/gtest.h>

namespace sj::worker::connect::json {
namespace {

using types::Batch;
using types::Column;
using types::DataType;
using types::Schema;
using types::TypeKind;

std::string Java(double value, bool is_float = false) {
  std::string out;
  AppendJavaDouble(value, is_float, &out);
  return out;
}

TEST(EncoderTest, DoublesAreSpeltAsJavaDoes) {
  EXPECT_EQ(Java(1), "1.0");
  EXPECT_EQ(Java(-0.0), "-0.0");
  EXPECT_EQ(Java(0.1), "0.1");
  EXPECT_EQ(Java(123.456), "123.456");
  EXPECT_EQ(Java(9999999), "9999999.0");
  EXPECT_EQ(Java(1e7), "1.0E7");
  EXPECT_EQ(Java(1.5e300), "1.5E300");
  EXPECT_EQ(Java(0.001), "0.001");
  EXPECT_EQ(Java(0.00012), "1.2E-4");
  EXPECT_EQ(Java(0.1F, true), "0.1");
  EXPECT_EQ(Java(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
}

TEST(EncoderTest, StringsAreEscaped) {
  std::string out;
  AppendJsonString("a\"b\\c\n\x01\xc3\xa9", &out);
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\"");
}

TEST(EncoderTest, OneRowOfEveryKind) {
  DataType row = DataType::Of(TypeKind::kRow);
  row.field_names = {"x"};
  row.children = {DataType::Of(TypeKind::kInt)};
  Schema schema{.fields = {{"s", DataType::Of(TypeKind::kString)},
                           {"d", DataType::Decimal(20, 2)},
                           {"t", DataType::Timestamp(3)},
                           {"z", DataType::Of(TypeKind::kTimestampLtz)},
                           {"day", DataType::Of(TypeKind::kDate)},
                           {"b", DataType::Of(TypeKind::kBytes)},
                           {"r", row},
                           {"n", DataType::Of(TypeKind::kInt)},
                           {"ok", DataType::Of(TypeKind::kBoolean)}}};
  Batch batch = Batch::ForSchema(schema);
  batch.rows = 1;
  batch.columns[0].AppendString("x");
  batch.columns[1].AppendInt128(-1250);
  batch.columns[2].AppendInt64(1500);
  batch.columns[3].AppendInt64(0);
  batch.columns[4].AppendInt64(1);
  batch.columns[5].AppendString(std::string_view("\0\x01", 2));
  batch.columns[6].children[0].AppendInt64(7);
  batch.columns[7].AppendNull();
  batch.columns[8].AppendBool(true);
  std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  std::string out;
  Encoder(schema, all, {}).Encode(batch, 0, &out);
  EXPECT_EQ(out, R"({"s":"x","d":-12.50,"t":"1970-01-01 00:00:01.5","z":"1970-01-01 00:00:00Z",)"
                 R"("day":"1970-01-02","b":"AAE=","r":{"x":7},"n":null,"ok":true})");
  out.clear();
  Encoder(schema, {7, 8}, {.encode_ignore_null_fields = true}).Encode(batch, 0, &out);
  EXPECT_EQ(out, R"({"ok":true})");
}

TEST(EncoderTest, AKeyPrefixIsTakenOff) {
  Schema schema{.fields = {{"k_id", DataType::Of(TypeKind::kInt)}}};
  Batch batch = Batch::ForSchema(schema);
  batch.rows = 1;
  batch.columns[0].AppendInt64(3);
  std::string out;
  Encoder(schema, {0}, {}, "k_").Encode(batch, 0, &out);
  EXPECT_EQ(out, R"({"id":3})");
}

}  // namespace
}  // namespace sj::worker::connect::json
