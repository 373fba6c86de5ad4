// SPDX-License-Identifier: Apache-2.0
// docs/reference/sql.md and the code name the same functions and settings.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "api/base/testing/source_dir.h"
#include "worker/plan/functions.h"
#include "worker/plan/settings.h"

namespace sj::worker::plan {
namespace {

// What stands in back quotes in the first cell of the tables under `heading`.
std::set<std::string> FirstCells(const std::string& heading) {
  std::ifstream in(base::testing::SourceDir() + "/docs/reference/sql.md");
  std::set<std::string> cells;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) {
      inside = line == heading;
    }
    const size_t end = line.find("` |");
    if (inside && line.starts_with("| `") && end != std::string::npos) {
      cells.insert(line.substr(3, end - 3));
    }
  }
  return cells;
}

TEST(Reference, ListsEveryFunction) {
  std::set<std::string> known;
  for (const FunctionEntry& entry : Functions()) {
    known.emplace(entry.signature);
  }
  EXPECT_EQ(FirstCells("## Scalar functions"), known);
}

TEST(Reference, ListsEveryAggregate) {
  const std::vector<std::string> known = AggregateSignatures();
  EXPECT_EQ(FirstCells("## Aggregate functions"),
            std::set<std::string>(known.begin(), known.end()));
}

TEST(Reference, ListsEverySetting) {
  const std::vector<std::string_view> known = SettingNames();
  EXPECT_EQ(FirstCells("## Settings"), std::set<std::string>(known.begin(), known.end()));
}

}  // namespace
}  // namespace sj::worker::plan
