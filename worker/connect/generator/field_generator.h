// SPDX-License-Identifier: Apache-2.0
// FieldGenerator: the value of one column in row number n. Pure but for the time given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "worker/connect/options.h"
#include "worker/types/column.h"

namespace sj::worker::connect::generator {

class FieldGenerator {
 public:
  // Reads the options fields.<name>.*. kInvalidArgument with the position.
  static base::Result<FieldGenerator> Make(const types::TableSpec& table, size_t field,
                                           uint64_t seed);
  // Appends the value of row `number`. `now_ms`: wall clock.
  void Append(int64_t number, int64_t now_ms, types::Column* column) const;
  // Rows a sequence has, or nullopt.
  std::optional<int64_t> rows() const;

 private:
  base::Status ReadBounds(const types::TableSpec& table, const std::string& prefix);
  uint64_t Random(int64_t number) const;
  void AppendString(uint64_t random, types::Column* column) const;

  types::DataType type_;
  bool sequence_ = false;
  int64_t min_ = 0;  // sequence: its first value
  int64_t max_ = 0;  // inclusive; sequence: its last value
  double real_min_ = 0;
  double real_max_ = 0;
  int64_t length_ = 100;
  int64_t max_past_ms_ = 0;
  double null_rate_ = 0;
  uint64_t seed_ = 0;
};

}  // namespace sj::worker::connect::generator
