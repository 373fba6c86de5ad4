// SPDX-License-Identifier: Apache-2.0
// Log lines as they leave the process.
#include "api/base/log.h"

#include <gtest/gtest.h>

#include "api/base/json.h"

namespace sj::base {
namespace {

std::string Captured(LogFormat format, LogLevel level, const std::function<void()>& run) {
  SetLog(level, format);
  testing::internal::CaptureStderr();
  run();
  const std::string out = testing::internal::GetCapturedStderr();
  SetLog(LogLevel::kInfo, LogFormat::kText);
  return out;
}

TEST(Log, TextQuotesOnlyWhatNeedsIt) {
  const std::string out = Captured(LogFormat::kText, LogLevel::kInfo, [] {
    LogInfo("job started",
            {{"job", "a"}, {"note", "two words\n\"x\""}, {"epoch", 7}, {"ok", true}});
  });
  EXPECT_NE(out.find(R"(info  job started job=a note="two words\n\"x\"" epoch=7 ok=true)"),
            std::string::npos)
      << out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
}

TEST(Log, JsonIsOneObjectPerLineWithNumbers) {
  const std::string out = Captured(LogFormat::kJson, LogLevel::kInfo, [] {
    LogError("bad \"thing\"", {{"count", int64_t{-3}}, {"ratio", 0.5}, {"text", "\xff"}});
  });
  const auto parsed = ParseJson(out);
  ASSERT_TRUE(parsed.ok()) << out;
  EXPECT_EQ((*parsed)["level"], "error");
  EXPECT_EQ((*parsed)["message"], "bad \"thing\"");
  EXPECT_EQ((*parsed)["count"], -3);
  EXPECT_EQ((*parsed)["ratio"], 0.5);
  EXPECT_TRUE((*parsed)["text"].is_string());
}

TEST(Log, LevelHides) {
  EXPECT_EQ(Captured(LogFormat::kText, LogLevel::kWarn, [] { LogInfo("quiet"); }), "");
  EXPECT_NE(Captured(LogFormat::kText, LogLevel::kWarn, [] { LogWarn("loud"); }), "");
}

}  // namespace
}  // namespace sj::base
