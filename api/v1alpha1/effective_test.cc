// SPDX-License-Identifier: Apache-2.0
// Defaults, and what the manifest overrides.
#include "api/v1alpha1/effective.h"

#include <gtest/gtest.h>

namespace sj::v1alpha1 {
namespace {

Defaults Chart() {
  Defaults defaults;
  defaults.checkpoint_location = "s3://checkpoints/prod";
  defaults.checkpoint_endpoint = "http://s3:9000";
  defaults.checkpoint_secret_name = "s3";
  defaults.checkpoint_path_style = true;
  defaults.image = "streamjob-worker:1";
  return defaults;
}

TEST(Effective, EmptySpecGetsTheDefaults) {
  const EffectiveSpec e = Effective({}, Chart());
  EXPECT_EQ(e.replicas, 1);
  EXPECT_EQ(e.max_parallelism, 128);
  EXPECT_EQ(e.shards, 16);
  EXPECT_EQ(e.checkpoint.interval, base::Millis(1000));
  EXPECT_EQ(e.checkpoint.location, "s3://checkpoints/prod");
  EXPECT_EQ(e.checkpoint.secret_name, "s3");
  EXPECT_TRUE(e.checkpoint.path_style);
  EXPECT_EQ(e.image, "streamjob-worker:1");
  EXPECT_EQ(e.threads, 1);
  EXPECT_FALSE(e.autoscaling.enabled);
  EXPECT_EQ(e.rollout.rollback, RollbackMode::kAuto);
  EXPECT_EQ(e.checkpoints_on_delete, OnDelete::kRetain);
  EXPECT_EQ(e.exchange_topics_on_delete, OnDelete::kRetain);
  EXPECT_EQ(e.consumer_group_on_delete, OnDelete::kRetain);
}

TEST(Effective, ZeroWorkersAreASuspendedJob) {
  StreamJobSpec spec;
  EXPECT_EQ(StateOf(spec), DesiredState::kRunning);
  spec.replicas = 0;
  spec.state = DesiredState::kRunning;
  EXPECT_EQ(StateOf(spec), DesiredState::kSuspended);
  EXPECT_EQ(Effective(spec, Chart()).state, DesiredState::kSuspended);
  EXPECT_EQ(Effective(spec, Chart()).replicas, 1);
  spec.replicas = 2;
  EXPECT_EQ(StateOf(spec), DesiredState::kRunning);
  spec.state = DesiredState::kSuspended;
  EXPECT_EQ(StateOf(spec), DesiredState::kSuspended);
}

TEST(Effective, DeletionTakesOnlyWhatIsNamed) {
  StreamJobSpec spec;
  spec.deletion_policy.exchange_topics = OnDelete::kDelete;
  EffectiveSpec e = Effective(spec, Chart());
  EXPECT_EQ(e.checkpoints_on_delete, OnDelete::kRetain);
  EXPECT_EQ(e.exchange_topics_on_delete, OnDelete::kDelete);
  EXPECT_EQ(e.consumer_group_on_delete, OnDelete::kRetain);
  spec.deletion_policy = {OnDelete::kDelete, OnDelete::kRetain, OnDelete::kDelete};
  e = Effective(spec, Chart());
  EXPECT_EQ(e.checkpoints_on_delete, OnDelete::kDelete);
  EXPECT_EQ(e.exchange_topics_on_delete, OnDelete::kRetain);
  EXPECT_EQ(e.consumer_group_on_delete, OnDelete::kDelete);
}

TEST(Effective, OwnLocationTakesNoneOfTheOperatorsStore) {
  StreamJobSpec spec;
  spec.checkpoint.location = "s3://mine/p";
  const EffectiveSpec e = Effective(spec, Chart());
  EXPECT_EQ(e.checkpoint.endpoint, "");
  EXPECT_EQ(e.checkpoint.secret_name, "");
  EXPECT_FALSE(e.checkpoint.path_style);
  EXPECT_EQ(e.checkpoint.region, "us-east-1");
}

TEST(Effective, ThreadsFollowTheCpu) {
  const auto threads = [](StringMap requests, StringMap limits) {
    StreamJobSpec spec;
    spec.worker.resources = {std::move(requests), std::move(limits)};
    return Effective(spec, {}).threads;
  };
  EXPECT_EQ(threads({}, {{"cpu", "2"}}), 2);
  EXPECT_EQ(threads({{"cpu", "8"}}, {{"cpu", "1500m"}}), 2);
  EXPECT_EQ(threads({{"cpu", "3"}}, {{"memory", "1Gi"}}), 3);
  EXPECT_EQ(threads({{"cpu", "nonsense"}}, {}), 1);
  EXPECT_EQ(threads({{"cpu", "0.1"}}, {}), 1);
}

TEST(Effective, DefaultShardsDivideTheKeyGroups) {
  const auto shards = [](int max_parallelism) {
    StreamJobSpec spec;
    spec.max_parallelism = max_parallelism;
    return Effective(spec, {}).shards;
  };
  EXPECT_EQ(shards(128), 16);
  EXPECT_EQ(shards(100), 4);
  EXPECT_EQ(shards(7), 1);
  EXPECT_EQ(shards(8), 8);
}

TEST(Effective, AutoscalerBoundsFollowReplicas) {
  StreamJobSpec spec;
  spec.replicas = 3;
  EXPECT_EQ(Effective(spec, {}).autoscaling.max_replicas, 3);
  spec.replicas.reset();
  spec.autoscaling.min_replicas = 4;
  EXPECT_EQ(Effective(spec, {}).replicas, 4);
}

}  // namespace
}  // namespace sj::v1alpha1
