// SPDX-License-Identifier: Apache-2.0
// See config.h.
#include "operator/reconcile/config.h"

#include <fmt/format.h>

#include <set>

#include "api/base/json.h"

namespace sj::op::reconcile {
namespace {

using base::Json;
using base::Status;

// A JSON object whose keys must all be asked for. The first error stays.
class Section {
 public:
  Section(const Json* object, std::string path, Status& error)
      : object_(object), path_(std::move(path)), error_(error) {
    if (object_ != nullptr && !object_->is_object()) {
      Fail("", "is not an object");
      object_ = nullptr;
    }
  }

  Section Child(std::string_view key) { return {Get(key), Joined(key), error_}; }

  void Read(std::string_view key, std::string& out) {
    if (const Json* value = Get(key)) {
      value->is_string() ? void(out = value->get<std::string>()) : Fail(key, "is not a string");
    }
  }
  void Read(std::string_view key, uint16_t& out) {
    const Json* value = Get(key);
    if (value == nullptr) {
      return;
    }
    if (!value->is_number_integer() || value->get<int64_t>() < 0 ||
        value->get<int64_t>() > 65'535) {
      Fail(key, "is not a port");
      return;
    }
    out = static_cast<uint16_t>(value->get<int64_t>());
  }
  void Read(std::string_view key, bool& out) {
    if (const Json* value = Get(key)) {
      value->is_boolean() ? void(out = value->get<bool>()) : Fail(key, "is not true or false");
    }
  }
  // An empty text keeps the default.
  void Read(std::string_view key, base::Millis& out) {
    std::string text;
    Read(key, text);
    if (text.empty()) {
      return;
    }
    base::Result<base::Millis> duration = base::ParseDuration(text);
    duration.ok() ? void(out = *duration) : Fail(key, "is not a duration such as 15s");
  }
  void Read(std::string_view key, std::vector<std::string>& out) {
    const Json* value = Get(key);
    if (value == nullptr) {
      return;
    }
    if (!value->is_array()) {
      Fail(key, "is not a list");
      return;
    }
    for (const Json& item : *value) {
      item.is_string() ? out.push_back(item.get<std::string>()) : Fail(key, "holds a non-string");
    }
  }
  void Read(std::string_view key, v1alpha1::StringMap& out) {
    const Json* value = Get(key);
    if (value == nullptr) {
      return;
    }
    out.clear();
    for (const auto& [name, item] : value->items()) {
      out[name] = item.is_string() ? item.get<std::string>() : base::DumpJson(item);
    }
  }
  void Done() {
    if (object_ == nullptr) {
      return;
    }
    for (const auto& [key, value] : object_->items()) {
      if (!asked_.contains(key)) {
        Fail(key, "is unknown");
      }
    }
  }

 private:
  const Json* Get(std::string_view key) {
    asked_.emplace(key);
    if (object_ == nullptr) {
      return nullptr;
    }
    auto it = object_->find(key);
    return it == object_->end() || it->is_null() ? nullptr : &*it;
  }
  std::string Joined(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }
  void Fail(std::string_view key, std::string_view what) {
    if (error_.ok()) {
      error_ = base::InvalidArgument(fmt::format("read operator configuration: {} {}",
                                                 key.empty() ? path_ : Joined(key), what));
    }
  }

  const Json* object_;
  std::string path_;
  Status& error_;
  std::set<std::string, std::less<>> asked_;
};

void ReadControl(Section section, OperatorConfig& config) {
  section.Read("url", config.settings.worker.control_url);
  section.Read("address", config.control.address);
  section.Read("port", config.control.port);
  section.Read("certFile", config.cert_file);
  section.Read("keyFile", config.key_file);
  section.Read("caFile", config.ca_file);
  section.Done();
}

void ReadLeader(Section section, OperatorConfig& config) {
  section.Read("leaseName", config.lease_name);
  section.Read("leaseDuration", config.lease_duration);
  section.Read("renewDeadline", config.renew_deadline);
  section.Read("retryPeriod", config.retry_period);
  section.Done();
}

Status ReadLog(Section section, OperatorConfig& config) {
  std::string level = "info";
  std::string format = "json";
  section.Read("level", level);
  section.Read("format", format);
  section.Done();
  static constexpr std::pair<std::string_view, base::LogLevel> kLevels[] = {
      {"debug", base::LogLevel::kDebug},
      {"info", base::LogLevel::kInfo},
      {"warn", base::LogLevel::kWarn},
      {"error", base::LogLevel::kError}};
  bool known = false;
  for (const auto& [name, value] : kLevels) {
    if (name == level) {
      config.log_level = value;
      known = true;
    }
  }
  if (!known || (format != "json" && format != "text")) {
    return base::InvalidArgument("read operator configuration: log.level or log.format is unknown");
  }
  config.log_format = format == "json" ? base::LogFormat::kJson : base::LogFormat::kText;
  return base::OkStatus();
}

void ReadWorkerImage(Section section, OperatorConfig& config) {
  section.Read("name", config.settings.defaults.image);
  section.Read("pullPolicy", config.settings.worker.image_pull_policy);
  section.Read("pullSecrets", config.settings.worker.pull_secrets);
  section.Read("allowed", config.settings.policy.images);
  section.Done();
}

void ReadDefaults(Section section, OperatorConfig& config) {
  v1alpha1::Defaults& defaults = config.settings.defaults;
  Section checkpoint = section.Child("checkpoint");
  checkpoint.Read("location", defaults.checkpoint_location);
  checkpoint.Read("endpoint", defaults.checkpoint_endpoint);
  std::string region;
  checkpoint.Read("region", region);
  if (!region.empty()) {
    defaults.checkpoint_region = region;
  }
  checkpoint.Read("interval", defaults.checkpoint_interval);
  checkpoint.Read("secretName", defaults.checkpoint_secret_name);
  checkpoint.Done();
  Section worker = section.Child("worker");
  Section resources = worker.Child("resources");
  resources.Read("requests", defaults.resources.requests);
  resources.Read("limits", defaults.resources.limits);
  resources.Done();
  worker.Done();
  section.Done();
}

Status CheckConfig(const OperatorConfig& config) {
  if (config.settings.defaults.image.empty()) {
    return base::InvalidArgument("read operator configuration: workerImage.name is missing");
  }
  if (!config.settings.worker.control_url.starts_with("https://")) {
    return base::InvalidArgument(
        "read operator configuration: control.url must start with https://");
  }
  if (config.retry_period >= config.renew_deadline ||
      config.renew_deadline >= config.lease_duration) {
    return base::InvalidArgument(
        "read operator configuration: leaderElection needs retryPeriod < renewDeadline < "
        "leaseDuration");
  }
  return base::OkStatus();
}

}  // namespace

base::Result<OperatorConfig> ParseOperatorConfig(std::string_view yaml) {
  SJ_ASSIGN_OR_RETURN(const Json json, base::ParseYaml(yaml));
  OperatorConfig config;
  Status error;
  Section root(&json, "", error);
  ReadControl(root.Child("control"), config);
  Section http = root.Child("http");
  http.Read("address", config.http.address);
  http.Read("port", config.http.port);
  http.Done();
  ReadLeader(root.Child("leaderElection"), config);
  SJ_RETURN_IF_ERROR(ReadLog(root.Child("log"), config));
  root.Read("watchNamespaces", config.watch_namespaces);
  ReadWorkerImage(root.Child("workerImage"), config);
  ReadDefaults(root.Child("defaults"), config);
  Section rescale = root.Child("rescale");
  rescale.Read("handOver", config.settings.hand_over);
  rescale.Done();
  root.Done();
  SJ_RETURN_IF_ERROR(std::move(error));
  SJ_RETURN_IF_ERROR(CheckConfig(config));
  return config;
}

}  // namespace sj::op::reconcile
