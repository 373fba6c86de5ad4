// SPDX-License-Identifier: Apache-2.0
// The S3 client against scripted answers: retries, doubtful uploads, verification, errors in words.
// What a real server accepts is for s3_it_test.cc.
#include "worker/store/s3_object_store.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "api/base/hash.h"
#include "worker/store/s3_answer.h"

namespace sj::worker::store {
namespace {

using base::ErrorKind;
using base::HttpRequest;
using base::HttpResponse;
using Outcome = base::Result<HttpResponse>;

std::string Sha256Base64(const std::string& bytes) {
  auto digest = base::Sha256(bytes);
  return base::Base64Encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

HttpResponse Answer(int status, const std::string& code = "") {
  HttpResponse response;
  response.status = status;
  if (!code.empty()) {
    response.body = "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code></Error>";
  }
  return response;
}

std::string HeaderOf(const HttpRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

// A server with one map of objects; the next requests may be given scripted answers instead, before
// or after they took effect.
class ScriptedS3 final : public base::HttpClient {
 public:
  struct Step {
    Outcome answer;
    bool after_effect = false;
  };
  std::deque<Step> script;
  std::map<std::string, std::string> objects;  // by target
  std::vector<std::string> log;                // "PUT /b/p/k"
  bool keeps_checksums = true;
  bool knows_conditions = true;
  std::string authorization;

  Outcome Send(const HttpRequest& request, base::HttpCancel*) override {
    log.push_back(request.method + " " + request.target);
    authorization = HeaderOf(request, "Authorization");
    if (!script.empty()) {
      Step step = std::move(script.front());
      script.pop_front();
      if (step.after_effect) {
        (void)Serve(request);
      }
      return std::move(step.answer);
    }
    return Serve(request);
  }
  Outcome Stream(const HttpRequest&, const std::function<bool(std::string_view)>&,
                 base::HttpCancel*) override {
    return base::Internal("not used");
  }

 private:
  Outcome Serve(const HttpRequest& request) {
    auto it = objects.find(request.target);
    if (request.method == "PUT") {
      bool conditional = !HeaderOf(request, "If-None-Match").empty();
      if (conditional && !knows_conditions) {
        return Answer(501, "NotImplemented");
      }
      if (conditional && it != objects.end()) {
        return Answer(412, "PreconditionFailed");
      }
      const std::string source = HeaderOf(request, "x-amz-copy-source");
      if (!source.empty()) {
        auto from = objects.find(source);
        if (from == objects.end()) {
          return Answer(404, "NoSuchKey");
        }
        objects[request.target] = from->second;
        return Answer(200);
      }
      objects[request.target] = request.body;
      return Answer(200);
    }
    if (request.method == "DELETE") {
      objects.erase(request.target);
      return Answer(204);
    }
    if (it == objects.end()) {
      return Answer(404, request.method == "HEAD" ? "" : "NoSuchKey");
    }
    HttpResponse response;
    response.status = 200;
    response.headers = {{"Content-Length", std::to_string(it->second.size())}};
    if (keeps_checksums) {
      response.headers.emplace_back("x-amz-checksum-sha256", Sha256Base64(it->second));
    }
    if (request.method == "GET") {
      response.body = it->second;
    }
    return response;
  }
};

struct Bench {
  Bench() {
    auto made = std::make_unique<ScriptedS3>();
    server = made.get();
    ObjectStoreOptions options;
    options.location = "s3://bucket/pre";
    options.endpoint = "http://127.0.0.1:7070";
    options.access_key = "AK";
    options.secret_key = "top secret";
    S3Seams seams;
    seams.http = std::move(made);
    seams.clock = &clock;
    seams.sleep = [this](base::Millis pause) {
      ++pauses;
      clock.Advance(pause);
    };
    store = MakeS3ObjectStore(options, std::move(seams)).value();
  }
  base::ManualClock clock;
  int pauses = 0;
  ScriptedS3* server = nullptr;
  std::unique_ptr<ObjectStore> store;
};

const char kTarget[] = "/bucket/pre/k";

TEST(S3ObjectStoreTest, PutIsConditionalSignedAndVerified) {
  Bench bench;
  ASSERT_TRUE(bench.store->Put("k", "bytes").ok());
  EXPECT_EQ(bench.server->log,
            (std::vector<std::string>{"PUT /bucket/pre/k", "HEAD /bucket/pre/k"}));
  EXPECT_NE(bench.server->authorization.find("Credential=AK/20231114/us-east-1/s3/aws4_request"),
            std::string::npos);
  EXPECT_EQ(bench.store->Put("k", "other").kind(), ErrorKind::kConflict);
  EXPECT_EQ(bench.pauses, 0);
}

TEST(S3ObjectStoreTest, TheServerCopies) {
  Bench bench;
  ASSERT_TRUE(bench.store->Put("a b/k", "bytes").ok());
  bench.server->log.clear();
  ASSERT_TRUE(bench.store->Copy("a b/k", "l").ok());
  EXPECT_EQ(bench.server->log,
            (std::vector<std::string>{"HEAD /bucket/pre/a%20b/k", "PUT /bucket/pre/l",
                                      "HEAD /bucket/pre/l"}));
  EXPECT_EQ(bench.store->Get("l").value(), "bytes");
  EXPECT_EQ(bench.store->Copy("nothing", "m").kind(), ErrorKind::kNotFound);
}

TEST(S3ObjectStoreTest, ACopyThatFailsInItsBodyHasFailed) {
  Bench bench;
  ASSERT_TRUE(bench.store->Put("k", "bytes").ok());
  HttpResponse there = Answer(200);
  there.headers = {{"Content-Length", "5"}};
  bench.server->script.push_back({there});
  bench.server->script.push_back({Answer(200, "SlowDown")});
  ASSERT_TRUE(bench.store->Copy("k", "l").ok());
  EXPECT_EQ(bench.pauses, 1);
  EXPECT_EQ(bench.store->Get("l").value(), "bytes");
  bench.server->script.push_back({there});
  bench.server->script.push_back({Answer(200, "AccessDenied")});
  EXPECT_FALSE(bench.store->Copy("k", "m").ok());
}

TEST(S3ObjectStoreTest, TransientFailuresAreTriedAgainWithinBounds) {
  Bench bench;
  bench.server->script.push_back({Answer(503, "SlowDown")});
  bench.server->script.push_back({base::Unavailable("reset")});
  bench.server->script.push_back({Answer(429)});
  ASSERT_TRUE(bench.store->Put("k", "bytes").ok());
  EXPECT_EQ(bench.pauses, 3);
  for (int i = 0; i < 20; ++i) {
    bench.server->script.push_back({base::Unavailable("no route to host")});
  }
  bench.server->log.clear();
  base::Status failed = bench.store->Put("l", "bytes");
  EXPECT_EQ(failed.kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(failed.retry(), base::Retry::kBackoff);
  EXPECT_EQ(bench.server->log.size(), 5u);
}

TEST(S3ObjectStoreTest, ASlowServerDoesNotOutliveTheDeadline) {
  Bench bench;
  for (int i = 0; i < 20; ++i) {
    bench.server->script.push_back({base::Unavailable("no answer")});
  }
  base::MonoTime start = bench.clock.Mono();
  EXPECT_FALSE(bench.store->Get("k").ok());
  EXPECT_LT(bench.clock.Mono() - start, std::chrono::seconds(62));
}

TEST(S3ObjectStoreTest, OwnUploadIsRecognisedAfterALostAnswer) {
  for (bool checksums : {true, false}) {
    Bench bench;
    bench.server->keeps_checksums = checksums;
    bench.server->script.push_back({base::Unavailable("answer lost"), true});
    EXPECT_TRUE(bench.store->Put("k", "bytes").ok());
    EXPECT_EQ(bench.server->objects[kTarget], "bytes");
  }
}

// The HTTP library has sent the request a second time by itself: only the second answer is seen.
TEST(S3ObjectStoreTest, OwnUploadIsRecognisedWhenOnlyItsRepetitionIsAnswered) {
  for (bool checksums : {true, false}) {
    Bench bench;
    bench.server->keeps_checksums = checksums;
    bench.server->script.push_back({Answer(412, "PreconditionFailed"), true});
    EXPECT_TRUE(bench.store->Put("k", "bytes").ok());
    EXPECT_EQ(bench.server->objects[kTarget], "bytes");
  }
}

TEST(S3ObjectStoreTest, ForeignObjectAfterALostAnswerIsAConflict) {
  for (std::string other : {"BYTES", "longer bytes"}) {
    Bench bench;
    bench.server->keeps_checksums = false;
    bench.server->objects[kTarget] = other;
    bench.server->script.push_back({base::Unavailable("answer lost")});
    EXPECT_EQ(bench.store->Put("k", "bytes").kind(), ErrorKind::kConflict);
  }
}

TEST(S3ObjectStoreTest, TruncatedUploadIsCorrupt) {
  Bench bench;
  bench.server->objects[kTarget] = "byt";
  bench.server->script.push_back({Answer(200)});
  EXPECT_EQ(bench.store->Put("k", "bytes").kind(), ErrorKind::kCorrupt);
  bench.server->objects[kTarget] = "bytez";
  bench.server->script.push_back({Answer(200)});
  EXPECT_EQ(bench.store->Put("k", "bytes").kind(), ErrorKind::kCorrupt);
}

TEST(S3ObjectStoreTest, WorksWithoutConditions) {
  Bench bench;
  bench.server->knows_conditions = false;
  ASSERT_TRUE(bench.store->Put("k", "bytes").ok());
  EXPECT_EQ(bench.store->Put("k", "others").kind(), ErrorKind::kConflict);
  EXPECT_EQ(bench.server->objects[kTarget], "bytes");
}

TEST(S3ObjectStoreTest, ErrorsAreInWords) {
  struct Case {
    int status;
    const char* code;
    ErrorKind kind;
    const char* words;
  };
  for (const Case& c : {Case{403, "SignatureDoesNotMatch", ErrorKind::kInvalidArgument,
                             "access key or secret is wrong"},
                        Case{403, "InvalidAccessKeyId", ErrorKind::kInvalidArgument,
                             "access key or secret is wrong"},
                        Case{404, "NoSuchBucket", ErrorKind::kInvalidArgument, "no such bucket"},
                        Case{403, "AccessDenied", ErrorKind::kInvalidArgument, "access denied"},
                        Case{403, "RequestTimeTooSkewed", ErrorKind::kInvalidArgument, "clocks"},
                        Case{507, "QuotaExceeded", ErrorKind::kExhausted, "quota"},
                        Case{400, "Whatever", ErrorKind::kInvalidArgument, "400 Whatever"}}) {
    Bench bench;
    for (int i = 0; i < 8; ++i) {
      bench.server->script.push_back({Answer(c.status, c.code)});
    }
    base::Status failed = bench.store->Put("k", "bytes");
    EXPECT_EQ(failed.kind(), c.kind) << c.code << ": " << failed.message();
    EXPECT_NE(failed.message().find(c.words), std::string::npos) << failed.message();
    EXPECT_EQ(failed.message().find("top secret"), std::string::npos);
  }
}

TEST(S3ObjectStoreTest, MissingObjectsAreLookedForAgainShortly) {
  Bench bench;
  bench.server->objects[kTarget] = "bytes";
  bench.server->script.push_back({Answer(404, "NoSuchKey")});
  EXPECT_EQ(bench.store->Get("k").value(), "bytes");
  EXPECT_EQ(bench.store->Get("none").status().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(bench.pauses, 3);
}

TEST(S3ObjectStoreTest, ShortRangesAreCorrupt) {
  Bench bench;
  HttpResponse shorter = Answer(206);
  shorter.body = "ab";
  bench.server->script.push_back({shorter});
  EXPECT_EQ(bench.store->GetRange("k", 0, 3).status().kind(), ErrorKind::kCorrupt);
  bench.server->script.push_back({Answer(416, "InvalidRange")});
  EXPECT_EQ(bench.store->GetRange("k", 0, 3).status().kind(), ErrorKind::kCorrupt);
}

TEST(S3ObjectStoreTest, ListFollowsPages) {
  Bench bench;
  HttpResponse first = Answer(200);
  first.body =
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>true"
      "</IsTruncated><NextContinuationToken>a+/=</NextContinuationToken><Contents><Key>pre/x/1"
      "</Key><Size>7</Size></Contents></ListBucketResult>";
  HttpResponse second = Answer(200);
  second.body =
      "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>pre/x/2&amp;</Key>"
      "<Size>8</Size></Contents></ListBucketResult>";
  bench.server->script.push_back({first});
  bench.server->script.push_back({second});
  auto listed = bench.store->List("x/");
  ASSERT_TRUE(listed.ok()) << listed.status().ToString();
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].key, "x/1");
  EXPECT_EQ((*listed)[1].key, "x/2&");
  EXPECT_EQ((*listed)[1].bytes, 8u);
  EXPECT_EQ(
      bench.server->log[1],
      "GET /bucket?continuation-token=a%2B%2F%3D&list-type=2&max-keys=1000&prefix=pre%2Fx%2F");
  for (std::string bad : {"", "<a/>", "<ListBucketResult><Contents><Key>pre/x</Key>",
                          "<ListBucketResult><Contents><Key>other</Key><Size>1</Size></Contents>"
                          "</ListBucketResult>",
                          "<ListBucketResult><Contents><Key>pre/x/</Key><Size>-1</Size></Contents>"
                          "</ListBucketResult>"}) {
    HttpResponse answer = Answer(200);
    answer.body = bad;
    bench.server->script.push_back({answer});
    EXPECT_EQ(bench.store->List("x/").status().kind(), ErrorKind::kCorrupt) << bad;
  }
}

TEST(S3ObjectStoreTest, RefusesEndpointsAndMissingCredentials) {
  ObjectStoreOptions options;
  options.location = "s3://bucket";
  options.access_key = "a";
  options.secret_key = "b";
  for (std::string bad : {"ftp://x", "x", "http://", "http://u@h", "http://h/path",
                          "http://169.254.169.254", "http://[fd00:ec2::254]"}) {
    options.endpoint = bad;
    EXPECT_EQ(OpenS3ObjectStore(options).status().kind(), ErrorKind::kInvalidArgument) << bad;
  }
  options.endpoint = "http://127.0.0.1:1";
  options.secret_key_file = "/nonexistent";
  base::Status failed = OpenS3ObjectStore(options).value()->Put("k", "x");
  EXPECT_EQ(failed.kind(), ErrorKind::kInvalidArgument) << failed.message();
}

}  // namespace
}  // namespace sj::worker::store
