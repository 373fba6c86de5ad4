// SPDX-License-Identifier: Apache-2.0
// A second opinion on window aggregates: row at a time over std::map, written for clarity. Keys and
// values are text; one value column of BIGINT, one of DECIMAL(10, 2), one STRING and a BOOLEAN for
// FILTER. Not for product code.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sj::worker::exec::testing {

struct ReferenceRow {
  std::string key;
  std::optional<int64_t> time;
  std::optional<int64_t> number;
  std::optional<int64_t> cents;
  std::optional<std::string> text;
  bool chosen = false;
};

class WindowReference {
 public:
  WindowReference(int64_t size, int64_t slide, int64_t offset)
      : size_(size), slide_(slide), offset_(offset) {}

  void Push(const ReferenceRow& row) {
    if (!row.time) {
      return;
    }
    int64_t start = *row.time;
    while ((start - offset_) % slide_ != 0) {
      --start;
    }
    for (; start + size_ > *row.time; start -= slide_) {
      if (start + size_ - 1 <= watermark_) {
        ++late_;
        continue;
      }
      windows_[{start + size_, row.key}].push_back(row);
    }
  }
  // The rows that fire, "key|start|end|COUNT(*)|COUNT(n)|SUM(n)|AVG(n)|SUM(cents)|AVG(cents)|
  // MIN(text)|MAX(n)|COUNT(*) FILTER".
  std::multiset<std::string> Watermark(int64_t watermark) {
    std::multiset<std::string> out;
    watermark_ = watermark;
    while (!windows_.empty() && windows_.begin()->first.first - 1 <= watermark) {
      const auto& [id, rows] = *windows_.begin();
      out.insert(id.second + "|" + std::to_string(id.first - size_) + "|" +
                 std::to_string(id.first) + "|" + Results(rows));
      windows_.erase(windows_.begin());
    }
    return out;
  }
  uint64_t late() const { return late_; }

 private:
  static std::string Cents(int64_t v) {
    std::string digits = std::to_string(v < 0 ? -v : v);
    digits.insert(0, digits.size() < 3 ? 3 - digits.size() : 0, '0');
    return (v < 0 ? "-" : "") + digits.insert(digits.size() - 2, ".");
  }
  // cents / count with six digits, half up.
  static std::string Average(int64_t cents, int64_t count) {
    int64_t scaled = (cents < 0 ? -cents : cents) * 10'000;
    scaled = (2 * scaled + count) / (2 * count);
    std::string digits = std::to_string(scaled);
    digits.insert(0, digits.size() < 7 ? 7 - digits.size() : 0, '0');
    return (cents < 0 && scaled != 0 ? "-" : "") + digits.insert(digits.size() - 6, ".");
  }
  static std::string Results(const std::vector<ReferenceRow>& rows) {
    int64_t numbers = 0, sum = 0, chosen = 0, prices = 0, cents = 0;
    std::optional<int64_t> most;
    std::optional<std::string> least;
    for (const ReferenceRow& row : rows) {
      chosen += row.chosen ? 1 : 0;
      if (row.number) {
        ++numbers;
        sum += *row.number;
        most = most ? std::max(*most, *row.number) : *row.number;
      }
      if (row.cents) {
        ++prices;
        cents += *row.cents;
      }
      if (row.text && (!least || *row.text < *least)) {
        least = row.text;
      }
    }
    auto number = [](bool present, int64_t v) { return present ? std::to_string(v) : "NULL"; };
    return std::to_string(rows.size()) + "|" + std::to_string(numbers) + "|" +
           number(numbers > 0, sum) + "|" + number(numbers > 0, numbers > 0 ? sum / numbers : 0) +
           "|" + (prices > 0 ? Cents(cents) : "NULL") + "|" +
           (prices > 0 ? Average(cents, prices) : "NULL") + "|" + least.value_or("NULL") + "|" +
           number(most.has_value(), most.value_or(0)) + "|" + std::to_string(chosen);
  }

  int64_t size_, slide_, offset_;
  int64_t watermark_ = INT64_MIN;
  uint64_t late_ = 0;
  std::map<std::pair<int64_t, std::string>, std::vector<ReferenceRow>> windows_;
};

}  // namespace sj::worker::exec::testing
