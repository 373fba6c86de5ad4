// SPDX-License-Identifier: Apache-2.0
// Scope: the columns an expression may name, and what the binder counts while it works. Plain
// values used by one thread while one text is bound.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/base/status.h"
#include "worker/plan/expr.h"
#include "worker/sql/ast.h"
#include "worker/types/data_type.h"

namespace sj::worker::plan {

// What a column is to event time. The window roles are those of a window table function's columns
// before they are grouped; until then such a column holds the row's own time.
enum class ColumnRole : uint8_t { kPlain, kRowtime, kWindowStart, kWindowEnd, kWindowTime };

struct ScopeColumn {
  std::string qualifier;  // alias or table name; may be empty
  std::string name;
  types::DataType type;
  ColumnRole role = ColumnRole::kPlain;
};

class Scope {
 public:
  Scope() = default;
  explicit Scope(std::vector<ScopeColumn> columns);

  const std::vector<ScopeColumn>& columns() const { return columns_; }
  const ScopeColumn& column(int index) const { return columns_[static_cast<size_t>(index)]; }
  // The column a path means: "name" or "qualifier.name". Errors carry the path's position.
  base::Result<int> Resolve(const std::vector<sql::Identifier>& path) const;
  bool HasQualifier(std::string_view qualifier) const;

 private:
  std::vector<ScopeColumn> columns_;
  std::unordered_map<std::string, int> by_name_;  // -2: more than one
};

// Bounds the work one text can cause: views are bound again for every use, and some forms copy
// expressions.
class BindBudget {
 public:
  static constexpr int64_t kNodesMax = 1'000'000;
  // Takes `nodes`; refuses when the budget is spent.
  base::Status Charge(int64_t nodes, sql::SourcePos pos);

 private:
  int64_t left_ = kNodesMax;
};

// The sentence added where a feature is named that later versions bring.
inline constexpr std::string_view kSupportedToday =
    "This version runs filters, projections and tumbling windows over one table.";

base::Status NotSupportedYet(sql::SourcePos pos, std::string_view what,
                             std::string_view hint = kSupportedToday);

}  // namespace sj::worker::plan
