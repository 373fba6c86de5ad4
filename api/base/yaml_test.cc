// SPDX-License-Identifier: Apache-2.0
// YAML: core-schema typing, and everything that is refused with its place.
#include <gtest/gtest.h>

#include "api/base/json.h"

namespace sj::base {
namespace {

std::string Yaml(std::string_view text) {
  const auto value = ParseYaml(text);
  return value.ok() ? DumpJson(*value) : value.status().message();
}

TEST(Yaml, TypesPlainScalarsByTheCoreSchema) {
  EXPECT_EQ(Yaml("[null, ~, true, False, 1, -2, +3, 0x1F, 0o17, 1.5, -1e3, .5]"),
            "[null,null,true,false,1,-2,3,31,15,1.5,-1000.0,0.5]");
  EXPECT_EQ(Yaml("[yes, on, 1m, 0.7.1, 1_000, 08x, '1', \"true\", !!str 5, -, 1e, inf, .inf]"),
            R"(["yes","on","1m","0.7.1","1_000","08x","1","true","5","-","1e","inf",".inf"])");
  EXPECT_EQ(Yaml("a: |\n  x\n  y\nb:\nc: {}\n1: true"),
            R"({"1":true,"a":"x\ny\n","b":null,"c":{}})");
  EXPECT_EQ(Yaml("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(Yaml("-9223372036854775809"), "-9.223372036854776e+18");
}

TEST(Yaml, RefusesWithLineAndColumn) {
  EXPECT_EQ(Yaml("a: 1\na: 2"), "YAML line 2, column 1: key \"a\" occurs twice");
  EXPECT_EQ(Yaml("a: &x 1\nb: *x"), "YAML line 1, column 4: anchors are not supported");
  EXPECT_NE(Yaml("<<: {a: 1}").find("merge keys"), std::string::npos);
  EXPECT_NE(Yaml("? [a]\n: 1").find("a key must be a string"), std::string::npos);
  EXPECT_NE(Yaml("a: !!binary x").find("not supported"), std::string::npos);
  EXPECT_NE(Yaml("a: [1").find("YAML line"), std::string::npos);
  EXPECT_EQ(Yaml("a: 1\n---\nb: 2"), "expected one YAML document, found 2");
  EXPECT_EQ(Yaml(""), "expected one YAML document, found 0");
}

TEST(Yaml, StrayTextEndsInAnErrorNotInEndlessDocuments) {
  for (const char* text : {",\n", "]", "}", "a: 1\n---\n,", "[1] ,"}) {
    EXPECT_EQ(ParseYamlDocuments(text).status().kind(), ErrorKind::kInvalidArgument) << text;
  }
  std::string many;
  for (int i = 0; i < 2000; ++i) {
    many += "--- 1\n";
  }
  EXPECT_FALSE(ParseYamlDocuments(many).ok());
  EXPECT_TRUE(ParseYamlDocuments(many.substr(0, 600)).ok());
}

TEST(Yaml, BoundsDepthAndSize) {
  EXPECT_TRUE(ParseYaml("[[[1]]]", {100, 3}).ok());
  EXPECT_FALSE(ParseYaml("[[[[1]]]]", {100, 3}).ok());
  EXPECT_FALSE(ParseYaml(std::string(100'000, '[')).ok());
  EXPECT_FALSE(ParseYaml("abcdef", {5, 3}).ok());
}

TEST(Yaml, SeveralDocuments) {
  const auto documents = ParseYamlDocuments("a: 1\n---\nb: 2\n");
  ASSERT_TRUE(documents.ok());
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ(DumpJson((*documents)[1]), R"({"b":2})");
}

}  // namespace
}  // namespace sj::base
