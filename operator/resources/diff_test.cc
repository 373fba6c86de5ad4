// SPDX-License-Identifier: Apache-2.0
#include "operator/resources/diff.h"

#include <gtest/gtest.h>

namespace sj::op::resources {
namespace {

TEST(Diff, NamesTheFirstDifference) {
  EXPECT_EQ(FirstDifference({{"spec", {{"replicas", 2}}}}, {{"spec", {{"replicas", 3}}}}),
            "spec.replicas: 3, want 2");
  EXPECT_EQ(FirstDifference({{"spec", {{"a", "x"}}}}, Json::object()),
            "spec: missing, want {\"a\":\"x\"}");
}

TEST(Diff, FieldsTheServerAddsDoNotCount) {
  EXPECT_EQ(FirstDifference({{"spec", {{"a", 1}}}}, {{"spec", {{"a", 1}, {"b", 2}}}}),
            std::nullopt);
}

TEST(Diff, EmptyFieldsTheServerDropsDoNotCount) {
  EXPECT_EQ(FirstDifference({{"a", Json::object()}, {"b", ""}}, Json::object()), std::nullopt);
}

TEST(Diff, ListsAreComparedInOrder) {
  EXPECT_EQ(FirstDifference({{"a", {1, 2}}}, {{"a", {1}}}), "a: 1 entries, want 2");
  EXPECT_EQ(FirstDifference({{"a", {{{"n", "x"}}}}}, {{"a", {{{"n", "y"}}}}}),
            "a[0].n: \"y\", want \"x\"");
}

TEST(Diff, QuantitiesAreComparedByValue) {
  EXPECT_TRUE(SameQuantity("1000m", "1"));
  EXPECT_TRUE(SameQuantity("3072Mi", "3Gi"));
  EXPECT_TRUE(SameQuantity("0.5", "500m"));
  EXPECT_FALSE(SameQuantity("1Gi", "1G"));
  EXPECT_FALSE(SameQuantity("1x", "1"));
  EXPECT_EQ(
      FirstDifference({{"limits", {{"memory", "1024Mi"}}}}, {{"limits", {{"memory", "1Gi"}}}}),
      std::nullopt);
  EXPECT_NE(FirstDifference({{"limits", {{"memory", "1Gi"}}}}, {{"limits", {{"memory", "2Gi"}}}}),
            std::nullopt);
  EXPECT_NE(FirstDifference({{"name", "1000m"}}, {{"name", "1"}}), std::nullopt);
}

TEST(Diff, LongTextsAreNotPrinted) {
  EXPECT_EQ(FirstDifference({{"data", {{"job.yaml", "a"}}}}, {{"data", {{"job.yaml", "b"}}}}),
            "data.job.yaml: other text");
}

}  // namespace
}  // namespace sj::op::resources
