// SPDX-License-Identifier: Apache-2.0
// Snapshots over the fake API server: from the user's object to its end, and again after any call
// fails.
#include "operator/reconcile/snapshot_controller.h"

#include <gtest/gtest.h>

#include "operator/decide/testing/snapshot_job.h"
#include "operator/kube/testing/fake_kube.h"
#include "operator/resources/names.h"

namespace sj::op::reconcile {
namespace {

using base::Json;
using kube::kStreamJobSnapshots;
using kube::ObjectKey;
using kube::testing::FailWhen;
using v1alpha1::SnapshotPhase;

const ObjectKey kJob{"shop", "orders"};

Json Snapshot(const std::string& name, const std::string& on_delete) {
  return {{"apiVersion", "streamjob.io/v1alpha1"},
          {"kind", "StreamJobSnapshot"},
          {"metadata", {{"name", name}, {"namespace", "shop"}}},
          {"spec", {{"jobRef", {{"name", "orders"}}}, {"onDelete", on_delete}}}};
}

class SnapshotControllerTest : public ::testing::Test {
 protected:
  SnapshotControllerTest()
      : kube_(clock_),
        events_({}, kube_, clock_, nullptr),
        controller_({kube_, store_, events_, clock_}) {
    store_.OnChange([this](const runtime::Change& change) {
      if (change.resource == kStreamJobSnapshots) {
        woken_ = controller_.Note(change);
      }
    });
  }

  // The watch and one pass; the worker does at once what it is told.
  SnapshotPass Step() {
    Sync();
    worker_.seen_at = clock_.Wall();
    SnapshotPass pass =
        controller_.Reconcile(kJob, no_job_ ? nullptr : &job_, std::span(&worker_, 1), {});
    const control::SnapshotOrder order = pass.order.value_or(control::SnapshotOrder{});
    control::SnapshotReport& report = *worker_.beat.snapshot;
    if (order != report.known) {
      report = {};
      report.known = order;
      orders_ += order.step != control::SnapshotStep::kNone ? 1 : 0;
    } else if (order.step != control::SnapshotStep::kNone) {
      report.done = true;
      if (order.step == control::SnapshotStep::kTake) {
        report.result.emplace();
        report.result->source = {"s3://b/p/snapshots/uid-1/a/x", "manifest-1", "ab"};
        report.result->bytes = 99;
      }
    }
    clock_.Advance(base::Millis(100));
    return pass;
  }
  void Steps(int count) {
    for (int i = 0; i < count; ++i) {
      Step();
    }
  }
  void Sync() {
    store_.ReplaceAll(kStreamJobSnapshots, "",
                      {kube_.All(kStreamJobSnapshots), std::to_string(kube_.version())});
  }
  std::optional<v1alpha1::StreamJobSnapshot> Find(const std::string& name) {
    const auto object = kube_.Find(kStreamJobSnapshots, {"shop", name});
    return object ? std::optional(v1alpha1::ReadSnapshot(*object).snapshot) : std::nullopt;
  }

  base::ManualClock clock_;
  kube::testing::FakeKube kube_;
  runtime::Store store_;
  runtime::EventRecorder events_;
  SnapshotController controller_;
  v1alpha1::StreamJob job_ = decide::testing::SnapshotJob();
  decide::WorkerReport worker_ = decide::testing::SnapshotWorker({});
  bool no_job_ = false;
  int orders_ = 0;
  std::optional<ObjectKey> woken_;
};

TEST_F(SnapshotControllerTest, FromTheUsersObjectToItsEnd) {
  kube_.Put(kStreamJobSnapshots, Snapshot("a", "Delete"));
  Steps(8);
  EXPECT_EQ(woken_, kJob);
  const auto taken = Find("a");
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->status.phase, SnapshotPhase::kCompleted);
  EXPECT_EQ(taken->status.sha256, "ab");
  EXPECT_EQ(taken->status.size_bytes, 99);
  EXPECT_EQ(taken->metadata.finalizers,
            std::vector<std::string>{std::string(resources::kFinalizer)});
  EXPECT_EQ(orders_, 1);
  ASSERT_TRUE(kube_.Delete(kStreamJobSnapshots, {"shop", "a"}, {}).ok());
  Steps(5);
  EXPECT_FALSE(Find("a"));
  EXPECT_EQ(orders_, 2);
}

TEST_F(SnapshotControllerTest, EndsTheSameWhicheverCallFails) {
  for (int n = 1; n <= 8; ++n) {
    for (const FailWhen when : {FailWhen::kBefore, FailWhen::kAfter}) {
      const std::string name = "a" + std::to_string(n) + (when == FailWhen::kAfter ? "x" : "");
      kube_.Put(kStreamJobSnapshots, Snapshot(name, "Delete"));
      kube_.FailCall(n, when, base::Unavailable("503"));
      Steps(12);
      ASSERT_EQ(Find(name)->status.phase, SnapshotPhase::kCompleted) << name;
      (void)kube_.Delete(kStreamJobSnapshots, {"shop", name}, {});
      (void)kube_.Delete(kStreamJobSnapshots, {"shop", name}, {});
      Steps(12);
      ASSERT_FALSE(Find(name)) << name;
    }
  }
}

TEST_F(SnapshotControllerTest, PeriodicOnesAreMadeOnceAndTheOldOnesGo) {
  job_.spec.snapshots = {std::chrono::hours(1), {2, std::nullopt}};
  for (int hour = 0; hour < 5; ++hour) {
    Steps(12);
    clock_.Advance(std::chrono::hours(1));
  }
  Steps(12);
  EXPECT_EQ(kube_.All(kStreamJobSnapshots).size(), 2u);
  for (const Json& object : kube_.All(kStreamJobSnapshots)) {
    EXPECT_EQ(v1alpha1::ReadSnapshot(object).snapshot.status.phase, SnapshotPhase::kCompleted);
    EXPECT_EQ(kube::LabelOf(object, v1alpha1::kSnapshotJobLabel), "orders");
  }
}

TEST_F(SnapshotControllerTest, FindsWhereAJobBegins) {
  kube_.Put(kStreamJobSnapshots, Snapshot("a", "Retain"));
  Sync();
  v1alpha1::StreamJob fork;
  fork.metadata.namespace_name = "shop";
  EXPECT_FALSE(controller_.RestoreFrom(fork));
  fork.spec.restore_from = v1alpha1::RestoreFrom{{"a", ""}};
  EXPECT_TRUE(controller_.RestoreFrom(fork));
  fork.metadata.namespace_name = "lab";
  EXPECT_FALSE(controller_.RestoreFrom(fork));
  fork.spec.restore_from->snapshot.namespace_name = "shop";
  EXPECT_TRUE(controller_.RestoreFrom(fork));  // whether it may is for decide
}

TEST_F(SnapshotControllerTest, OtherOperatorsJobsAreLeftAlone) {
  SnapshotController other({kube_, store_, events_, clock_, {}, true});
  kube_.Put(kStreamJobSnapshots, Snapshot("a", "Delete"));
  Sync();
  const uint64_t version = kube_.version();
  EXPECT_FALSE(other.Reconcile(kJob, nullptr, {}, {}).order);
  EXPECT_EQ(kube_.version(), version);
}

TEST_F(SnapshotControllerTest, NothingIsDecidedOnHalfAList) {
  SnapshotController early({kube_, store_, events_, clock_, [] { return false; }});
  kube_.Put(kStreamJobSnapshots, Snapshot("a", "Delete"));
  Sync();
  const uint64_t version = kube_.version();
  EXPECT_FALSE(early.Reconcile(kJob, &job_, std::span(&worker_, 1), {}).order);
  EXPECT_EQ(kube_.version(), version);
}

}  // namespace
}  // namespace sj::op::reconcile
