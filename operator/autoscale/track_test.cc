// SPDX-License-Identifier: Apache-2.0
// The memory: bounded, of one generation, and the pause it measures.
#include "operator/autoscale/track.h"

#include <gtest/gtest.h>

namespace sj::op::autoscale {
namespace {

WallTime At(int second) {
  return WallTime(Millis(1'767'571'200'000)) + std::chrono::seconds(second);
}

Observation Two(int second, int64_t generation, bool started) {
  Observation seen;
  seen.now = At(second);
  seen.generation = generation;
  seen.started = started;
  seen.replicas = 2;
  seen.spec_hash = "a";
  for (int ordinal : {0, 1}) {
    Seen worker;
    worker.ordinal = ordinal;
    worker.generation = generation;
    worker.incarnation = "i";
    worker.running = started;
    worker.at = seen.now;
    seen.workers.push_back(worker);
  }
  return seen;
}

TEST(Track, KeepsAWindowOfPointsAtTheSpacing) {
  Track track;
  for (int s = 0; s < 1'000; ++s) {
    track.Note(Two(s, 1, true), Millis(2'000));
  }
  const auto& points = track.workers().at(0).points;
  EXPECT_EQ(points.size(), kPointsMax);
  EXPECT_EQ(points[1].at - points[0].at, Millis(2'000));
}

TEST(Track, ForgetsWorkersOfOtherGenerationsAndThoseThatAreGone) {
  Track track;
  track.Note(Two(0, 1, true), Millis(1));
  EXPECT_EQ(track.workers().size(), 2u);
  Observation one = Two(5, 1, true);
  one.replicas = 1;
  track.Note(one, Millis(1));
  EXPECT_EQ(track.workers().size(), 1u);
  Observation other = Two(10, 2, true);
  other.workers[0].generation = 1;
  track.Note(other, Millis(1));
  EXPECT_EQ(track.workers().count(0), 0u);
  EXPECT_EQ(track.workers().at(1).points.size(), 1u);
}

TEST(Track, AnotherIncarnationBeginsAnew) {
  Track track;
  track.Note(Two(0, 1, true), Millis(1));
  track.Note(Two(5, 1, true), Millis(1));
  Observation restarted = Two(10, 1, true);
  restarted.workers[1].incarnation = "j";
  track.Note(restarted, Millis(1));
  EXPECT_EQ(track.workers().at(0).points.size(), 3u);
  EXPECT_EQ(track.workers().at(1).points.size(), 1u);
}

TEST(Track, MeasuresThePauseOfASwitch) {
  Track track;
  track.Note(Two(0, 1, true), Millis(1));
  EXPECT_FALSE(track.last_pause().has_value());
  Observation prepare = Two(20, 2, false);
  prepare.step_at = At(18);
  track.Note(prepare, Millis(1));
  EXPECT_FALSE(track.settled());
  Observation starting = Two(22, 2, true);
  starting.workers[1].running = false;
  track.Note(starting, Millis(1));
  EXPECT_FALSE(track.settled());
  track.Note(Two(23, 2, true), Millis(1));
  EXPECT_TRUE(track.settled());
  ASSERT_TRUE(track.last_pause().has_value());
  EXPECT_EQ(track.last_pause()->took, Millis(5'000));
  EXPECT_EQ(track.last_pause()->generation, 2);
}

TEST(Track, AnotherSpecIsNoRescale) {
  Track track;
  track.Note(Two(0, 1, true), Millis(1));
  Observation prepare = Two(20, 2, false);
  prepare.spec_hash = "b";
  track.Note(prepare, Millis(1));
  Observation started = Two(60, 2, true);
  started.spec_hash = "b";
  track.Note(started, Millis(1));
  EXPECT_FALSE(track.last_pause().has_value());
}

TEST(Track, RemembersLowestAndHighestOfAWindow) {
  Track track;
  EXPECT_FALSE(track.HighestSince(At(0)).has_value());
  for (int s = 0; s <= 600; s += 5) {
    track.Remember(At(s), s == 300 ? 7 : s == 400 ? 2 : 4, Millis(10'000));
  }
  EXPECT_EQ(track.HighestSince(At(100)), 7);
  EXPECT_EQ(track.LowestSince(At(100)), 2);
  EXPECT_EQ(track.HighestSince(At(320)), 4);
  EXPECT_FALSE(track.HighestSince(At(-1)).has_value());  // it does not reach back so far
  EXPECT_EQ(*track.LastNotBelow(5), At(305));            // to the end of its bucket
  EXPECT_EQ(*track.LastNotAbove(4), At(600));
  EXPECT_FALSE(track.LastNotAbove(1).has_value());
  EXPECT_EQ(track.CoveredAt(At(600), Millis(700'000)), At(700));
}

TEST(Track, AGapEndsTheMemory) {
  Track track;
  track.Remember(At(0), 4, Millis(2'000));
  track.Remember(At(5), 4, Millis(2'000));
  EXPECT_EQ(track.HighestSince(At(0)), 4);
  track.Remember(At(60), 4, Millis(2'000));
  EXPECT_FALSE(track.HighestSince(At(0)).has_value());
}

TEST(Track, MemoryIsBounded) {
  Track track;
  for (int s = 0; s < 100'000; s += 2) {
    track.Remember(At(s), 1, Millis(1'000));
  }
  EXPECT_TRUE(track.HighestSince(At(100'000 - 250)).has_value());
  EXPECT_FALSE(track.HighestSince(At(100'000 - 300)).has_value());
}

}  // namespace
}  // namespace sj::op::autoscale
