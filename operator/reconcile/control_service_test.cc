// SPDX-License-Identifier: Apache-2.0
// The control endpoint without a network: who may say what, and what comes back.
#include "operator/reconcile/control_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>

#include "api/control/headers.h"
#include "api/v1alpha1/stream_job_json.h"
#include "operator/kube/testing/fake_kube.h"

namespace sj::op::reconcile {
namespace {

using base::ServerRequest;
using base::ServerResponse;
using kube::Json;

class ControlServiceTest : public ::testing::Test {
 protected:
  ControlServiceTest() : kube_(clock_) {
    decide::Directive directive;
    directive.generation = 3;
    directive.started_generation = 3;
    directive.assignment = control::Assignment{};
    directive.assignment->generation = 3;
    directive.assignment->replicas = 2;
    directive.assignment->shards = 16;
    directive.assignment->max_parallelism = 128;
    const Json job = kube_.Put(
        kube::kStreamJobs,
        {{"apiVersion", "streamjob.io/v1alpha1"},
         {"kind", "StreamJob"},
         {"metadata", {{"name", "orders"}, {"namespace", "shop"}}},
         {"status", {{"generation", {{"number", 3}, {"step", "Started"}, {"specHash", "h"}}}}}});
    uid_ = kube::UidOf(job);
    registry_.Publish({"shop", "orders"}, uid_, directive);
    AddToken("token-0", "orders-worker", "orders-worker-0");
    AddToken("stranger", "default", "debug-pod");
  }

  void AddToken(const std::string& token, const std::string& account, const std::string& pod) {
    kube::TokenIdentity identity;
    identity.authenticated = true;
    identity.ns = "shop";
    identity.service_account = account;
    identity.username = "system:serviceaccount:shop:" + account;
    identity.pod_name = pod;
    identity.pod_uid = "p";
    kube_.AddToken(token, std::string(control::kTokenAudience), identity);
  }
  ServerRequest Request(std::string_view path, std::string body, const std::string& token) {
    ServerRequest request;
    request.method = "POST";
    request.path = std::string(path);
    request.body = std::move(body);
    request.headers = {{"Authorization", "Bearer " + token}};
    return request;
  }
  std::string Hello(int ordinal) {
    control::RegisterRequest message;
    message.worker = {{"shop", "orders", uid_}, ordinal, "run-1"};
    return control::Encode(message);
  }
  ServerResponse Ask(const ServerRequest& request) {
    ServerResponse response{0, "", "", {}};
    service_.Handle(
        request, [&](ServerResponse r) { response = std::move(r); }, [] { return false; });
    service_.RunQueued();
    return response;
  }
  ServerRequest GenerationRequest(const std::string& uid, const std::string& token) {
    ServerRequest request = Request(control::kGenerationPath, "", token);
    request.method = "GET";
    const std::string target = control::GenerationTarget({"shop", "orders", uid});
    request.query = target.substr(target.find('?') + 1);
    return request;
  }

  base::ManualClock clock_;
  kube::testing::FakeKube kube_;
  bool leader_ = true;
  std::string uid_;
  WorkerRegistry registry_{{}, clock_, [](const kube::ObjectKey&) {}, nullptr};
  ControlService service_{{}, kube_, registry_, [this] { return leader_; }, clock_, nullptr};
};

TEST_F(ControlServiceTest, WorkerRegistersWithItsOwnToken) {
  const ServerResponse response = Ask(Request(control::kRegisterPath, Hello(0), "token-0"));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_TRUE(control::DecodeRegisterResponse(response.body)->assignment);
}

TEST_F(ControlServiceTest, TokenIsReviewedOnce) {
  Ask(Request(control::kRegisterPath, Hello(0), "token-0"));
  const int calls = kube_.calls();
  EXPECT_EQ(Ask(Request(control::kRegisterPath, Hello(0), "token-0")).status, 200);
  EXPECT_EQ(kube_.calls(), calls);
}

TEST_F(ControlServiceTest, NobodySpeaksForAnother) {
  EXPECT_EQ(Ask(Request(control::kRegisterPath, Hello(1), "token-0")).status, 403);
  EXPECT_EQ(Ask(Request(control::kRegisterPath, Hello(0), "stranger")).status, 403);
  EXPECT_EQ(Ask(Request(control::kRegisterPath, Hello(0), "unknown")).status, 401);
  EXPECT_EQ(Ask(GenerationRequest(uid_, "stranger")).status, 403);
  ServerRequest bare = Request(control::kRegisterPath, Hello(0), "");
  bare.headers.clear();
  EXPECT_EQ(Ask(bare).status, 401);
  EXPECT_EQ(registry_.workers(), 0u);
}

TEST_F(ControlServiceTest, OtherReplicaSendsWorkersOn) {
  leader_ = false;
  const ServerResponse response = Ask(Request(control::kRegisterPath, Hello(0), "token-0"));
  EXPECT_EQ(response.status, 503);
  bool said = false;
  for (const auto& [name, value] : response.headers) {
    said = said || (name == control::kLeaderHeader && value == "no");
  }
  EXPECT_TRUE(said);
}

TEST_F(ControlServiceTest, EveryReplicaAnswersGenerationFromAQuorumRead) {
  leader_ = false;
  ServerResponse response = Ask(GenerationRequest(uid_, "token-0"));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(control::DecodeGenerationResponse(response.body)->generation, 3);
  EXPECT_EQ(control::DecodeGenerationResponse(response.body)->started_generation, 3);
  kube_.Freeze();
  kube_.PutStatus(kube::kStreamJobs, {"shop", "orders"},
                  {{"generation", {{"number", 4}, {"step", "Prepare"}}}});
  response = Ask(GenerationRequest(uid_, "token-0"));
  EXPECT_EQ(control::DecodeGenerationResponse(response.body)->generation, 4);
  EXPECT_EQ(control::DecodeGenerationResponse(response.body)->started_generation, 3);
  EXPECT_EQ(Ask(GenerationRequest("other-uid", "token-0")).status, 404);
}

// What may be removed is as new as the API server, whatever this replica has seen.
TEST_F(ControlServiceTest, OnlyADeletedJobMayBeRemoved) {
  leader_ = false;
  Json job = *kube_.Find(kube::kStreamJobs, {"shop", "orders"});
  job["metadata"]["finalizers"] = {"streamjob.io/cleanup"};
  job["spec"]["deletionPolicy"] = {{"checkpoints", "Delete"}};
  kube_.Put(kube::kStreamJobs, job);
  ServerResponse response = Ask(GenerationRequest(uid_, "token-0"));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_FALSE(control::DecodeGenerationResponse(response.body)->remove);
  kube_.Freeze();
  ASSERT_TRUE(kube_.Delete(kube::kStreamJobs, {"shop", "orders"}, {}).ok());
  response = Ask(GenerationRequest(uid_, "token-0"));
  EXPECT_EQ(control::DecodeGenerationResponse(response.body)->remove,
            (control::Remains{true, false, false}));
}

// A service account that went with its namespace is known to the replicas that reviewed it before.
TEST_F(ControlServiceTest, UnknownTokenIsSentToAnotherReplica) {
  const ServerResponse response = Ask(GenerationRequest(uid_, "unknown"));
  EXPECT_EQ(response.status, 401);
  const std::pair<std::string, std::string> close{"Connection", "close"};
  EXPECT_NE(std::find(response.headers.begin(), response.headers.end(), close),
            response.headers.end());
}

TEST_F(ControlServiceTest, HeldHeartbeatIsAnsweredByNews) {
  control::HeartbeatRequest beat;
  beat.worker = {{"shop", "orders", uid_}, 0, "run-1"};
  beat.sequence = 1;
  beat.phase = control::WorkerPhase::kRunning;
  beat.generation = 3;
  beat.known_generation = 3;
  beat.known_started_generation = 3;
  beat.hold = base::Millis(10'000);
  std::optional<ServerResponse> response;
  service_.Handle(
      Request(control::kHeartbeatPath, control::Encode(beat), "token-0"),
      [&](ServerResponse r) { response = std::move(r); }, [] { return false; });
  service_.RunQueued();
  EXPECT_FALSE(response);
  decide::Directive drain;
  drain.drain = true;
  registry_.Publish({"shop", "orders"}, uid_, drain);
  ASSERT_TRUE(response);
  EXPECT_EQ(control::DecodeHeartbeatResponse(response->body)->command, control::Command::kDrain);
}

TEST_F(ControlServiceTest, BadRequestsAreRefused) {
  EXPECT_EQ(Ask(Request("/other", "", "token-0")).status, 404);
  EXPECT_EQ(Ask(Request(control::kRegisterPath, "{", "token-0")).status, 400);
  EXPECT_EQ(Ask(Request(control::kRegisterPath, std::string(70'000, 'x'), "token-0")).status, 413);
  ServerRequest get = Request(control::kRegisterPath, Hello(0), "token-0");
  get.method = "GET";
  EXPECT_EQ(Ask(get).status, 405);
}

TEST_F(ControlServiceTest, FullQueueSaysSo) {
  ControlOptions options;
  options.queue_max = 1;
  ControlService small(
      options, kube_, registry_, [] { return true; }, clock_, nullptr);
  std::vector<int> codes;
  for (int i = 0; i < 2; ++i) {
    small.Handle(
        Request(control::kRegisterPath, Hello(0), "token-0"),
        [&](ServerResponse r) { codes.push_back(r.status); }, [] { return false; });
  }
  EXPECT_EQ(codes, std::vector<int>{503});
  small.RunQueued();
  EXPECT_EQ(codes, (std::vector<int>{503, 200}));
}

TEST_F(ControlServiceTest, UnansweredReviewIsNoVerdict) {
  kube_.FailCall(1, kube::testing::FailWhen::kBefore, base::Unavailable("no server"));
  EXPECT_EQ(Ask(Request(control::kRegisterPath, Hello(0), "token-0")).status, 503);
  EXPECT_EQ(Ask(Request(control::kRegisterPath, Hello(0), "token-0")).status, 200);
}

// Nothing else may eat the signal that wakes a thread for a task.
TEST_F(ControlServiceTest, AQuestionNeverWaitsForTheNextOne) {
  service_.Start();
  const ServerRequest question = GenerationRequest(uid_, "token-0");
  for (int i = 0; i < 300; ++i) {
    std::promise<int> status;
    service_.Handle(
        question, [&](ServerResponse r) { status.set_value(r.status); }, [] { return false; });
    std::future<int> answer = status.get_future();
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(5)), std::future_status::ready) << i;
    ASSERT_EQ(answer.get(), 200);
  }
  service_.Stop();
}

}  // namespace
}  // namespace sj::op::reconcile
