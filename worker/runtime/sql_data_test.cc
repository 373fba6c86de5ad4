// SPDX-License-Identifier: Apache-2.0
// Runs worker/testdata/sql/*.test: a job's SQL, its input by topic and partition, and the rows it
// must write. Every file runs straight; crashed in the middle and restored; drained and restored at
// another parallelism, up and down. The committed rows must be the same each time, because exactly
// once is a property of every query. SJ_TEST_REWRITE=1 rewrites the expectations from the straight
// run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "api/base/testing/source_dir.h"
#include "worker/runtime/testing/sim_job.h"

namespace sj::worker::runtime {
namespace {

namespace fs = std::filesystem;
using testing::SimJob;

struct DataFile {
  fs::path path;
  std::string head;  // comments
  std::string sql;
  std::map<std::string, std::vector<std::pair<int, std::string>>> inputs;  // by topic
  std::map<std::string, std::vector<std::string>> outputs;                 // by topic, sorted
};

// Sections start with "-- sql", "-- input TOPIC PARTITIONS", "-- output TOPIC".
DataFile Read(const fs::path& path) {
  DataFile file;
  file.path = path;
  std::ifstream in(path);
  std::string line, section, topic;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string dashes, kind;
    if (line.starts_with("-- ") && words >> dashes >> kind &&
        (kind == "sql" || kind == "input" || kind == "output")) {
      section = kind;
      words >> topic;
      if (kind == "input") {
        file.inputs[topic];
      } else if (kind == "output") {
        file.outputs[topic];
      }
    } else if (section.empty()) {
      file.head += line + "\n";
    } else if (section == "sql") {
      file.sql += line + "\n";
    } else if (section == "input" && !line.empty()) {
      size_t space = line.find(' ');
      file.inputs[topic].push_back({std::stoi(line.substr(0, space)), line.substr(space + 1)});
    } else if (section == "output" && !line.empty()) {
      file.outputs[topic].push_back(line);
    }
  }
  return file;
}

void Write(const DataFile& file, const std::map<std::string, std::vector<std::string>>& outputs) {
  std::ofstream out(file.path);
  out << file.head << "-- sql\n" << file.sql;
  for (const auto& [topic, rows] : file.inputs) {
    out << "-- input " << topic << "\n";
    for (const auto& [partition, row] : rows) {
      out << partition << " " << row << "\n";
    }
  }
  for (const auto& [topic, rows] : outputs) {
    out << "-- output " << topic << "\n";
    for (const std::string& row : rows) {
      out << row << "\n";
    }
  }
}

constexpr int kInputPartitions = 3;

void Load(const DataFile& file, SimJob* job) {
  for (const auto& [topic, rows] : file.inputs) {
    job->kafka().CreateTopic(topic, kInputPartitions);
    for (const auto& [partition, row] : rows) {
      job->kafka().Append(topic, partition, row);
    }
  }
  for (const auto& [topic, rows] : file.outputs) {
    job->kafka().CreateTopic(topic, 1);
  }
}

std::map<std::string, std::vector<std::string>> Outputs(const DataFile& file, SimJob* job) {
  std::map<std::string, std::vector<std::string>> outputs;
  for (const auto& [topic, expected] : file.outputs) {
    outputs[topic] = job->kafka().Committed(topic);
    std::sort(outputs[topic].begin(), outputs[topic].end());
  }
  return outputs;
}

class SqlData : public ::testing::TestWithParam<fs::path> {
 protected:
  void SetUp() override {
    file_ = Read(GetParam());
    for (auto& [topic, rows] : file_.outputs) {
      std::sort(rows.begin(), rows.end());
    }
  }
  // The number of records of the largest partition.
  int64_t Longest() const {
    std::map<std::pair<std::string, int>, int64_t> counts;
    int64_t longest = 0;
    for (const auto& [topic, rows] : file_.inputs) {
      for (const auto& [partition, row] : rows) {
        longest = std::max(longest, ++counts[{topic, partition}]);
      }
    }
    return longest;
  }
  // Runs up to the middle with `first`, ends it, then to the end with `second`.
  void RunInTwo(const SimJob::Phase& first, bool crash, const SimJob::Phase& second) {
    SimJob job(file_.sql);
    ASSERT_TRUE(job.Plan().ok());
    Load(file_, &job);
    job.kafka().SetGate(Longest() / 2);
    base::Status status = job.RunToGate(first, file_.inputs.begin()->first, crash);
    ASSERT_TRUE(status.ok()) << status.ToString();
    job.kafka().SetGate(-1);
    status = job.RunToEnd(second);
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(Outputs(file_, &job), file_.outputs);
  }
  DataFile file_;
};

TEST_P(SqlData, Straight) {
  SimJob job(file_.sql);
  base::Status status = job.Plan();
  ASSERT_TRUE(status.ok()) << status.ToString();
  Load(file_, &job);
  status = job.RunToEnd({1, 1, 1});
  ASSERT_TRUE(status.ok()) << status.ToString();
  auto outputs = Outputs(file_, &job);
  if (std::getenv("SJ_TEST_REWRITE") != nullptr) {
    Write(file_, outputs);
    return;
  }
  EXPECT_EQ(outputs, file_.outputs);
}

TEST_P(SqlData, CrashedAndRestored) {
  RunInTwo({1, 2, 1}, true, {1, 2, 1});
}

TEST_P(SqlData, CrashedAsTwoRestoredAsTwo) {
  RunInTwo({2, 1, 1}, true, {2, 1, 1});
}

TEST_P(SqlData, DrainedAndSpread) {
  RunInTwo({1, 1, 1}, false, {3, 2, 1});
}

TEST_P(SqlData, CrashedAndGathered) {
  RunInTwo({3, 1, 1}, true, {1, 2, 1});
}

std::vector<fs::path> Files() {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::directory_iterator(base::testing::SourceDir() + "/worker/testdata/sql")) {
    if (entry.path().extension() == ".test") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Files, SqlData, ::testing::ValuesIn(Files()),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace sj::worker::runtime
