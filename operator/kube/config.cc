// SPDX-License-Identifier: Apache-2.0
// Reads kubeconfig and the pod's service account. No value of a secret ever enters a message.
#include "operator/kube/config.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "operator/kube/resource.h"

namespace sj::op::kube {
namespace {

using base::InvalidArgument;
using base::Result;
using base::Status;

constexpr size_t kFileBytesMax = 4u << 20;

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return base::NotFound(fmt::format("read file \"{}\": {}", path, std::strerror(errno)));
  }
  std::string content;
  std::array<char, 4096> block;
  while (in.read(block.data(), block.size()) || in.gcount() > 0) {
    content.append(block.data(), static_cast<size_t>(in.gcount()));
    if (content.size() > kFileBytesMax) {
      return InvalidArgument(
          fmt::format("read file \"{}\": larger than {} bytes", path, kFileBytesMax));
    }
  }
  return content;
}

std::string Trim(std::string text) {
  const auto last = text.find_last_not_of(" \t\r\n");
  text.erase(last == std::string::npos ? 0 : last + 1);
  return text;
}

std::string Text(const Json& object, std::string_view key) {
  const Json* found = FindPath(object, {key});
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

// The entry of `list` with this name, its `member`: kubeconfig's {name: x, cluster: {...}} shape.
Result<Json> Named(const Json& config, const char* list, const char* member,
                   const std::string& name) {
  const Json* entries = FindPath(config, {list});
  if (entries != nullptr && entries->is_array()) {
    for (const Json& entry : *entries) {
      const Json* body = FindPath(entry, {member});
      if (Text(entry, "name") == name && body != nullptr && body->is_object()) {
        return *body;
      }
    }
  }
  return InvalidArgument(fmt::format("kubeconfig: {} \"{}\" is not defined", member, name));
}

Status RefuseMembers(const Json& object, const std::string& where,
                     std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    const Json* found = FindPath(object, {name});
    if (found != nullptr && !found->is_null() && *found != "") {
      return InvalidArgument(fmt::format(
          "kubeconfig: {} uses \"{}\", which is not supported; use a client certificate "
          "or a token",
          where, name));
    }
  }
  return {};
}

// A path in a kubeconfig is relative to the file's folder.
std::string Resolve(const std::string& path, const std::string& config_path) {
  if (path.empty() || path[0] == '/') {
    return path;
  }
  return (std::filesystem::path(config_path).parent_path() / path).string();
}

// Reads NAME (a path) or NAME-data (base64, put into a private file); the latter wins, as in
// kubectl.
Result<std::string> FileOrData(const Json& object, const std::string& name,
                               const std::string& config_path, PrivateFiles& files) {
  const std::string data = Text(object, name + "-data");
  if (data.empty()) {
    return Resolve(Text(object, name), config_path);
  }
  auto decoded = DecodeBase64(data);
  if (!decoded.ok()) {
    return InvalidArgument(fmt::format("kubeconfig: {}-data is not base64", name));
  }
  return files.Write(name + ".pem", *decoded);
}

Status ReadCluster(const Json& cluster, const std::string& path, ClientConfig& config) {
  SJ_RETURN_IF_ERROR(RefuseMembers(cluster, "cluster", {"proxy-url", "tls-server-name"}));
  config.http.base_url = Text(cluster, "server");
  if (!config.http.base_url.starts_with("https://") &&
      !config.http.base_url.starts_with("http://")) {
    return InvalidArgument("kubeconfig: cluster has no http or https server");
  }
  const Json* insecure = FindPath(cluster, {"insecure-skip-tls-verify"});
  config.http.tls_verify = insecure == nullptr || *insecure != true;
  SJ_ASSIGN_OR_RETURN(config.http.ca_file,
                      FileOrData(cluster, "certificate-authority", path, *config.files));
  return {};
}

Status ReadUser(const Json& user, const std::string& path, ClientConfig& config) {
  SJ_RETURN_IF_ERROR(RefuseMembers(
      user, "user", {"exec", "auth-provider", "username", "password", "as", "as-user-extra"}));
  SJ_ASSIGN_OR_RETURN(config.http.client_cert_file,
                      FileOrData(user, "client-certificate", path, *config.files));
  SJ_ASSIGN_OR_RETURN(config.http.client_key_file,
                      FileOrData(user, "client-key", path, *config.files));
  if (config.http.client_cert_file.empty() != config.http.client_key_file.empty()) {
    return InvalidArgument("kubeconfig: client certificate and client key come together");
  }
  config.http.token_file = Resolve(Text(user, "tokenFile"), path);
  if (config.http.token_file.empty()) {
    config.http.token = Text(user, "token");
  }
  return {};
}

}  // namespace

PrivateFiles::~PrivateFiles() {
  if (!directory_.empty()) {
    std::error_code ignored;  // a leftover in the temporary folder is not worth a crash
    std::filesystem::remove_all(directory_, ignored);
  }
}

Result<std::string> PrivateFiles::Write(std::string_view name, std::string_view content) {
  if (directory_.empty()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "streamjob-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      return base::Unavailable(fmt::format("make a private folder: {}", std::strerror(errno)));
    }
    directory_ = pattern;
  }
  const std::string path = directory_ + "/" + std::string(name);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    return base::Unavailable(fmt::format("write a private file: {}", std::strerror(errno)));
  }
  const bool complete =
      ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  ::close(fd);
  if (!complete) {
    return base::Unavailable("write a private file: disk full");
  }
  return path;
}

Result<std::string> DecodeBase64(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  int padding = 0;
  for (char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      continue;
    }
    if (c == '=') {
      ++padding;
      continue;
    }
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos || padding > 0) {
      return InvalidArgument("text is not base64");
    }
    bits = (bits << 6) | static_cast<uint32_t>(value);
    if (++count % 4 != 1) {
      const int shift = count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0;
      bytes.push_back(static_cast<char>((bits >> shift) & 0xff));
    }
  }
  if (padding > 2 || (count + padding) % 4 != 0) {
    return InvalidArgument("text is not base64");
  }
  return bytes;
}

Result<ClientConfig> InClusterConfig(const Environment& environment,
                                     const std::string& account_dir) {
  std::string host = environment("KUBERNETES_SERVICE_HOST");
  const std::string port = environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return base::NotFound(
        "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  }
  if (host.find(':') != std::string::npos) {
    host = "[" + host + "]";
  }
  ClientConfig config;
  config.http.base_url = "https://" + host + ":" + port;
  config.http.ca_file = account_dir + "/ca.crt";
  config.http.token_file = account_dir + "/token";
  SJ_RETURN_IF_ERROR(ReadFile(config.http.token_file).status().WithContext("service account"));
  auto ns = ReadFile(account_dir + "/namespace");
  config.ns = ns.ok() && !Trim(*ns).empty() ? Trim(*ns) : "default";
  return config;
}

Result<ClientConfig> LoadKubeconfig(const std::string& path, const std::string& context) {
  SJ_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  auto parsed = base::ParseYaml(text);
  if (!parsed.ok()) {
    return parsed.status().WithContext(fmt::format("kubeconfig \"{}\"", path));
  }
  const std::string name = context.empty() ? Text(*parsed, "current-context") : context;
  if (name.empty()) {
    return InvalidArgument("kubeconfig: no current-context");
  }
  SJ_ASSIGN_OR_RETURN(const Json chosen, Named(*parsed, "contexts", "context", name));
  SJ_ASSIGN_OR_RETURN(const Json cluster,
                      Named(*parsed, "clusters", "cluster", Text(chosen, "cluster")));
  ClientConfig config;
  config.files = std::make_unique<PrivateFiles>();
  SJ_RETURN_IF_ERROR(ReadCluster(cluster, path, config));
  if (!Text(chosen, "user").empty()) {
    SJ_ASSIGN_OR_RETURN(const Json user, Named(*parsed, "users", "user", Text(chosen, "user")));
    SJ_RETURN_IF_ERROR(ReadUser(user, path, config));
  }
  config.ns = Text(chosen, "namespace").empty() ? "default" : Text(chosen, "namespace");
  return config;
}

}  // namespace sj::op::kube
