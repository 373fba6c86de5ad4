// SPDX-License-Identifier: Apache-2.0
#include "operator/reconcile/config.h"

#include <gtest/gtest.h>

namespace sj::op::reconcile {
namespace {

const std::string kMinimal =
    "control: {url: \"https://op:8443\"}\nworkerImage: {name: \"worker:1\"}\n";

TEST(OperatorConfig, DefaultsStayWhereNothingIsSaid) {
  auto config = ParseOperatorConfig(kMinimal + "defaults: {checkpoint: {interval: \"\"}}\n");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->settings.defaults.image, "worker:1");
  EXPECT_EQ(config->settings.defaults.checkpoint_interval, base::Millis(1'000));
  EXPECT_EQ(config->settings.defaults.checkpoint_region, "us-east-1");
  EXPECT_EQ(config->lease_duration, base::Millis(15'000));
  EXPECT_TRUE(config->watch_namespaces.empty());
}

TEST(OperatorConfig, ReadsEverything) {
  auto config = ParseOperatorConfig(R"(
control: {url: "https://op:8443", address: 127.0.0.1, port: 1, certFile: a, keyFile: b, caFile: c}
http: {address: 127.0.0.1, port: 2}
leaderElection: {leaseName: l, leaseDuration: 9s, renewDeadline: 6s, retryPeriod: 1s}
log: {level: debug, format: text}
watchNamespaces: [a, b]
workerImage: {name: "w:2", pullPolicy: Always, pullSecrets: [s], allowed: ["w:3"]}
defaults:
  checkpoint: {location: "s3://x/y", endpoint: "http://s3", region: r, interval: 5s, secretName: s3}
  worker: {resources: {requests: {cpu: 2}, limits: {memory: 1Gi}}}
)");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->control.port, 1);
  EXPECT_EQ(config->http.port, 2);
  EXPECT_EQ(config->lease_name, "l");
  EXPECT_EQ(config->log_level, base::LogLevel::kDebug);
  EXPECT_EQ(config->watch_namespaces.size(), 2u);
  EXPECT_EQ(config->settings.worker.pull_secrets, std::vector<std::string>{"s"});
  EXPECT_EQ(config->settings.policy.images, std::vector<std::string>{"w:3"});
  EXPECT_EQ(config->settings.defaults.checkpoint_secret_name, "s3");
  EXPECT_EQ(config->settings.defaults.checkpoint_interval, base::Millis(5'000));
  EXPECT_EQ(config->settings.defaults.resources.requests.at("cpu"), "2");
  EXPECT_EQ(config->settings.defaults.resources.limits.at("memory"), "1Gi");
}

TEST(OperatorConfig, RefusesWithThePath) {
  const std::pair<std::string, std::string> cases[] = {
      {kMinimal + "http: {prot: 1}\n", "http.prot is unknown"},
      {kMinimal + "http: {port: 99999}\n", "http.port is not a port"},
      {kMinimal + "http: 5\n", "http is not an object"},
      {kMinimal + "leaderElection: {leaseDuration: soon}\n", "leaseDuration is not a duration"},
      {kMinimal + "leaderElection: {renewDeadline: 20s}\n", "retryPeriod < renewDeadline"},
      {kMinimal + "log: {level: loud}\n", "log.level"},
      {"control: {url: \"http://op\"}\nworkerImage: {name: w}\n", "must start with https://"},
      {"control: {url: \"https://op\"}\n", "workerImage.name is missing"},
  };
  for (const auto& [text, words] : cases) {
    auto config = ParseOperatorConfig(text);
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_NE(config.status().message().find(words), std::string::npos)
        << config.status().message();
  }
}

}  // namespace
}  // namespace sj::op::reconcile
