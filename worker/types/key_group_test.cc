// SPDX-License-Identifier: Apache-2.0
// The placement rule: cover, order, balance, and its inverse. Fixed values because offsets and
// state were written by it.
#include "worker/types/key_group.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sj::worker::types {
namespace {

TEST(Placement, RangesCoverInOrderAndBalance) {
  for (int count : {0, 1, 2, 5, 16, 128, 1000}) {
    for (int owners : {1, 2, 3, 7, 16, 200}) {
      int next = 0;
      int smallest = count;
      int largest = 0;
      for (int index = 0; index < owners; ++index) {
        const KeyGroupRange range = PartOf(count, owners, index);
        EXPECT_EQ(range.begin, next);
        next = range.end;
        smallest = std::min(smallest, range.size());
        largest = std::max(largest, range.size());
        for (int unit = range.begin; unit < range.end; ++unit) {
          EXPECT_EQ(OwnerOf(unit, count, owners), index) << count << " " << owners;
          EXPECT_TRUE(range.Contains(unit));
        }
      }
      EXPECT_EQ(next, count);
      EXPECT_LE(largest - smallest, 1);
    }
  }
}

TEST(Placement, NeverChanges) {
  EXPECT_EQ(PartOf(16, 3, 0), (KeyGroupRange{0, 5}));
  EXPECT_EQ(PartOf(16, 3, 1), (KeyGroupRange{5, 10}));
  EXPECT_EQ(PartOf(16, 3, 2), (KeyGroupRange{10, 16}));
  EXPECT_EQ(PartOf(2, 3, 0), (KeyGroupRange{0, 0}));
}

TEST(Placement, LargeNumbersDoNotOverflow) {
  EXPECT_EQ(PartOf(2'000'000'000, 100'000, 99'999).end, 2'000'000'000);
  EXPECT_EQ(OwnerOf(1'999'999'999, 2'000'000'000, 100'000), 99'999);
}

}  // namespace
}  // namespace sj::worker::types
