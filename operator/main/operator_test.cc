// SPDX-License-Identifier: Apache-2.0
// The wired operator against the fake API server: from a StreamJob to its children, silence when
// nothing changes, hand-over between two replicas.
#include "operator/main/operator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "api/base/http_client.h"
#include "operator/kube/testing/fake_kube.h"

namespace sj::op::main {
namespace {

using base::Json;
using base::Millis;
using kube::testing::FailWhen;
using kube::testing::FakeKube;

constexpr const char* kSql = R"(
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '10');
CREATE TABLE out_table (n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO out_table SELECT n FROM numbers;
)";

Json Job(const std::string& name) {
  return {{"apiVersion", "streamjob.io/v1alpha1"},
          {"kind", "StreamJob"},
          {"metadata", {{"name", name}, {"namespace", "shop"}}},
          {"spec",
           {{"sql", kSql},
            {"replicas", 1},
            {"checkpoint", {{"location", "s3://checkpoints/test"}}},
            {"connections",
             Json::array({{{"name", "main"}, {"kafka", {{"bootstrapServers", "kafka:9092"}}}}})}}}};
}

constexpr Millis kSoon{30'000};

struct Replica {
  Replica(const std::string& name, FakeKube& fake, bool elect) {
    OperatorOptions options;
    options.config.control = {"127.0.0.1", 0};
    options.config.http = {"127.0.0.1", 0};
    options.config.lease_duration = Millis(600);
    options.config.renew_deadline = Millis(400);
    options.config.retry_period = Millis(50);
    options.config.settings.defaults.image = "worker:1";
    options.config.settings.worker.control_url = "https://operator:8443";
    options.identity = name;
    options.instance = name;
    options.lease_namespace = "system";
    options.leader_elect = elect;
    options.control_tls = false;
    op = std::make_unique<Operator>(
        options, OperatorParts{fake, fake, base::RealClock(), metrics, [this] { ++lost; }});
    const base::Status started = op->Start();
    EXPECT_TRUE(started.ok()) << started.ToString();
    base::HttpClientOptions client;
    client.base_url = "http://127.0.0.1:" + std::to_string(op->http_port());
    http = *base::MakeHttpClient(std::move(client));
  }

  base::HttpResponse Get(const std::string& path) const {
    base::HttpRequest request;
    request.target = path;
    auto response = http->Send(request);
    EXPECT_TRUE(response.ok()) << response.status().ToString();
    return response.ok() ? *response : base::HttpResponse();
  }

  base::MetricRegistry metrics;
  std::atomic<int> lost{0};
  std::unique_ptr<Operator> op;
  std::unique_ptr<base::HttpClient> http;
};

class OperatorTest : public ::testing::Test {
 protected:
  bool Eventually(const std::function<bool()>& done) { return fake_.WaitUntil(done, kSoon); }
  size_t Sets() const { return fake_.All(kube::kStatefulSets).size(); }

  FakeKube fake_{base::RealClock()};
};

TEST_F(OperatorTest, AJobGetsItsChildrenAndThenThereIsSilence) {
  fake_.Put(kube::kStreamJobs, Job("before"));
  Replica replica("one", fake_, false);
  fake_.Put(kube::kStreamJobs, Job("after"));
  ASSERT_TRUE(Eventually([&] { return Sets() == 2; }));
  for (const kube::Resource& resource :
       {kube::kServices, kube::kServiceAccounts, kube::kConfigMaps}) {
    EXPECT_EQ(fake_.All(resource).size(), 2u) << resource.plural;
  }
  // Then it rests: no call at all for a while.
  int calls = -1;
  ASSERT_TRUE(Eventually([&] {
    calls = fake_.calls();
    return !fake_.WaitUntil([&] { return fake_.calls() != calls; }, Millis(300));
  }));
  const int writes = fake_.writes();
  EXPECT_FALSE(fake_.WaitUntil([&] { return fake_.writes() != writes; }, Millis(1'000)));
  replica.op->Stop(true);
}

// Whatever single call fails, before or after it took effect, the end is the same.
TEST(OperatorFailureTest, EveryFailedCallEndsInTheSameState) {
  for (const FailWhen when : {FailWhen::kBefore, FailWhen::kAfter}) {
    for (int n = 1; n <= 15; ++n) {
      SCOPED_TRACE(n);
      FakeKube fake(base::RealClock());
      fake.Put(kube::kStreamJobs, Job("job"));
      fake.FailCall(n, when, base::Unavailable("injected"));
      Replica replica("one", fake, false);
      ASSERT_TRUE(fake.WaitUntil(
          [&] {
            const Json job = fake.All(kube::kStreamJobs)[0];
            const Json* phase = kube::FindPath(job, {"status", "phase"});
            return phase != nullptr && fake.calls() >= n &&
                   fake.All(kube::kPodDisruptionBudgets).size() == 1 &&
                   fake.All(kube::kStatefulSets).size() == 1;
          },
          kSoon))
          << "calls " << fake.calls();
      for (const kube::Resource& resource :
           {kube::kServices, kube::kServiceAccounts, kube::kConfigMaps}) {
        EXPECT_EQ(fake.All(resource).size(), 1u) << resource.plural;
      }
    }
  }
}

TEST_F(OperatorTest, HealthReadinessAndMetrics) {
  Replica replica("one", fake_, false);
  EXPECT_EQ(replica.Get("/healthz").status, 200);
  ASSERT_TRUE(Eventually([&] { return replica.Get("/readyz").status == 200; }));
  EXPECT_TRUE(replica.op->Ready());
  EXPECT_EQ(replica.Get("/nothing").status, 404);
  const std::string metrics = replica.Get("/metrics").body;
  for (const char* name : {"workqueue_depth", "controller_runtime_reconcile_total",
                           "process_resident_memory_bytes", "process_open_fds"}) {
    EXPECT_NE(metrics.find(name), std::string::npos) << name;
  }
}

TEST_F(OperatorTest, ADeletedChildComesBack) {
  fake_.Put(kube::kStreamJobs, Job("job"));
  Replica replica("one", fake_, false);
  ASSERT_TRUE(Eventually([&] { return Sets() == 1; }));
  const Json set = fake_.All(kube::kStatefulSets)[0];
  fake_.Erase(kube::kStatefulSets, kube::KeyOf(set));
  ASSERT_TRUE(Eventually([&] {
    return Sets() == 1 && kube::UidOf(fake_.All(kube::kStatefulSets)[0]) != kube::UidOf(set);
  }));
}

TEST_F(OperatorTest, TheStandbyIsReadyAndTakesOverAfterARelease) {
  Replica one("one", fake_, true);
  ASSERT_TRUE(Eventually([&] { return one.op->Leading(); }));
  Replica two("two", fake_, true);
  ASSERT_TRUE(Eventually([&] { return two.op->Ready(); }));
  EXPECT_FALSE(two.op->Leading());
  fake_.Put(kube::kStreamJobs, Job("job"));
  ASSERT_TRUE(Eventually([&] { return Sets() == 1; }));
  one.op->Stop(true);
  EXPECT_EQ(one.lost, 0);
  ASSERT_TRUE(Eventually([&] { return two.op->Leading(); }));
  fake_.Put(kube::kStreamJobs, Job("second"));
  ASSERT_TRUE(Eventually([&] { return Sets() == 2; }));
}

TEST_F(OperatorTest, AStolenLeaseIsToldOnce) {
  Replica one("one", fake_, true);
  ASSERT_TRUE(Eventually([&] { return one.op->Leading(); }));
  Json lease = fake_.All(kube::kLeases)[0];
  lease["spec"]["holderIdentity"] = "thief";
  fake_.Put(kube::kLeases, lease);
  ASSERT_TRUE(Eventually([&] { return one.lost == 1; }));
  EXPECT_FALSE(one.op->Leading());
}

TEST_F(OperatorTest, ATakenPortIsAnError) {
  Replica one("one", fake_, false);
  base::MetricRegistry metrics;
  OperatorOptions options;
  options.config.control = {"127.0.0.1", 0};
  options.config.http = {"127.0.0.1", one.op->http_port()};
  options.control_tls = false;
  Operator second(options, {fake_, fake_, base::RealClock(), metrics, [] {}});
  EXPECT_FALSE(second.Start().ok());
}

}  // namespace
}  // namespace sj::op::main
