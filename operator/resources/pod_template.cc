// SPDX-License-Identifier: Apache-2.0
// See pod_template.h.
#include "operator/resources/pod_template.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/control/messages.h"
#include "operator/resources/names.h"

namespace sj::op::resources {
namespace {

constexpr int kUser = 65532;
constexpr int kFileMode = 0440;

Json FieldEnv(const char* name, const char* path) {
  return {{"name", name},
          {"valueFrom", {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", path}}}}}};
}

Json Probe(const char* path, int period_seconds, int failures) {
  return {{"httpGet", {{"path", path}, {"port", "http"}, {"scheme", "HTTP"}}},
          {"periodSeconds", period_seconds},
          {"timeoutSeconds", 5},
          {"failureThreshold", failures}};
}

Json Mount(const std::string& name, std::string_view path, bool read_only) {
  Json mount = {{"name", name}, {"mountPath", path}};
  if (read_only) {
    mount["readOnly"] = true;
  }
  return mount;
}

std::string SecretVolume(size_t index) {
  return fmt::format("secret-{}", index);
}

Json Command(const Blueprint& blueprint) {
  return Json::array(
      {"/streamjob-worker", "--log-level", v1alpha1::ToString(blueprint.effective.log_level),
       "serve", "--manifest", fmt::format("{}/job.yaml", kManifestDir), "--control-url",
       blueprint.settings.control_url, "--control-ca", fmt::format("{}/ca.crt", kManifestDir),
       "--token-file", fmt::format("{}/token", kTokenDir), "--secrets-dir", kSecretsDir,
       "--data-dir", kScratchDir, "--listen", fmt::format("0.0.0.0:{}", kWorkerHttpPort)});
}

Json Mounts(const std::vector<std::string>& secrets) {
  Json mounts =
      Json::array({Mount("manifest", kManifestDir, true), Mount("control-token", kTokenDir, true),
                   Mount("scratch", kScratchDir, false)});
  for (size_t i = 0; i < secrets.size(); ++i) {
    mounts.push_back(Mount(SecretVolume(i), fmt::format("{}/{}", kSecretsDir, secrets[i]), true));
  }
  return mounts;
}

Json Volumes(const Blueprint& blueprint, const std::vector<std::string>& secrets,
             const std::string& config_map) {
  Json token = {{"audience", control::kTokenAudience},
                {"expirationSeconds", kTokenExpirySeconds},
                {"path", "token"}};
  Json volumes = Json::array();
  volumes.push_back(
      {{"name", "manifest"}, {"configMap", {{"name", config_map}, {"defaultMode", kFileMode}}}});
  volumes.push_back({{"name", "control-token"},
                     {"projected",
                      {{"defaultMode", kFileMode},
                       {"sources", Json::array({{{"serviceAccountToken", token}}})}}}});
  volumes.push_back(
      {{"name", "scratch"}, {"emptyDir", {{"sizeLimit", blueprint.settings.scratch_size}}}});
  for (size_t i = 0; i < secrets.size(); ++i) {
    // optional: a worker that runs can name the missing Secret, a pod that cannot start says little
    volumes.push_back(
        {{"name", SecretVolume(i)},
         {"secret", {{"secretName", secrets[i]}, {"defaultMode", kFileMode}, {"optional", true}}}});
  }
  return volumes;
}

Json ContainerSecurity() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"runAsNonRoot", true},
          {"capabilities", {{"drop", Json::array({"ALL"})}}}};
}

Json Container(const Blueprint& blueprint, const std::vector<std::string>& secrets) {
  Json container = {
      {"name", "worker"},
      {"image", blueprint.effective.image},
      {"command", Command(blueprint)},
      {"env",
       Json::array(
           {FieldEnv("POD_NAME", "metadata.name"), FieldEnv("POD_NAMESPACE", "metadata.namespace"),
            FieldEnv("STREAMJOB_ORDINAL", "metadata.labels['apps.kubernetes.io/pod-index']")})},
      {"ports",
       Json::array({{{"name", "http"}, {"containerPort", kWorkerHttpPort}, {"protocol", "TCP"}}})},
      {"startupProbe", Probe("/healthz", 1, 60)},
      {"livenessProbe", Probe("/healthz", 10, 6)},
      {"readinessProbe", Probe("/readyz", 2, 2)},
      {"securityContext", ContainerSecurity()},
      {"terminationMessagePolicy", "FallbackToLogsOnError"},
      {"volumeMounts", Mounts(secrets)}};
  if (!blueprint.settings.image_pull_policy.empty()) {
    container["imagePullPolicy"] = blueprint.settings.image_pull_policy;
  }
  const v1alpha1::Resources& resources = blueprint.effective.resources;
  if (!resources.requests.empty()) {
    container["resources"]["requests"] = resources.requests;
  }
  if (!resources.limits.empty()) {
    container["resources"]["limits"] = resources.limits;
  }
  return container;
}

Json TolerationJson(const v1alpha1::Toleration& toleration) {
  Json json = Json::object();
  const std::pair<const char*, const std::string*> texts[] = {{"key", &toleration.key},
                                                              {"operator", &toleration.op},
                                                              {"value", &toleration.value},
                                                              {"effect", &toleration.effect}};
  for (const auto& [key, text] : texts) {
    if (!text->empty()) {
      json[key] = *text;
    }
  }
  if (toleration.toleration_seconds) {
    json["tolerationSeconds"] = *toleration.toleration_seconds;
  }
  return json;
}

// The text was read from JSON by our own reader; what cannot be parsed is left out.
Json RawJson(const v1alpha1::RawObject& raw) {
  base::Result<Json> json = base::ParseJson(raw.text);
  return json.ok() ? *std::move(json) : Json::object();
}

Json SpreadJson(const v1alpha1::TopologySpreadConstraint& spread, std::string_view job_name) {
  Json json = {{"maxSkew", spread.max_skew},
               {"topologyKey", spread.topology_key},
               {"whenUnsatisfiable", spread.when_unsatisfiable}};
  if (spread.min_domains) {
    json["minDomains"] = *spread.min_domains;
  }
  json["labelSelector"] = spread.label_selector.text.empty()
                              ? Json{{"matchLabels", SelectorLabels(job_name)}}
                              : RawJson(spread.label_selector);
  return json;
}

// The taints of a node that does not answer. Kubernetes would wait 300 s; a worker of ours
// elsewhere costs seconds, and the old one cannot commit beside it. What the user tolerates is left
// as it is.
void AddNodeTolerations(const v1alpha1::WorkerSpec& worker, Json& pod) {
  for (const char* taint : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    const bool named = std::any_of(
        worker.tolerations.begin(), worker.tolerations.end(), [&](const v1alpha1::Toleration& t) {
          return (t.key.empty() || t.key == taint) && (t.effect.empty() || t.effect == "NoExecute");
        });
    if (!named) {
      pod["tolerations"].push_back({{"key", taint},
                                    {"operator", "Exists"},
                                    {"effect", "NoExecute"},
                                    {"tolerationSeconds", kNodeLostSeconds}});
    }
  }
}

void AddPlacement(const v1alpha1::WorkerSpec& worker, std::string_view job_name, Json& pod) {
  if (!worker.node_selector.empty()) {
    pod["nodeSelector"] = worker.node_selector;
  }
  for (const v1alpha1::Toleration& toleration : worker.tolerations) {
    pod["tolerations"].push_back(TolerationJson(toleration));
  }
  AddNodeTolerations(worker, pod);
  if (!worker.affinity.text.empty()) {
    pod["affinity"] = RawJson(worker.affinity);
  }
  for (const v1alpha1::TopologySpreadConstraint& spread : worker.topology_spread_constraints) {
    pod["topologySpreadConstraints"].push_back(SpreadJson(spread, job_name));
  }
  if (!worker.priority_class_name.empty()) {
    pod["priorityClassName"] = worker.priority_class_name;
  }
}

Json Metadata(std::string_view job_name, const v1alpha1::WorkerSpec& worker,
              const std::string& spec_hash) {
  v1alpha1::StringMap labels = CommonLabels(job_name);
  labels.insert(worker.labels.begin(), worker.labels.end());  // ours win
  v1alpha1::StringMap annotations = {{std::string(kSpecHashAnnotation), spec_hash}};
  annotations.insert(worker.annotations.begin(), worker.annotations.end());
  return {{"labels", labels}, {"annotations", annotations}};
}

}  // namespace

Json BuildPodTemplate(const Blueprint& blueprint, const v1alpha1::StreamJobSpec& spec,
                      const std::string& spec_hash) {
  const std::string& job_name = blueprint.job.metadata.name;
  const std::vector<std::string> secrets = SecretNames(spec);
  Json pod = {{"serviceAccountName", WorkerName(job_name)},
              {"automountServiceAccountToken", false},
              {"enableServiceLinks", false},
              {"terminationGracePeriodSeconds", kGraceSeconds},
              {"securityContext",
               {{"runAsNonRoot", true},
                {"runAsUser", kUser},
                {"runAsGroup", kUser},
                {"fsGroup", kUser},
                {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
              {"containers", Json::array({Container(blueprint, secrets)})},
              {"volumes", Volumes(blueprint, secrets, ConfigMapName(job_name, spec_hash))}};
  for (const std::string& name : blueprint.settings.pull_secrets) {
    pod["imagePullSecrets"].push_back({{"name", name}});
  }
  AddPlacement(spec.worker, job_name, pod);
  return {{"metadata", Metadata(job_name, spec.worker, spec_hash)}, {"spec", pod}};
}

}  // namespace sj::op::resources
