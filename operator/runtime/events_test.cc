// SPDX-License-Identifier: Apache-2.0
// Events reach the API server, and never in a flood.
#include "operator/runtime/events.h"

#include <gtest/gtest.h>

#include <thread>

#include "operator/kube/testing/fake_kube.h"
#include "operator/runtime/event_filter.h"

namespace sj::op::runtime {
namespace {

using base::Millis;
using kube::Json;
using kube::kEvents;
using kube::testing::FailWhen;

Json Job(const std::string& name = "job") {
  return {{"apiVersion", "streamjob.io/v1alpha1"},
          {"kind", "StreamJob"},
          {"metadata", {{"name", name}, {"namespace", "shop"}, {"uid", "u-" + name}}}};
}

class EventsTest : public ::testing::Test {
 protected:
  std::vector<Json> Events() const { return fake_.All(kEvents); }

  base::ManualClock clock_;
  kube::testing::FakeKube fake_{clock_};
  EventRecorder recorder_{{.instance = "pod-1", .queue_max = 40}, fake_, clock_, nullptr};
};

TEST_F(EventsTest, AnEventSaysWhatAboutWhom) {
  recorder_.Record(Job(), EventType::kWarning, "CheckpointFailed", "epoch 7 was not written");
  EXPECT_EQ(recorder_.Flush(), 1);
  ASSERT_EQ(Events().size(), 1u);
  const Json event = Events()[0];
  EXPECT_EQ(event["involvedObject"]["uid"], "u-job");
  EXPECT_EQ(event["reason"], "CheckpointFailed");
  EXPECT_EQ(event["type"], "Warning");
  EXPECT_EQ(event["count"], 1);
  EXPECT_EQ(event["metadata"]["namespace"], "shop");
  EXPECT_EQ(event["source"]["host"], "pod-1");
  EXPECT_EQ(event["firstTimestamp"], "2023-11-14T22:13:20Z");
}

TEST_F(EventsTest, TheSameAgainIsCounted) {
  for (int i = 0; i < 5; ++i) {
    recorder_.Record(Job(), EventType::kNormal, "Scaled", "to 3");
    recorder_.Flush();
    clock_.Advance(Millis(1'000));
  }
  ASSERT_EQ(Events().size(), 1u);
  EXPECT_EQ(Events()[0]["count"], 5);
  EXPECT_EQ(Events()[0]["lastTimestamp"], "2023-11-14T22:13:24Z");
}

TEST_F(EventsTest, AStormBeforeTheWriteIsOneWrite) {
  for (int i = 0; i < 20; ++i) {
    recorder_.Record(Job(), EventType::kNormal, "Scaled", "to 3");
  }
  EXPECT_EQ(recorder_.Flush(), 1);
  EXPECT_EQ(fake_.writes(), 1);
  EXPECT_EQ(Events()[0]["count"], 20);
}

TEST_F(EventsTest, SimilarEventsAreMergedAfterTen) {
  for (int i = 0; i < 20; ++i) {
    recorder_.Record(Job(), EventType::kWarning, "Failed", "attempt " + std::to_string(i));
  }
  recorder_.Flush();
  ASSERT_EQ(Events().size(), 10u);  // nine of their own and one for the rest
  int merged = 0;
  for (const Json& event : Events()) {
    if (event["message"].get<std::string>().starts_with("(combined from similar events)")) {
      ++merged;
      EXPECT_EQ(event["count"], 11);
    }
  }
  EXPECT_EQ(merged, 1);
}

TEST_F(EventsTest, AnObjectHasABurstThenOnePerFiveMinutes) {
  int written = 0;
  for (int i = 0; i < 100; ++i) {
    recorder_.Record(Job(), EventType::kWarning, "R" + std::to_string(i), "m");
    written += recorder_.Flush();
  }
  EXPECT_EQ(written, 25);
  clock_.Advance(Millis(5 * 60'000));
  recorder_.Record(Job(), EventType::kWarning, "Later", "m");
  recorder_.Record(Job(), EventType::kWarning, "Later2", "m");
  EXPECT_EQ(recorder_.Flush(), 1);
  // Others are not affected.
  recorder_.Record(Job("other"), EventType::kWarning, "Failed", "m");
  EXPECT_EQ(recorder_.Flush(), 1);
}

TEST_F(EventsTest, AnExpiredEventIsMadeAgain) {
  recorder_.Record(Job(), EventType::kNormal, "Scaled", "to 3");
  recorder_.Flush();
  const kube::ObjectKey key = kube::KeyOf(Events()[0]);
  fake_.Erase(kEvents, key);
  recorder_.Record(Job(), EventType::kNormal, "Scaled", "to 3");
  EXPECT_EQ(recorder_.Flush(), 1);
  ASSERT_EQ(Events().size(), 1u);
  EXPECT_EQ(Events()[0]["count"], 2);
}

TEST_F(EventsTest, FailedWritesAreTriedAgainThenDropped) {
  fake_.FailCall(1, FailWhen::kBefore, base::Unavailable("no"));
  recorder_.Record(Job(), EventType::kNormal, "Scaled", "to 3");
  EXPECT_EQ(recorder_.Flush(), 0);
  EXPECT_EQ(recorder_.Flush(), 1);
  for (int i = 1; i <= 5; ++i) {
    fake_.FailCall(i, FailWhen::kBefore, base::Unavailable("no"));
  }
  recorder_.Record(Job("doomed"), EventType::kNormal, "Scaled", "to 4");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(recorder_.Flush(), 0);
  }
  EXPECT_EQ(recorder_.Flush(), 0);
  EXPECT_EQ(Events().size(), 1u);
}

TEST_F(EventsTest, OneThatIsRefusedDoesNotHoldUpOthers) {
  fake_.FailCall(1, FailWhen::kBefore, base::Unavailable("the namespace is being terminated"));
  recorder_.Record(Job("refused"), EventType::kNormal, "Scaled", "to 3");
  for (int i = 0; i < 10; ++i) {
    recorder_.Record(Job("j" + std::to_string(i)), EventType::kNormal, "Scaled", "to 3");
  }
  EXPECT_EQ(recorder_.Flush(), 10);
  EXPECT_EQ(recorder_.Flush(), 1);
}

TEST_F(EventsTest, AServerThatIsAwayIsNotAskedForEachEvent) {
  for (int i = 1; i <= 10; ++i) {
    fake_.FailCall(i, FailWhen::kBefore, base::Unavailable("no"));
    recorder_.Record(Job("j" + std::to_string(i)), EventType::kNormal, "Scaled", "to 3");
  }
  const int before = fake_.calls();
  EXPECT_EQ(recorder_.Flush(), 0);
  EXPECT_EQ(fake_.calls() - before, 3);
}

TEST_F(EventsTest, TheQueueIsBounded) {
  for (int i = 0; i < 100; ++i) {
    recorder_.Record(Job("j" + std::to_string(i)), EventType::kNormal, "Scaled", "m");
  }
  EXPECT_EQ(recorder_.Flush(), 40);
}

TEST_F(EventsTest, LongMessagesAreCutAtACharacter) {
  std::string message(1'023, 'x');
  message += "\xc3\xa4 end";
  recorder_.Record(Job(), EventType::kNormal, "Scaled", message);
  recorder_.Flush();
  EXPECT_EQ(Events()[0]["message"], std::string(1'023, 'x'));
}

TEST_F(EventsTest, ThreadWritesAndStops) {
  recorder_.Start();
  recorder_.Record(Job(), EventType::kNormal, "Scaled", "to 3");
  while (Events().empty()) {
    std::this_thread::yield();
  }
  recorder_.Stop();
}

TEST(RecentMapTest, ForgetsTheOldestUse) {
  RecentMap<int> map(2);
  map.At("a") = 1;
  map.At("b") = 2;
  map.At("a") = 3;
  map.At("c") = 4;
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.At("a"), 3);
  EXPECT_EQ(map.At("b"), 0);
}

}  // namespace
}  // namespace sj::op::runtime
