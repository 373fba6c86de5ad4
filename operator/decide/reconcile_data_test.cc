// SPDX-License-Identifier: Apache-2.0
// Runs every operator/testdata/*.reconcile. With SJ_TEST_REWRITE=1 the expectations are written
// anew; the difference is to be reviewed as code.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/base/testing/source_dir.h"
#include "operator/decide/testing/reconcile_file.h"

namespace sj::op::decide {
namespace {

std::vector<std::string> Files() {
  std::vector<std::string> files;
  const std::filesystem::path dir =
      std::filesystem::path(base::testing::SourceDir()) / "operator/testdata";
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() == ".reconcile") {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

class ReconcileData : public ::testing::TestWithParam<std::string> {};

TEST_P(ReconcileData, SaysWhatTheFileSays) {
  std::ifstream in(GetParam());
  std::stringstream text;
  text << in.rdbuf();
  auto parts = testing::SplitCase(text.str());
  ASSERT_TRUE(parts.ok()) << parts.status().ToString();
  auto actual = testing::RunCase(parts->input);
  ASSERT_TRUE(actual.ok()) << actual.status().ToString();
  if (std::getenv("SJ_TEST_REWRITE") != nullptr) {
    std::ofstream(GetParam()) << parts->input << *actual;
    return;
  }
  EXPECT_EQ(*actual, parts->expected);
  EXPECT_EQ(actual->find("DEFECT"), std::string::npos);
}

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = std::filesystem::path(info.param).stem().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, ReconcileData, ::testing::ValuesIn(Files()), TestName);

}  // namespace
}  // namespace sj::op::decide
