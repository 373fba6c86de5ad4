// SPDX-License-Identifier: Apache-2.0
// Watch frames, good and bad.
#include "operator/kube/watch_stream.h"

#include <gtest/gtest.h>

namespace sj::op::kube {
namespace {

using base::ErrorKind;

struct Reader {
  explicit Reader(bool initial = false) : stream(kPods, initial, on_event) {}

  std::vector<WatchEvent> events;
  std::function<bool(WatchEvent)> on_event = [this](WatchEvent event) {
    events.push_back(std::move(event));
    return events.size() < 3;
  };
  WatchStream stream;
};

TEST(WatchStreamTest, ReadsEventsWithoutManagedFields) {
  Reader reader;
  EXPECT_TRUE(reader.stream.OnLine(
      R"({"type":"ADDED","object":{"metadata":{"name":"a","managedFields":[{}]}}})"));
  EXPECT_TRUE(reader.stream.OnLine(R"({"type":"DELETED","object":{"metadata":{"name":"a"}}})"));
  ASSERT_EQ(reader.events.size(), 2u);
  EXPECT_EQ(NameOf(reader.events[0].object), "a");
  EXPECT_FALSE(reader.events[0].object["metadata"].contains("managedFields"));
  EXPECT_EQ(reader.events[1].type, WatchEvent::Type::kDeleted);
  EXPECT_EQ(*reader.stream.Result(), WatchEnd::kClosed);
}

TEST(WatchStreamTest, StopsWhenTheCallbackSaysSo) {
  Reader reader;
  const std::string_view line = R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})";
  EXPECT_TRUE(reader.stream.OnLine(line));
  EXPECT_TRUE(reader.stream.OnLine(line));
  EXPECT_FALSE(reader.stream.OnLine(line));
  EXPECT_TRUE(reader.stream.ended());
}

TEST(WatchStreamTest, ExpiredAsErrorEventOrAsStatus) {
  Reader reader;
  EXPECT_FALSE(reader.stream.OnLine(
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"));
  EXPECT_EQ(*reader.stream.Result(), WatchEnd::kExpired);
  EXPECT_EQ(*reader.stream.OnRefused(410, "{}"), WatchEnd::kExpired);
}

TEST(WatchStreamTest, StreamingListRefusedByAnOldEtcd) {
  const std::string_view line =
      R"({"type":"ERROR","object":{"kind":"Status","code":500,"message":"Internal error occurred: )"
      R"(etcd event received ... required storage feature RequestWatchProgress is disabled"}})";
  Reader streaming(true);
  EXPECT_FALSE(streaming.stream.OnLine(line));
  EXPECT_EQ(*streaming.stream.Result(), WatchEnd::kUnsupported);
  EXPECT_EQ(*streaming.stream.OnRefused(422, R"({"message":"sendInitialEvents is forbidden"})"),
            WatchEnd::kUnsupported);
  Reader plain(false);
  EXPECT_FALSE(plain.stream.OnLine(line));
  EXPECT_EQ(plain.stream.Result().status().kind(), ErrorKind::kUnavailable);
}

TEST(WatchStreamTest, InitialEventsEndWithTheirMark) {
  Reader reader(true);
  EXPECT_TRUE(reader.stream.OnLine(R"({"type":"BOOKMARK","object":{"metadata":)"
                                   R"({"resourceVersion":"7"}}})"));
  EXPECT_TRUE(
      reader.stream.OnLine(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9",)"
                           R"("annotations":{"k8s.io/initial-events-end":"true"}}}})"));
  EXPECT_FALSE(reader.events[0].initial_end);
  EXPECT_TRUE(reader.events[1].initial_end);
}

TEST(WatchStreamTest, BrokenFramesEndTheWatchWithoutACrash) {
  for (std::string_view line :
       {R"({"type":"ADDED","object":{"metadata")", "[]", "7", R"({"type":7,"object":{}})",
        R"({"type":"ADDED"})", R"({"type":"ADDED","object":[1]})",
        R"({"type":"ADDED","object":{"metadata":7}})", "\xff\xfe"}) {
    Reader reader;
    EXPECT_FALSE(reader.stream.OnLine(line)) << line;
    EXPECT_EQ(reader.stream.Result().status().kind(), ErrorKind::kUnavailable) << line;
    EXPECT_TRUE(reader.events.empty());
  }
}

TEST(WatchStreamTest, EmptyLinesAndUnknownTypesAreSkipped) {
  Reader reader;
  EXPECT_TRUE(reader.stream.OnLine(""));
  EXPECT_TRUE(reader.stream.OnLine(R"({"type":"NEWKIND","object":{"metadata":{}}})"));
  EXPECT_TRUE(reader.events.empty());
}

TEST(WatchStreamTest, QueryNamesWhatIsWanted) {
  WatchOptions options;
  options.label_selector = "a=b,c";
  options.resource_version = "12";
  options.timeout = std::chrono::seconds(301);
  EXPECT_EQ(WatchQuery(options),
            "?watch=true&allowWatchBookmarks=true&timeoutSeconds=301&labelSelector=a%3Db%2Cc"
            "&resourceVersion=12");
}

}  // namespace
}  // namespace sj::op::kube
