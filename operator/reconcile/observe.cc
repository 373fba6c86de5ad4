// SPDX-License-Identifier: Apache-2.0
// See observe.h.
#include "operator/reconcile/observe.h"

#include <fmt/format.h>

#include <set>

#include "operator/resources/names.h"
#include "operator/resources/object.h"

namespace sj::op::reconcile {
namespace {

using base::Json;
using base::Result;
using base::Status;
using resources::Text;

constexpr size_t kSqlBytesMax = 256u << 10;

struct Source {
  const v1alpha1::StreamJob& job;
  kube::KubeClient& client;
  runtime::Store& store;
};

Result<decide::SqlText> ReadSql(const Source& source) {
  const v1alpha1::StreamJobSpec& spec = source.job.spec;
  if (!spec.sql_from) {
    return decide::SqlText{spec.sql, std::nullopt};
  }
  const v1alpha1::ConfigMapKeyRef& ref = spec.sql_from->config_map_key_ref;
  decide::SqlText sql;
  const auto problem = [&](std::string message) {
    sql.problem = v1alpha1::Finding{"SqlMissing", "spec.sqlFrom", std::move(message)};
    return sql;
  };
  Result<Json> map = source.client.Get(
      kube::kConfigMaps, {source.job.metadata.namespace_name, ref.name}, kube::Read::kCached);
  if (!map.ok()) {
    if (map.status().kind() == base::ErrorKind::kNotFound) {
      return problem(fmt::format("ConfigMap \"{}\" does not exist", ref.name));
    }
    return std::move(map).status();
  }
  const Json* text = resources::Find(*map, {"data", ref.key});
  if (text == nullptr || !text->is_string()) {
    return problem(fmt::format("ConfigMap \"{}\" has no key \"{}\"", ref.name, ref.key));
  }
  sql.text = text->get<std::string>();
  if (sql.text.empty() || sql.text.size() > kSqlBytesMax) {
    return problem(fmt::format("key \"{}\" of ConfigMap \"{}\" is empty or larger than {} KiB",
                               ref.key, ref.name, kSqlBytesMax >> 10));
  }
  return sql;
}

std::string StrangerWords(const kube::Resource& resource, const Json& object,
                          const v1alpha1::StreamJob& job) {
  const std::optional<kube::OwnerRef> owner = kube::ControllerOf(object);
  const std::string what = fmt::format("{} \"{}\"", resource.kind, kube::NameOf(object));
  if (!owner) {
    return what + " exists and was not made for this job; rename the job or remove it";
  }
  if (owner->kind == v1alpha1::kKind && owner->name == job.metadata.name) {
    return what + " still belongs to a deleted StreamJob of the same name";
  }
  return fmt::format("{} belongs to {} \"{}\"; rename the job or remove it", what, owner->kind,
                     owner->name);
}

// The child of that name. Absent when there is none; a stranger's goes to `foreign`.
Result<std::optional<Json>> FindChild(const Source& source, const kube::Resource& resource,
                                      const std::string& name,
                                      std::optional<std::string>& foreign) {
  const kube::ObjectKey key{source.job.metadata.namespace_name, name};
  std::optional<Json> known = source.store.Get(resource, key);
  if (known && resources::ControllerUid(*known) == source.job.metadata.uid) {
    return known;
  }
  Result<Json> read = source.client.Get(resource, key, kube::Read::kQuorum);
  if (!read.ok()) {
    if (read.status().kind() == base::ErrorKind::kNotFound) {
      return std::optional<Json>();
    }
    return std::move(read).status();
  }
  if (resources::ControllerUid(*read) != source.job.metadata.uid) {
    foreign = foreign ? foreign : StrangerWords(resource, *read, source.job);
    return std::optional<Json>();
  }
  source.store.Put(resource, *read);
  return std::optional<Json>(*std::move(read));
}

std::string WantedConfigMap(const Source& source, const decide::Settings& settings,
                            const std::string& sql) {
  const v1alpha1::EffectiveSpec effective = v1alpha1::Effective(source.job.spec, settings.defaults);
  const resources::Blueprint blueprint{source.job, effective, sql, settings.worker};
  return resources::ConfigMapName(source.job.metadata.name, resources::ManifestHash(blueprint));
}

// Those a decision hangs on: of the spec wanted, of the one in force, of the one to go back to.
std::set<std::string> NeededConfigMaps(const Source& source, std::string wanted) {
  const v1alpha1::StreamJobStatus& status = source.job.status;
  std::set<std::string> names = {std::move(wanted)};
  for (const std::string& hash : {status.generation ? status.generation->spec_hash : std::string(),
                                  status.stable ? status.stable->spec_hash : std::string()}) {
    if (!hash.empty()) {
      names.insert(resources::ConfigMapName(source.job.metadata.name, hash));
    }
  }
  return names;
}

// The job's ConfigMaps of all specs; the needed ones are looked for by name.
Status ReadConfigMaps(const Source& source, const std::string& wanted, decide::Children& children) {
  children.config_maps = source.store.OwnedBy(kube::kConfigMaps, source.job.metadata.uid);
  std::set<std::string> missing = NeededConfigMaps(source, wanted);
  for (const Json& map : children.config_maps) {
    missing.erase(kube::NameOf(map));
  }
  for (const std::string& name : missing) {
    SJ_ASSIGN_OR_RETURN(std::optional<Json> map,
                        FindChild(source, kube::kConfigMaps, name, children.foreign));
    if (map) {
      children.config_maps.push_back(*std::move(map));
    }
  }
  return base::OkStatus();
}

// A job that goes away needs its pods only.
Status ReadStatefulSet(const Source& source, const std::string& name, decide::Children& children) {
  SJ_ASSIGN_OR_RETURN(children.stateful_set,
                      FindChild(source, kube::kStatefulSets, name, children.foreign));
  if (children.stateful_set) {
    children.pods = source.store.OwnedBy(kube::kPods, kube::UidOf(*children.stateful_set));
  }
  return base::OkStatus();
}

}  // namespace

Result<Observation> Observe(const v1alpha1::StreamJob& job, const decide::Settings& settings,
                            kube::KubeClient& client, runtime::Store& store) {
  const Source source{job, client, store};
  const std::string name = resources::WorkerName(job.metadata.name);
  Observation seen;
  decide::Children& children = seen.children;
  SJ_RETURN_IF_ERROR(ReadStatefulSet(source, name, children));
  if (job.metadata.deletion_timestamp) {
    children.foreign.reset();
    return seen;
  }
  SJ_ASSIGN_OR_RETURN(seen.sql, ReadSql(source));
  SJ_RETURN_IF_ERROR(
      ReadConfigMaps(source, WantedConfigMap(source, settings, seen.sql.text), children));
  SJ_ASSIGN_OR_RETURN(children.service_account,
                      FindChild(source, kube::kServiceAccounts, name, children.foreign));
  SJ_ASSIGN_OR_RETURN(children.service, FindChild(source, kube::kServices, name, children.foreign));
  SJ_ASSIGN_OR_RETURN(children.disruption_budget,
                      FindChild(source, kube::kPodDisruptionBudgets, name, children.foreign));
  return seen;
}

}  // namespace sj::op::reconcile
