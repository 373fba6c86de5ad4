// SPDX-License-Identifier: Apache-2.0
// TLS between client and server with certificates made by the OpenSSL command line in a temporary
// folder: trust, names, client certificates, and files that change under a running process.
#include <gtest/gtest.h>

#include <chrono>

#include "api/base/testing/http_fixture.h"

namespace sj::base {
namespace {

using std::chrono::milliseconds;
using testing::ClientOf;
using testing::Serve;

void Ok(const ServerRequest& request, const Responder& responder) {
  responder.Answer({200, "text/plain", "ok " + request.body, {}});
}

class HttpTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new testing::TempDir;
    MakeCa("ca");
    MakeCa("other");
    MakeCert("ca", "server", "IP:127.0.0.1");
    MakeCert("ca", "second", "IP:127.0.0.1");
    MakeCert("ca", "wrongname", "DNS:example.test");
  }
  static void TearDownTestSuite() { delete dir_; }

  static void Run(const std::string& command) {
    ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
  }
  static void MakeCa(const std::string& name) {
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
        "/CN=" +
        name + " -keyout " + dir_->File(name + ".key") + " -out " + dir_->File(name + ".crt"));
  }
  static void MakeCert(const std::string& ca, const std::string& name, const std::string& san) {
    dir_->Write(name + ".ext", "subjectAltName=" + san + "\n");
    Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name +
        " -keyout " + dir_->File(name + ".key") + " -out " + dir_->File(name + ".csr"));
    Run("openssl x509 -req -days 2 -CA " + dir_->File(ca + ".crt") + " -CAkey " +
        dir_->File(ca + ".key") + " -CAcreateserial -in " + dir_->File(name + ".csr") +
        " -extfile " + dir_->File(name + ".ext") + " -out " + dir_->File(name + ".crt"));
  }
  static HttpServerOptions With(const std::string& name) {
    HttpServerOptions options;
    options.tls_cert_file = dir_->File(name + ".crt");
    options.tls_key_file = dir_->File(name + ".key");
    return options;
  }
  static HttpClientOptions To(const HttpServer& server, const std::string& ca) {
    HttpClientOptions options;
    options.base_url = "https://127.0.0.1:" + std::to_string(server.port());
    options.ca_file = dir_->File(ca + ".crt");
    return options;
  }
  static void Copy(const std::string& from, const std::string& to) {
    for (const char* end : {".crt", ".key"}) {
      std::filesystem::copy_file(dir_->File(from + end), dir_->File(to + end + ".new"),
                                 std::filesystem::copy_options::overwrite_existing);
      std::filesystem::rename(dir_->File(to + end + ".new"), dir_->File(to + end));
    }
  }

  static testing::TempDir* dir_;
};
testing::TempDir* HttpTls::dir_ = nullptr;

TEST_F(HttpTls, TrustedServerIsUsed) {
  auto server = Serve(Ok, With("server"));
  auto client = ClientOf(0, To(*server, "ca"));
  HttpRequest request;
  request.method = "POST";
  request.body = std::string(900'000, 'x');
  for (int i = 0; i < 3; ++i) {
    const auto answer = client->Send(request);
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ(answer->body, "ok " + request.body);
  }
}

TEST_F(HttpTls, WrongAuthorityAndWrongNameAreRefused) {
  auto server = Serve(Ok, With("server"));
  EXPECT_EQ(ClientOf(0, To(*server, "other"))->Send({}).status().kind(), ErrorKind::kUnavailable);
  HttpClientOptions system = To(*server, "ca");
  system.ca_file.clear();
  EXPECT_FALSE(ClientOf(0, system)->Send({}).ok());
  auto wrong = Serve(Ok, With("wrongname"));
  EXPECT_FALSE(ClientOf(0, To(*wrong, "ca"))->Send({}).ok());
  HttpClientOptions blind = To(*wrong, "other");
  blind.tls_verify = false;
  EXPECT_TRUE(ClientOf(0, blind)->Send({}).ok());
}

TEST_F(HttpTls, MissingFilesAreErrors) {
  EXPECT_FALSE(StartHttpServer(With("absent"), Ok).ok());
  HttpServerOptions half = With("server");
  half.tls_key_file.clear();
  EXPECT_EQ(StartHttpServer(half, Ok).status().kind(), ErrorKind::kInvalidArgument);
  auto server = Serve(Ok, With("server"));
  EXPECT_FALSE(ClientOf(0, To(*server, "absent"))->Send({}).ok());
}

TEST_F(HttpTls, ServerFollowsItsCertificateFiles) {
  MakeCert("other", "live", "IP:127.0.0.1");
  auto server = Serve(Ok, With("live"));
  EXPECT_FALSE(ClientOf(0, To(*server, "ca"))->Send({}).ok());
  Copy("second", "live");
  // The server looks at most once a second.
  bool ok = false;
  for (int i = 0; i < 40 && !ok; ++i) {
    std::this_thread::sleep_for(milliseconds(100));  // NOLINT(pause): asks again
    ok = ClientOf(0, To(*server, "ca"))->Send({}).ok();
  }
  EXPECT_TRUE(ok);
}

TEST_F(HttpTls, ClientFollowsItsAuthorityFile) {
  auto server = Serve(Ok, With("server"));
  std::filesystem::copy_file(dir_->File("other.crt"), dir_->File("changing.crt"));
  auto client = ClientOf(0, To(*server, "changing"));
  EXPECT_FALSE(client->Send({}).ok());
  std::filesystem::copy_file(dir_->File("ca.crt"), dir_->File("changing.crt.new"));
  std::filesystem::rename(dir_->File("changing.crt.new"), dir_->File("changing.crt"));
  const auto answer = client->Send({});
  EXPECT_TRUE(answer.ok()) << answer.status().ToString();
}

TEST_F(HttpTls, HalfHandshakesAreReapedAndPlainHttpIsClosed) {
  HttpServerOptions options = With("server");
  options.header_timeout = milliseconds(300);
  auto server = Serve(Ok, options);
  std::vector<testing::RawSocket> half;
  for (int i = 0; i < 50; ++i) {
    half.emplace_back(server->port());
    half.back().Send("\x16\x03\x01");
  }
  for (const auto& socket : half) {
    EXPECT_TRUE(socket.ClosedWithin(milliseconds(5'000)));
  }
  const testing::RawSocket plain(server->port());
  plain.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(plain.ReadAll().find("200"), std::string::npos);
}

TEST_F(HttpTls, LongPollSurvivesQuietAndPeerThatLeavesIsNoticed) {
  std::promise<Responder> first;
  std::promise<Responder> second;
  int calls = 0;
  auto server = Serve([&](const ServerRequest&,
                          Responder r) { (calls++ == 0 ? first : second).set_value(std::move(r)); },
                      With("server"));
  auto client = ClientOf(0, To(*server, "ca"));
  auto call = std::async(std::launch::async, [&] { return client->Send({}); });
  first.get_future().get().Answer({200, "text/plain", "later", {}});
  EXPECT_EQ(call.get()->body, "later");
  HttpCancel cancel;
  call = std::async(std::launch::async, [&] { return client->Send({}, &cancel); });
  const Responder responder = second.get_future().get();
  cancel.Cancel();
  EXPECT_EQ(call.get().status().kind(), ErrorKind::kCancelled);
  const auto limit = std::chrono::steady_clock::now() + milliseconds(5'000);
  while (!responder.gone() && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(responder.gone());
}

}  // namespace
}  // namespace sj::base
