// SPDX-License-Identifier: Apache-2.0
// The store keeps the newest of everything, whatever order things arrive in.
#include "operator/runtime/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "operator/kube/testing/fake_kube.h"

namespace sj::op::runtime {
namespace {

using kube::kConfigMaps;
using kube::kStreamJobs;

Json Object(const std::string& name, int version, const std::string& uid = "u",
            const std::string& owner = "") {
  Json object = {{"metadata",
                  {{"name", name},
                   {"namespace", "ns"},
                   {"uid", uid},
                   {"resourceVersion", std::to_string(version)}}},
                 {"data", {{"v", version}}}};
  if (!owner.empty()) {
    object["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "streamjob.io/v1alpha1"},
                                                          {"kind", "StreamJob"},
                                                          {"name", "job"},
                                                          {"uid", owner},
                                                          {"controller", true}}});
  }
  return object;
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    store_.OnChange([this](const Change& change) { changes_.push_back(change); });
  }
  int VersionOf(const std::string& name) const {
    const auto object = store_.Get(kConfigMaps, {"ns", name});
    return object ? (*object)["data"]["v"].get<int>() : 0;
  }

  Store store_;
  std::vector<Change> changes_;
};

TEST_F(StoreTest, ReadsWhatWasPut) {
  const Json object = Object("a", 5);
  store_.Put(kConfigMaps, object);
  EXPECT_EQ(store_.Get(kConfigMaps, {"ns", "a"}), object);
  EXPECT_EQ(store_.Get(kStreamJobs, {"ns", "a"}), std::nullopt);
  EXPECT_EQ(store_.Keys(kConfigMaps), (std::vector<ObjectKey>{{"ns", "a"}}));
  EXPECT_EQ(store_.Count(kConfigMaps).objects, 1u);
  EXPECT_LT(store_.Count(kConfigMaps).bytes, object.dump().size());
}

TEST_F(StoreTest, OlderVersionsNeverGoIn) {
  store_.Put(kConfigMaps, Object("a", 5));
  store_.Put(kConfigMaps, Object("a", 4));
  store_.Put(kConfigMaps, Object("a", 5));
  EXPECT_EQ(VersionOf("a"), 5);
  EXPECT_EQ(changes_.size(), 1u);
  store_.Put(kConfigMaps, Object("a", 6));
  EXPECT_EQ(VersionOf("a"), 6);
  EXPECT_EQ(changes_.back().type, Change::Type::kModified);
}

TEST_F(StoreTest, ALateAnswerDoesNotBringTheDeadBack) {
  store_.Put(kConfigMaps, Object("a", 5));
  store_.Remove(kConfigMaps, Object("a", 8));
  store_.Put(kConfigMaps, Object("a", 7));
  EXPECT_EQ(VersionOf("a"), 0);
  EXPECT_EQ(changes_.back().type, Change::Type::kDeleted);
  // The next of that name is another object.
  store_.Put(kConfigMaps, Object("a", 9, "u2"));
  EXPECT_EQ(VersionOf("a"), 9);
}

TEST_F(StoreTest, ADeletionOfAnOlderNamesakeIsIgnored) {
  store_.Put(kConfigMaps, Object("a", 9, "u2"));
  store_.Remove(kConfigMaps, Object("a", 8, "u1"));
  EXPECT_EQ(VersionOf("a"), 9);
}

TEST_F(StoreTest, OwnersAreFoundByUid) {
  store_.Put(kConfigMaps, Object("b", 1, "ub", "owner-1"));
  store_.Put(kConfigMaps, Object("a", 2, "ua", "owner-1"));
  store_.Put(kConfigMaps, Object("c", 3, "uc", "owner-2"));
  const auto owned = store_.OwnedBy(kConfigMaps, "owner-1");
  ASSERT_EQ(owned.size(), 2u);
  EXPECT_EQ(kube::NameOf(owned[0]), "a");
  ASSERT_TRUE(changes_[0].controller);
  EXPECT_EQ(changes_[0].controller->name, "job");
  store_.Put(kConfigMaps, Object("a", 4, "ua", "owner-2"));
  EXPECT_EQ(store_.OwnedBy(kConfigMaps, "owner-1").size(), 1u);
  EXPECT_EQ(store_.OwnedBy(kConfigMaps, "owner-2").size(), 2u);
  store_.Remove(kConfigMaps, Object("b", 5, "ub", "owner-1"));
  EXPECT_TRUE(store_.OwnedBy(kConfigMaps, "owner-1").empty());
}

TEST_F(StoreTest, AListRemovesWhatItDoesNotNameUnlessNewer) {
  store_.Put(kConfigMaps, Object("gone", 1, "u1"));
  store_.Put(kConfigMaps, Object("kept", 2, "u2"));
  store_.Put(kConfigMaps, Object("written-later", 12, "u3"));
  Json elsewhere = Object("elsewhere", 3, "u4");
  elsewhere["metadata"]["namespace"] = "other";
  store_.Put(kConfigMaps, elsewhere);
  changes_.clear();
  store_.ReplaceAll(kConfigMaps, "ns", {{Object("kept", 2, "u2"), Object("new", 4, "u5")}, "10"});
  EXPECT_EQ(VersionOf("gone"), 0);
  EXPECT_EQ(VersionOf("written-later"), 12);
  EXPECT_EQ(store_.Count(kConfigMaps).objects, 4u);
  ASSERT_EQ(changes_.size(), 3u);
  EXPECT_EQ(changes_[0].type, Change::Type::kResync);
  EXPECT_EQ(changes_[1].type, Change::Type::kAdded);
  EXPECT_EQ(changes_[2].type, Change::Type::kDeleted);
}

TEST_F(StoreTest, ObjectsWithoutANameAreIgnored) {
  store_.Put(kConfigMaps, Json::array());
  store_.Put(kConfigMaps, {{"metadata", 7}});
  EXPECT_EQ(store_.Count(kConfigMaps).objects, 0u);
}

// All changes of a few objects, told in any order and more than once, end in the newest state.
TEST(StoreSeedTest, AnyOrderEndsInTheNewest) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    struct Told {
      bool deleted;
      Json object;
    };
    std::vector<Told> told;
    std::optional<Json> newest;
    std::string uid;
    for (int version = 1; version <= 20; ++version) {
      const bool deleted = newest && random() % 4 == 0;
      uid = newest ? uid : "u" + std::to_string(version);
      told.push_back({deleted, Object("a", version, uid)});
      newest = deleted ? std::nullopt : std::optional(told.back().object);
    }
    const size_t once = told.size();
    for (size_t i = 0; i < once; ++i) {
      told.push_back(told[random() % once]);
    }
    std::shuffle(told.begin(), told.end(), random);
    Store store;
    for (const Told& one : told) {
      if (one.deleted) {
        store.Remove(kConfigMaps, one.object);
      } else {
        store.Put(kConfigMaps, one.object);
      }
    }
    EXPECT_EQ(store.Get(kConfigMaps, {"ns", "a"}), newest);
  }
}

TEST(StoreSinkTest, FollowsAServerThroughAReflector) {
  base::ManualClock clock;
  kube::testing::FakeKube fake(clock);
  fake.SetWatchBlocks(false);
  Store store;
  StoreSink sink(store, kConfigMaps, "");
  kube::ReflectorOptions options;
  options.resource = kConfigMaps;
  options.seed = 1;
  kube::Reflector reflector(options, fake, sink, clock);
  std::mt19937_64 random(7);
  for (int step = 0; step < 300; ++step) {
    Json object = Object("x" + std::to_string(random() % 6), step);
    if (random() % 3 == 0) {
      fake.Erase(kConfigMaps, kube::KeyOf(object));
    } else {
      fake.Put(kConfigMaps, object);
    }
    if (random() % 20 == 0) {
      fake.CompactHistory();
    }
    if (random() % 3 == 0) {
      reflector.Step();
    }
  }
  reflector.Step();
  reflector.Step();
  std::vector<Json> seen;
  for (const ObjectKey& key : store.Keys(kConfigMaps)) {
    seen.push_back(*store.Get(kConfigMaps, key));
  }
  EXPECT_EQ(seen, fake.All(kConfigMaps));
}

}  // namespace
}  // namespace sj::op::runtime
