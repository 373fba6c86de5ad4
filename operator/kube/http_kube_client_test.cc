// SPDX-License-Identifier: Apache-2.0
// Requests, retries and error kinds of the HTTP client, over a scripted transport and manual time.
#include "operator/kube/http_kube_client.h"

#include <gtest/gtest.h>

#include <deque>

namespace sj::op::kube {
namespace {

using base::ErrorKind;
using base::HttpRequest;
using base::HttpResponse;
using base::Millis;

// Answers from a list; keeps the requests it got.
class ScriptedHttp final : public base::HttpClient {
 public:
  struct Script {
    std::deque<Result<HttpResponse>> answers;
    std::vector<std::string> lines;  // of a stream
    std::vector<HttpRequest> requests;
  };
  explicit ScriptedHttp(Script& script) : script_(script) {}

  Result<HttpResponse> Send(const HttpRequest& request, base::HttpCancel*) override {
    script_.requests.push_back(request);
    if (script_.answers.empty()) {
      return base::Unavailable("connection refused");
    }
    auto answer = std::move(script_.answers.front());
    script_.answers.pop_front();
    return answer;
  }
  Result<HttpResponse> Stream(const HttpRequest& request,
                              const std::function<bool(std::string_view)>& on_line,
                              base::HttpCancel* cancel) override {
    for (const std::string& line : script_.lines) {
      if (!on_line(line)) {
        break;
      }
    }
    return Send(request, cancel);
  }

 private:
  Script& script_;
};

HttpResponse Answer(int status, std::string body = "{}", base::HttpHeaders headers = {}) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

class HttpKubeClientTest : public ::testing::Test {
 protected:
  HttpKubeClientTest() {
    HttpKubeOptions options;
    options.host = "api";
    options.wait = [this](Millis time) {
      waits_.push_back(time);
      clock_.Advance(time);
      return true;
    };
    client_ = std::make_unique<HttpKubeClient>(std::make_unique<ScriptedHttp>(script_),
                                               std::move(options), clock_, &metrics_);
  }
  Result<Json> Get() { return client_->Get(kConfigMaps, {"ns", "a"}, Read::kQuorum); }
  Result<Json> Create() {
    return client_->Create(kConfigMaps, {{"metadata", {{"name", "a"}, {"namespace", "ns"}}}});
  }

  base::ManualClock clock_;
  base::MetricRegistry metrics_;
  std::vector<Millis> waits_;
  ScriptedHttp::Script script_;
  std::unique_ptr<HttpKubeClient> client_;
};

TEST_F(HttpKubeClientTest, ErrorKindsFollowTheCode) {
  const std::pair<int, ErrorKind> cases[] = {
      {400, ErrorKind::kInvalidArgument}, {401, ErrorKind::kUnavailable},
      {403, ErrorKind::kUnavailable},     {404, ErrorKind::kNotFound},
      {409, ErrorKind::kConflict},        {413, ErrorKind::kInvalidArgument},
      {422, ErrorKind::kInvalidArgument}, {500, ErrorKind::kUnavailable},
      {503, ErrorKind::kUnavailable}};
  for (const auto& [code, kind] : cases) {
    script_.answers.push_back(Answer(code, R"({"kind":"Status","message":"configmaps is no"})"));
    const Status status = Create().status();
    EXPECT_EQ(status.kind(), kind) << code;
    EXPECT_NE(status.message().find("create ConfigMap \"ns/a\""), std::string::npos);
    EXPECT_NE(status.message().find("configmaps is no"), std::string::npos);
  }
  EXPECT_TRUE(waits_.empty());
}

TEST_F(HttpKubeClientTest, RetryAfterIsHonouredForEveryVerb) {
  script_.answers.push_back(Answer(429, "{}", {{"Retry-After", "3"}}));
  script_.answers.push_back(Answer(503, "{}", {{"Retry-After", "1"}}));
  script_.answers.push_back(Answer(201));
  EXPECT_TRUE(Create().ok());
  EXPECT_EQ(waits_, (std::vector<Millis>{Millis(3000), Millis(1000)}));
  EXPECT_EQ(script_.requests.size(), 3u);
}

TEST_F(HttpKubeClientTest, RetriesStayWithinTheDeadline) {
  script_.answers.push_back(Answer(429, "{}", {{"Retry-After", "60"}}));
  EXPECT_EQ(Create().status().kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(waits_.empty());
  for (int i = 0; i < 20; ++i) {
    script_.answers.push_back(Answer(429, "{}", {{"Retry-After", "4"}}));
  }
  const auto start = clock_.Mono();
  EXPECT_EQ(Create().status().kind(), ErrorKind::kUnavailable);
  EXPECT_LE(clock_.Mono() - start, Millis(10'000));
  EXPECT_EQ(waits_.size(), 2u);
  EXPECT_LE(script_.requests.back().deadline, Millis(2'000));
}

TEST_F(HttpKubeClientTest, ReadsAreRepeatedWritesAreNot) {
  script_.answers.push_back(base::Unavailable("connection reset"));
  script_.answers.push_back(Answer(500));
  script_.answers.push_back(Answer(200, R"({"metadata":{"name":"a","managedFields":[]}})"));
  auto got = Get();
  ASSERT_TRUE(got.ok());
  EXPECT_FALSE((*got)["metadata"].contains("managedFields"));
  EXPECT_EQ(waits_, (std::vector<Millis>{Millis(100), Millis(200)}));
  script_.requests.clear();
  script_.answers.push_back(base::Unavailable("connection reset"));
  EXPECT_EQ(Create().status().kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(script_.requests.size(), 1u);
}

TEST_F(HttpKubeClientTest, TriesAreBounded) {
  EXPECT_EQ(Get().status().kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(script_.requests.size(), 5u);
}

TEST_F(HttpKubeClientTest, RequestsSayWhatTheyMean) {
  script_.answers.assign(4, Answer(200));
  const Json object = {{"metadata", {{"name", "a"}, {"namespace", "n s"}}}};
  ASSERT_TRUE(client_->Apply(kStatefulSets, object).ok());
  EXPECT_EQ(script_.requests[0].target,
            "/apis/apps/v1/namespaces/n%20s/statefulsets/a?force=true&fieldManager="
            "streamjob-operator");
  EXPECT_EQ(script_.requests[0].headers[0].second, "application/apply-patch+yaml");
  ASSERT_TRUE(client_->Delete(kPods, {"ns", "p"}, {.uid = "u", .resource_version = "7"}).ok());
  const auto body = base::ParseJson(script_.requests[1].body);
  EXPECT_EQ((*body)["preconditions"], Json({{"uid", "u"}, {"resourceVersion", "7"}}));
  EXPECT_EQ((*body)["propagationPolicy"], "Background");
  ASSERT_TRUE(client_->Get(kPods, {"ns", "p"}, Read::kCached).ok());
  EXPECT_EQ(script_.requests[2].target, "/api/v1/namespaces/ns/pods/p?resourceVersion=0");
  ASSERT_TRUE(client_->ReplaceStatus(kStreamJobs, {"ns", "j"}, {{"x", 1}}, {"7"}).ok());
  EXPECT_EQ(script_.requests[3].target,
            "/apis/streamjob.io/v1alpha1/namespaces/ns/streamjobs/j/status?fieldManager="
            "streamjob-operator");
}

TEST_F(HttpKubeClientTest, AnExpiredContinueTokenRestartsTheList) {
  const std::string page = R"({"metadata":{"resourceVersion":"5","continue":"c+1"},)"
                           R"("items":[{"metadata":{"name":"a"}}]})";
  const std::string last =
      R"({"metadata":{"resourceVersion":"6"},"items":[{"metadata":{"name":"b"}}]})";
  for (auto& answer : {Answer(200, page), Answer(410), Answer(200, page), Answer(200, last)}) {
    script_.answers.push_back(answer);
  }
  auto list = client_->List(kPods, {.ns = "ns"});
  ASSERT_TRUE(list.ok()) << list.status().ToString();
  EXPECT_EQ(list->items.size(), 2u);
  EXPECT_EQ(list->resource_version, "6");
  EXPECT_EQ(list->items[1]["kind"], "Pod");
  EXPECT_EQ(script_.requests[3].target, "/api/v1/namespaces/ns/pods?limit=100&continue=c%2B1");
  // A server that expires every token is given up on.
  for (int i = 0; i < 20; ++i) {
    script_.answers.push_back(Answer(200, page));
    script_.answers.push_back(Answer(410));
  }
  EXPECT_FALSE(client_->List(kPods, {.ns = "ns"}).ok());
}

TEST_F(HttpKubeClientTest, HostileAnswersAreErrors) {
  for (const char* body : {"", "[]", "7", "{\"items\":", "{\"items\":[7]}"}) {
    script_.answers.push_back(Answer(200, body));
    EXPECT_FALSE(client_->List(kPods, {}).ok()) << body;
    script_.answers.clear();
  }
}

TEST_F(HttpKubeClientTest, WatchEndsByItsReason) {
  int events = 0;
  auto watch = [&] {
    script_.answers.push_back(Answer(200, ""));
    return client_->Watch(
        kPods, {},
        [&events](const WatchEvent&) {
          ++events;
          return true;
        },
        nullptr);
  };
  script_.lines = {R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})"};
  EXPECT_EQ(*watch(), WatchEnd::kClosed);
  EXPECT_EQ(events, 1);
  EXPECT_EQ(script_.requests[0].deadline, Millis(150'000));
  script_.lines = {R"({"type":"ERROR","object":{"code":410}})"};
  EXPECT_EQ(*watch(), WatchEnd::kExpired);
  script_.lines.clear();
  script_.answers.push_back(base::Unavailable("silent for too long"));
  EXPECT_EQ(watch().status().kind(), ErrorKind::kUnavailable);
  script_.answers.clear();
  base::HttpCancel cancel;
  cancel.Cancel();
  script_.answers.push_back(base::Cancelled("cancelled"));
  EXPECT_EQ(client_
                ->Watch(
                    kPods, {}, [](const WatchEvent&) { return true; }, &cancel)
                .status()
                .kind(),
            ErrorKind::kCancelled);
}

TEST_F(HttpKubeClientTest, ShutdownEndsEverything) {
  client_->Shutdown();
  EXPECT_EQ(Get().status().kind(), ErrorKind::kCancelled);
  EXPECT_TRUE(script_.requests.empty());
}

TEST_F(HttpKubeClientTest, RequestsAreCounted) {
  script_.answers.push_back(Answer(404));
  (void)Get();
  EXPECT_NE(metrics_.Text().find("rest_client_requests_total{code=\"404\",host=\"api\","
                                 "method=\"GET\"} 1"),
            std::string::npos)
      << metrics_.Text();
}

}  // namespace
}  // namespace sj::op::kube
