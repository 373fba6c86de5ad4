// SPDX-License-Identifier: Apache-2.0
// Where the API server is and how to log in: from the pod's own service account or from a
// kubeconfig file. Token, CA and certificate are given as files wherever they can be, so that
// rotation is seen. What we do not support is refused in words, never skipped.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/base/http_client.h"
#include "api/base/status.h"

namespace sj::op::kube {

// Files of this process only, in a fresh directory with mode 0700, removed with the object: for
// key material that a kubeconfig holds inline. Thread-compatible.
class PrivateFiles {
 public:
  PrivateFiles() = default;
  ~PrivateFiles();
  PrivateFiles(const PrivateFiles&) = delete;
  PrivateFiles& operator=(const PrivateFiles&) = delete;

  // Writes a file with mode 0600 and returns its path.
  base::Result<std::string> Write(std::string_view name, std::string_view content);

 private:
  std::string directory_;
};

struct ClientConfig {
  base::HttpClientOptions http;
  std::string ns;  // the pod's own namespace or the context's; "default" without one
  // Keeps inline key material on disk as long as a client may read it again.
  std::unique_ptr<PrivateFiles> files;
};

using Environment = std::function<std::string(const char* name)>;  // "" when unset

// From KUBERNETES_SERVICE_HOST/PORT and the files of the service account below `account_dir`.
// Errors: kNotFound when not in a pod.
base::Result<ClientConfig> InClusterConfig(
    const Environment& environment,
    const std::string& account_dir = "/var/run/secrets/kubernetes.io/serviceaccount");

// From a kubeconfig file (YAML or JSON). `context` empty: its current-context. Supported users:
// client certificate and key, token, tokenFile. Errors: kNotFound, kInvalidArgument.
base::Result<ClientConfig> LoadKubeconfig(const std::string& path, const std::string& context = "");

// Standard base64 with padding; white space is skipped. Errors: kInvalidArgument.
base::Result<std::string> DecodeBase64(std::string_view text);

}  // namespace sj::op::kube
