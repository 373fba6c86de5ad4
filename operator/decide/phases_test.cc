// SPDX-License-Identifier: Apache-2.0
#include "operator/decide/phases.h"

#include <gtest/gtest.h>

#include <set>

namespace sj::op::decide {
namespace {

using enum v1alpha1::Phase;

TEST(Phases, NoMoveTwiceAndNoneToItself) {
  std::set<std::pair<v1alpha1::Phase, v1alpha1::Phase>> seen;
  for (const PhaseMove& move : LegalMoves()) {
    EXPECT_NE(move.from, move.to);
    EXPECT_TRUE(seen.insert({move.from, move.to}).second)
        << v1alpha1::ToString(move.from) << " to " << v1alpha1::ToString(move.to);
  }
}

TEST(Phases, NothingLeavesDeleting) {
  for (const PhaseMove& move : LegalMoves()) {
    EXPECT_NE(move.from, kDeleting);
  }
}

TEST(Phases, CompletedNeverRunsWithoutStarting) {
  EXPECT_FALSE(IsLegalMove(kCompleted, kRunning));
  EXPECT_TRUE(IsLegalMove(kCompleted, kStarting));
}

TEST(Phases, FirstPhaseIsAnythingButCompleted) {
  EXPECT_TRUE(IsLegalMove(std::nullopt, kFailed));
  EXPECT_FALSE(IsLegalMove(std::nullopt, kCompleted));
}

}  // namespace
}  // namespace sj::op::decide
