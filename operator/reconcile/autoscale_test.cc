// SPDX-License-Identifier: Apache-2.0
// The autoscaler in a whole small world: workers that report a load, a status that holds the
// decision before anything moves, pods and generations that follow it, and a spec nobody writes.
#include <gtest/gtest.h>

#include "operator/reconcile/testing/cluster.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile {
namespace {

using control::WorkerPhase;
using kube::Json;
using testing::Cluster;
using testing::SimWorker;
using v1alpha1::AutoscalingMode;

constexpr double kWorkerRate = 1'000;  // records/s a worker can read
constexpr double kStepS = 0.5;

Json Spec(const Json& autoscaling) {
  Json spec = {{"sql", "INSERT INTO a SELECT * FROM b"}};
  spec["autoscaling"] = {{"enabled", true},
                         {"minReplicas", 1},
                         {"maxReplicas", 8},
                         {"scaleUpAfter", "5s"},
                         {"scaleDownAfter", "30s"}};
  if (autoscaling.is_object()) {
    spec["autoscaling"].update(autoscaling);
  }
  return spec;
}

class AutoscaleTest : public ::testing::Test {
 protected:
  void Start(const Json& autoscaling, const Json& more = Json::object()) {
    Json spec = Spec(autoscaling);
    spec.update(more);
    cluster_.CreateJob(spec);
    cluster_.workers().add_to_beat = [this](int ordinal, const SimWorker& worker,
                                            control::HeartbeatRequest& beat) {
      Report(ordinal, worker, beat);
    };
    Run(20);
  }

  void Report(int ordinal, const SimWorker& worker, control::HeartbeatRequest& beat) {
    if (worker.phase != WorkerPhase::kRunning) {
      return;
    }
    const double arrive = rate / worker.assignment->replicas * kStepS;
    double& lag = lag_[ordinal];
    double& in = in_[worker.incarnation];
    const double read = std::min(lag + arrive, kWorkerRate * kStepS);
    lag += arrive - read;
    in += read;
    beat.records_in = static_cast<int64_t>(in);
    beat.lag_records = static_cast<int64_t>(lag);
    beat.busy_ratio = read / (kWorkerRate * kStepS);
    beat.input = control::InputReport{};
    beat.input->threads = 1;
    beat.input->busiest_ratio = *beat.busy_ratio;
  }

  void Run(int seconds) {
    for (int i = 0; i < seconds * 2; ++i) {
      cluster_.StepAll();
    }
  }

  v1alpha1::StreamJob Job() { return *cluster_.Job(); }
  v1alpha1::AutoscalingStatus Status() { return Job().status.autoscaling.value(); }
  int Replicas() { return Job().status.generation->replicas; }
  std::string Violation() {
    return cluster_.violations().empty() ? "" : cluster_.violations().front();
  }

  Cluster cluster_;
  double rate = 100;

 private:
  std::map<int, double> lag_;
  std::map<std::string, double> in_;
};

TEST_F(AutoscaleTest, FollowsALoadUpAndDown) {
  Start({});
  EXPECT_EQ(Replicas(), 1);
  rate = 2'400;
  Run(300);
  EXPECT_EQ(Replicas(), 4);
  EXPECT_EQ(Job().status.phase, v1alpha1::Phase::kRunning);
  const v1alpha1::AutoscalingStatus up = Status();
  EXPECT_EQ(up.decision, 4);
  EXPECT_EQ(up.current, 4);
  ASSERT_FALSE(up.history.empty());
  EXPECT_GT(up.history.back().pause_ms, 0);
  EXPECT_TRUE(up.terms->rescale_measured);
  rate = 100;
  Run(1'200);
  EXPECT_EQ(Replicas(), 1);
  EXPECT_EQ(Job().status.effective->replicas, 1);
  EXPECT_FALSE(Job().spec.replicas.has_value());  // the user's spec is theirs
  EXPECT_EQ(Violation(), "");
}

TEST_F(AutoscaleTest, AdviseChangesNothingButTheStatus) {
  Start({{"mode", "Advise"}});
  rate = 2'400;
  Run(300);
  EXPECT_EQ(Replicas(), 1);
  EXPECT_EQ(Job().status.generation->number, 1);
  EXPECT_EQ(Status().mode, AutoscalingMode::kAdvise);
  EXPECT_GE(Status().recommended, 4);
  EXPECT_EQ(Status().decision, 1);
}

TEST_F(AutoscaleTest, SpecReplicasRulesUntilItIsTakenAway) {
  Start({}, {{"replicas", 2}});
  rate = 2'400;
  Run(200);
  EXPECT_EQ(Replicas(), 2);
  EXPECT_EQ(Status().mode, AutoscalingMode::kAdvise);
  EXPECT_NE(Status().message.find("spec.replicas (2) rules"), std::string::npos);
  cluster_.EditSpec({{"replicas", nullptr}});
  Run(300);
  EXPECT_GE(Replicas(), 4);
  EXPECT_EQ(Status().mode, AutoscalingMode::kAuto);
  cluster_.EditSpec({{"replicas", 3}});  // as kubectl scale and an HPA do
  Run(60);
  EXPECT_EQ(Replicas(), 3);
}

TEST_F(AutoscaleTest, NewOperatorKeepsTheDecision) {
  Start({});
  rate = 2'400;
  Run(300);
  ASSERT_EQ(Replicas(), 4);
  const int64_t generation = Job().status.generation->number;
  for (int i = 0; i < 10; ++i) {
    cluster_.RestartOperator();
    Run(5);
  }
  EXPECT_EQ(Replicas(), 4);
  EXPECT_EQ(Job().status.generation->number, generation);
}

TEST_F(AutoscaleTest, IdleJobIsNotWritten) {
  rate = 0;
  Start({});
  Run(600);
  const int writes = cluster_.kube().writes();
  Run(1'200);
  EXPECT_LE(cluster_.kube().writes(), writes + 21);  // the checkpoint's age, once a minute
}

TEST_F(AutoscaleTest, TurnedOffItGoesBackToTheSpec) {
  Start({});
  rate = 2'400;
  Run(300);
  ASSERT_EQ(Replicas(), 4);
  cluster_.EditSpec({{"autoscaling", {{"enabled", false}}}});
  Run(60);
  EXPECT_EQ(Replicas(), 1);
  EXPECT_FALSE(Job().status.autoscaling.has_value());
}

TEST_F(AutoscaleTest, SuspendedJobIsLeftAlone) {
  Start({});
  rate = 2'400;
  Run(300);
  ASSERT_EQ(Replicas(), 4);
  cluster_.EditSpec({{"state", "Suspended"}});
  Run(120);
  EXPECT_EQ(Job().status.phase, v1alpha1::Phase::kSuspended);
  EXPECT_EQ(Status().decision, 4);
  cluster_.EditSpec({{"state", "Running"}});
  Run(60);
  EXPECT_EQ(Replicas(), 4);
}

}  // namespace
}  // namespace sj::op::reconcile
