// SPDX-License-Identifier: Apache-2.0
#include "operator/resources/names.h"

#include <gtest/gtest.h>

#include "operator/resources/object.h"

namespace sj::op::resources {
namespace {

TEST(Names, ShortNamesStayAsTheyAre) {
  EXPECT_EQ(WorkerName("orders"), "orders-worker");
  EXPECT_EQ(PodName("orders", 3), "orders-worker-3");
  EXPECT_EQ(ConfigMapName("orders", "0123456789abcdef"), "orders-worker-01234567");
}

TEST(Names, LongNamesAreBoundedAndDistinct) {
  const std::string a = std::string(60, 'a') + "x";
  const std::string b = std::string(60, 'a') + "y";
  EXPECT_EQ(WorkerName(a).size(), 52u);
  EXPECT_NE(WorkerName(a), WorkerName(b));
  EXPECT_LE(ConfigMapName(a, "0123456789abcdef").size(), 63u);
}

TEST(Names, EverythingBecomesADnsLabel) {
  for (const char* name : {"a.b", "9lives", "x-", "A_B", ""}) {
    const std::string label = BoundedName(name, 40);
    EXPECT_TRUE(label.front() >= 'a' && label.front() <= 'z') << label;
    EXPECT_NE(label.back(), '-');
    EXPECT_EQ(label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos);
  }
  EXPECT_NE(BoundedName("a.b", 40), BoundedName("a-b", 40));
}

TEST(Names, OrdinalIsTheNumberAtTheEnd) {
  EXPECT_EQ(OrdinalOf("orders-worker-12"), 12);
  EXPECT_EQ(OrdinalOf("orders-worker-"), -1);
  EXPECT_EQ(OrdinalOf("orders"), -1);
  EXPECT_EQ(OrdinalOf("orders-worker-1x"), -1);
  EXPECT_EQ(OrdinalOf("orders-worker-99999999999"), -1);
}

TEST(Names, SelectorNeverHoldsWhatMayChange) {
  EXPECT_EQ(SelectorText("orders"),
            "app.kubernetes.io/component=worker,app.kubernetes.io/instance=orders,"
            "app.kubernetes.io/name=streamjob-worker");
}

}  // namespace
}  // namespace sj::op::resources
