// SPDX-License-Identifier: Apache-2.0
// See names.h.
#include "operator/resources/names.h"

#include <fmt/format.h>

#include "api/base/check.h"
#include "api/base/hash.h"

namespace sj::op::resources {
namespace {

constexpr size_t kWorkerNameMax = 52;
constexpr size_t kLabelValueMax = 63;
constexpr size_t kHashLength = 8;
constexpr std::string_view kWorkerSuffix = "-worker";

bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::string BoundedName(std::string_view name, size_t length_max) {
  SJ_CHECK(length_max >= 16);
  std::string label;
  for (char c : name) {
    label += IsLower(c) || IsDigit(c) ? c : '-';
  }
  if (label.empty() || !IsLower(label.front())) {
    label = fmt::format("j{}", label);
  }
  const bool ends_well = label.back() != '-';
  if (label == name && label.size() <= length_max && ends_well) {
    return label;
  }
  label.resize(std::min(label.size(), length_max - kHashLength - 1));
  while (label.back() == '-') {
    label.pop_back();
  }
  return fmt::format("{}-{}", label, base::Sha256Hex(name).substr(0, kHashLength));
}

std::string WorkerName(std::string_view job_name) {
  std::string name = BoundedName(job_name, kWorkerNameMax - kWorkerSuffix.size());
  name += kWorkerSuffix;
  return name;
}

std::string ConfigMapName(std::string_view job_name, std::string_view spec_hash) {
  return fmt::format("{}-{}", WorkerName(job_name), spec_hash.substr(0, kHashLength));
}

std::string PodName(std::string_view job_name, int ordinal) {
  return fmt::format("{}-{}", WorkerName(job_name), ordinal);
}

v1alpha1::StringMap SelectorLabels(std::string_view job_name) {
  return {{"app.kubernetes.io/name", "streamjob-worker"},
          {"app.kubernetes.io/instance", BoundedName(job_name, kLabelValueMax)},
          {"app.kubernetes.io/component", "worker"}};
}

v1alpha1::StringMap CommonLabels(std::string_view job_name) {
  v1alpha1::StringMap labels = SelectorLabels(job_name);
  labels.emplace("app.kubernetes.io/managed-by", kManagedBy);
  labels.emplace("app.kubernetes.io/part-of", "streamjob");
  return labels;
}

std::string SelectorText(std::string_view job_name) {
  std::string text;
  for (const auto& [key, value] : SelectorLabels(job_name)) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

}  // namespace sj::op::resources
