// SPDX-License-Identifier: Apache-2.0
// Name resolution within one scope.
#include "worker/plan/scope.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

constexpr int kAmbiguous = -2;

}  // namespace

Scope::Scope(std::vector<ScopeColumn> columns) : columns_(std::move(columns)) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    auto [entry, added] = by_name_.emplace(columns_[i].name, static_cast<int>(i));
    if (!added) {
      entry->second = kAmbiguous;
    }
  }
}

bool Scope::HasQualifier(std::string_view qualifier) const {
  return std::any_of(columns_.begin(), columns_.end(),
                     [&](const ScopeColumn& c) { return c.qualifier == qualifier; });
}

base::Result<int> Scope::Resolve(const std::vector<sql::Identifier>& path) const {
  const sql::Identifier& first = path.front();
  const bool qualified = path.size() > 1 && HasQualifier(first.name);
  const sql::Identifier& name = qualified ? path[1] : first;
  auto found = by_name_.find(name.name);
  if (found == by_name_.end()) {
    std::vector<std::string> names;
    for (const ScopeColumn& column : columns_) {
      names.push_back(column.name);
    }
    return sql::ErrorAt(name.pos, fmt::format("unknown column {}", sql::Quoted(name.name)),
                        sql::DidYouMean(name.name, names));
  }
  if (found->second == kAmbiguous) {
    return sql::ErrorAt(name.pos, fmt::format("column {} is ambiguous", sql::Quoted(name.name)),
                        "Give the columns different names with AS.");
  }
  if (path.size() > (qualified ? 2u : 1u)) {
    return sql::ErrorAt(name.pos,
                        fmt::format("column {} of type {} has no fields", sql::Quoted(name.name),
                                    column(found->second).type.ToString()));
  }
  return found->second;
}

base::Status BindBudget::Charge(int64_t nodes, sql::SourcePos pos) {
  left_ -= nodes;
  if (left_ < 0) {
    return sql::ErrorAt(pos, fmt::format("the job has more than {} expressions", kNodesMax),
                        "Views are counted again for every use.");
  }
  return base::OkStatus();
}

base::Status NotSupportedYet(sql::SourcePos pos, std::string_view what, std::string_view hint) {
  return sql::ErrorAt(pos, fmt::format("{} not supported yet", what), hint);
}

}  // namespace sj::worker::plan
