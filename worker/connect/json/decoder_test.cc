// SPDX-License-Identifier: Apache-2.0
// Records to columns: types, leniency, order, NULLs, and that a bad record leaves no trace.
#include "worker/connect/json/decoder.h"

#include <gtest/gtest.h>

#include <memory>

namespace sj::worker::connect::json {
namespace {

using types::Column;
using types::DataType;
using types::Schema;
using types::TypeKind;

DataType RowOf(std::vector<std::string> names, std::vector<DataType> children) {
  DataType type = DataType::Of(TypeKind::kRow);
  type.field_names = std::move(names);
  type.children = std::move(children);
  return type;
}

class DecoderTest : public ::testing::Test {
 protected:
  void Open(Schema schema, JsonOptions options = {}) {
    schema_ = std::move(schema);
    std::vector<int> all;
    for (int i = 0; i < static_cast<int>(schema_.fields.size()); ++i) {
      all.push_back(i);
    }
    ASSERT_TRUE(Decoder::CheckTypes(schema_).ok());
    decoder_ = std::make_unique<Decoder>(schema_, all, options);
    columns_ = decoder_->MakeColumns(8);
  }
  void OpenOne(DataType type, JsonOptions options = {}) {
    Open(Schema{.fields = {{"a", std::move(type)}}}, options);
  }
  bool Decode(std::string_view text) {
    // Exactly the padding the contract asks for, so a sanitizer sees any read beyond.
    buffers_.emplace_back(new char[text.size() + Decoder::kPadding]());
    text.copy(buffers_.back().get(), text.size());
    return decoder_->Decode(buffers_.back().get(), text.size(), &columns_, &error_);
  }
  std::string_view Text(size_t column, size_t row) { return columns_[column].strings[row].view(); }

  Schema schema_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<Column> columns_;
  std::vector<std::unique_ptr<char[]>> buffers_;
  DecodeError error_;
};

TEST_F(DecoderTest, ReadsTheColumnsOfTheReadmeTable) {
  Open(Schema{.fields = {{"user_id", DataType::Of(TypeKind::kString)},
                         {"amount", DataType::Decimal(10, 2)},
                         {"event_time", DataType::Timestamp(3)},
                         {"n", DataType::Of(TypeKind::kInt)},
                         {"ok", DataType::Of(TypeKind::kBoolean)}}});
  ASSERT_TRUE(Decode(R"({"user_id":"u1","amount":12.345,"event_time":"1970-01-01 00:00:01.5",)"
                     R"("n":-7,"ok":true})"))
      << error_.what;
  // Another order, other fields between, a field missing.
  ASSERT_TRUE(Decode(R"( { "ok" : false , "x":{"y":[1,2,{"z":"}"}]}, "n": "42", "user_id":"u2",
                     "amount":"0.1" } )"))
      << error_.what;
  EXPECT_EQ(Text(0, 0), "u1");
  EXPECT_EQ(columns_[1].ints[0], 1235);  // half up
  EXPECT_EQ(columns_[2].ints[0], 1500);
  EXPECT_EQ(columns_[3].ints[0], -7);
  EXPECT_EQ(columns_[4].bools[0], 1);
  EXPECT_EQ(Text(0, 1), "u2");
  EXPECT_EQ(columns_[1].ints[1], 10);
  EXPECT_TRUE(columns_[2].IsNull(1));
  EXPECT_EQ(columns_[3].ints[1], 42);
  EXPECT_EQ(columns_[4].bools[1], 0);
}

TEST_F(DecoderTest, DecimalNeverGoesThroughADouble) {
  OpenOne(DataType::Decimal(38, 18));
  ASSERT_TRUE(Decode(R"({"a":12345678901234567890.123456789012345678})"));
  EXPECT_EQ(static_cast<int64_t>(columns_[0].wides[0] % 1'000'000'000'000'000'000),
            123456789012345678);
  OpenOne(DataType::Decimal(5, 2));
  ASSERT_TRUE(Decode(R"({"a":1e6})"));  // does not fit: NULL, as in Flink
  EXPECT_TRUE(columns_[0].IsNull(0));
  ASSERT_TRUE(Decode(R"({"a":-1.005})"));
  EXPECT_EQ(columns_[0].ints[1], -101);
  ASSERT_TRUE(Decode(R"({"a":1e1})"));
  EXPECT_EQ(columns_[0].ints[2], 1000);
  EXPECT_FALSE(Decode(R"({"a":"1,5"})"));
  EXPECT_EQ(error_.column, "a");
}

TEST_F(DecoderTest, IntegersAreCheckedAgainstTheirType) {
  OpenOne(DataType::Of(TypeKind::kTinyint));
  EXPECT_TRUE(Decode(R"({"a":127})"));
  EXPECT_FALSE(Decode(R"({"a":128})"));
  EXPECT_TRUE(Decode(R"({"a":1.9})"));
  EXPECT_EQ(columns_[0].ints[1], 1);
  OpenOne(DataType::Of(TypeKind::kBigint));
  EXPECT_TRUE(Decode(R"({"a":9223372036854775807})"));
  EXPECT_FALSE(Decode(R"({"a":9223372036854775808})"));
  EXPECT_FALSE(Decode(R"({"a":12abc})"));
  EXPECT_FALSE(Decode(R"({"a":true})"));
  EXPECT_FALSE(Decode(R"({"a":{}})"));
  ASSERT_EQ(columns_[0].size(), 1u);
}

TEST_F(DecoderTest, DoublesRefuseWhatJsonDoesNotHave) {
  OpenOne(DataType::Of(TypeKind::kDouble));
  EXPECT_TRUE(Decode(R"({"a":-1.5e-3})"));
  EXPECT_TRUE(Decode(R"({"a":"2.5"})"));
  for (const char* bad : {"nan", "NaN", "inf", "-inf", "1e999", "0x10", "1.5.2", "--1"}) {
    EXPECT_FALSE(Decode(std::string(R"({"a":")") + bad + "\"}")) << bad;
  }
  EXPECT_DOUBLE_EQ(columns_[0].doubles[0], -0.0015);
}

TEST_F(DecoderTest, StringsAreUnescapedAndOtherValuesBecomeText) {
  OpenOne(DataType::Of(TypeKind::kString));
  ASSERT_TRUE(Decode(R"({"a":"q\" b\\ s\/ n\n u\u00e9 g\ud83d\ude00 lone\ud800."})"));
  EXPECT_EQ(Text(0, 0), "q\" b\\ s/ n\n u\xc3\xa9 g\xf0\x9f\x98\x80 lone\xef\xbf\xbd.");
  ASSERT_TRUE(Decode(R"({"a":17.50})"));
  EXPECT_EQ(Text(0, 1), "17.50");
  ASSERT_TRUE(Decode(R"({"a":{ "b" : [ 1, "x y" ] }})"));
  EXPECT_EQ(Text(0, 2), R"({"b":[1,"x y"]})");
  ASSERT_TRUE(Decode(R"({"a":""})"));
  EXPECT_EQ(Text(0, 3), "");
  ASSERT_TRUE(Decode(R"({"a":false})"));
  EXPECT_EQ(Text(0, 4), "false");
  EXPECT_FALSE(Decode(R"({"a":"bad \x"})"));
  EXPECT_FALSE(Decode("{\"a\":\"control \x01\"}"));
  EXPECT_FALSE(Decode("{\"a\":\"utf8 \xff\"}"));
}

TEST_F(DecoderTest, StringWithoutEscapesIsAViewIntoTheBuffer) {
  OpenOne(DataType::Of(TypeKind::kString));
  ASSERT_TRUE(Decode(R"({"a":"here"})"));
  EXPECT_EQ(columns_[0].strings[0].data, buffers_.back().get() + 6);
  EXPECT_FALSE(decoder_->keeps_no_views());
  OpenOne(DataType::Of(TypeKind::kBigint));
  EXPECT_TRUE(decoder_->keeps_no_views());
}

TEST_F(DecoderTest, KeysMayBeEscapedRepeatedOrPrefixesOfEachOther) {
  Open(Schema{.fields = {{"ab", DataType::Of(TypeKind::kInt)},
                         {"abc", DataType::Of(TypeKind::kInt)},
                         {"d\"e", DataType::Of(TypeKind::kInt)}}});
  ASSERT_TRUE(Decode(R"({"ab":1,"abc":2,"d\"e":3})"));
  ASSERT_TRUE(Decode(R"({"abc":20,"\u0061b":10,"abc":21,"d\"e":30})"));
  EXPECT_EQ(columns_[0].ints, (std::vector<int64_t>{1, 10}));
  EXPECT_EQ(columns_[1].ints, (std::vector<int64_t>{2, 21}));  // the last one counts
  EXPECT_EQ(columns_[2].ints, (std::vector<int64_t>{3, 30}));
}

TEST_F(DecoderTest, NestedTypes) {
  Open(Schema{.fields = {{"bid", RowOf({"price", "url"}, {DataType::Of(TypeKind::kBigint),
                                                          DataType::Of(TypeKind::kString)})},
                         {"tags", DataType{.kind = TypeKind::kArray,
                                           .children = {DataType::Of(TypeKind::kString)},
                                           .field_names = {}}},
                         {"props", DataType{.kind = TypeKind::kMap,
                                            .children = {DataType::Of(TypeKind::kString),
                                                         DataType::Of(TypeKind::kString)},
                                            .field_names = {}}}}});
  ASSERT_TRUE(Decode(R"({"bid":{"price":5,"url":"u"},"tags":["a","b"],"props":{"k":"v"}})"))
      << error_.what;
  ASSERT_TRUE(Decode(R"({"bid":null,"tags":[],"props":null})")) << error_.what;
  // Broken in the middle of a nested value: everything is taken back.
  EXPECT_FALSE(
      Decode(R"({"bid":{"price":6,"url":"x"},"tags":["c",{"d":1}],"props":{"k":1,"l":[}})"));
  EXPECT_FALSE(Decode(R"({"tags":["c"],"bid":{"price":"x","url":"x"}})"));
  EXPECT_EQ(error_.column, "bid.price");
  ASSERT_TRUE(Decode(R"({"bid":{"url":"w"},"tags":[null],"props":{"a":null,"b":"c"}})"));
  ASSERT_EQ(columns_[0].size(), 3u);
  EXPECT_EQ(columns_[0].children[0].ints[0], 5);
  EXPECT_TRUE(columns_[0].IsNull(1));
  EXPECT_TRUE(columns_[0].children[0].IsNull(2));
  EXPECT_EQ(columns_[0].children[1].strings[2].view(), "w");
  EXPECT_EQ(columns_[1].offsets, (std::vector<uint32_t>{0, 2, 2, 3}));
  EXPECT_EQ(columns_[1].children[0].strings[1].view(), "b");
  EXPECT_EQ(columns_[2].offsets, (std::vector<uint32_t>{0, 1, 1, 3}));
  EXPECT_TRUE(columns_[2].children[1].IsNull(1));
}

TEST_F(DecoderTest, MissingFieldsAndNotNull) {
  OpenOne(DataType::Of(TypeKind::kInt), {.fail_on_missing_field = true});
  EXPECT_FALSE(Decode("{}"));
  EXPECT_EQ(error_.column, "a");
  EXPECT_TRUE(Decode(R"({"a":null})"));
  DataType not_null = DataType::Of(TypeKind::kInt);
  not_null.nullable = false;
  OpenOne(not_null);
  EXPECT_FALSE(Decode("{}"));
  EXPECT_FALSE(Decode(R"({"a":null})"));
}

TEST_F(DecoderTest, IgnoreParseErrorsNullsTheFieldAndKeepsTheRecord) {
  Open(Schema{.fields = {{"a", DataType::Of(TypeKind::kInt)},
                         {"r", RowOf({"x"}, {DataType::Of(TypeKind::kInt)})},
                         {"b", DataType::Of(TypeKind::kInt)}}},
       {.ignore_parse_errors = true});
  ASSERT_TRUE(Decode(R"({"a":"no","r":[1,2],"b":2})")) << error_.what;
  EXPECT_TRUE(columns_[0].IsNull(0));
  EXPECT_TRUE(columns_[1].IsNull(0));
  EXPECT_EQ(columns_[2].ints[0], 2);
  EXPECT_FALSE(Decode(R"({"a":1,)"));
  EXPECT_EQ(columns_[0].size(), 1u);
}

TEST_F(DecoderTest, WhatIsNoObjectIsRefused) {
  OpenOne(DataType::Of(TypeKind::kInt));
  for (const char* bad : {"", " ", "1", "null", "[]", "\"a\"", "{", "}", "{\"a\":1", "{\"a\"}",
                          "{\"a\":1}}", "{\"a\":1}{\"a\":2}", "{\"a\":1} x", "{\"a\":,}",
                          "{\"a\":1 2}", "\xef\xbb\xbf{", "{\"a", "{\"a\\"}) {
    EXPECT_FALSE(Decode(bad)) << bad;
    EXPECT_FALSE(error_.what.empty()) << bad;
  }
  EXPECT_EQ(columns_[0].size(), 0u);
  EXPECT_TRUE(Decode("{\"a\":1}\n"));
}

TEST_F(DecoderTest, DeepNestingInAFieldNobodyWantsIsHarmless) {
  OpenOne(DataType::Of(TypeKind::kInt));
  std::string deep = R"({"x":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  Decode(deep);
  std::string open = R"({"x":)" + std::string(100'000, '[') + "}";
  EXPECT_FALSE(Decode(open));
  EXPECT_TRUE(Decode(R"({"a":1})"));
}

TEST_F(DecoderTest, TimesInBothFormats) {
  Open(Schema{.fields = {{"t", DataType::Timestamp(3)},
                         {"z", DataType::Of(TypeKind::kTimestampLtz)},
                         {"d", DataType::Of(TypeKind::kDate)}}},
       {.timestamp_format = types::TimestampFormat::kIso8601});
  ASSERT_TRUE(
      Decode(R"({"t":"1970-01-01T00:00:02","z":"1970-01-01T01:00:00+01:00","d":"1970-01-03"})"))
      << error_.what;
  EXPECT_EQ(columns_[0].ints[0], 2000);
  EXPECT_EQ(columns_[1].ints[0], 0);
  EXPECT_EQ(columns_[2].ints[0], 2);
  EXPECT_FALSE(Decode(R"({"t":"1970-01-01 00:00:02"})"));
  EXPECT_FALSE(Decode(R"({"d":"1970-02-30"})"));
}

TEST_F(DecoderTest, BytesAreBase64) {
  OpenOne(DataType::Of(TypeKind::kBytes));
  ASSERT_TRUE(Decode(R"({"a":"AAH/"})"));
  EXPECT_EQ(Text(0, 0), std::string_view("\0\x01\xff", 3));
  EXPECT_FALSE(Decode(R"({"a":"*"})"));
}

}  // namespace
}  // namespace sj::worker::connect::json
