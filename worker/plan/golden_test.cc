// SPDX-License-Identifier: Apache-2.0
// Data tests of the front end: worker/testdata/explain/*.sql with its *.plan beside it, and
// worker/testdata/errors/*.sql whose first line is "-- error: line:column: text". Plans are
// rewritten with SJ_TEST_REWRITE=1; error texts never are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "api/base/testing/source_dir.h"
#include "worker/plan/physical.h"

namespace sj::worker::plan {
namespace {

std::filesystem::path TestData(const std::string& folder) {
  return std::filesystem::path(base::testing::SourceDir()) / "worker" / "testdata" / folder;
}

std::vector<std::filesystem::path> SqlFiles(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TestData(folder))) {
    if (entry.path().extension() == ".sql") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class ExplainGolden : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(ExplainGolden, PlanIsAsWritten) {
  base::Result<PhysicalPlan> plan = PlanSql(ReadAll(GetParam()));
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  std::filesystem::path golden = GetParam();
  golden.replace_extension(".plan");
  if (std::getenv("SJ_TEST_REWRITE") != nullptr) {
    std::ofstream(golden, std::ios::binary) << plan->Explain();
  }
  EXPECT_EQ(ReadAll(golden), plan->Explain());
}

class ErrorText : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(ErrorText, IsAsWritten) {
  constexpr std::string_view kMark = "-- error: ";
  const std::string text = ReadAll(GetParam());
  const std::string first = text.substr(0, text.find('\n'));
  ASSERT_EQ(first.substr(0, kMark.size()), kMark);
  base::Result<PhysicalPlan> plan = PlanSql(text);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().kind(), base::ErrorKind::kInvalidArgument);
  EXPECT_EQ(plan.status().message(), first.substr(kMark.size()));
}

std::string CaseName(const testing::TestParamInfo<std::filesystem::path>& info) {
  return info.param.stem().string();
}

INSTANTIATE_TEST_SUITE_P(Files, ExplainGolden, testing::ValuesIn(SqlFiles("explain")), CaseName);
INSTANTIATE_TEST_SUITE_P(Files, ErrorText, testing::ValuesIn(SqlFiles("errors")), CaseName);

}  // namespace
}  // namespace sj::worker::plan
