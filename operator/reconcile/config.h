// SPDX-License-Identifier: Apache-2.0
// operator.yaml, the file behind --config: what the chart's values become. Read strictly: an
// unknown key or a value of the wrong type is refused with its path. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/base/log.h"
#include "api/base/status.h"
#include "operator/decide/input.h"

namespace sj::op::reconcile {

struct EndpointConfig {
  std::string address = "0.0.0.0";
  uint16_t port = 0;
};

struct OperatorConfig {
  EndpointConfig control{"0.0.0.0", 8443};
  std::string cert_file, key_file, ca_file;  // of the control endpoint, PEM
  EndpointConfig http{"0.0.0.0", 9090};      // health and metrics
  std::string lease_name = "streamjob-operator";
  base::Millis lease_duration{15'000};
  base::Millis renew_deadline{10'000};
  base::Millis retry_period{2'000};
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogFormat log_format = base::LogFormat::kJson;
  std::vector<std::string> watch_namespaces;  // empty: all
  // settings.worker.control_ca is left empty: the caller reads ca_file, again when it changes.
  decide::Settings settings;
};

// Errors: kInvalidArgument.
base::Result<OperatorConfig> ParseOperatorConfig(std::string_view yaml);

}  // namespace sj::op::reconcile
