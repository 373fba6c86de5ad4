// SPDX-License-Identifier: Apache-2.0
// The reflector against FakeKube: the sink ends equal to the server, whatever happened between.
#include "operator/kube/reflector.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "operator/kube/testing/fake_kube.h"

namespace sj::op::kube {
namespace {

class MapSink final : public ObjectSink {
 public:
  void BeginList() override {
    ++lists;
    seen_.clear();
    listing_ = true;
  }
  void EndList(const std::string&) override {
    listing_ = false;
    std::erase_if(objects, [this](const auto& entry) { return !seen_.contains(entry.first); });
  }
  void Put(Json object) override {
    const ObjectKey key = KeyOf(object);
    if (listing_) {
      seen_.insert(key);
    }
    objects.insert_or_assign(key, std::move(object));
  }
  void Remove(Json object) override { objects.erase(KeyOf(object)); }

  std::map<ObjectKey, Json> objects;
  int lists = 0;

 private:
  std::set<ObjectKey> seen_;
  bool listing_ = false;
};

Json Map(const std::string& name, int value, const std::string& ns = "ns") {
  return {{"metadata", {{"name", name}, {"namespace", ns}, {"labels", {{"app", "sj"}}}}},
          {"data", {{"v", std::to_string(value)}}}};
}

class ReflectorTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    fake_.SetWatchBlocks(false);
    fake_.SetStreamingLists(GetParam());
    options_.resource = kConfigMaps;
    options_.label_selector = "app=sj";
    options_.seed = 42;
    reflector_ = std::make_unique<Reflector>(options_, fake_, sink_, clock_);
  }
  // Equal to what is stored within the selector?
  ::testing::AssertionResult Equal() const {
    std::map<ObjectKey, Json> wanted;
    for (const Json& object : fake_.All(kConfigMaps)) {
      if (LabelOf(object, "app") == "sj") {
        wanted[KeyOf(object)] = object;
      }
    }
    if (wanted == sink_.objects) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << wanted.size() << " against " << sink_.objects.size();
  }

  base::ManualClock clock_;
  testing::FakeKube fake_{clock_};
  MapSink sink_;
  ReflectorOptions options_;
  std::unique_ptr<Reflector> reflector_;
};

TEST_P(ReflectorTest, ListsThenFollows) {
  fake_.Put(kConfigMaps, Map("a", 1));
  EXPECT_FALSE(reflector_->synced());
  reflector_->Step();
  EXPECT_TRUE(reflector_->synced());
  EXPECT_TRUE(Equal());
  fake_.Put(kConfigMaps, Map("a", 2));
  fake_.Put(kConfigMaps, Map("b", 1));
  fake_.Erase(kConfigMaps, {"ns", "a"});
  reflector_->Step();
  EXPECT_TRUE(Equal());
  // An ended watch goes on without a list.
  EXPECT_EQ(sink_.lists, GetParam() ? 1 : 2);  // the refused streaming list counts as begun
}

TEST_P(ReflectorTest, LeavingTheSelectorIsADeletion) {
  fake_.Put(kConfigMaps, Map("a", 1));
  reflector_->Step();
  Json moved = Map("a", 1);
  moved["metadata"]["labels"]["app"] = "other";
  fake_.Put(kConfigMaps, moved);
  reflector_->Step();
  EXPECT_TRUE(sink_.objects.empty());
}

TEST_P(ReflectorTest, ExpiredVersionListsOnceAndMissesNothing) {
  fake_.Put(kConfigMaps, Map("a", 1));
  fake_.Put(kConfigMaps, Map("b", 1));
  reflector_->Step();
  fake_.Erase(kConfigMaps, {"ns", "a"});
  fake_.Put(kConfigMaps, Map("c", 1));
  fake_.CompactHistory();
  reflector_->Step();  // learns that its version is gone
  const int lists = sink_.lists;
  reflector_->Step();
  EXPECT_TRUE(Equal());
  reflector_->Step();
  EXPECT_EQ(sink_.lists, lists + 1);
}

TEST_P(ReflectorTest, FailedListsBackOffAndRecover) {
  if (GetParam()) {
    GTEST_SKIP() << "a streaming list is a watch, which FailCall does not fail";
  }
  fake_.Put(kConfigMaps, Map("a", 1));
  for (int i = 1; i <= 6; ++i) {
    fake_.FailCall(i, testing::FailWhen::kBefore, base::Unavailable("no"));
  }
  base::Millis longest{0};
  for (int i = 0; i < 6; ++i) {
    Status status;
    longest = std::max(longest, reflector_->Step(&status));
    EXPECT_FALSE(status.ok());
  }
  EXPECT_GT(longest, base::Millis(5'000));
  EXPECT_LE(longest, base::Millis(8'000));
  EXPECT_FALSE(reflector_->synced());
  reflector_->Step();
  EXPECT_TRUE(Equal());
}

TEST_P(ReflectorTest, AWatchThatToldOfAChangeStartsTheBackOffAnew) {
  fake_.Put(kConfigMaps, Map("a", 1));
  reflector_->Step();
  for (int round = 0; round < 4; ++round) {
    fake_.FailWatches(3, base::Unavailable("no"));
    base::Millis longest{0};
    for (int i = 0; i < 3; ++i) {
      longest = std::max(longest, reflector_->Step());
    }
    EXPECT_GT(longest, base::Millis(800));
    fake_.Put(kConfigMaps, Map("a", 2 + round));
    EXPECT_LE(reflector_->Step(), base::Millis(800));
    EXPECT_TRUE(Equal());
  }
}

TEST_P(ReflectorTest, DroppedEventsHealWithTheNextList) {
  fake_.Put(kConfigMaps, Map("a", 1));
  reflector_->Step();
  fake_.DropWatchEvents(kConfigMaps, 1);
  fake_.Put(kConfigMaps, Map("b", 1));
  reflector_->Step();
  EXPECT_FALSE(Equal());
  fake_.CompactHistory();
  reflector_->Step();
  reflector_->Step();
  EXPECT_TRUE(Equal());
}

TEST_P(ReflectorTest, AVersionTheServerCannotServeIsGivenUp) {
  fake_.Put(kConfigMaps, Map("a", 1));
  reflector_->Step();
  const int lists = sink_.lists;
  fake_.FailWatches(5, base::Unavailable("too large resource version"));
  for (int i = 0; i < 5; ++i) {
    reflector_->Step();
  }
  EXPECT_EQ(sink_.lists, lists);
  reflector_->Step();
  EXPECT_EQ(sink_.lists, lists + 1);
  EXPECT_TRUE(Equal());
}

TEST_P(ReflectorTest, ASilentWatchGoesOnFromItsVersion) {
  options_.silence_max = base::Millis(0);
  Reflector quiet(options_, fake_, sink_, clock_);
  fake_.Put(kConfigMaps, Map("a", 1));
  quiet.Step();
  const int lists = sink_.lists;
  fake_.FailWatches(20, base::Unavailable("no answer"));
  for (int i = 0; i < 20; ++i) {
    Status status;
    quiet.Step(&status);
    EXPECT_TRUE(status.ok());
  }
  fake_.Put(kConfigMaps, Map("b", 1));
  quiet.Step();
  EXPECT_TRUE(Equal());
  EXPECT_EQ(sink_.lists, lists);
}

TEST_P(ReflectorTest, PrunesBeforeTheSink) {
  options_.prune = [](Json& object) { object.erase("data"); };
  Reflector pruning(options_, fake_, sink_, clock_);
  fake_.Put(kConfigMaps, Map("a", 1));
  pruning.Step();
  ASSERT_EQ(sink_.objects.size(), 1u);
  EXPECT_FALSE(sink_.objects.begin()->second.contains("data"));
}

TEST_P(ReflectorTest, ThreadFollowsAndStopsWhileBlocked) {
  fake_.SetWatchBlocks(true);
  fake_.Put(kConfigMaps, Map("a", 1));
  reflector_->Start();
  while (!reflector_->synced()) {
    std::this_thread::yield();
  }
  reflector_->Stop();
  EXPECT_TRUE(Equal());
}

INSTANTIATE_TEST_SUITE_P(Lists, ReflectorTest, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "streaming" : "plain"; });

}  // namespace
}  // namespace sj::op::kube
