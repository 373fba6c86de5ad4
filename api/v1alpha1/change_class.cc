// SPDX-License-Identifier: Apache-2.0
// See change_class.h.
#include "api/v1alpha1/change_class.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sj::v1alpha1 {
namespace {

using base::Json;

constexpr size_t kFieldsShownMax = 3;

constexpr FieldClass kTable[] = {
    {"sql", ChangeClass::kRestart, "a new plan; the worker checks that the state fits"},
    {"sqlFrom", ChangeClass::kRestart, "as sql"},
    {"replicas", ChangeClass::kRescale, "units move between workers, no process restarts"},
    {"state", ChangeClass::kIgnore, "stops or starts the job, changes no worker"},
    {"maxParallelism", ChangeClass::kRefused, "the key space is fixed for the life of the job"},
    {"shards", ChangeClass::kRestart, "exchange topics get another partition count"},
    {"checkpoint", ChangeClass::kRestart, "read when a worker starts"},
    {"connections", ChangeClass::kRestart, "clients are made when a worker starts"},
    {"worker", ChangeClass::kRestart, "part of the pod"},
    {"autoscaling", ChangeClass::kIgnore, "read by the operator only"},
    {"rollout", ChangeClass::kIgnore, "read by the operator only"},
    {"restartNonce", ChangeClass::kRestart, "that is what it is for"},
    {"deletionPolicy", ChangeClass::kIgnore, "read when the job is deleted"},
    {"snapshots", ChangeClass::kIgnore, "read by the operator only"},
    {"restoreFrom", ChangeClass::kIgnore, "read before the first generation only"},
};

void CollectChanges(const std::string& path, const Json& before, const Json& after,
                    std::vector<std::string>& changed) {
  if (before == after) {
    return;
  }
  if (!before.is_object() || !after.is_object()) {
    changed.push_back(path);
    return;
  }
  Json keys = before;
  keys.update(after);
  for (const auto& [key, unused] : keys.items()) {
    const auto left = before.find(key);
    const auto right = after.find(key);
    CollectChanges(path.empty() ? key : fmt::format("{}.{}", path, key),
                   left != before.end() ? *left : Json(), right != after.end() ? *right : Json(),
                   changed);
  }
}

bool Speaks(std::string_view entry, std::string_view field) {
  return field.starts_with(entry) && (field.size() == entry.size() || field[entry.size()] == '.');
}

}  // namespace

std::string_view ToString(ChangeClass change) {
  switch (change) {
    case ChangeClass::kIgnore:
      return "ignore";
    case ChangeClass::kRescale:
      return "rescale";
    case ChangeClass::kRestart:
      return "restart";
    case ChangeClass::kRefused:
      return "refused";
  }
  return "unknown";
}

std::span<const FieldClass> FieldClasses() {
  return kTable;
}

ChangeClass ClassOf(std::string_view field) {
  const FieldClass* best = nullptr;
  for (const FieldClass& entry : kTable) {
    if (Speaks(entry.field, field) &&
        (best == nullptr || entry.field.size() > best->field.size())) {
      best = &entry;
    }
  }
  return best != nullptr ? best->change : ChangeClass::kRestart;
}

SpecChange CompareSpecs(const Json& before, const Json& after) {
  SpecChange result;
  CollectChanges("", before, after, result.fields);
  for (const std::string& field : result.fields) {
    result.change = std::max(result.change, ClassOf(field));
  }
  return result;
}

std::string DescribeFields(const SpecChange& change) {
  if (change.fields.empty()) {
    return "nothing changed";
  }
  std::vector<std::string> shown = change.fields;
  const size_t total = shown.size();
  shown.resize(std::min(total, kFieldsShownMax));
  const std::string more =
      total > kFieldsShownMax ? fmt::format(" and {} more", total - kFieldsShownMax) : "";
  return fmt::format("{}{} changed", fmt::join(shown, ", "), more);
}

}  // namespace sj::v1alpha1
