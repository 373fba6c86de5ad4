// SPDX-License-Identifier: Apache-2.0
// See change_class.h.
#include "operator/decide/change_class.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::decide {
namespace {

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
    const Json none;
    const Json* left = resources::Find(before, {key});
    const Json* right = resources::Find(after, {key});
    CollectChanges(path.empty() ? key : fmt::format("{}.{}", path, key),
                   left != nullptr ? *left : none, right != nullptr ? *right : none, changed);
  }
}

bool Speaks(std::string_view entry, std::string_view field) {
  return field.starts_with(entry) && (field.size() == entry.size() || field[entry.size()] == '.');
}

// The manifest's spec in the ConfigMap of that spec hash, or null.
Json RunningSpec(const View& view, const std::string& spec_hash) {
  for (const Json& map : view.in.children.config_maps) {
    if (resources::Annotation(map, resources::kSpecHashAnnotation) == spec_hash) {
      base::Result<Json> manifest = base::ParseJson(resources::Text(map, {"data", "job.yaml"}));
      const Json* spec = manifest.ok() ? resources::Find(*manifest, {"spec"}) : nullptr;
      return spec != nullptr ? *spec : Json();
    }
  }
  return {};
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

SpecChange Compare(const Json& before, const Json& after) {
  SpecChange result;
  CollectChanges("", before, after, result.fields);
  for (const std::string& field : result.fields) {
    result.change = std::max(result.change, ClassOf(field));
  }
  return result;
}

std::string DescribeChange(const View& view) {
  const Json before = RunningSpec(view, view.generation()->spec_hash);
  if (!before.is_object()) {
    return "restart: the spec changed";
  }
  const Json after = v1alpha1::SpecToJson(resources::ManifestSpec(view.blueprint()));
  SpecChange change = Compare(before, after);
  const size_t total = change.fields.size();
  change.fields.resize(std::min(total, kFieldsShownMax));
  const std::string more =
      total > kFieldsShownMax ? fmt::format(" and {} more", total - kFieldsShownMax) : "";
  return fmt::format("{}: {}{} changed", ToString(ChangeClass::kRestart),
                     fmt::join(change.fields, ", "), more);
}

}  // namespace sj::op::decide
