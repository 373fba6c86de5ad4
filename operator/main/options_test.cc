// SPDX-License-Identifier: Apache-2.0
// Flags, the configuration file, and who wins.
#include "operator/main/options.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sj::op::main {
namespace {

class OptionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "/options_test_" +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(dir_ + "/" + name) << content;
    return dir_ + "/" + name;
  }
  static Parsed Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "streamjob-operator");
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) {
      argv.push_back(argument.c_str());
    }
    return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  }
  // The least that runs.
  static std::vector<std::string> With(std::vector<std::string> more) {
    std::vector<std::string> all = {"--control-url", "https://op:8443", "--worker-image", "w:1",
                                    "--cert-file",   "c.pem",           "--key-file",     "k.pem"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::string dir_;
};

TEST_F(OptionsTest, FlagsAlone) {
  const Parsed parsed =
      Parse(With({"--namespace", "a", "--namespace", "b", "--control-port", "9443",
                  "--no-leader-elect", "--health-port", "0", "--log-level", "debug"}));
  ASSERT_TRUE(parsed.options) << parsed.text;
  const Options& options = *parsed.options;
  EXPECT_EQ(options.config.watch_namespaces, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.config.control.port, 9443);
  EXPECT_EQ(options.config.http.port, 0);
  EXPECT_EQ(options.config.cert_file, "c.pem");
  EXPECT_EQ(options.config.settings.defaults.image, "w:1");
  EXPECT_EQ(options.config.log_level, base::LogLevel::kDebug);
  EXPECT_FALSE(options.leader_elect);
}

TEST_F(OptionsTest, FlagsWinOverTheFile) {
  const std::string file = Write("operator.yaml",
                                 "control: {url: 'https://op:8443', certFile: c, keyFile: k}\n"
                                 "workerImage: {name: 'w:1', pullPolicy: Always}\n");
  const Parsed parsed = Parse({"--config", file, "--worker-image", "w:2"});
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->config.settings.defaults.image, "w:2");
  EXPECT_EQ(parsed.options->config.settings.worker.image_pull_policy, "Always");
  EXPECT_TRUE(parsed.options->leader_elect);
}

TEST_F(OptionsTest, DefaultsFile) {
  const std::string file =
      Write("defaults.json", R"({"checkpoint": {"location": "s3://bucket/prod"}})");
  const Parsed parsed = Parse(With({"--defaults", file}));
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->config.settings.defaults.checkpoint_location, "s3://bucket/prod");
}

TEST_F(OptionsTest, MistakesEndWithOneAndATextThatNamesThem) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--no-such-flag"}, "no-such-flag"},
      {{}, "workerImage"},
      {With({"--control-port", "x"}), "--control-port is not a port"},
      {With({"--control-port", "70000"}), "is not a port"},
      {With({"--workers", "0"}), "workers"},
      {With({"--log-level", "loud"}), "log.level"},
      {With({"--config", "/no/such/file"}), "/no/such/file"},
      {With({"--config", Write("list.yaml", "- a\n")}), "does not hold an object"},
      {With({"--config", Write("unknown.yaml", "controll: {}\n")}), "controll is unknown"},
      {With({"--config", Write("shape.yaml", "control: 7\n")}), "control is not an object"},
      {{"--control-url", "https://op", "--worker-image", "w"}, "no certificate"},
  };
  for (const auto& [arguments, text] : cases) {
    const Parsed parsed = Parse(arguments);
    EXPECT_FALSE(parsed.options) << text;
    EXPECT_EQ(parsed.exit_code, 1) << text;
    EXPECT_NE(parsed.text.find(text), std::string::npos) << parsed.text;
  }
}

TEST_F(OptionsTest, HelpNamesExitCodes) {
  const Parsed parsed = Parse({"--help"});
  EXPECT_EQ(parsed.exit_code, 0);
  EXPECT_NE(parsed.text.find("3 lost the lease"), std::string::npos);
  EXPECT_EQ(Parse({"--version"}).exit_code, 0);
}

}  // namespace
}  // namespace sj::op::main
