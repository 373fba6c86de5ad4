// SPDX-License-Identifier: Apache-2.0
// The trace has the lines that e2e's trace.py reads, and costs nothing when nobody asked for it.
#include "worker/connect/traced_commit_log.h"

#include <gtest/gtest.h>

#include "api/base/log.h"

namespace sj::worker::connect {
namespace {

// What `run` writes to the log at `level`.
template <typename Run>
std::string LogOf(base::LogLevel level, Run run) {
  base::SetLog(level, base::LogFormat::kJson);
  testing::internal::CaptureStderr();
  run();
  std::string text = testing::internal::GetCapturedStderr();
  base::SetLog(base::LogLevel::kInfo, base::LogFormat::kText);
  return text;
}

TEST(TracedCommitLog, SaysWhatIsTakenReadAndCommitted) {
  const std::string text = LogOf(base::LogLevel::kDebug, [] {
    types::Generation generation = 3;
    auto log = Traced(MakeMemoryCommitLog(), {&generation, 1});
    ASSERT_TRUE(log->Fence({}).ok());
    ASSERT_TRUE(log->Commit(7, {{{"in", 0}, 5, "sj1:o:h"}, {{"in", 1}, 9, "sj2:o:h:4"}}).ok());
    generation = 4;  // a hand-over came to its end
    ASSERT_TRUE(log->ReadCommitted({{"in", 1}, {"in", 2}}).ok());
  });
  for (const char* line : {
           R"("message":"fencing","generation":3,"ordinal":1)",
           R"("message":"ids taken over","generation":3,"ordinal":1)",
           R"("message":"epoch committed","generation":3,"ordinal":1,"epoch":7,)"
           R"("positions":"in/0@5 in/1@9!4")",
           R"("message":"positions read","generation":4,"ordinal":1,"epoch":0,)"
           R"("positions":"in/1@9!4 in/2@-1")",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  }
}

TEST(TracedCommitLog, SaysWhenItIsFenced) {
  const std::string directory = testing::TempDir() + "/traced_commit_log";
  const types::Generation generation = 1;
  const std::string text = LogOf(base::LogLevel::kDebug, [&] {
    auto file = OpenFileCommitLog(directory);
    ASSERT_TRUE(file.ok());
    auto log = Traced(std::move(file).value(), {&generation, 0});
    log->Close();
    ASSERT_FALSE(log->Commit(1, {{{"in", 0}, 5, "m"}}).ok());
  });
  EXPECT_NE(text.find(R"("message":"fenced")"), std::string::npos) << text;
  EXPECT_EQ(text.find("epoch committed"), std::string::npos) << text;
}

TEST(TracedCommitLog, IsTheLogItselfAtOtherLevels) {
  auto plain = MakeMemoryCommitLog();
  const CommitLog* before = plain.get();
  const types::Generation generation = 1;
  LogOf(base::LogLevel::kInfo, [&] {
    EXPECT_EQ(Traced(std::move(plain), {&generation, 0}).get(), before);
  });
}

}  // namespace
}  // namespace sj::worker::connect
