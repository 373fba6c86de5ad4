// SPDX-License-Identifier: Apache-2.0
// Flags become members of the configuration's JSON, which is read as if it had been the file.
#include "operator/main/options.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <sstream>

#include "api/base/json.h"

namespace sj::op::main {
namespace {

using base::Json;
using base::Result;
using base::Status;

constexpr size_t kFileBytesMax = 1u << 20;

constexpr const char* kFooter =
    "Exit codes: 0 stopped as asked, 1 bad flags or configuration, 2 could not start,\n"
    "3 lost the lease (a new process takes part in the next election), 4 did not stop in time.\n"
    "Signals: SIGTERM and SIGINT stop within ten seconds and give the lease back.";

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return base::InvalidArgument("read file \"" + path + "\": cannot be opened");
  }
  std::string content(kFileBytesMax + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<size_t>(in.gcount()));
  if (content.size() > kFileBytesMax) {
    return base::InvalidArgument("read file \"" + path + "\": larger than 1 MiB");
  }
  return content;
}

Result<Json> ReadYamlObject(const std::string& path) {
  SJ_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  auto json = base::ParseYaml(text);
  if (!json.ok()) {
    return json.status().WithContext("file \"" + path + "\"");
  }
  if (json->is_null()) {
    return Json(Json::object());
  }
  if (!json->is_object()) {
    return base::InvalidArgument("file \"" + path + "\" does not hold an object");
  }
  return json;
}

// One flag and the entry of operator.yaml it stands for.
struct ConfigFlag {
  const char* flag;
  const char* pointer;  // JSON pointer
  const char* help;
  bool number = false;
};

constexpr ConfigFlag kConfigFlags[] = {
    {"--control-address", "/control/address", "address the control endpoint listens on"},
    {"--control-port", "/control/port", "port of the control endpoint", true},
    {"--control-url", "/control/url", "https URL under which workers reach the control endpoint"},
    {"--cert-file", "/control/certFile", "certificate of the control endpoint (PEM)"},
    {"--key-file", "/control/keyFile", "private key of the control endpoint (PEM)"},
    {"--ca-file", "/control/caFile", "CA handed to workers (PEM)"},
    {"--health-address", "/http/address", "address of /healthz, /readyz and /metrics"},
    {"--health-port", "/http/port", "port of /healthz, /readyz and /metrics", true},
    {"--lease-name", "/leaderElection/leaseName", "name of the Lease"},
    {"--worker-image", "/workerImage/name", "image of the workers"},
    {"--image-pull-policy", "/workerImage/pullPolicy", "Always, IfNotPresent or Never"},
    {"--log-level", "/log/level", "debug, info, warn or error"},
    {"--log-format", "/log/format", "json or text"},
};
constexpr size_t kConfigFlagCount = std::size(kConfigFlags);

struct RawFlags {
  std::string config_file, defaults_file;
  std::vector<std::string> namespaces;
  std::string values[kConfigFlagCount];
};

void AddFlags(CLI::App& app, RawFlags& raw, Options& options) {
  app.add_option("--config", raw.config_file, "operator.yaml");
  app.add_option("--defaults", raw.defaults_file,
                 "JSON or YAML file with the section \"defaults\" of operator.yaml");
  app.add_option("--kubeconfig", options.kubeconfig,
                 "kubeconfig file; without it the pod's service account is used");
  app.add_option("--context", options.context, "context of the kubeconfig");
  app.add_option("--namespace", raw.namespaces, "namespace to watch; may be repeated; default all");
  app.add_flag("--leader-elect,!--no-leader-elect", options.leader_elect,
               "take part in leader election (default)");
  app.add_option("--lease-namespace", options.lease_namespace,
                 "namespace of the Lease; default the operator's own");
  app.add_option("--watch-label", options.watch_label, "label selector of the StreamJobs served");
  app.add_option("--workers", options.workers, "StreamJobs reconciled at once")
      ->check(CLI::Range(1, 64));
  for (size_t i = 0; i < kConfigFlagCount; ++i) {
    app.add_option(kConfigFlags[i].flag, raw.values[i], kConfigFlags[i].help);
  }
}

Status Overlay(const ConfigFlag& flag, const std::string& value, Json& config) {
  const std::string pointer = flag.pointer;
  const size_t slash = pointer.find('/', 1);
  Json& section = config[pointer.substr(1, slash - 1)];
  if (!section.is_null() && !section.is_object()) {
    return base::InvalidArgument("read operator configuration: " + pointer.substr(1, slash - 1) +
                                 " is not an object");
  }
  Json& entry = section[pointer.substr(slash + 1)];
  if (!flag.number) {
    entry = value;
    return {};
  }
  const bool digits = value.find_first_not_of("0123456789") == std::string::npos;
  if (value.empty() || value.size() > 5 || !digits) {
    return base::InvalidArgument(std::string(flag.flag) + " is not a port: \"" + value + "\"");
  }
  entry = std::stoi(value);
  return {};
}

Status Resolve(const CLI::App& app, const RawFlags& raw, Options& options) {
  Json config = Json::object();
  if (!raw.config_file.empty()) {
    SJ_ASSIGN_OR_RETURN(config, ReadYamlObject(raw.config_file));
  }
  if (!raw.defaults_file.empty()) {
    SJ_ASSIGN_OR_RETURN(config["defaults"], ReadYamlObject(raw.defaults_file));
  }
  if (!raw.namespaces.empty()) {
    config["watchNamespaces"] = raw.namespaces;
  }
  for (size_t i = 0; i < kConfigFlagCount; ++i) {
    if (app.count(kConfigFlags[i].flag) > 0) {
      SJ_RETURN_IF_ERROR(Overlay(kConfigFlags[i], raw.values[i], config));
    }
  }
  // JSON is YAML, so the one strict reader reads both.
  SJ_ASSIGN_OR_RETURN(options.config, reconcile::ParseOperatorConfig(base::DumpJson(config)));
  if (options.config.cert_file.empty() || options.config.key_file.empty()) {
    return base::InvalidArgument(
        "the control endpoint has no certificate. Set control.certFile and control.keyFile.");
  }
  return {};
}

}  // namespace

Parsed ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app("Turns StreamJobs into running workers.", "streamjob-operator");
  app.footer(kFooter);
  app.set_version_flag("--version", SJ_VERSION);
  RawFlags raw;
  Options options;
  AddFlags(app, raw, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::ostringstream out, error;
    const int code = app.exit(e, out, error);
    return {std::nullopt, out.str() + error.str(), code == 0 ? 0 : 1};
  }
  const Status status = Resolve(app, raw, options);
  if (!status.ok()) {
    return {std::nullopt, "streamjob-operator: " + status.message() + "\n", 1};
  }
  return {std::move(options), "", 0};
}

}  // namespace sj::op::main
