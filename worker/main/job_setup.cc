// SPDX-License-Identifier: Apache-2.0
// Manifest -> JobConfig.
#include "worker/main/job_setup.h"

#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/control/messages.h"
#include "api/v1alpha1/effective.h"
#include "api/v1alpha1/manifest_file.h"

namespace sj::worker {
namespace {

// Keys of the Secret that spec.checkpoint.secretRef names; also the environment's names on a
// laptop.
constexpr const char* kAccessKey = "AWS_ACCESS_KEY_ID";
constexpr const char* kSecretKey = "AWS_SECRET_ACCESS_KEY";
constexpr size_t kManifestBytesMax = 4u << 20;

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

int CpuCount() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    return 1;
  }
  return std::max(1, CPU_COUNT(&set));
}

connect::KafkaConnection ToConnection(const v1alpha1::Connection& from,
                                      const std::string& secrets) {
  connect::KafkaConnection to;
  to.name = from.name;
  to.bootstrap_servers = from.kafka->bootstrap_servers;
  if (from.kafka->secret_ref) {
    to.secret_directory = secrets + "/" + from.kafka->secret_ref->name;
  }
  to.properties.assign(from.kafka->properties.begin(), from.kafka->properties.end());
  return to;
}

void SetStore(const v1alpha1::StreamJob& job, const SetupOptions& options,
              const v1alpha1::EffectiveSpec& effective, runtime::JobConfig* config) {
  store::ObjectStoreOptions& store = config->store;
  store.location = options.checkpoint.empty() ? effective.checkpoint.location : options.checkpoint;
  bool on_kafka = std::any_of(
      config->plan.tables.begin(), config->plan.tables.end(), [](const types::TableSpec& table) {
        return table.Option("connector").value_or("").find("kafka") != std::string_view::npos;
      });
  if (store.location.empty() && options.laptop && on_kafka) {
    store.location = "file://" + std::filesystem::absolute("streamjob-checkpoints").string();
  }
  store.endpoint = effective.checkpoint.endpoint;
  store.region = effective.checkpoint.region;
  store.path_style = effective.checkpoint.path_style || !store.endpoint.empty();
  store.ca_file = options.ca_file;
  if (!effective.checkpoint.secret_name.empty() && !options.laptop) {
    std::string directory = options.secrets_directory + "/" + effective.checkpoint.secret_name;
    store.access_key_file = directory + "/" + kAccessKey;
    store.secret_key_file = directory + "/" + kSecretKey;
  } else {
    store.access_key = Environment(kAccessKey);
    store.secret_key = Environment(kSecretKey);
  }
  (void)job;
}

base::Result<std::string> ScratchDirectory(const SetupOptions& options) {
  if (!options.data_directory.empty()) {
    return options.data_directory;
  }
  std::string name = (std::filesystem::temp_directory_path() / "streamjob-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    return base::Unavailable("make a temporary directory " + name);
  }
  return name;
}

}  // namespace

base::Result<v1alpha1::StreamJob> ReadJobFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return base::InvalidArgument("read \"" + path + "\": there is no such file, or it is not ours");
  }
  std::ostringstream text;
  text << file.rdbuf();
  if (text.view().size() > kManifestBytesMax) {
    return base::InvalidArgument("read \"" + path + "\": larger than 4 MiB");
  }
  auto job = v1alpha1::ReadManifest(text.view(), std::filesystem::path(path).filename().string());
  if (!job.ok()) {
    return std::move(job).status().WithContext(path);
  }
  return job;
}

base::Result<plan::PhysicalPlan> PlanJob(const v1alpha1::StreamJob& job) {
  return plan::PlanSql(job.spec.sql);
}

base::Result<runtime::JobConfig> MakeConfig(const v1alpha1::StreamJob& job,
                                            const SetupOptions& options) {
  runtime::JobConfig config;
  SJ_ASSIGN_OR_RETURN(config.plan, PlanJob(job));
  v1alpha1::EffectiveSpec effective = v1alpha1::Effective(job.spec, v1alpha1::Defaults{});
  config.job_uid = job.metadata.uid.empty() ? job.metadata.name : job.metadata.uid;
  config.shards = effective.shards;
  config.max_parallelism = effective.max_parallelism;
  config.epoch_interval = effective.checkpoint.interval;
  config.checkpoints_retained = effective.checkpoint.retain;
  config.threads = options.threads > 0       ? options.threads
                   : job.spec.worker.threads ? *job.spec.worker.threads
                                             : CpuCount();
  SetStore(job, options, effective, &config);
  SJ_ASSIGN_OR_RETURN(config.scratch_directory, ScratchDirectory(options));
  for (const v1alpha1::Connection& connection : job.spec.connections) {
    if (connection.kafka) {
      config.connect.connections.push_back(ToConnection(connection, options.secrets_directory));
    }
  }
  config.connect.job_id = config.job_uid;
  config.connect.id_prefix = sj::control::kIdPrefix;
  config.connect.task_threads = config.threads;
  return config;
}

base::Status CheckConnectors(const runtime::JobConfig& config) {
  for (const types::TableSpec& table : config.plan.tables) {
    size_t index = &table - config.plan.tables.data();
    bool read = false;
    for (const plan::Fragment& fragment : config.plan.fragments) {
      read = read || (fragment.input == plan::InputKind::kSource &&
                      fragment.table == static_cast<int>(index));
    }
    if (read) {
      auto source = connect::MakeSource(table, config.connect);
      SJ_RETURN_IF_ERROR(source.status());
    } else {
      auto sink = connect::MakeSink(table, config.connect);
      SJ_RETURN_IF_ERROR(sink.status());
    }
  }
  return base::OkStatus();
}

}  // namespace sj::worker
