// SPDX-License-Identifier: Apache-2.0
// The placement rule: cover, order, balance, and its inverse. Fixed values because state was
// written by it.
#include "api/control/assign.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sj::control {
namespace {

TEST(Assign, RangesCoverInOrderAndBalance) {
  for (int count : {0, 1, 2, 5, 16, 128, 1000}) {
    for (int replicas : {1, 2, 3, 7, 16, 200}) {
      int next = 0;
      int smallest = count;
      int largest = 0;
      for (int ordinal = 0; ordinal < replicas; ++ordinal) {
        const Range range = AssignRange(count, replicas, ordinal);
        EXPECT_EQ(range.begin, next);
        next = range.end;
        smallest = std::min(smallest, range.size());
        largest = std::max(largest, range.size());
        for (int unit = range.begin; unit < range.end; ++unit) {
          EXPECT_EQ(OwnerOf(count, replicas, unit), ordinal) << count << " " << replicas;
          EXPECT_TRUE(range.contains(unit));
        }
      }
      EXPECT_EQ(next, count);
      EXPECT_LE(largest - smallest, 1);
    }
  }
}

TEST(Assign, NeverChanges) {
  EXPECT_EQ(AssignRange(16, 3, 0), (Range{0, 5}));
  EXPECT_EQ(AssignRange(16, 3, 1), (Range{5, 10}));
  EXPECT_EQ(AssignRange(16, 3, 2), (Range{10, 16}));
  EXPECT_EQ(AssignRange(2, 3, 0), (Range{0, 0}));
}

TEST(Assign, LargeNumbersDoNotOverflow) {
  EXPECT_EQ(AssignRange(2'000'000'000, 100'000, 99'999).end, 2'000'000'000);
  EXPECT_EQ(OwnerOf(2'000'000'000, 100'000, 1'999'999'999), 99'999);
}

}  // namespace
}  // namespace sj::control
