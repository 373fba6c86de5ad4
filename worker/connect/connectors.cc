// SPDX-License-Identifier: Apache-2.0
// From the option 'connector' to the folder that serves it.
#include <fmt/core.h>

#include <optional>

#include "worker/connect/blackhole/blackhole_sink.h"
#include "worker/connect/committed_reader.h"
#include "worker/connect/connector.h"
#include "worker/connect/exchange.h"
#include "worker/connect/generator/datagen_source.h"
#include "worker/connect/job_remains.h"
#include "worker/connect/kafka/commit_log.h"
#include "worker/connect/kafka/committed.h"
#include "worker/connect/kafka/exchange_log.h"
#include "worker/connect/kafka/job_remains.h"
#include "worker/connect/kafka/kafka_options.h"
#include "worker/connect/kafka/kafka_sink.h"
#include "worker/connect/kafka/kafka_source.h"
#include "worker/connect/options.h"
#include "worker/connect/print/print_sink.h"

namespace sj::worker::connect {
namespace {

base::Result<std::string> ConnectorOf(const types::TableSpec& table) {
  return OptionReader(table).Required("connector");
}

bool IsKafka(std::string_view connector) {
  return connector == "kafka" || connector == "upsert-kafka";
}

base::Status MergeProducer(const types::TableSpec& table, const kafka::Properties& more,
                           kafka::Properties* into) {
  for (const auto& property : more) {
    bool found = false;
    for (const auto& [name, value] : *into) {
      if (name == property.first && value != property.second) {
        return TableError(table, fmt::format("property \"{}\" differs from another table's: all"
                                             " sinks of a job share its producers",
                                             name));
      }
      found = found || name == property.first;
    }
    if (!found) {
      into->push_back(property);
    }
  }
  return base::OkStatus();
}

// The one cluster of all tables, or nothing.
base::Result<std::optional<kafka::Cluster>> ClusterOf(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context) {
  std::optional<kafka::Cluster> cluster;
  for (const types::TableSpec* table : tables) {
    SJ_ASSIGN_OR_RETURN(std::string connector, ConnectorOf(*table));
    if (!IsKafka(connector)) {
      continue;
    }
    SJ_ASSIGN_OR_RETURN(kafka::KafkaOptions options, kafka::ParseKafkaOptions(*table, context));
    if (!cluster.has_value()) {
      cluster = std::move(options.cluster);
      continue;
    }
    if (!cluster->SameCluster(options.cluster)) {
      return TableError(*table,
                        "is on another Kafka cluster (or logs in otherwise) than the job's other"
                        " tables. A transaction cannot span two clusters.");
    }
    SJ_RETURN_IF_ERROR(MergeProducer(*table, options.cluster.producer, &cluster->producer));
  }
  return cluster;
}

base::Status NoConnector(const types::TableSpec& table, std::string_view connector,
                         std::string_view side, std::string_view known) {
  return OptionError(
      table, "connector",
      fmt::format("\"{}\" is not a {} of this worker. It has: {}.", connector, side, known));
}

}  // namespace

base::Result<std::unique_ptr<Source>> MakeSource(const types::TableSpec& table,
                                                 const ConnectContext& context) {
  SJ_ASSIGN_OR_RETURN(std::string connector, ConnectorOf(table));
  if (IsKafka(connector)) {
    return kafka::MakeKafkaSource(table, context);
  }
  if (connector == "datagen") {
    return generator::MakeDatagenSource(table, context);
  }
  return NoConnector(table, connector, "source", "kafka, datagen");
}

base::Result<std::unique_ptr<Sink>> MakeSink(const types::TableSpec& table,
                                             const ConnectContext& context) {
  SJ_ASSIGN_OR_RETURN(std::string connector, ConnectorOf(table));
  if (IsKafka(connector)) {
    return kafka::MakeKafkaSink(table, context);
  }
  if (connector == "print") {
    return print::MakePrintSink(table);
  }
  if (connector == "blackhole") {
    return blackhole::MakeBlackholeSink(table);
  }
  return NoConnector(table, connector, "sink", "kafka, upsert-kafka, print, blackhole");
}

base::Result<std::unique_ptr<CommitLog>> MakeKafkaCommitLog(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context) {
  SJ_ASSIGN_OR_RETURN(std::optional<kafka::Cluster> cluster, ClusterOf(tables, context));
  if (!cluster.has_value()) {
    return std::unique_ptr<CommitLog>();
  }
  kafka::CommitLogOptions options;
  options.cluster = std::move(*cluster);
  options.id_prefix = context.id_prefix;
  options.job_id = context.job_id;
  options.ordinal = context.ordinal;
  for (const types::TableSpec* table : tables) {
    if (table->Option("connector") == "datagen") {
      SJ_ASSIGN_OR_RETURN(std::unique_ptr<Source> source, MakeSource(*table, context));
      SJ_ASSIGN_OR_RETURN(int partitions, source->PartitionCount());
      options.position_topics.emplace_back(source->topic(), partitions);
    }
  }
  return std::unique_ptr<CommitLog>(std::make_unique<kafka::KafkaCommitLog>(std::move(options)));
}

std::string ExchangeTopic(const ConnectContext& context, int edge) {
  return fmt::format("{}.{}.x{}", context.id_prefix, context.job_id, edge);
}

base::Result<std::unique_ptr<ExchangeLog>> MakeExchangeLog(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context) {
  SJ_ASSIGN_OR_RETURN(std::optional<kafka::Cluster> cluster, ClusterOf(tables, context));
  if (!cluster.has_value()) {
    return std::unique_ptr<ExchangeLog>();
  }
  return std::unique_ptr<ExchangeLog>(std::make_unique<kafka::KafkaExchangeLog>(
      std::move(*cluster), fmt::format("{}.{}", context.id_prefix, context.job_id),
      context.task_threads));
}

base::Result<std::unique_ptr<CommittedReader>> MakeCommittedReader(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context) {
  SJ_ASSIGN_OR_RETURN(std::optional<kafka::Cluster> cluster, ClusterOf(tables, context));
  if (!cluster.has_value()) {
    return std::unique_ptr<CommittedReader>();
  }
  return std::unique_ptr<CommittedReader>(std::make_unique<kafka::KafkaCommittedReader>(
      std::move(*cluster), fmt::format("{}.{}", context.id_prefix, context.job_id)));
}

base::Result<std::unique_ptr<JobRemains>> MakeJobRemains(
    const std::vector<const types::TableSpec*>& tables, const ConnectContext& context) {
  if (context.job_id.empty()) {
    return base::InvalidArgument("remove what a job left: the job has no id");
  }
  SJ_ASSIGN_OR_RETURN(std::optional<kafka::Cluster> cluster, ClusterOf(tables, context));
  if (!cluster.has_value()) {
    return std::unique_ptr<JobRemains>();
  }
  return std::unique_ptr<JobRemains>(
      std::make_unique<kafka::KafkaJobRemains>(std::move(*cluster), context));
}

}  // namespace sj::worker::connect
