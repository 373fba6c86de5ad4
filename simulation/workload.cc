// SPDX-License-Identifier: Apache-2.0
// Windows of five seconds, about one event a second, out of order by less than the delay.
#include "simulation/workload.h"

#include <fmt/format.h>

#include <utility>

#include "api/base/check.h"

namespace sj::simulation {
namespace {

constexpr int kWindowMs = 5'000;
constexpr int kKeys = 5;

std::string TimeText(int ms) {
  return fmt::format("2026-01-01 00:{:02}:{:02}.{:03}", ms / 60'000, ms / 1000 % 60, ms % 1000);
}

}  // namespace

const char* JobSql() {
  return R"(
CREATE TABLE ev (k STRING, v INT, t TIMESTAMP(3), WATERMARK FOR t AS t - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'ev', 'format' = 'json');
CREATE TABLE agg (k STRING, w TIMESTAMP(3), n BIGINT, s INT)
  WITH ('connector' = 'kafka', 'topic' = 'counts', 'format' = 'json');
CREATE TABLE steps (p INT, n INT) WITH ('connector' = 'kafka', 'topic' = 'log', 'format' = 'json');
CREATE TABLE echo (p INT, n INT) WITH ('connector' = 'kafka', 'topic' = 'copy', 'format' = 'json');
INSERT INTO agg SELECT k, TUMBLE_START(t, INTERVAL '5' SECOND), COUNT(*), SUM(v)
  FROM ev GROUP BY k, TUMBLE(t, INTERVAL '5' SECOND);
INSERT INTO echo SELECT p, n FROM steps;
)";
}

const worker::plan::PhysicalPlan& JobPlan() {
  static const worker::plan::PhysicalPlan plan = [] {
    auto made = worker::plan::PlanSql(JobSql());
    if (!made.ok()) {
      std::fprintf(stderr, "%s\n", made.status().ToString().c_str());
    }
    SJ_CHECK(made.ok());
    return *std::move(made);
  }();
  return plan;
}

Workload::Workload(World* world, int events, int logs) : expected_logs_(kLogPartitions, 0) {
  std::map<std::pair<int, int>, std::pair<int, int>> windows;
  for (int i = 0; i < events; ++i) {
    const int ms = i * 1000 + static_cast<int>(world->Random(900));
    const int key = static_cast<int>(world->Random(kKeys));
    const int value = static_cast<int>(world->Random(100));
    records_.push_back({kEvents, static_cast<int>(world->Random(kEventPartitions)),
                        fmt::format(R"({{"k":"k{}","v":{},"t":"{}"}})", key, value, TimeText(ms))});
    auto& cell = windows[{ms / kWindowMs, key}];
    cell.first += 1;
    cell.second += value;
  }
  for (const auto& [id, cell] : windows) {
    const int start_s = id.first * kWindowMs / 1000;
    expected_counts_[fmt::format("+I|k{}|2026-01-01 00:{:02}:{:02}|{}|{}", id.second, start_s / 60,
                                 start_s % 60, cell.first, cell.second)] += 1;
  }
  for (int i = 0; i < logs; ++i) {
    const int partition = static_cast<int>(world->Random(kLogPartitions));
    InputRecord record{kLog, partition,
                       fmt::format(R"({{"p":{},"n":{}}})", partition, expected_logs_[partition]++)};
    const auto at = static_cast<std::ptrdiff_t>(world->Random(records_.size() + 1));
    // Behind the partition's earlier ones, wherever that is.
    records_.insert(records_.begin() + at, record);
  }
  std::vector<int> next(kLogPartitions, 0);
  for (InputRecord& record : records_) {
    if (record.topic == kLog) {
      record.value =
          fmt::format(R"({{"p":{},"n":{}}})", record.partition, next[record.partition]++);
    }
  }
}

std::vector<InputRecord> Workload::Last() const {
  std::vector<InputRecord> last;
  for (int p = 0; p < kEventPartitions; ++p) {
    last.push_back(
        {kEvents, p, fmt::format(R"({{"k":"last","v":0,"t":"{}"}})", TimeText(3'000'000))});
  }
  return last;
}

std::string Workload::Check(const std::vector<std::string>& counts,
                            const std::vector<std::string>& copy, bool complete) const {
  std::map<std::string, int> missing = expected_counts_;
  for (const std::string& row : counts) {
    auto it = missing.find(row);
    if (it == missing.end()) {
      return "row \"" + row + "\" is wrong, or there more often than it should be";
    }
    if (--it->second == 0) {
      missing.erase(it);
    }
  }
  std::vector<int> next(kLogPartitions, 0);
  for (const std::string& row : copy) {
    int partition = 0;
    int number = 0;
    if (std::sscanf(row.c_str(), "+I|%d|%d", &partition, &number) != 2) {
      return "row \"" + row + "\" cannot be read";
    }
    const int expected = next.at(static_cast<size_t>(partition))++;
    if (number != expected) {
      return fmt::format("record {} of log partition {} comes where {} was to come", number,
                         partition, expected);
    }
  }
  if (complete && !missing.empty()) {
    return "row \"" + missing.begin()->first + "\" never came";
  }
  if (complete && next != expected_logs_) {
    return "records of a log partition never came";
  }
  return "";
}

}  // namespace sj::simulation
