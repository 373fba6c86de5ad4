// SPDX-License-Identifier: Apache-2.0
// Deleting: nothing that a retained checkpoint refers to goes, whatever dies when; what nothing
// refers to does go.
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>

#include "worker/checkpoint/object_name.h"
#include "worker/checkpoint/retention.h"
#include "worker/checkpoint/testing/model_job.h"
#include "worker/store/testing/faulty_store.h"
#include "worker/store/testing/memory_store.h"

namespace sj::worker::checkpoint {
namespace {

using store::testing::FaultyStore;
using store::testing::MemoryStore;
using testing::Committed;
using testing::Entries;
using testing::Identity;
using testing::ModelJob;
using testing::RefsOf;
using testing::Worker;

constexpr types::KeyGroupRange kOne{0, 1};

// A committed checkpoint as the test remembers it.
struct Moment {
  Committed committed;
  Entries entries;
  types::Epoch epoch = 0;
};

std::set<std::string> Keys(store::ObjectStore& store, const std::string& prefix = "") {
  std::set<std::string> keys;
  const std::vector<store::ObjectInfo> listed = store.List(prefix).value();
  for (const store::ObjectInfo& object : listed) {
    keys.insert(object.key);
  }
  return keys;
}

// Writes and commits one epoch.
Moment Step(Worker* worker, ModelJob* job, types::Epoch epoch) {
  auto written = worker->checkpointer->Write(job->NextEpoch(epoch, 12));
  EXPECT_TRUE(written.ok()) << written.status().ToString();
  worker->checkpointer->Confirm(epoch);
  Moment moment;
  job->CommitTo(&moment.committed, written->metadata);
  moment.entries = job->entries();
  moment.epoch = epoch;
  return moment;
}

void ExpectRestorable(const Moment& moment, store::ObjectStore* store, const std::string& what) {
  Worker reader(Identity(9, 7, "check"), store);
  auto restored = reader.Restore(RefsOf(moment.committed, kOne));
  ASSERT_TRUE(restored.ok()) << what << ": " << restored.status().ToString();
  EXPECT_EQ(reader.StateEntries(), moment.entries) << what;
}

TEST(CollectTest, KeepsWhatIsRetainedAndNoMore) {
  MemoryStore store;
  Worker worker(Identity(1, 0, "a"), &store);
  ModelJob job(kOne, 3);
  std::deque<Moment> moments;
  for (int epoch = 1; epoch <= 30; ++epoch) {
    moments.push_back(Step(&worker, &job, epoch));
    ASSERT_TRUE(worker.checkpointer->Collect(0).ok());
    if (moments.size() > 3) {
      moments.pop_front();
    }
    for (const Moment& moment : moments) {
      ExpectRestorable(moment, &store, "epoch " + std::to_string(moment.epoch));
    }
    EXPECT_LE(store.size(), 20u);
  }
}

TEST(CollectTest, UndecidedEpochsAreKept) {
  MemoryStore store;
  Worker worker(Identity(1, 0, "a"), &store);
  ModelJob job(kOne, 3);
  for (int epoch = 1; epoch <= 5; ++epoch) {
    Step(&worker, &job, epoch);
  }
  std::string undecided = worker.checkpointer->Write(job.NextEpoch(6, 10))->object;
  ASSERT_TRUE(worker.checkpointer->Collect(0).ok());
  EXPECT_TRUE(Keys(store).contains(undecided));
}

// A successor whose predecessor stored an epoch that never committed.
TEST(CollectTest, LeftoversOfFormerIncarnationsGo) {
  MemoryStore store;
  ModelJob job(kOne, 3);
  Moment last;
  {
    Worker worker(Identity(1, 0, "a"), &store);
    last = Step(&worker, &job, 1);
    EXPECT_TRUE(worker.checkpointer->Write(job.NextEpoch(2, 10)).ok());
  }
  ASSERT_TRUE(store.Put("0b5e-uid/g1/0/notes", "a stranger's").ok());
  ASSERT_TRUE(store.Put("0b5e-uid/g1/1/1-x", "another ordinal's").ok());
  Worker worker(Identity(1, 0, "b"), &store);
  auto restored = worker.Restore(RefsOf(last.committed, kOne));
  ASSERT_TRUE(restored.ok());
  ModelJob next(kOne, 4);
  next.Continue(last.entries, *restored);
  for (int epoch = 2; epoch <= 8; ++epoch) {
    Step(&worker, &next, epoch);
    ASSERT_TRUE(worker.checkpointer->Collect(0).ok());
  }
  std::set<std::string> keys = Keys(store);
  EXPECT_FALSE(keys.contains("0b5e-uid/g1/0/2-a"));
  EXPECT_TRUE(keys.contains("0b5e-uid/g1/0/notes"));
  EXPECT_TRUE(keys.contains("0b5e-uid/g1/1/1-x"));
}

// Generations below the floor go, those that are still referred to do not.
TEST(CollectTest, OldGenerationsGoBehindTheFloor) {
  MemoryStore store;
  ModelJob job(kOne, 3);
  Moment last;
  {
    Worker worker(Identity(1, 3, "a"), &store);
    last = Step(&worker, &job, 1);
  }
  Worker worker(Identity(2, 0, "b"), &store);
  auto restored = worker.Restore(RefsOf(last.committed, kOne));
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(worker.checkpointer->OldestGeneration(), 1);
  ASSERT_TRUE(worker.checkpointer->Collect(2).ok()) << "a floor above what is referred to";
  EXPECT_EQ(Keys(store, "0b5e-uid/g1/").size(), 1u);
  ModelJob next(kOne, 4);
  next.Continue(last.entries, *restored);
  for (int epoch = 2; worker.checkpointer->OldestGeneration() < 2; ++epoch) {
    ASSERT_LT(epoch, 20);
    last = Step(&worker, &next, epoch);
  }
  ASSERT_TRUE(worker.checkpointer->Collect(0).ok());
  EXPECT_EQ(Keys(store, "0b5e-uid/g1/").size(), 1u);
  ASSERT_TRUE(worker.checkpointer->Collect(2).ok());
  EXPECT_TRUE(Keys(store, "0b5e-uid/g1/").empty());
  ExpectRestorable(last, &store, "after the floor");
}

// Random lives: crashes between any two steps, restores of the last commit, zombies that go on
// collecting after their successor has started, store failures. Every retained checkpoint of the
// present owner must be whole at every moment.
TEST(CollectTest, RandomLivesLoseNothing) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    std::mt19937 random(seed);
    MemoryStore memory;
    FaultyStore store(&memory);
    std::vector<std::unique_ptr<Worker>> zombies;
    auto worker = std::make_unique<Worker>(Identity(1, 0, "i0"), &store);
    auto job = std::make_unique<ModelJob>(kOne, seed);
    Moment last;
    int lives = 0;
    for (int step = 0; step < 60; ++step) {
      store.FailCall(random() % 6 == 0 ? 1 : 0, random() % 2 == 0
                                                    ? store::testing::StoreFault::kFailBefore
                                                    : store::testing::StoreFault::kFailAfter);
      auto written = worker->checkpointer->Write(job->NextEpoch(last.epoch + 1, 10));
      bool commits = written.ok() && random() % 8 != 0;
      if (commits) {
        last.committed.clear();
        job->CommitTo(&last.committed, written->metadata);
        last.entries = job->entries();
        ++last.epoch;
        if (random() % 8 != 0) {
          worker->checkpointer->Confirm(last.epoch);
          (void)worker->checkpointer->Collect(0);
        } else {
          commits = false;  // dies before it knows of the commit
        }
      }
      store.FailCall(0);
      for (auto& zombie : zombies) {
        (void)zombie->checkpointer->Collect(0);
      }
      if (commits) {
        continue;
      }
      zombies.push_back(std::move(worker));
      worker = std::make_unique<Worker>(Identity(1, 0, "i" + std::to_string(++lives)), &store);
      auto restored = worker->Restore(RefsOf(last.committed, kOne));
      ASSERT_TRUE(restored.ok()) << "seed " << seed << " step " << step << ": "
                                 << restored.status().ToString();
      ASSERT_EQ(worker->StateEntries(), last.entries) << "seed " << seed << " step " << step;
      job = std::make_unique<ModelJob>(kOne, seed * 1000 + static_cast<unsigned>(step));
      job->Continue(last.entries, *restored);
    }
    EXPECT_GT(lives, 5) << seed;
  }
}

// One generation of a job over its shards: its members, and who of them has committed in it.
struct Team {
  struct Member {
    types::KeyGroupRange shards;
    std::unique_ptr<Worker> worker;
    std::unique_ptr<ModelJob> job;
    bool committed = false;
  };
  std::vector<Member> members;
  types::Generation generation = 0;

  // What the operator says: the minimum, once every member has committed in the generation.
  types::Generation Floor() const {
    types::Generation floor = generation;
    for (const Member& member : members) {
      if (!member.committed) {
        return 0;
      }
      floor = std::min(floor, member.worker->checkpointer->OldestGeneration());
    }
    return floor;
  }
};

constexpr types::KeyGroupRange kAll{0, 3};  // of eight: enough for three members

// Restores member `i` of the team from what is committed; `life` tells incarnations apart.
void Enter(Team* team, size_t i, const Moment& last, store::ObjectStore* store, int life) {
  Team::Member& member = team->members[i];
  member.worker = std::make_unique<Worker>(
      Identity(team->generation, static_cast<int>(i), "i" + std::to_string(life)), store);
  member.committed = false;
  member.job = std::make_unique<ModelJob>(member.shards, static_cast<unsigned>(life));
  const auto restored = member.worker->Restore(RefsOf(last.committed, member.shards));
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  const Entries mine = member.worker->StateEntries();
  for (const auto& [key, value] : mine) {
    ASSERT_TRUE(last.entries.contains(key) && last.entries.at(key) == value) << "life " << life;
  }
  member.job->Continue(mine, *restored);
}

// Generations of other sizes follow each other, members die and come back, workers of generations
// before go on collecting with floors they heard. Whatever is committed can always be restored.
TEST(CollectTest, FloorOverGenerationsLosesNothing) {
  size_t swept = 0;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    std::mt19937 random(seed);
    MemoryStore store;
    Moment last;
    std::vector<Team> gone;
    int life = 0;
    for (types::Generation generation = 1; generation <= 5; ++generation) {
      const int size = 1 + static_cast<int>(random() % 3);
      Team team;
      team.generation = generation;
      for (int i = 0; i < size; ++i) {
        team.members.push_back({{3 * i / size, 3 * (i + 1) / size}, nullptr, nullptr, false});
      }
      for (size_t i = 0; i < team.members.size(); ++i) {
        Enter(&team, i, last, &store, ++life);
      }
      for (int step = 0; step < 12; ++step) {
        const size_t i = random() % team.members.size();
        Team::Member& member = team.members[i];
        const types::Epoch epoch = ++last.epoch;
        auto written = member.worker->checkpointer->Write(member.job->NextEpoch(epoch, 10));
        ASSERT_TRUE(written.ok()) << written.status().ToString();
        if (random() % 6 == 0) {
          Enter(&team, i, last, &store, ++life);  // died before its commit
          continue;
        }
        member.worker->checkpointer->Confirm(epoch);
        member.committed = true;
        member.job->CommitTo(&last.committed, written->metadata);
        std::erase_if(last.entries, [&](const auto& entry) {
          state::StateKey key;
          EXPECT_TRUE(state::DecodeStateKey(entry.first, &key));
          return member.shards.Contains(types::ShardOf(key.key_group, 8, 32));
        });
        last.entries.insert(member.job->entries().begin(), member.job->entries().end());
        const types::Generation floor = team.Floor();
        const size_t before = store.size();
        ASSERT_TRUE(team.members[0].worker->checkpointer->Collect(floor).ok());
        for (Team& old : gone) {
          ASSERT_TRUE(old.members[0].worker->checkpointer->Collect(floor).ok());
        }
        swept += floor > 1 ? before - store.size() : 0;
      }
      Worker reader(Identity(9, 9, "check"), &store);
      const auto restored = reader.Restore(RefsOf(last.committed, kAll));
      ASSERT_TRUE(restored.ok()) << "seed " << seed << ": " << restored.status().ToString();
      EXPECT_EQ(reader.StateEntries(), last.entries) << "seed " << seed;
      gone.push_back(std::move(team));
    }
  }
  EXPECT_GT(swept, 0u);
}

TEST(RetentionTest, NeverOffersWhatIsReferredTo) {
  ObjectName own;
  own.job_uid = "u";
  own.generation = 1;
  Retention retention(own, 2);
  retention.Restored(1, {"u/g1/0/1-a", "u/g0/4/9-z"});
  EXPECT_EQ(retention.OldestGeneration(), 0);
  retention.Written(2, {"u/g1/0/2-a", "u/g1/0/1-a"});
  retention.Written(3, {"u/g1/0/3-a"});
  retention.Abandoned("u/g1/0/3-a-r1");
  retention.Abandoned("u/g1/0/9-a");
  EXPECT_TRUE(retention.Garbage().empty());
  EXPECT_FALSE(retention.MayGo("u/g1/0/0-x"));
  retention.Committed(2);
  EXPECT_TRUE(retention.MayGo("u/g1/0/1-x"));
  EXPECT_FALSE(retention.MayGo("u/g1/0/1-a"));
  EXPECT_FALSE(retention.MayGo("u/g1/0/3-x"));
  EXPECT_FALSE(retention.MayGo("u/g1/1/1-x"));
  EXPECT_FALSE(retention.MayGo("u/g0/4/9-z"));
  retention.Written(4, {"u/g1/0/4-a"});
  retention.Committed(4);
  EXPECT_EQ(retention.Garbage(),
            (std::vector<std::string>{"u/g1/0/1-a", "u/g1/0/2-a", "u/g1/0/3-a-r1"}));
  EXPECT_EQ(retention.OldestGeneration(), 1);
  retention.Deleted("u/g1/0/2-a");
  EXPECT_EQ(retention.Garbage().size(), 2u);
}

TEST(RetentionTest, WhatWasHandedOverStays) {
  ObjectName own;
  own.job_uid = "u";
  own.generation = 1;
  Retention retention(own, 1);
  retention.Written(1, {"u/g1/0/1-a"});
  retention.Written(2, {"u/g1/0/1-a", "u/g1/0/2-a"});
  retention.Pin({"u/g1/0/1-a"});
  retention.Written(3, {"u/g1/0/3-a"});
  retention.Committed(3);
  EXPECT_EQ(retention.Garbage(), std::vector<std::string>{"u/g1/0/2-a"});
  EXPECT_TRUE(retention.Refers("u/g1/0/1-a"));
  EXPECT_FALSE(retention.MayGo("u/g1/0/1-a"));
}

}  // namespace
}  // namespace sj::worker::checkpoint
