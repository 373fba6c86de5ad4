// SPDX-License-Identifier: Apache-2.0
// Kubeconfig files and service accounts: what is read, what is refused in words.
#include "operator/kube/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace sj::op::kube {
namespace {

using base::ErrorKind;

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "/config_test_" +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(dir_ + "/" + name) << content;
    return dir_ + "/" + name;
  }
  std::string Config(const std::string& cluster, const std::string& user) const {
    return Write("config",
                 "apiVersion: v1\nkind: Config\ncurrent-context: one\ncontexts:\n"
                 "- {name: one, context: {cluster: c, user: u, namespace: shop}}\n"
                 "clusters:\n- name: c\n  cluster: {" +
                     cluster + "}\nusers:\n- name: u\n  user: {" + user + "}\n");
  }

  std::string dir_;
};

std::string Content(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_F(ConfigTest, ReadsFilesRelativeToTheConfig) {
  auto config =
      LoadKubeconfig(Config("server: 'https://1.2.3.4:6443', certificate-authority: ca.pem",
                            "client-certificate: c.pem, client-key: /abs/k.pem"));
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->http.base_url, "https://1.2.3.4:6443");
  EXPECT_EQ(config->http.ca_file, dir_ + "/ca.pem");
  EXPECT_EQ(config->http.client_cert_file, dir_ + "/c.pem");
  EXPECT_EQ(config->http.client_key_file, "/abs/k.pem");
  EXPECT_TRUE(config->http.tls_verify);
  EXPECT_EQ(config->ns, "shop");
}

TEST_F(ConfigTest, InlineDataLivesInPrivateFiles) {
  std::string path;
  {
    auto config =
        LoadKubeconfig(Config("server: 'https://h', certificate-authority-data: 'aGVsbG8='",
                              "client-certificate-data: 'Y2VydA==', client-key-data: 'a2V5'"));
    ASSERT_TRUE(config.ok()) << config.status().ToString();
    EXPECT_EQ(Content(config->http.ca_file), "hello");
    EXPECT_EQ(Content(config->http.client_cert_file), "cert");
    path = config->http.client_key_file;
    EXPECT_EQ(Content(path), "key");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ConfigTest, TokenFileWinsOverToken) {
  auto config = LoadKubeconfig(Config("server: 'https://h', insecure-skip-tls-verify: true",
                                      "token: secret, tokenFile: /var/token"));
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->http.token_file, "/var/token");
  EXPECT_TRUE(config->http.token.empty());
  EXPECT_FALSE(config->http.tls_verify);
}

TEST_F(ConfigTest, RefusesWhatItCannotDo) {
  for (const char* user : {"exec: {command: aws}", "auth-provider: {name: gcp}",
                           "username: a, password: b", "as: admin"}) {
    auto config = LoadKubeconfig(Config("server: 'https://h'", user));
    EXPECT_EQ(config.status().kind(), ErrorKind::kInvalidArgument) << user;
    EXPECT_NE(config.status().message().find("not supported"), std::string::npos) << user;
  }
  auto proxied = LoadKubeconfig(Config("server: 'https://h', proxy-url: 'http://p'", ""));
  EXPECT_EQ(proxied.status().kind(), ErrorKind::kInvalidArgument);
  auto half = LoadKubeconfig(Config("server: 'https://h'", "client-key-data: a2V5"));
  EXPECT_EQ(half.status().kind(), ErrorKind::kInvalidArgument);
  auto scheme = LoadKubeconfig(Config("server: 'ftp://h'", ""));
  EXPECT_EQ(scheme.status().kind(), ErrorKind::kInvalidArgument);
}

TEST_F(ConfigTest, NamesWhatIsMissing) {
  EXPECT_EQ(LoadKubeconfig(dir_ + "/none").status().kind(), ErrorKind::kNotFound);
  auto context = LoadKubeconfig(Config("server: 'https://h'", ""), "two");
  EXPECT_NE(context.status().message().find("\"two\""), std::string::npos);
}

TEST_F(ConfigTest, InClusterReadsTheServiceAccount) {
  Write("token", "t");
  Write("namespace", "streamjob-system\n");
  auto environment = [](const char* name) -> std::string {
    return std::string(name) == "KUBERNETES_SERVICE_HOST" ? "fd00::1" : "443";
  };
  auto config = InClusterConfig(environment, dir_);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->http.base_url, "https://[fd00::1]:443");
  EXPECT_EQ(config->http.token_file, dir_ + "/token");
  EXPECT_EQ(config->ns, "streamjob-system");
  auto outside = InClusterConfig([](const char*) { return std::string(); }, dir_);
  EXPECT_EQ(outside.status().kind(), ErrorKind::kNotFound);
}

TEST(Base64Test, DecodesAndRefuses) {
  EXPECT_EQ(*DecodeBase64(""), "");
  EXPECT_EQ(*DecodeBase64("YQ=="), "a");
  EXPECT_EQ(*DecodeBase64("YWI="), "ab");
  EXPECT_EQ(*DecodeBase64("YW\nJj"), "abc");
  EXPECT_EQ(*DecodeBase64("/+8="), "\xff\xef");
  for (const char* bad : {"Y", "YQ", "YQ=", "Y===", "=YQ=", "Y*==", "YQ==YQ=="}) {
    EXPECT_FALSE(DecodeBase64(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace sj::op::kube
