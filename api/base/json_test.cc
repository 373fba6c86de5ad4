// SPDX-License-Identifier: Apache-2.0
// JSON limits and errors.
#include "api/base/json.h"

#include <gtest/gtest.h>

namespace sj::base {
namespace {

TEST(Json, ParsesAndDumpsDeterministically) {
  const auto value = ParseJson(R"({"b":1,"a":[true,null,"x"]})");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(DumpJson(*value), R"({"a":[true,null,"x"],"b":1})");
}

TEST(Json, ErrorsNameTheByte) {
  const auto bad = ParseJson(R"({"a": nope})");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().kind(), ErrorKind::kInvalidArgument);
  EXPECT_NE(bad.status().message().find("byte 8"), std::string::npos) << bad.status().message();
  EXPECT_FALSE(ParseJson("").ok());
  EXPECT_FALSE(ParseJson("1e999").ok());
  EXPECT_FALSE(ParseJson("\"\xff\"").ok());
}

TEST(Json, BoundsSizeAndDepth) {
  EXPECT_FALSE(ParseJson("[1,2,3]", {6, 64}).ok());
  EXPECT_TRUE(ParseJson("[1,2,3]", {7, 64}).ok());
  EXPECT_TRUE(ParseJson("[[[]]]", {100, 3}).ok());
  EXPECT_FALSE(ParseJson("[[[[]]]]", {100, 3}).ok());
  EXPECT_TRUE(ParseJson(R"(["[[[[\"[[["])", {100, 1}).ok());
  EXPECT_FALSE(ParseJson(std::string(1'000'000, '[')).ok());
}

TEST(Json, DumpReplacesInvalidUtf8) {
  EXPECT_EQ(DumpJson(Json("a\xff")), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace sj::base
